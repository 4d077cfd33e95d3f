// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What a running domain has used, as its app kernel reports it: CPU time and memory, for the
// calls that show it in their own ways (stats.cpp, memory.cpp, vcpu.cpp, guest.cpp). Reads what
// has been reported and asks no app kernel, so a hung one delays nobody.
//
// Thread-safe: no state.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "api/call.h"
#include "backend/backend.h"
#include "domain/driver.h"

namespace mk::api {

struct Usage {
    backend::Status status;
    std::optional<backend::AppStats> stats;  // nullopt: nothing was reported yet
};

// nullopt: the domain is not active, or just ended.
[[nodiscard]] std::optional<Usage> usage_of(Call& call, const domain::DomainView& domain);

// Interrupts are counted as the kernel's time, as in a container.
[[nodiscard]] std::uint64_t system_ns(const backend::CpuTimes& times) noexcept;
[[nodiscard]] std::uint64_t busy_ns(const backend::CpuTimes& times) noexcept;

// Of one host CPU; null: the domain does not run on it, or nothing is known.
[[nodiscard]] const backend::CpuTimes* times_of(const Usage& usage, unsigned cpu) noexcept;

// In the order in which libvirt's qemu driver tells them. `tag`: virDomainMemoryStatTags; the
// unit is libvirt's (KiB, counts, seconds since the epoch).
struct MemoryStat {
    int tag;
    std::uint64_t value;
};
[[nodiscard]] std::vector<MemoryStat> memory_stats(const Usage& usage);

}  // namespace mk::api
