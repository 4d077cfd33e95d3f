// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The daemon as it ships, over a made-up machine with scripted app kernels: what the tests in
// tests/wire talk to. Takes virtmultikerneld's options; everything it writes is below
// --socket-dir and in a Sandbox: the folder MK_MACHINE, which keeps the machine for the next
// daemon, or one that is gone when it ends, below TMPDIR. MK_JOB_PATIENCE_MS shortens the time
// that a call waits for another's job. Never installed.
#include <fmt/core.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <string>

#include "daemon.h"
#include "support/fake_backend.h"
#include "support/sandbox.h"
#include "util/error.h"

int main(int argc, char** argv) {
    try {
        auto options = mk::parse_options(argc, argv);
        if (!options)
            return 0;
        const char* const kept = std::getenv("MK_MACHINE");
        const auto sandbox = kept != nullptr ? std::make_unique<mk::test::Sandbox>(
                                                   mk::test::SandboxMachine{}, std::string(kept))
                                             : std::make_unique<mk::test::Sandbox>();
        options->paths = sandbox->paths();
        if (const char* const patience = std::getenv("MK_JOB_PATIENCE_MS"))
            options->paths.job_patience = std::chrono::milliseconds(std::stoul(patience));
        options->paths.schema = MK_SCHEMA;  // the one of this tree, whatever is installed
        options->pid_file = options->socket_dir + "/fake-daemon.pid";
        if (!options->conf_must_exist)
            options->conf_file = options->socket_dir + "/virtmultikerneld.conf";
        const auto machine = std::make_shared<mk::test::FakeMachine>(
            kept != nullptr ? sandbox->root() + "/partitions" : "");
        mk::run_daemon(*options, std::make_unique<mk::test::FakeBackend>(machine));
        return 0;
    } catch (const mk::Error& error) {
        fmt::print(stderr, "fake-daemon: {}\n", error.full_message());
    } catch (const std::exception& error) {
        fmt::print(stderr, "fake-daemon: {}\n", error.what());
    }
    return 1;
}
