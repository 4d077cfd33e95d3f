// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The addresses that an app kernel itself uses: its page tables, walked in its memory. The
// tables are whatever it made of them: each step is bounded, and what leads nowhere is "not
// there".
//
// Externally synchronised, as the Memory it reads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "dump/memory.h"

namespace mk::dump {

class VmcoreInfo;

class AddressSpace {
  public:
    // nullopt: the note does not say where the tables are.
    [[nodiscard]] static std::optional<AddressSpace> of(Memory& memory, const VmcoreInfo& info);

    [[nodiscard]] std::optional<std::uint64_t> physical(std::uint64_t address);
    // As Memory::read().
    [[nodiscard]] bool read(std::uint64_t address, std::span<std::byte> out);
    // Where the kernel has all memory mapped: physical 0 is at this address (page_offset_base,
    // which is random).
    [[nodiscard]] std::optional<std::uint64_t> direct_map();

  private:
    AddressSpace(Memory& memory, std::uint64_t top, unsigned levels, std::uint64_t mask)
        : memory_(&memory), top_(top), levels_(levels), mask_(mask) {}
    [[nodiscard]] std::optional<std::uint64_t> entry(std::uint64_t table, std::uint64_t index);

    Memory* memory_;
    std::uint64_t top_;
    unsigned levels_;
    std::uint64_t mask_;  // the address in an entry
};

}  // namespace mk::dump
