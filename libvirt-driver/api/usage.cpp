// SPDX-License-Identifier: LGPL-2.1-or-later
#include "api/usage.h"

#include <libvirt/libvirt.h>

#include <algorithm>

#include "util/error.h"

namespace mk::api {

std::optional<Usage> usage_of(Call& call, const domain::DomainView& domain) {
    if (!domain.active())
        return std::nullopt;
    try {
        return Usage{call.driver.status(domain.uuid), call.driver.stats(domain.uuid)};
    } catch (const Error&) {
        return std::nullopt;
    }
}

std::uint64_t system_ns(const backend::CpuTimes& times) noexcept {
    return times.system_ns + times.irq_ns;
}

std::uint64_t busy_ns(const backend::CpuTimes& times) noexcept {
    return times.user_ns + system_ns(times);
}

const backend::CpuTimes* times_of(const Usage& usage, unsigned cpu) noexcept {
    if (!usage.stats)
        return nullptr;
    const auto& cpus = usage.stats->cpus;
    const auto found =
        std::find_if(cpus.begin(), cpus.end(), [cpu](const auto& one) { return one.cpu == cpu; });
    return found == cpus.end() ? nullptr : &*found;
}

// In libvirt's meaning of the tags: `available` is all that the app kernel can use, `usable` what
// it could give away, `unused` what it has not touched.
std::vector<MemoryStat> memory_stats(const Usage& usage) {
    std::vector<MemoryStat> all;
    const auto add = [&all](int tag, std::uint64_t value) { all.push_back({tag, value}); };
    const auto& stats = usage.stats;
    const auto& app = usage.status.app;
    add(VIR_DOMAIN_MEMORY_STAT_ACTUAL_BALLOON, usage.status.memory_kib);
    if (stats) {
        add(VIR_DOMAIN_MEMORY_STAT_SWAP_IN, stats->swap_in_kib);
        add(VIR_DOMAIN_MEMORY_STAT_SWAP_OUT, stats->swap_out_kib);
        add(VIR_DOMAIN_MEMORY_STAT_MAJOR_FAULT, stats->major_faults);
        add(VIR_DOMAIN_MEMORY_STAT_MINOR_FAULT, stats->minor_faults);
        add(VIR_DOMAIN_MEMORY_STAT_UNUSED, stats->free_kib);
        add(VIR_DOMAIN_MEMORY_STAT_AVAILABLE, stats->total_kib);
        add(VIR_DOMAIN_MEMORY_STAT_USABLE, stats->available_kib);
        add(VIR_DOMAIN_MEMORY_STAT_LAST_UPDATE, stats->realtime_ns / 1'000'000'000);
        add(VIR_DOMAIN_MEMORY_STAT_DISK_CACHES, stats->cached_kib);
    } else if (app) {
        add(VIR_DOMAIN_MEMORY_STAT_UNUSED, app->free_kib);
        add(VIR_DOMAIN_MEMORY_STAT_AVAILABLE, app->total_kib);
        add(VIR_DOMAIN_MEMORY_STAT_USABLE, app->available_kib);
    }
    add(VIR_DOMAIN_MEMORY_STAT_RSS, usage.status.memory_kib);
    return all;
}

}  // namespace mk::api
