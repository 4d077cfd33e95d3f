// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Finding an address among the ranges, and the window around it.
#include "dump/memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "util/error.h"

namespace mk::dump {
namespace {

constexpr std::uint64_t window_limit = 64U << 20;

}  // namespace

Memory::Memory(Fd file, const std::vector<backend::MemoryRange>& ranges) : file_(std::move(file)) {
    std::uint64_t offset = 0;
    for (const backend::MemoryRange& range : ranges) {
        const std::uint64_t bytes = range.size_kib << 10;
        if (bytes != 0)
            ranges_.push_back({range.start_kib << 10, bytes, offset});
        offset += bytes;
    }
    std::sort(ranges_.begin(), ranges_.end(),
              [](const Range& a, const Range& b) { return a.start < b.start; });
    std::vector<Range> merged;
    for (const Range& range : ranges_) {
        if (!merged.empty() && merged.back().start + merged.back().bytes == range.start &&
            merged.back().offset + merged.back().bytes == range.offset)
            merged.back().bytes += range.bytes;
        else
            merged.push_back(range);
    }
    ranges_ = std::move(merged);
}

Memory::~Memory() {
    unmap();
}

std::uint64_t Memory::bytes() const noexcept {
    std::uint64_t sum = 0;
    for (const Range& range : ranges_)
        sum += range.bytes;
    return sum;
}

std::span<const std::byte> Memory::look(std::uint64_t address, std::uint64_t limit) {
    auto range = std::upper_bound(
        ranges_.begin(), ranges_.end(), address,
        [](std::uint64_t wanted, const Range& entry) { return wanted < entry.start; });
    if (range == ranges_.begin())
        return {};
    --range;
    const std::uint64_t within = address - range->start;
    if (within >= range->bytes)
        return {};
    const std::uint64_t offset = range->offset + within;
    if (offset < window_offset_ || offset - window_offset_ >= window_bytes_)
        map(offset, range->offset + range->bytes);
    const std::uint64_t begin = offset - window_offset_;
    const std::uint64_t in_range = range->bytes - within;
    return {window_ + begin, std::min({limit, window_bytes_ - begin, in_range})};
}

bool Memory::read(std::uint64_t address, std::span<std::byte> out) {
    while (!out.empty()) {
        const auto piece = look(address, out.size());
        if (piece.empty())
            return false;
        std::memcpy(out.data(), piece.data(), piece.size());
        out = out.subspan(piece.size());
        address += piece.size();
    }
    return true;
}

void Memory::wipe_page(std::uint64_t address) {
    const auto page = look(address, page_bytes);
    if (page.empty())
        return;
    const std::uint64_t offset = window_offset_ + static_cast<std::uint64_t>(page.data() - window_);
    const std::uint64_t begin = offset - offset % page_bytes;
    void* writable = ::mmap(nullptr, page_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file_.get(),
                            static_cast<off_t>(begin));
    if (writable == MAP_FAILED)
        throw Error::from_errno("map the partition's memory");
    std::memset(static_cast<std::byte*>(writable) + (offset - begin), 0, page.size());
    (void)::munmap(writable, page_bytes);
}

void Memory::map(std::uint64_t offset, std::uint64_t end) {
    unmap();
    const std::uint64_t begin = offset - offset % page_bytes;
    const std::uint64_t bytes = std::min(end - begin, window_limit);
    void* window =
        ::mmap(nullptr, bytes, PROT_READ, MAP_SHARED, file_.get(), static_cast<off_t>(begin));
    if (window == MAP_FAILED)
        throw Error::from_errno("map the partition's memory");
    window_ = static_cast<std::byte*>(window);
    window_offset_ = begin;
    window_bytes_ = bytes;
}

void Memory::unmap() noexcept {
    if (window_ != nullptr)
        (void)::munmap(window_, window_bytes_);
    window_ = nullptr;
    window_bytes_ = 0;
}

}  // namespace mk::dump
