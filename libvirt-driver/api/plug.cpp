// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What a domain is given and loses: vCPUs, their places, memory devices. Queries are in vcpu.cpp
// and memory.cpp.
#include <fmt/format.h>

#include "api/encode.h"
#include "api/table.h"

namespace mk::api {

namespace {

using domain::Driver;

void domain_set_vcpus(Call& call, const remote_domain_set_vcpus_args& args) {
    call.driver.set_vcpus(find(call, args.dom).uuid,
                          {.vcpus = args.nvcpus, .affect = {.live = true}});
}

void domain_set_vcpus_flags(Call& call, const remote_domain_set_vcpus_flags_args& args) {
    const bool maximum = (args.flags & VIR_DOMAIN_VCPU_MAXIMUM) != 0;
    const bool guest = (args.flags & VIR_DOMAIN_VCPU_GUEST) != 0;
    if (maximum && guest)  // src/libvirt-domain.c, virDomainSetVcpusFlags
        throw Error(VIR_ERR_INVALID_ARG,
                    "Flags 'VIR_DOMAIN_VCPU_MAXIMUM' and 'VIR_DOMAIN_VCPU_GUEST' are mutually "
                    "exclusive");
    if (guest && (args.flags & VIR_DOMAIN_AFFECT_CONFIG) != 0)
        throw Error(VIR_ERR_INVALID_ARG,
                    "Flags 'VIR_DOMAIN_VCPU_GUEST' and 'VIR_DOMAIN_AFFECT_CONFIG' are mutually "
                    "exclusive");
    call.driver.set_vcpus(find(call, args.dom).uuid, {.vcpus = args.nvcpus,
                                                      .maximum = maximum,
                                                      .guest = guest,
                                                      .affect = affect_of(args.flags)});
}

bool on_or_off(int state) {
    if (state != 0 && state != 1)
        throw Error(VIR_ERR_INVALID_ARG, "state in virDomainSetVcpu: unsupported state value");
    return state == 1;
}

void domain_set_vcpu(Call& call, const remote_domain_set_vcpu_args& args) {
    const bool enable = on_or_off(args.state);
    const CpuSet vcpus = CpuSet::parse(args.cpumap);
    call.driver.set_vcpu(find(call, args.dom).uuid, vcpus, enable, affect_of(args.flags));
}

template <typename Args>
CpuSet map_of(const Args& args) {
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(args.cpumap.cpumap_val);
    return CpuSet::from_bitmap({bytes, bytes + args.cpumap.cpumap_len});
}

void domain_pin_vcpu(Call& call, const remote_domain_pin_vcpu_args& args) {
    call.driver.pin_vcpu(find(call, args.dom).uuid, args.vcpu, map_of(args), {.live = true});
}

void domain_pin_vcpu_flags(Call& call, const remote_domain_pin_vcpu_flags_args& args) {
    call.driver.pin_vcpu(find(call, args.dom).uuid, args.vcpu, map_of(args), affect_of(args.flags));
}

// Whatever the host does for a partition runs where the host runs: on the CPUs that it has left.
void domain_get_emulator_pin_info(Call& call, const remote_domain_get_emulator_pin_info_args& args,
                                  remote_domain_get_emulator_pin_info_ret& ret) {
    require_positive(args.maplen, "maplen", "virDomainGetEmulatorPinInfo");
    if (args.maplen > REMOTE_CPUMAPS_MAX)
        throw Error(VIR_ERR_INTERNAL_ERROR, "maplen > REMOTE_CPUMAPS_MAX");
    static_cast<void>(affected(find(call, args.dom), args.flags));
    const auto bytes =
        call.driver.cpu_map().present.to_bitmap(static_cast<std::size_t>(args.maplen));
    ret.cpumaps.cpumaps_val = protocol::make_array<char>(bytes.size());
    ret.cpumaps.cpumaps_len = static_cast<unsigned>(bytes.size());
    std::copy(bytes.begin(), bytes.end(), ret.cpumaps.cpumaps_val);
    ret.ret = 1;
}

void domain_get_guest_vcpus(Call& call, const remote_domain_get_guest_vcpus_args& args,
                            remote_domain_get_guest_vcpus_ret& ret) {
    const auto guest = call.driver.guest_vcpus(find(call, args.dom).uuid);
    encode_params({{"vcpus", guest.vcpus.to_string()},
                   {"online", guest.online.to_string()},
                   {"offlinable", guest.offlinable.to_string()}},
                  ret.params.params_val, ret.params.params_len);
}

void domain_set_guest_vcpus(Call& call, const remote_domain_set_guest_vcpus_args& args) {
    const bool online = on_or_off(args.state);
    const CpuSet vcpus = CpuSet::parse(args.cpumap);
    call.driver.set_guest_vcpus(find(call, args.dom).uuid, vcpus, online);
}

void domain_attach_device(Call& call, const remote_domain_attach_device_args& args) {
    call.driver.change_device(find(call, args.dom).uuid, args.xml, Driver::DeviceAction::attach,
                              {.live = true});
}

void domain_attach_device_flags(Call& call, const remote_domain_attach_device_flags_args& args) {
    call.driver.change_device(find(call, args.dom).uuid, args.xml, Driver::DeviceAction::attach,
                              affect_of(args.flags));
}

void domain_detach_device(Call& call, const remote_domain_detach_device_args& args) {
    call.driver.change_device(find(call, args.dom).uuid, args.xml, Driver::DeviceAction::detach,
                              {.live = true});
}

void domain_detach_device_flags(Call& call, const remote_domain_detach_device_flags_args& args) {
    call.driver.change_device(find(call, args.dom).uuid, args.xml, Driver::DeviceAction::detach,
                              affect_of(args.flags));
}

void domain_update_device_flags(Call& call, const remote_domain_update_device_flags_args& args) {
    call.driver.change_device(find(call, args.dom).uuid, args.xml, Driver::DeviceAction::update,
                              affect_of(args.flags));
}

void domain_detach_device_alias(Call& call, const remote_domain_detach_device_alias_args& args) {
    call.driver.detach_alias(find(call, args.dom).uuid, args.alias, affect_of(args.flags));
}

constexpr unsigned affect_flags = VIR_DOMAIN_AFFECT_LIVE | VIR_DOMAIN_AFFECT_CONFIG;

const Row rows[] = {
    row<domain_set_vcpus>(REMOTE_PROC_DOMAIN_SET_VCPUS),
    // hotpluggable: every vCPU but vCPU 0 is.
    row<domain_set_vcpus_flags>(REMOTE_PROC_DOMAIN_SET_VCPUS_FLAGS,
                                affect_flags | VIR_DOMAIN_VCPU_MAXIMUM | VIR_DOMAIN_VCPU_GUEST |
                                    VIR_DOMAIN_VCPU_HOTPLUGGABLE),
    row<domain_set_vcpu>(REMOTE_PROC_DOMAIN_SET_VCPU, affect_flags),
    row<domain_pin_vcpu>(REMOTE_PROC_DOMAIN_PIN_VCPU),
    row<domain_pin_vcpu_flags>(REMOTE_PROC_DOMAIN_PIN_VCPU_FLAGS, affect_flags),
    row<domain_get_emulator_pin_info>(REMOTE_PROC_DOMAIN_GET_EMULATOR_PIN_INFO, affect_flags),
    row<domain_get_guest_vcpus>(REMOTE_PROC_DOMAIN_GET_GUEST_VCPUS),
    row<domain_set_guest_vcpus>(REMOTE_PROC_DOMAIN_SET_GUEST_VCPUS),
    row<domain_attach_device>(REMOTE_PROC_DOMAIN_ATTACH_DEVICE),
    row<domain_attach_device_flags>(REMOTE_PROC_DOMAIN_ATTACH_DEVICE_FLAGS, affect_flags),
    row<domain_detach_device>(REMOTE_PROC_DOMAIN_DETACH_DEVICE),
    row<domain_detach_device_flags>(REMOTE_PROC_DOMAIN_DETACH_DEVICE_FLAGS, affect_flags),
    row<domain_update_device_flags>(REMOTE_PROC_DOMAIN_UPDATE_DEVICE_FLAGS,
                                    affect_flags | VIR_DOMAIN_DEVICE_MODIFY_FORCE),
    row<domain_detach_device_alias>(REMOTE_PROC_DOMAIN_DETACH_DEVICE_ALIAS, affect_flags),
};

}  // namespace

std::span<const Row> plug_rows() {
    return rows;
}

}  // namespace mk::api
