// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The host kernel's samepage merging (KSM), as virNodeGetMemoryParameters shows it: what is in
// "<sysfs>/kernel/mm/ksm". Partitions have no part in it, their memory is not the host's.
//
// Thread-safe: no state.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mk::host {

struct SamepageValue {
    std::string_view file;  // "pages_to_scan"; one of samepage_files
    std::uint64_t value = 0;
};

// In the order in which libvirt tells them (src/util/virhostmem.c).
inline constexpr std::string_view samepage_files[] = {
    "pages_to_scan",  "sleep_millisecs", "pages_shared", "pages_sharing",
    "pages_unshared", "pages_volatile",  "full_scans",   "merge_across_nodes"};

// Those that this kernel has; none without CONFIG_KSM.
[[nodiscard]] std::vector<SamepageValue> read_samepage(const std::string& sysfs);

// All or, if one of them is not there, none. Throws Error: VIR_ERR_OPERATION_INVALID it is not;
// VIR_ERR_SYSTEM_ERROR the kernel does not take the value.
void write_samepage(const std::string& sysfs, const std::vector<SamepageValue>& values);

}  // namespace mk::host
