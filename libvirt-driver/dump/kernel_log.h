// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What an app kernel has printed, read from its memory: the printk ring buffer of Linux 5.10 and
// later (kernel/printk/printk_ringbuffer.h), found through VMCOREINFO. Works for a kernel that
// is dead, hangs, or never had a console. Every number in it is the app kernel's word: bounded
// before it is used, and a log that makes no sense is no log.
//
// Thread-safe: no state.
#pragma once

#include <chrono>
#include <string>

#include "dump/memory.h"

namespace mk::dump {

struct KernelLog {
    std::string text;     // lines as dmesg prints them
    std::string missing;  // why there is none; empty: there is one
};

// Never throws for what the app kernel wrote; Error if the memory cannot be mapped.
[[nodiscard]] KernelLog read_kernel_log(Memory& memory, std::chrono::milliseconds patience);

}  // namespace mk::dump
