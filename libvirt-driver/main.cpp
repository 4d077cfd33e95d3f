// SPDX-License-Identifier: LGPL-2.1-or-later
//
// virtmultikerneld: the daemon, with the kernel module behind it.
#include <fmt/core.h>
#include <malloc.h>

#include <cstdio>
#include <exception>

#include "backend/module.h"
#include "daemon.h"
#include "util/error.h"

namespace {

// Every worker that starts a domain would keep what the decompressors needed, a megabyte each,
// for ever: that memory is the host's. Two arenas do for calls that mostly wait, and a set
// threshold keeps large blocks out of them (glibc raises it otherwise, mallopt(3)). A list of a
// thousand domains is below it, and is no reason to ask the kernel for pages with each call.
void keep_little_memory() {
    mallopt(M_ARENA_MAX, 2);
    mallopt(M_MMAP_THRESHOLD, 768 << 10);
    mallopt(M_TRIM_THRESHOLD, 768 << 10);
}

}  // namespace

int main(int argc, char** argv) {
    keep_little_memory();
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
