// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Walks the blocks of a Zstandard frame by their headers.
#include "image/zstd.h"

#include <unistd.h>

#include <array>
#include <cerrno>

#include "util/error.h"

namespace mk::image {
namespace {

constexpr std::uint64_t magic = 0xfd2fb528;
constexpr unsigned rle_block = 1;

// `bytes` at `offset`, least significant first. nullopt: behind the end.
std::optional<std::uint64_t> number_at(const Fd& fd, std::uint64_t offset, std::size_t bytes) {
    std::array<unsigned char, 8> raw{};
    ssize_t got = 0;
    do {
        got = ::pread(fd.get(), raw.data(), bytes, static_cast<off_t>(offset));
    } while (got < 0 && errno == EINTR);
    if (got < 0)
        throw Error::from_errno("read");
    if (static_cast<std::size_t>(got) < bytes)
        return std::nullopt;
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < bytes; i++)
        value |= static_cast<std::uint64_t>(raw[i]) << (8 * i);
    return value;
}

// Section 3.1.1.1: the descriptor says which fields follow it.
std::uint64_t header_bytes(unsigned descriptor) {
    constexpr std::array<unsigned, 4> dictionary_bytes = {0, 1, 2, 4};
    constexpr std::array<unsigned, 4> content_bytes = {0, 2, 4, 8};
    const bool single_segment = (descriptor & 0x20) != 0;
    unsigned content = content_bytes[descriptor >> 6];
    if (content == 0 && single_segment)
        content = 1;
    return 1 + (single_segment ? 0 : 1) + dictionary_bytes[descriptor & 3] + content;
}

}  // namespace

bool is_zstd(const Fd& fd, std::uint64_t offset) {
    return number_at(fd, offset, 4) == magic;
}

std::optional<std::uint64_t> zstd_frame_end(const Fd& fd, std::uint64_t offset,
                                            std::uint64_t size) {
    const auto descriptor = number_at(fd, offset + 4, 1);
    if (!is_zstd(fd, offset) || !descriptor)
        return std::nullopt;
    std::uint64_t at = offset + 4 + header_bytes(static_cast<unsigned>(*descriptor));
    for (bool last = false; !last;) {
        const auto block = number_at(fd, at, 3);
        if (!block)
            return std::nullopt;
        last = (*block & 1) != 0;
        at += 3 + ((*block >> 1 & 3) == rle_block ? 1 : *block >> 3);
    }
    const bool checksum = (*descriptor & 4) != 0;
    at += checksum ? 4 : 0;
    return at <= size ? std::optional(at) : std::nullopt;
}

}  // namespace mk::image
