// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A core file of a partition: an ELF64 file as /proc/vmcore is one, which crash, gdb and
// makedumpfile read. One PT_NOTE with an NT_PRSTATUS for each CPU whose registers are known and
// the app kernel's VMCOREINFO; one PT_LOAD for each range of memory, at its physical address
// and, if the kernel's tables say it, at the address where the kernel itself has it.
//
// Thread-safe: no state but Progress, which is atomic.
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "backend/backend.h"
#include "dump/memory.h"

namespace mk::dump {

// Of whoever writes; read, and cancelled, by anybody.
struct Progress {
    std::atomic<std::uint64_t> total_bytes = 0;
    std::atomic<std::uint64_t> done_bytes = 0;
    std::atomic<bool> cancelled = false;

    // Throws Error(VIR_ERR_OPERATION_ABORTED).
    void check() const;
};

// `fd` is an empty file, perhaps with O_DIRECT. Pages of zeroes become holes. Throws Error:
// VIR_ERR_OPERATION_ABORTED once it is cancelled; VIR_ERR_SYSTEM_ERROR (no space …).
void write_core(Memory& memory, const std::vector<backend::Registers>& registers, int fd,
                Progress& progress);

}  // namespace mk::dump
