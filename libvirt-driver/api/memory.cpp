// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A domain's memory: how much it owns, and what its app kernel says of it.
#include <algorithm>

#include "api/encode.h"
#include "api/table.h"
#include "api/usage.h"

namespace mk::api {

namespace {

void domain_get_max_memory(Call& call, const remote_domain_get_max_memory_args& args,
                           remote_domain_get_max_memory_ret& ret) {
    ret.memory = find(call, args.dom).current().memory_kib;
}

void domain_memory_stats(Call& call, const remote_domain_memory_stats_args& args,
                         remote_domain_memory_stats_ret& ret) {
    if (args.maxStats > REMOTE_DOMAIN_MEMORY_STATS_MAX)
        throw Error(VIR_ERR_INTERNAL_ERROR, "maxStats > REMOTE_DOMAIN_MEMORY_STATS_MAX");
    const auto domain = find(call, args.dom);
    require_active(domain);
    const auto usage = usage_of(call, domain);
    const auto stats = usage ? memory_stats(*usage) : std::vector<MemoryStat>();
    const std::size_t count = std::min<std::size_t>(args.maxStats, stats.size());
    ret.stats.stats_val = protocol::make_array<remote_domain_memory_stat>(count);
    ret.stats.stats_len = static_cast<unsigned>(count);
    std::transform(stats.begin(), stats.begin() + static_cast<std::ptrdiff_t>(count),
                   ret.stats.stats_val, [](const MemoryStat& stat) {
                       return remote_domain_memory_stat{.tag = stat.tag, .val = stat.value};
                   });
}

void domain_set_memory(Call& call, const remote_domain_set_memory_args& args) {
    call.driver.set_memory(find(call, args.dom).uuid, args.memory, false, {.live = true});
}

void domain_set_memory_flags(Call& call, const remote_domain_set_memory_flags_args& args) {
    call.driver.set_memory(find(call, args.dom).uuid, args.memory,
                           (args.flags & VIR_DOMAIN_MEM_MAXIMUM) != 0, affect_of(args.flags));
}

void domain_set_max_memory(Call& call, const remote_domain_set_max_memory_args& args) {
    call.driver.set_memory(find(call, args.dom).uuid, args.memory, true, {});
}

const Row rows[] = {
    row<domain_get_max_memory>(REMOTE_PROC_DOMAIN_GET_MAX_MEMORY),
    row<domain_memory_stats>(REMOTE_PROC_DOMAIN_MEMORY_STATS),
    row<domain_set_memory>(REMOTE_PROC_DOMAIN_SET_MEMORY),
    row<domain_set_memory_flags>(REMOTE_PROC_DOMAIN_SET_MEMORY_FLAGS, VIR_DOMAIN_AFFECT_LIVE |
                                                                          VIR_DOMAIN_AFFECT_CONFIG |
                                                                          VIR_DOMAIN_MEM_MAXIMUM),
    row<domain_set_max_memory>(REMOTE_PROC_DOMAIN_SET_MAX_MEMORY),
};

}  // namespace

std::span<const Row> memory_rows() {
    return rows;
}

}  // namespace mk::api
