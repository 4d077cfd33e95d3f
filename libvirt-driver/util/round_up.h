// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Sizes as whole units: pages, blocks, sectors.
#pragma once

#include <cstdint>

namespace mk {

// The least multiple of `unit`, which is not 0, that is not below `size`, in what both are in.
[[nodiscard]] constexpr std::uint64_t round_up(std::uint64_t size, std::uint64_t unit) noexcept {
    return (size + unit - 1) / unit * unit;
}

}  // namespace mk
