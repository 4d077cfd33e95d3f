// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Network interfaces of a domain. A definition has none yet, so a call about a named one ends as
// the qemu driver's ends for a name that is not there, and the list of addresses is empty.
#include <fmt/format.h>

#include "api/encode.h"
#include "api/params.h"
#include "api/table.h"

namespace mk::api {

namespace {

[[noreturn]] void no_interface(std::string_view device) {
    throw Error(VIR_ERR_INVALID_ARG, fmt::format("'{}' is not a known interface", device));
}

void domain_interface_stats(Call& call, const remote_domain_interface_stats_args& args,
                            remote_domain_interface_stats_ret&) {
    require_active(find(call, args.dom));
    no_interface(args.device);
}

constexpr ParamRule bandwidth_rules[] = {
    {VIR_DOMAIN_BANDWIDTH_IN_AVERAGE, VIR_TYPED_PARAM_UINT},
    {VIR_DOMAIN_BANDWIDTH_IN_PEAK, VIR_TYPED_PARAM_UINT},
    {VIR_DOMAIN_BANDWIDTH_IN_BURST, VIR_TYPED_PARAM_UINT},
    {VIR_DOMAIN_BANDWIDTH_IN_FLOOR, VIR_TYPED_PARAM_UINT},
    {VIR_DOMAIN_BANDWIDTH_OUT_AVERAGE, VIR_TYPED_PARAM_UINT},
    {VIR_DOMAIN_BANDWIDTH_OUT_PEAK, VIR_TYPED_PARAM_UINT},
    {VIR_DOMAIN_BANDWIDTH_OUT_BURST, VIR_TYPED_PARAM_UINT},
};

void domain_set_interface_parameters(Call& call,
                                     const remote_domain_set_interface_parameters_args& args) {
    (void)decode_params(args.params.params_val, args.params.params_len, bandwidth_rules);
    require_affected(find(call, args.dom), args.flags);
    no_interface(args.device);
}

void domain_get_interface_parameters(Call& call,
                                     const remote_domain_get_interface_parameters_args& args,
                                     remote_domain_get_interface_parameters_ret& ret) {
    check_room(args.nparams, REMOTE_DOMAIN_INTERFACE_PARAMETERS_MAX,
               "virDomainGetInterfaceParameters");
    (void)affected(find(call, args.dom), args.flags);
    if (args.nparams != 0)
        no_interface(args.device);
    ret.nparams = static_cast<int>(std::size(bandwidth_rules));
}

// What the three sources of libvirt know: leases of its own networks, a guest agent, the host's
// ARP table. Without an interface the first and the last know nothing.
void domain_interface_addresses(Call& call, const remote_domain_interface_addresses_args& args,
                                remote_domain_interface_addresses_ret&) {
    const bool agent = args.source == VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_AGENT;
    if (agent && call.session.read_only()) {
        throw Error(VIR_ERR_OPERATION_DENIED,
                    "read only access prevents virDomainInterfaceAddresses");
    }
    const auto domain = find(call, args.dom);
    require_active(domain);
    if (args.source > VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_ARP) {
        throw Error(VIR_ERR_ARGUMENT_UNSUPPORTED,
                    fmt::format("Unknown IP address data source {}", args.source));
    }
    if (agent) {
        throw Error(VIR_ERR_ARGUMENT_UNSUPPORTED,
                    "app kernels run no guest agent and do not report addresses");
    }
}

constexpr unsigned affect_flags = VIR_DOMAIN_AFFECT_LIVE | VIR_DOMAIN_AFFECT_CONFIG;

const Row rows[] = {
    row<domain_interface_stats>(REMOTE_PROC_DOMAIN_INTERFACE_STATS),
    row<domain_set_interface_parameters>(REMOTE_PROC_DOMAIN_SET_INTERFACE_PARAMETERS, affect_flags),
    row<domain_get_interface_parameters>(REMOTE_PROC_DOMAIN_GET_INTERFACE_PARAMETERS,
                                         affect_flags | typed_params_flag),
    row<domain_interface_addresses>(REMOTE_PROC_DOMAIN_INTERFACE_ADDRESSES),
};

}  // namespace

std::span<const Row> interface_rows() {
    return rows;
}

}  // namespace mk::api
