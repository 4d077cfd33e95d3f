// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Finding domains: one by name, UUID or id; all of them with filters; the pairs of calls from
// before virConnectListAllDomains.
#include <fmt/format.h>

#include <algorithm>

#include "api/access.h"
#include "api/encode.h"
#include "api/table.h"

namespace mk::api {

namespace {

void domain_lookup_by_name(Call& call, const remote_domain_lookup_by_name_args& args,
                           remote_domain_lookup_by_name_ret& ret) {
    const auto domain = call.driver.lookup_by_name(args.name);
    require_access(call, domain);
    encode_domain(domain, ret.dom);
}

void domain_lookup_by_uuid(Call& call, const remote_domain_lookup_by_uuid_args& args,
                           remote_domain_lookup_by_uuid_ret& ret) {
    remote_nonnull_domain wanted{};
    std::copy(std::begin(args.uuid), std::end(args.uuid), std::begin(wanted.uuid));
    const auto domain = call.driver.lookup(uuid_of(wanted));
    require_access(call, domain);
    encode_domain(domain, ret.dom);
}

void domain_lookup_by_id(Call& call, const remote_domain_lookup_by_id_args& args,
                         remote_domain_lookup_by_id_ret& ret) {
    require_not_negative(args.id, "id", "virDomainLookupByID");
    const auto domain = call.driver.lookup_by_id(args.id);
    require_access(call, domain);
    encode_domain(domain, ret.dom);
}

std::vector<domain::DomainView> filtered(Call& call, unsigned flags) {
    auto domains = call.driver.list();
    std::erase_if(domains, [flags](const auto& d) { return !domain::passes_filter(d, flags); });
    keep_allowed(call, domains);
    return domains;
}

void connect_list_all_domains(Call& call, const remote_connect_list_all_domains_args& args,
                              remote_connect_list_all_domains_ret& ret) {
    const auto domains = filtered(call, args.flags);
    // The client refuses a longer list, with an error that looks like a broken connection.
    if (domains.size() > REMOTE_DOMAIN_LIST_MAX) {
        throw Error(VIR_ERR_RPC, fmt::format("Too many domains '{}' for limit '{}'", domains.size(),
                                             REMOTE_DOMAIN_LIST_MAX));
    }
    ret.ret = static_cast<unsigned>(domains.size());
    if (args.need_results == 0)
        return;
    ret.domains.domains_val = protocol::make_array<remote_nonnull_domain>(domains.size());
    ret.domains.domains_len = ret.ret;
    for (std::size_t i = 0; i < domains.size(); i++) {
        encode_domain(domains[i], ret.domains.domains_val[i]);
    }
}

// The room a client has for a list. Throws Error as libvirt's dispatcher.
std::size_t room(int max, std::string_view name, std::string_view function) {
    if (max > REMOTE_DOMAIN_LIST_MAX)
        throw Error(VIR_ERR_RPC, fmt::format("{} > REMOTE_DOMAIN_LIST_MAX", name));
    require_not_negative(max, name, function);
    return static_cast<std::size_t>(max);
}

void connect_list_domains(Call& call, const remote_connect_list_domains_args& args,
                          remote_connect_list_domains_ret& ret) {
    const std::size_t max = room(args.maxids, "maxids", "virConnectListDomains");
    const auto domains = filtered(call, VIR_CONNECT_LIST_DOMAINS_ACTIVE);
    const std::size_t count = std::min(max, domains.size());
    ret.ids.ids_val = protocol::make_array<int>(count);
    ret.ids.ids_len = static_cast<unsigned>(count);
    for (std::size_t i = 0; i < count; i++) {
        ret.ids.ids_val[i] = domains[i].id;
    }
}

void connect_list_defined_domains(Call& call, const remote_connect_list_defined_domains_args& args,
                                  remote_connect_list_defined_domains_ret& ret) {
    const std::size_t max = room(args.maxnames, "maxnames", "virConnectListDefinedDomains");
    const auto domains = filtered(call, VIR_CONNECT_LIST_DOMAINS_INACTIVE);
    const std::size_t count = std::min(max, domains.size());
    ret.names.names_val = protocol::make_array<remote_nonnull_string>(count);
    ret.names.names_len = static_cast<unsigned>(count);
    for (std::size_t i = 0; i < count; i++) {
        ret.names.names_val[i] = protocol::copy_string(domains[i].name);
    }
}

void connect_num_of_domains(Call& call, remote_connect_num_of_domains_ret& ret) {
    ret.num = static_cast<int>(filtered(call, VIR_CONNECT_LIST_DOMAINS_ACTIVE).size());
}

void connect_num_of_defined_domains(Call& call, remote_connect_num_of_defined_domains_ret& ret) {
    ret.num = static_cast<int>(filtered(call, VIR_CONNECT_LIST_DOMAINS_INACTIVE).size());
}

constexpr unsigned list_filters =
    VIR_CONNECT_LIST_DOMAINS_ACTIVE | VIR_CONNECT_LIST_DOMAINS_INACTIVE |
    VIR_CONNECT_LIST_DOMAINS_PERSISTENT | VIR_CONNECT_LIST_DOMAINS_TRANSIENT |
    VIR_CONNECT_LIST_DOMAINS_RUNNING | VIR_CONNECT_LIST_DOMAINS_PAUSED |
    VIR_CONNECT_LIST_DOMAINS_SHUTOFF | VIR_CONNECT_LIST_DOMAINS_OTHER |
    VIR_CONNECT_LIST_DOMAINS_MANAGEDSAVE | VIR_CONNECT_LIST_DOMAINS_NO_MANAGEDSAVE |
    VIR_CONNECT_LIST_DOMAINS_AUTOSTART | VIR_CONNECT_LIST_DOMAINS_NO_AUTOSTART |
    VIR_CONNECT_LIST_DOMAINS_HAS_SNAPSHOT | VIR_CONNECT_LIST_DOMAINS_NO_SNAPSHOT |
    VIR_CONNECT_LIST_DOMAINS_HAS_CHECKPOINT | VIR_CONNECT_LIST_DOMAINS_NO_CHECKPOINT;

const Row rows[] = {
    finds_domain(row<domain_lookup_by_name>(REMOTE_PROC_DOMAIN_LOOKUP_BY_NAME)),
    finds_domain(row<domain_lookup_by_uuid>(REMOTE_PROC_DOMAIN_LOOKUP_BY_UUID)),
    finds_domain(row<domain_lookup_by_id>(REMOTE_PROC_DOMAIN_LOOKUP_BY_ID)),
    row<connect_list_all_domains>(REMOTE_PROC_CONNECT_LIST_ALL_DOMAINS, list_filters),
    row<connect_list_domains>(REMOTE_PROC_CONNECT_LIST_DOMAINS),
    row<connect_list_defined_domains>(REMOTE_PROC_CONNECT_LIST_DEFINED_DOMAINS),
    row<connect_num_of_domains>(REMOTE_PROC_CONNECT_NUM_OF_DOMAINS),
    row<connect_num_of_defined_domains>(REMOTE_PROC_CONNECT_NUM_OF_DEFINED_DOMAINS),
};

}  // namespace

std::span<const Row> lookup_rows() {
    return rows;
}

}  // namespace mk::api
