// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The daemon's body: puts driver and server together, makes or takes over the sockets, runs
// until it is told to end. main.cpp gives it the kernel's backend; the tests' daemon gives it
// one that runs no kernel.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "backend/backend.h"
#include "domain/driver.h"

namespace mk {

struct DaemonOptions {
    std::string conf_file = "/etc/libvirt/virtmultikerneld.conf";
    bool conf_must_exist = false;  // it was named on the command line
    std::string socket_dir = "/run/libvirt";
    bool socket_dir_named = false;  // on the command line: the configuration's does not count
    std::string pid_file = "/run/virtmultikerneld.pid";
    bool verbose = false;
    unsigned timeout_s = 0;  // ends after so long without clients and partitions; 0: never
    domain::Paths paths;
};

// The command line of virtqemud, as far as it makes sense here. nullopt: --help or --version
// was answered. Throws Error(VIR_ERR_INVALID_ARG) that says what is wrong.
[[nodiscard]] std::optional<DaemonOptions> parse_options(int argc, char** argv);

// Blocks until SIGTERM, SIGINT or the timeout. Throws Error if the daemon cannot start: the
// configuration, another daemon that holds the pid file, a socket that cannot be made.
void run_daemon(const DaemonOptions& options, std::unique_ptr<backend::Backend> backend);

}  // namespace mk
