// SPDX-License-Identifier: LGPL-2.1-or-later
//
// libvirt's constants that are newer than the oldest headers this is built with (9.0). Enums
// cannot be asked for at compile time, so these have names of their own.
#pragma once

namespace mk::protocol {

inline constexpr int event_id_vcpu_removed = 28;  // libvirt 12.4
inline constexpr int event_id_last = 29;          // channel-lifecycle, libvirt 12.4

// Of virNodeGetMemoryStats, what could be had without swapping; libvirt 12.8 tells it.
inline constexpr const char* memory_stats_available = "available";

}  // namespace mk::protocol
