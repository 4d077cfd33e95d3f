// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The host kernel's pools of huge pages, by NUMA node. Partitions use none of them: what is in a
// pool is missing from what they can get.
//
// Thread-safe: no state.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace mk::host {

// nullopt: the node has no pages of this size.
[[nodiscard]] std::optional<std::uint64_t> free_huge_pages(const std::string& sysfs, unsigned node,
                                                           unsigned size_kib);

// Throws Error(VIR_ERR_OPERATION_FAILED): no pages of this size, or the kernel could not make so
// many (it has then made as many as it could).
void set_huge_pages(const std::string& sysfs, unsigned node, unsigned size_kib, std::uint64_t count,
                    bool add);

}  // namespace mk::host
