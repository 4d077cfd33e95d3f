// SPDX-License-Identifier: LGPL-2.1-or-later
//
// virtmultikerneld: the daemon, with the kernel module behind it.
#include <fmt/core.h>

#include <cstdio>
#include <exception>

#include "backend/module.h"
#include "daemon.h"
#include "util/error.h"

int main(int argc, char** argv) {
    try {
        const auto options = mk::parse_options(argc, argv);
        if (options)
            mk::run_daemon(*options, std::make_unique<mk::backend::Module>());
        return 0;
    } catch (const mk::Error& error) {
        fmt::print(stderr, "virtmultikerneld: {}\n", error.full_message());
    } catch (const std::exception& error) {
        fmt::print(stderr, "virtmultikerneld: {}\n", error.what());
    }
    return 1;
}
