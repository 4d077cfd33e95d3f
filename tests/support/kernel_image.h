// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The memory of a made-up app kernel: page tables, a name, VMCOREINFO and a log, as Linux lays
// them out, small enough to be broken on purpose. One range of 8 MiB at 1 GiB.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "dump/memory.h"

namespace mk::test {

class KernelImage {
  public:
    static constexpr std::uint64_t start = 1U << 30;
    static constexpr std::uint64_t size = 8U << 20;
    static constexpr std::uint64_t text = 0xffffffff81000000;  // where `start` is mapped
    static constexpr std::uint64_t direct_map = 0xffff888000000000 + (5ULL << 30);
    // Offsets of what tests break.
    static constexpr std::uint64_t top_table = 0;
    static constexpr std::uint64_t note = 0x10000;
    static constexpr std::uint64_t ring = 0x20000;
    static constexpr std::uint64_t descs = 0x21000;
    static constexpr std::uint64_t infos = 0x22000;
    static constexpr std::uint64_t data = 0x23000;

    explicit KernelImage(const std::vector<std::string>& records);

    void put(std::uint64_t offset, std::uint64_t value);
    void put_note(std::uint64_t offset);
    [[nodiscard]] std::string& bytes() { return bytes_; }
    [[nodiscard]] std::vector<backend::MemoryRange> ranges() const;
    // A file with the bytes of this moment.
    [[nodiscard]] Fd file() const;

  private:
    template <typename Value>
    void write(std::uint64_t offset, Value value);
    void put_tables();
    void put_log(const std::vector<std::string>& records);

    std::string bytes_;
};

}  // namespace mk::test
