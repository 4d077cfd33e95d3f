// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What this host and its partitions can do, in libvirt's XML and structs: `virsh capabilities`,
// `virsh domcapabilities`, `virsh nodeinfo`. The machine's view: a CPU that a partition owns is
// there and online, and the answers stay the same while partitions come and go (clients cache
// them). Decides nothing: it prints what host/topology.h saw.
//
// Free functions, thread-safe.
#pragma once

#include <libvirt/libvirt.h>

#include <string>

#include "host/topology.h"
#include "util/cpu_set.h"
#include "util/uuid.h"

namespace mk::domain {

// The host's UUID: of the SMBIOS ("<sysfs>/class/dmi/id/product_uuid"), else of machine-id(5).
// An invalid Uuid if neither is there.
[[nodiscard]] Uuid host_uuid(const std::string& sysfs, const std::string& machine_id_path);
// Of machine-id(5) alone. Throws Error: VIR_ERR_SYSTEM_ERROR it cannot be read;
// VIR_ERR_CONFIG_UNSUPPORTED it has none.
[[nodiscard]] Uuid machine_uuid(const std::string& machine_id_path);

// <capabilities>; libvirt's capability.rng describes it. `host` may be invalid: left out.
[[nodiscard]] std::string capabilities_xml(const host::Topology& topology, const Uuid& host);

// virConnectGetDomainCapabilities' arguments; empty: the client did not say.
struct Asked {
    std::string emulator;
    std::string arch;
    std::string machine;
    std::string virt_type;
};

// <domainCapabilities>; libvirt's domaincaps.rng describes it. Throws Error(VIR_ERR_INVALID_ARG)
// in libvirt's words for an architecture, type or machine that is not ours. The emulator may be
// any: nothing is emulated.
[[nodiscard]] std::string domain_capabilities_xml(const Asked& asked, unsigned max_vcpus);

// The daemon's own path: what <emulator> and <path> say.
inline constexpr const char* emulator_path = "/usr/sbin/virtmultikerneld";

// `held`: CPUs of partitions; they count as online. Shapes that are not nodes × sockets × cores ×
// threads become one node and socket of as many cores as CPUs, as libvirt does.
[[nodiscard]] virNodeInfo node_info(const host::Topology& topology, const CpuSet& held);

}  // namespace mk::domain
