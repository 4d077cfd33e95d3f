// SPDX-License-Identifier: LGPL-2.1-or-later
//
// virConnectGetAllDomainStats: one call that tells everything of many domains. It reads what
// app kernels have reported and asks none of them, so a hung one delays nobody. What is not
// known is left out, never 0.
#include <fmt/format.h>

#include <optional>
#include <set>

#include "api/encode.h"
#include "api/table.h"

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

void add_cpu_total(const std::optional<backend::Status>& status, Params& params) {
    if (status && status->app)
        params.push_back({"cpu.time", wide(status->app->busy_ns)});
}

void add_balloon(const domain::DomainView& domain, const std::optional<backend::Status>& status,
                 Params& params) {
    params.push_back({"balloon.current", wide(domain.current().current_memory_kib)});
    params.push_back({"balloon.maximum", wide(domain.current().memory_kib)});
    if (!status)
        return;
    if (const auto& app = status->app) {
        params.push_back({"balloon.unused", wide(app->free_kib)});
        params.push_back({"balloon.available", wide(app->total_kib)});
        params.push_back({"balloon.usable", wide(app->available_kib)});
    }
    params.push_back({"balloon.rss", wide(status->memory_kib)});
}

void add_vcpus(const domain::DomainView& domain, const std::optional<backend::Status>& status,
               Params& params) {
    params.push_back({"vcpu.current", domain.current().vcpus});
    params.push_back({"vcpu.maximum", domain.current().vcpus});
    if (!status)
        return;
    for (std::size_t i = 0; i < domain.details.cpus.size(); i++) {
        params.push_back({fmt::format("vcpu.{}.state", i), static_cast<int>(VIR_VCPU_RUNNING)});
        // The app kernel reports the sum of its CPUs.
        if (status->app && domain.details.cpus.size() == 1)
            params.push_back({fmt::format("vcpu.{}.time", i), wide(status->app->busy_ns)});
        // No scheduler is above a partition, its CPUs never wait for another's turn.
        params.push_back({fmt::format("vcpu.{}.wait", i), 0ULL});
        params.push_back({fmt::format("vcpu.{}.delay", i), 0ULL});
    }
}

// The state of the app kernel, unless the domain is not active or just ended.
std::optional<backend::Status> status_of(Call& call, const domain::DomainView& domain) {
    if (!domain.active())
        return std::nullopt;
    try {
        return call.driver.status(domain.uuid);
    } catch (const Error&) {
        return std::nullopt;
    }
}

Params stats_of(Call& call, const domain::DomainView& domain, unsigned groups) {
    const auto status = status_of(call, domain);
    Params params;
    if ((groups & VIR_DOMAIN_STATS_STATE) != 0)
        add_state(domain, params);
    if ((groups & VIR_DOMAIN_STATS_CPU_TOTAL) != 0)
        add_cpu_total(status, params);
    if ((groups & VIR_DOMAIN_STATS_BALLOON) != 0)
        add_balloon(domain, status, params);
    if ((groups & VIR_DOMAIN_STATS_VCPU) != 0)
        add_vcpus(domain, status, params);
    // There are no interfaces and no disks, and libvirt's drivers say that with a count.
    if ((groups & VIR_DOMAIN_STATS_INTERFACE) != 0 && domain.active())
        params.push_back({"net.count", 0U});
    if ((groups & VIR_DOMAIN_STATS_BLOCK) != 0)
        params.push_back({"block.count", 0U});
    return params;
}

constexpr unsigned known_groups = VIR_DOMAIN_STATS_STATE | VIR_DOMAIN_STATS_CPU_TOTAL |
                                  VIR_DOMAIN_STATS_BALLOON | VIR_DOMAIN_STATS_VCPU |
                                  VIR_DOMAIN_STATS_INTERFACE | VIR_DOMAIN_STATS_BLOCK;

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

// The domains that were asked for, all if none was named. One that is gone is left out.
std::vector<domain::DomainView> wanted_domains(
    Call& call, const remote_connect_get_all_domain_stats_args& args) {
    auto domains = call.driver.list();
    if (args.doms.doms_len > 0) {
        std::set<Uuid> wanted;
        for (unsigned i = 0; i < args.doms.doms_len; i++) {
            wanted.insert(uuid_of(args.doms.doms_val[i]));
        }
        std::erase_if(domains, [&](const auto& domain) { return !wanted.contains(domain.uuid); });
    }
    const unsigned filter = args.flags & filters;
    std::erase_if(domains, [&](const auto& d) { return !domain::passes_filter(d, filter); });
    return domains;
}

void connect_get_all_domain_stats(Call& call, const remote_connect_get_all_domain_stats_args& args,
                                  remote_connect_get_all_domain_stats_ret& ret) {
    const unsigned groups = wanted_groups(args.stats, args.flags);
    const auto domains = wanted_domains(call, args);
    if (domains.size() > REMOTE_DOMAIN_LIST_MAX) {
        throw Error(VIR_ERR_RPC, fmt::format("Number of domain stats records is {}, which exceeds "
                                             "max limit: {}",
                                             domains.size(), REMOTE_DOMAIN_LIST_MAX));
    }
    ret.retStats.retStats_val = protocol::make_array<remote_domain_stats_record>(domains.size());
    ret.retStats.retStats_len = static_cast<unsigned>(domains.size());
    for (std::size_t i = 0; i < domains.size(); i++) {
        auto& record = ret.retStats.retStats_val[i];
        encode_domain(domains[i], record.dom);
        encode_params(stats_of(call, domains[i], groups), record.params.params_val,
                      record.params.params_len);
    }
}

const Row rows[] = {
    row<connect_get_all_domain_stats>(REMOTE_PROC_CONNECT_GET_ALL_DOMAIN_STATS,
                                      filters | VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT |
                                          VIR_CONNECT_GET_ALL_DOMAINS_STATS_BACKING | enforce_flag),
};

}  // namespace

std::span<const Row> stats_rows() {
    return rows;
}

}  // namespace mk::api
