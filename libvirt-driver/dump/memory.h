// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The memory of one partition, by physical address. Mapped a window at a time, so that a large
// partition costs little. Its app kernel may be running and write anything at any time: what
// is looked at twice must be copied first.
//
// Bytes, not KiB: this is what ELF files and page tables count in. Externally synchronised.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "backend/backend.h"
#include "util/fd.h"

namespace mk::dump {

constexpr std::uint64_t page_bytes = 4096;

class Memory {
  public:
    struct Range {
        std::uint64_t start = 0;
        std::uint64_t bytes = 0;
        std::uint64_t offset = 0;  // in the file
    };

    // `file` and `ranges` are Backend::memory_file() and Status::memory.
    Memory(Fd file, const std::vector<backend::MemoryRange>& ranges);
    Memory(const Memory&) = delete;
    Memory& operator=(const Memory&) = delete;
    ~Memory();

    // By address; ranges that touch, in memory and in the file, are one.
    [[nodiscard]] const std::vector<Range>& ranges() const noexcept { return ranges_; }
    [[nodiscard]] std::uint64_t bytes() const noexcept;

    // What is there from `address` on: at most `limit` bytes, fewer at the end of a window or
    // of a range, none if the address is not the partition's. Until the next call.
    // Throws Error(VIR_ERR_SYSTEM_ERROR) if it cannot be mapped.
    [[nodiscard]] std::span<const std::byte> look(std::uint64_t address, std::uint64_t limit);
    // A copy of all of `out.size()` bytes; false if not all of them are the partition's.
    [[nodiscard]] bool read(std::uint64_t address, std::span<std::byte> out);
    // Zeroes up to a page. REQUIRES: the app kernel is stopped.
    void wipe_page(std::uint64_t address);

  private:
    void map(std::uint64_t offset, std::uint64_t end);
    void unmap() noexcept;

    Fd file_;
    std::vector<Range> ranges_;
    std::byte* window_ = nullptr;
    std::uint64_t window_offset_ = 0;
    std::uint64_t window_bytes_ = 0;
};

}  // namespace mk::dump
