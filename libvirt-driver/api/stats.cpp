// SPDX-License-Identifier: LGPL-2.1-or-later
//
// virConnectGetAllDomainStats, one call that tells everything of many domains, and
// virDomainGetCPUStats. They read what app kernels have reported and ask none of them, so a hung
// one delays nobody. What is not known is left out, never 0.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>

#include "api/access.h"
#include "api/encode.h"
#include "api/table.h"
#include "api/usage.h"

namespace mk::api {

namespace {

using Params = std::vector<Param>;

unsigned long long wide(std::uint64_t value) {
    return value;
}

void add_state(const domain::DomainView& domain, Params& params) {
    params.push_back({"state.state", static_cast<int>(domain.state)});
    params.push_back({"state.reason", domain.reason});
}

void add_cpu_total(const std::optional<Usage>& usage, Params& params) {
    if (!usage || !usage->status.app)
        return;
    params.push_back({"cpu.time", wide(usage->status.app->busy_ns)});
    if (!usage->stats)
        return;
    std::uint64_t user = 0;
    std::uint64_t system = 0;
    for (const auto& times : usage->stats->cpus) {
        user += times.user_ns;
        system += system_ns(times);
    }
    params.push_back({"cpu.user", wide(user)});
    params.push_back({"cpu.system", wide(system)});
}

// As libvirt's qemu driver (qemuDomainGetStatsBalloon) names the tags.
const char* balloon_field(int tag) {
    switch (tag) {
        case VIR_DOMAIN_MEMORY_STAT_SWAP_IN:
            return "balloon.swap_in";
        case VIR_DOMAIN_MEMORY_STAT_SWAP_OUT:
            return "balloon.swap_out";
        case VIR_DOMAIN_MEMORY_STAT_MAJOR_FAULT:
            return "balloon.major_fault";
        case VIR_DOMAIN_MEMORY_STAT_MINOR_FAULT:
            return "balloon.minor_fault";
        case VIR_DOMAIN_MEMORY_STAT_UNUSED:
            return "balloon.unused";
        case VIR_DOMAIN_MEMORY_STAT_AVAILABLE:
            return "balloon.available";
        case VIR_DOMAIN_MEMORY_STAT_USABLE:
            return "balloon.usable";
        case VIR_DOMAIN_MEMORY_STAT_LAST_UPDATE:
            return "balloon.last-update";
        case VIR_DOMAIN_MEMORY_STAT_DISK_CACHES:
            return "balloon.disk_caches";
        case VIR_DOMAIN_MEMORY_STAT_RSS:
            return "balloon.rss";
        default:
            return nullptr;
    }
}

void add_balloon(const domain::DomainView& domain, const std::optional<Usage>& usage,
                 Params& params) {
    params.push_back({"balloon.current", wide(domain.current().current_memory_kib)});
    params.push_back({"balloon.maximum", wide(domain.current().memory_kib)});
    if (!usage)
        return;
    for (const MemoryStat& stat : memory_stats(*usage)) {
        if (const char* field = balloon_field(stat.tag))
            params.push_back({field, wide(stat.value)});
    }
}

void add_vcpus(const domain::DomainView& domain, const std::optional<Usage>& usage,
               Params& params) {
    params.push_back({"vcpu.current", domain.current().current_vcpus()});
    params.push_back({"vcpu.maximum", domain.current().vcpus});
    if (!usage)
        return;
    const std::vector<unsigned> ids = domain.current().online_vcpus();
    for (std::size_t i = 0; i < std::min(ids.size(), domain.details.cpus.size()); i++) {
        const auto* times = times_of(*usage, domain.details.cpus[i]);
        const bool offline = times != nullptr && !times->online;
        params.push_back({fmt::format("vcpu.{}.state", ids[i]),
                          static_cast<int>(offline ? VIR_VCPU_OFFLINE : VIR_VCPU_RUNNING)});
        if (times != nullptr)
            params.push_back({fmt::format("vcpu.{}.time", ids[i]), wide(busy_ns(*times))});
        // No scheduler is above a partition, its CPUs never wait for another's turn.
        params.push_back({fmt::format("vcpu.{}.wait", ids[i]), 0ULL});
        params.push_back({fmt::format("vcpu.{}.delay", ids[i]), 0ULL});
    }
}

// Into `params`, whose room is kept from one domain to the next.
void collect_stats(Call& call, const domain::DomainView& domain, unsigned groups, Params& params) {
    constexpr unsigned reported =
        VIR_DOMAIN_STATS_CPU_TOTAL | VIR_DOMAIN_STATS_BALLOON | VIR_DOMAIN_STATS_VCPU;
    const auto usage = (groups & reported) != 0 ? usage_of(call, domain) : std::nullopt;
    params.clear();
    if ((groups & VIR_DOMAIN_STATS_STATE) != 0)
        add_state(domain, params);
    if ((groups & VIR_DOMAIN_STATS_CPU_TOTAL) != 0)
        add_cpu_total(usage, params);
    if ((groups & VIR_DOMAIN_STATS_BALLOON) != 0)
        add_balloon(domain, usage, params);
    if ((groups & VIR_DOMAIN_STATS_VCPU) != 0)
        add_vcpus(domain, usage, params);
    // There are no interfaces and no disks, and libvirt's drivers say that with a count.
    if ((groups & VIR_DOMAIN_STATS_INTERFACE) != 0 && domain.active())
        params.push_back({"net.count", 0U});
    if ((groups & VIR_DOMAIN_STATS_BLOCK) != 0)
        params.push_back({"block.count", 0U});
}

// No event of the host's PMU counts an app kernel's work, no resctrl group is made for one, and it
// has no I/O threads: the qemu driver says nothing then, either.
constexpr unsigned nothing_to_tell =
    VIR_DOMAIN_STATS_PERF | VIR_DOMAIN_STATS_IOTHREAD | VIR_DOMAIN_STATS_MEMORY;

constexpr unsigned known_groups =
    VIR_DOMAIN_STATS_STATE | VIR_DOMAIN_STATS_CPU_TOTAL | VIR_DOMAIN_STATS_BALLOON |
    VIR_DOMAIN_STATS_VCPU | VIR_DOMAIN_STATS_INTERFACE | VIR_DOMAIN_STATS_BLOCK | nothing_to_tell;

// As the enum of libvirt-domain.h; bit 31 does not fit its type.
constexpr unsigned enforce_flag = 1U << 31;

constexpr unsigned filters =
    VIR_CONNECT_GET_ALL_DOMAINS_STATS_ACTIVE | VIR_CONNECT_GET_ALL_DOMAINS_STATS_INACTIVE |
    VIR_CONNECT_GET_ALL_DOMAINS_STATS_PERSISTENT | VIR_CONNECT_GET_ALL_DOMAINS_STATS_TRANSIENT |
    VIR_CONNECT_GET_ALL_DOMAINS_STATS_RUNNING | VIR_CONNECT_GET_ALL_DOMAINS_STATS_PAUSED |
    VIR_CONNECT_GET_ALL_DOMAINS_STATS_SHUTOFF | VIR_CONNECT_GET_ALL_DOMAINS_STATS_OTHER;

unsigned wanted_groups(unsigned stats, unsigned flags) {
    if ((flags & enforce_flag) != 0 && (stats & ~known_groups) != 0) {
        throw Error(VIR_ERR_ARGUMENT_UNSUPPORTED,
                    fmt::format("Stats types bits {:#x} are not supported by this daemon",
                                stats & ~known_groups));
    }
    return stats == 0 ? known_groups : stats & known_groups;
}

// Those that were asked for, in that order. One that is gone is left out.
std::vector<domain::DomainView> find_all(const std::vector<domain::DomainView>& domains,
                                         const remote_connect_get_all_domain_stats_args& args) {
    std::map<Uuid, const domain::DomainView*> by_uuid;
    for (const auto& domain : domains)
        by_uuid.emplace(domain.uuid, &domain);
    std::vector<domain::DomainView> found;
    for (unsigned i = 0; i < args.doms.doms_len; i++) {
        const auto it = by_uuid.find(uuid_of(args.doms.doms_val[i]));
        if (it != by_uuid.end())
            found.push_back(*it->second);
    }
    return found;
}

// The domains that were asked for, all if none was named.
std::vector<domain::DomainView> wanted_domains(
    Call& call, const remote_connect_get_all_domain_stats_args& args) {
    auto domains = call.driver.list();
    if (args.doms.doms_len > 0)
        domains = find_all(domains, args);
    const unsigned filter = args.flags & filters;
    std::erase_if(domains, [&](const auto& d) { return !domain::passes_filter(d, filter); });
    keep_allowed(call, domains);
    return domains;
}

// `ret` becomes a remote_connect_get_all_domain_stats_ret, a list, one record after the other: to
// make and free all of 1,000 at once took a quarter of the call's time.
void connect_get_all_domain_stats(Call& call, const remote_connect_get_all_domain_stats_args& args,
                                  protocol::XdrString& ret) {
    const unsigned groups = wanted_groups(args.stats, args.flags);
    const auto domains = wanted_domains(call, args);
    if (domains.size() > REMOTE_DOMAIN_LIST_MAX) {
        throw Error(VIR_ERR_RPC, fmt::format("Number of domain stats records is {}, which exceeds "
                                             "max limit: {}",
                                             domains.size(), REMOTE_DOMAIN_LIST_MAX));
    }
    ret.put_unsigned(static_cast<unsigned>(domains.size()));
    Params params;
    for (const auto& domain : domains) {
        protocol::Xdr<remote_domain_stats_record> record;
        encode_domain(domain, record->dom);
        collect_stats(call, domain, groups, params);
        encode_params(params, record->params.params_val, record->params.params_len);
        record.encode_after(ret);
    }
}

// virDomainGetCPUStats, in the shapes of libvirt's cgroup code (src/util/vircgroup.c): without
// room it tells how many CPUs, or how many values, there are.
Params total_cpu_stats(const Usage& usage) {
    Params params;
    add_cpu_total(usage, params);
    constexpr const char* names[] = {VIR_DOMAIN_CPU_STATS_CPUTIME, VIR_DOMAIN_CPU_STATS_USERTIME,
                                     VIR_DOMAIN_CPU_STATS_SYSTEMTIME};
    for (std::size_t i = 0; i < params.size(); i++)
        params[i].field = names[i];
    return params;
}

// Of host CPU `cpu`; one that is not the domain's has done nothing for it.
void add_cpu_stats(const Usage& usage, unsigned cpu, unsigned count, Params& params) {
    const auto* times = times_of(usage, cpu);
    const unsigned long long time = times != nullptr ? busy_ns(*times) : 0;
    params.push_back({VIR_DOMAIN_CPU_STATS_CPUTIME, time});
    if (count > 1)
        params.push_back({VIR_DOMAIN_CPU_STATS_VCPUTIME, time});
}

constexpr unsigned total_values = 3;
constexpr unsigned values_of_a_cpu = 2;

void get_total(const Usage& usage, const remote_domain_get_cpu_stats_args& args,
               remote_domain_get_cpu_stats_ret& ret) {
    Params params = total_cpu_stats(usage);
    params.resize(std::min<std::size_t>(params.size(), args.nparams));
    ret.nparams = static_cast<int>(args.nparams == 0 ? total_values : params.size());
    encode_params(params, ret.params.params_val, ret.params.params_len);
}

void get_each(const Usage& usage, unsigned all, const remote_domain_get_cpu_stats_args& args,
              remote_domain_get_cpu_stats_ret& ret) {
    const auto first = static_cast<unsigned>(args.start_cpu);
    if (first >= all) {
        throw Error(VIR_ERR_INVALID_ARG,
                    fmt::format("start_cpu {} larger than maximum of {}", first, all - 1));
    }
    const unsigned values = std::min(args.nparams, values_of_a_cpu);
    Params params;
    for (unsigned cpu = first; values > 0 && cpu < std::min(all, first + args.ncpus); cpu++)
        add_cpu_stats(usage, cpu, values, params);
    ret.nparams = static_cast<int>(args.nparams == 0 ? values_of_a_cpu : values);
    encode_params(params, ret.params.params_val, ret.params.params_len);
}

void domain_get_cpu_stats(Call& call, const remote_domain_get_cpu_stats_args& args,
                          remote_domain_get_cpu_stats_ret& ret) {
    if (args.nparams > REMOTE_NODE_CPU_STATS_MAX)
        throw Error(VIR_ERR_INTERNAL_ERROR, "nparams too large");
    if (args.ncpus > REMOTE_DOMAIN_GET_CPU_STATS_NCPUS_MAX)
        throw Error(VIR_ERR_INTERNAL_ERROR, "ncpus too large");
    if (args.start_cpu < -1)
        throw Error(VIR_ERR_INVALID_ARG, "start_cpu in virDomainGetCPUStats must be -1 or greater");
    const auto domain = find(call, args.dom);
    require_active(domain);
    const auto usage = usage_of(call, domain);
    if (!usage)
        require_active(find(call, args.dom));
    const unsigned all = call.driver.cpu_map().count;
    if (args.start_cpu == -1)
        get_total(usage.value_or(Usage{}), args, ret);
    else if (args.ncpus == 0)
        ret.nparams = static_cast<int>(all);
    else
        get_each(usage.value_or(Usage{}), all, args, ret);
}

const Row rows[] = {
    row<domain_get_cpu_stats>(REMOTE_PROC_DOMAIN_GET_CPU_STATS, typed_params_flag),
    row<connect_get_all_domain_stats>(REMOTE_PROC_CONNECT_GET_ALL_DOMAIN_STATS,
                                      filters | VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT |
                                          VIR_CONNECT_GET_ALL_DOMAINS_STATS_BACKING | enforce_flag),
};

}  // namespace

std::span<const Row> stats_rows() {
    return rows;
}

}  // namespace mk::api
