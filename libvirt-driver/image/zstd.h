// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Where a Zstandard frame ends (RFC 8878, section 3.1.1). libarchive takes what follows a frame
// for another one and fails on padding or a further archive; Linux stops at the frame's end.
// Does not decompress.
#pragma once

#include <cstdint>
#include <optional>

#include "util/fd.h"

namespace mk::image {

// The offset behind the frame that begins at `offset`. nullopt: there is none, or it is cut off.
// Throws Error(VIR_ERR_SYSTEM_ERROR).
[[nodiscard]] std::optional<std::uint64_t> zstd_frame_end(const Fd& fd, std::uint64_t offset,
                                                          std::uint64_t size);
[[nodiscard]] bool is_zstd(const Fd& fd, std::uint64_t offset);

}  // namespace mk::image
