// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What libvirt asks a guest agent, as far as app kernels report it by themselves: time, host
// name, kernel. Nothing is asked of an app kernel.
#include <fmt/format.h>

#include "api/encode.h"
#include "api/table.h"
#include "api/usage.h"

namespace mk::api {

namespace {

constexpr std::uint64_t ns_per_s = 1'000'000'000;

[[noreturn]] void not_reported(const domain::DomainView& domain) {
    throw Error(VIR_ERR_AGENT_UNRESPONSIVE,
                fmt::format("the app kernel of domain '{}' has not reported yet", domain.name));
}

// Of a running domain that has reported.
Usage reported(Call& call, const remote_nonnull_domain& dom) {
    const auto domain = find(call, dom);
    require_active(domain);
    auto usage = usage_of(call, domain);
    if (!usage || !usage->status.app)
        not_reported(domain);
    return *std::move(usage);
}

// The statistics are up to a second old; the uptime in the report tells how much.
void domain_get_time(Call& call, const remote_domain_get_time_args& args,
                     remote_domain_get_time_ret& ret) {
    const Usage usage = reported(call, args.dom);
    if (!usage.stats)
        not_reported(find(call, args.dom));
    std::uint64_t now = usage.stats->realtime_ns;
    const std::uint64_t uptime = usage.status.app->uptime_ns;
    if (uptime > usage.stats->uptime_ns && uptime - usage.stats->uptime_ns < 2 * ns_per_s)
        now += uptime - usage.stats->uptime_ns;
    ret.seconds = static_cast<quad_t>(now / ns_per_s);
    ret.nseconds = static_cast<unsigned>(now % ns_per_s);
}

void domain_get_hostname(Call& call, const remote_domain_get_hostname_args& args,
                         remote_domain_get_hostname_ret& ret) {
    const Usage usage = reported(call, args.dom);
    const bool lease = (args.flags & VIR_DOMAIN_GET_HOSTNAME_LEASE) != 0;
    if (lease || usage.status.app->hostname.empty()) {
        throw Error(VIR_ERR_NO_HOSTNAME,
                    fmt::format("no hostname found for domain {}", args.dom.name));
    }
    ret.hostname = protocol::copy_string(usage.status.app->hostname);
}

constexpr unsigned info_load = 1U << 7;  // VIR_DOMAIN_GUEST_INFO_LOAD, since libvirt 11.2
constexpr unsigned known_types =
    VIR_DOMAIN_GUEST_INFO_OS | VIR_DOMAIN_GUEST_INFO_HOSTNAME | info_load;
constexpr unsigned libvirt_types = known_types | VIR_DOMAIN_GUEST_INFO_USERS |
                                   VIR_DOMAIN_GUEST_INFO_TIMEZONE |
                                   VIR_DOMAIN_GUEST_INFO_FILESYSTEM | VIR_DOMAIN_GUEST_INFO_DISKS |
                                   VIR_DOMAIN_GUEST_INFO_INTERFACES;

// No type named: what there is. A named one that we do not have is an error, as with an agent
// that lacks the command.
unsigned wanted_types(unsigned types) {
    if ((types & ~libvirt_types) != 0) {
        throw Error(VIR_ERR_INVALID_ARG, fmt::format("unsupported guest information types '0x{:x}'",
                                                     types & ~libvirt_types));
    }
    if ((types & ~known_types) != 0) {
        throw Error(VIR_ERR_OPERATION_UNSUPPORTED,
                    "app kernels tell of their operating system, host name and load only");
    }
    return types == 0 ? known_types : types;
}

void domain_get_guest_info(Call& call, const remote_domain_get_guest_info_args& args,
                           remote_domain_get_guest_info_ret& ret) {
    const unsigned types = wanted_types(args.types);
    const Usage usage = reported(call, args.dom);
    std::vector<Param> params;
    if ((types & VIR_DOMAIN_GUEST_INFO_OS) != 0) {
        params.push_back({"os.name", std::string("Linux")});
        params.push_back({"os.kernel-release", usage.status.app->release});
        params.push_back({"os.machine", std::string("x86_64")});
    }
    if ((types & VIR_DOMAIN_GUEST_INFO_HOSTNAME) != 0)
        params.push_back({"hostname", usage.status.app->hostname});
    if ((types & info_load) != 0 && usage.stats) {
        params.push_back({"load.1m", usage.stats->load[0]});
        params.push_back({"load.5m", usage.stats->load[1]});
        params.push_back({"load.15m", usage.stats->load[2]});
    }
    encode_params(params, ret.params.params_val, ret.params.params_len);
}

const Row rows[] = {
    row<domain_get_time>(REMOTE_PROC_DOMAIN_GET_TIME),
    row<domain_get_hostname>(REMOTE_PROC_DOMAIN_GET_HOSTNAME,
                             VIR_DOMAIN_GET_HOSTNAME_LEASE | VIR_DOMAIN_GET_HOSTNAME_AGENT),
    row<domain_get_guest_info>(REMOTE_PROC_DOMAIN_GET_GUEST_INFO),
};

}  // namespace

std::span<const Row> guest_rows() {
    return rows;
}

}  // namespace mk::api
