// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The three things wanted of libarchive: bytes out of a compressed stream, a small file out of
// one that may be compressed, and a new cpio archive. Knows nothing of app kernels.
//
// Free functions, thread-safe for different descriptors.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "util/fd.h"

namespace mk::image {

// How a compressed stream ended.
struct Decompressed {
    std::uint64_t used_bytes = 0;  // of the compressed ones
    std::string error;             // empty: its end was reached
};

// Decompresses what begins at `offset` of a regular file and gives it to `sink` in pieces, as far
// as it goes. Throws Error(VIR_ERR_CONFIG_UNSUPPORTED) if it is not
// in one of the formats that Linux unpacks; what `sink` throws passes through.
[[nodiscard]] Decompressed decompress(const Fd& fd, std::uint64_t offset,
                                      const std::function<void(std::span<const char>)>& sink);

// A whole file, decompressed if it is compressed. Throws Error: VIR_ERR_SYSTEM_ERROR;
// VIR_ERR_OPERATION_FAILED if it is damaged or longer than `limit`.
[[nodiscard]] std::string read_maybe_compressed(const std::string& path, std::size_t limit);

struct Entry {
    std::string path;
    bool directory = false;
    unsigned mode = 0644;
    std::string content;
};

// Writes an uncompressed newc archive at the file's position. Owner root, time 0: equal entries
// give equal bytes. Throws Error(VIR_ERR_SYSTEM_ERROR).
void write_cpio(const Fd& fd, const std::vector<Entry>& entries);

}  // namespace mk::image
