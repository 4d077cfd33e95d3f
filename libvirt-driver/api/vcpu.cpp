// SPDX-License-Identifier: LGPL-2.1-or-later
//
// How many vCPUs a domain has and which physical CPUs they are. vCPU i of a partition is one
// physical CPU for its whole life, so its affinity is exactly that CPU.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <optional>

#include "api/encode.h"
#include "api/table.h"
#include "api/usage.h"

namespace mk::api {

namespace {

void domain_get_max_vcpus(Call& call, const remote_domain_get_max_vcpus_args& args,
                          remote_domain_get_max_vcpus_ret& ret) {
    const auto domain = find(call, args.dom);
    require_active(domain);
    ret.num = static_cast<int>(domain.current().vcpus);
}

// VIR_DOMAIN_VCPU_GUEST: what the app kernel says it runs on.
int online_vcpus(Call& call, const domain::DomainView& domain) {
    require_active(domain);
    const auto status = call.driver.status(domain.uuid);
    if (!status.app) {
        throw Error(VIR_ERR_AGENT_UNRESPONSIVE,
                    fmt::format("the app kernel of domain '{}' has not reported yet", domain.name));
    }
    return static_cast<int>(status.app->online_cpus);
}

void domain_get_vcpus_flags(Call& call, const remote_domain_get_vcpus_flags_args& args,
                            remote_domain_get_vcpus_flags_ret& ret) {
    const bool guest = (args.flags & VIR_DOMAIN_VCPU_GUEST) != 0;
    if (guest && call.session.read_only()) {
        throw Error(VIR_ERR_OPERATION_DENIED, "read only access prevents virDomainGetVcpusFlags");
    }
    const auto domain = find(call, args.dom);
    const auto& definition = affected(domain, args.flags);
    const bool maximum = (args.flags & VIR_DOMAIN_VCPU_MAXIMUM) != 0;
    if (guest && maximum)
        ret.num = static_cast<int>(call.driver.guest_vcpus(domain.uuid).vcpus.size());
    else if (guest)
        ret.num = online_vcpus(call, domain);
    else
        ret.num = static_cast<int>(maximum ? definition.vcpus : definition.current_vcpus());
}

// A client's arrays of `count` maps of `length` bytes. Throws Error as libvirt's dispatcher.
void check_map_sizes(int count, int length, std::string_view count_name) {
    if (count > REMOTE_VCPUINFO_MAX) {
        throw Error(VIR_ERR_INTERNAL_ERROR, fmt::format("{} > REMOTE_VCPUINFO_MAX", count_name));
    }
    if (length > 0 && count > REMOTE_CPUMAPS_MAX / length)
        throw Error(VIR_ERR_INTERNAL_ERROR, "maxinfo * maplen > REMOTE_CPUMAPS_MAX");
}

void encode_map(const CpuSet& cpus, std::size_t length, char* out) {
    const auto bytes = cpus.to_bitmap(length);
    std::memcpy(out, bytes.data(), length);
}

// Time of the vCPU on this CPU; 0 is libvirt's "not known" here.
std::uint64_t vcpu_time(const std::optional<Usage>& usage, unsigned cpu) {
    const auto* times = usage ? times_of(*usage, cpu) : nullptr;
    return times != nullptr ? busy_ns(*times) : 0;
}

void domain_get_vcpus(Call& call, const remote_domain_get_vcpus_args& args,
                      remote_domain_get_vcpus_ret& ret) {
    check_map_sizes(args.maxinfo, args.maplen, "maxinfo");
    require_positive(args.maxinfo, "maxinfo", "virDomainGetVcpus");
    require_not_negative(args.maplen, "maplen", "virDomainGetVcpus");
    const auto domain = find(call, args.dom);
    if (!domain.active()) {
        throw Error(VIR_ERR_OPERATION_INVALID,
                    "cannot retrieve vcpu information for inactive domain");
    }
    const auto& cpus = domain.details.cpus;
    const std::vector<unsigned> ids = domain.current().online_vcpus();
    const std::size_t count = std::min<std::size_t>(args.maxinfo, cpus.size());
    const auto length = static_cast<std::size_t>(args.maplen);
    const auto usage = usage_of(call, domain);

    ret.info.info_val = protocol::make_array<remote_vcpu_info>(count);
    ret.info.info_len = static_cast<unsigned>(count);
    ret.cpumaps.cpumaps_val = protocol::make_array<char>(count * length);
    ret.cpumaps.cpumaps_len = static_cast<unsigned>(count * length);
    for (std::size_t i = 0; i < count; i++) {
        ret.info.info_val[i] = {.number = i < ids.size() ? ids[i] : static_cast<unsigned>(i),
                                .state = VIR_VCPU_RUNNING,
                                .cpu_time = vcpu_time(usage, cpus[i]),
                                .cpu = static_cast<int>(cpus[i])};
        if (length > 0)
            encode_map({cpus[i]}, length, ret.cpumaps.cpumaps_val + i * length);
    }
}

// Which CPUs vCPU `i` may get: its pin, else what the domain may use, else any.
CpuSet allowed_cpus(const domain::Definition& definition, unsigned i, const CpuSet& all) {
    if (const auto pin = definition.vcpu_pins.find(i); pin != definition.vcpu_pins.end())
        return pin->second;
    return definition.cpuset.value_or(all);
}

void domain_get_vcpu_pin_info(Call& call, const remote_domain_get_vcpu_pin_info_args& args,
                              remote_domain_get_vcpu_pin_info_ret& ret) {
    check_map_sizes(args.ncpumaps, args.maplen, "ncpumaps");
    require_positive(args.ncpumaps, "ncpumaps", "virDomainGetVcpuPinInfo");
    require_positive(args.maplen, "maplen", "virDomainGetVcpuPinInfo");
    const auto domain = find(call, args.dom);
    const auto& definition = affected(domain, args.flags);
    // Not a matter of which definition it is: a domain that was not edited runs the one it has.
    const bool live = domain.active() && (args.flags & VIR_DOMAIN_AFFECT_CONFIG) == 0;
    const CpuSet all = call.driver.cpu_map().present;

    const std::size_t count = std::min<std::size_t>(args.ncpumaps, definition.vcpus);
    const auto length = static_cast<std::size_t>(args.maplen);
    ret.cpumaps.cpumaps_val = protocol::make_array<char>(count * length);
    ret.cpumaps.cpumaps_len = static_cast<unsigned>(count * length);
    std::map<unsigned, unsigned> chosen;  // vCPU -> CPU
    const std::vector<unsigned> ids = definition.online_vcpus();
    for (std::size_t i = 0; live && i < std::min(ids.size(), domain.details.cpus.size()); i++)
        chosen.emplace(ids[i], domain.details.cpus[i]);
    for (unsigned i = 0; i < count; i++) {
        const auto at = chosen.find(i);
        const CpuSet cpus =
            at != chosen.end() ? CpuSet{at->second} : allowed_cpus(definition, i, all);
        encode_map(cpus, length, ret.cpumaps.cpumaps_val + i * length);
    }
    ret.num = static_cast<int>(count);
}

constexpr unsigned affect_flags = VIR_DOMAIN_AFFECT_LIVE | VIR_DOMAIN_AFFECT_CONFIG;

const Row rows[] = {
    row<domain_get_max_vcpus>(REMOTE_PROC_DOMAIN_GET_MAX_VCPUS),
    row<domain_get_vcpus_flags>(REMOTE_PROC_DOMAIN_GET_VCPUS_FLAGS,
                                affect_flags | VIR_DOMAIN_VCPU_MAXIMUM | VIR_DOMAIN_VCPU_GUEST),
    row<domain_get_vcpus>(REMOTE_PROC_DOMAIN_GET_VCPUS),
    row<domain_get_vcpu_pin_info>(REMOTE_PROC_DOMAIN_GET_VCPU_PIN_INFO, affect_flags),
};

}  // namespace

std::span<const Row> vcpu_rows() {
    return rows;
}

}  // namespace mk::api
