// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The driver: the machine as clients see it, which stays the same while partitions come and go,
// and the filters of virConnectListAllDomains.
#include <fmt/format.h>

#include <array>
#include <limits>

#include "domain/capabilities.h"
#include "domain/driver_impl.h"
#include "util/error.h"

namespace mk::domain {
namespace {

constexpr const char* machine_id_path = "/etc/machine-id";

}  // namespace

virNodeInfo Driver::node_info() const {
    host::Topology now = impl_->topology;
    const host::Moment moment = host::read_moment(impl_->paths.sysfs, impl_->paths.procfs);
    for (host::Cpu& cpu : now.cpus)
        cpu.online = moment.online.contains(cpu.id);
    return domain::node_info(now, impl_->pool.held_cpus());
}

Driver::CpuMap Driver::cpu_map() const {
    const host::Moment moment = host::read_moment(impl_->paths.sysfs, impl_->paths.procfs);
    CpuMap map;
    map.present = impl_->topology.present();
    map.online = moment.online | (impl_->pool.held_cpus() & map.present);
    for (const unsigned cpu : map.present)
        map.count = cpu + 1;
    return map;
}

std::string Driver::capabilities() const {
    return capabilities_xml(impl_->topology, host_uuid(impl_->paths.sysfs, machine_id_path));
}

std::string Driver::domain_capabilities(const DomainCapabilitiesQuery& query) const {
    return domain_capabilities_xml({query.emulator, query.arch, query.machine, query.virt_type},
                                   max_vcpus());
}

std::uint64_t Driver::free_memory_kib() const {
    std::uint64_t sum = 0;
    for (const auto& [node, free_kib] : impl_->pool.free_memory_kib())
        sum += free_kib;
    return sum;
}

std::vector<std::uint64_t> Driver::cells_free_kib(int first, int count) const {
    const auto free = impl_->pool.free_memory_kib();
    const auto last_node = static_cast<int>(impl_->topology.nodes.back().id);
    if (first < 0 || first > last_node)
        throw Error(VIR_ERR_INVALID_ARG,
                    fmt::format("start cell {} out of range (0-{})", first, last_node));
    std::vector<std::uint64_t> cells;
    for (int node = first; node <= last_node && static_cast<int>(cells.size()) < count; ++node) {
        const auto found = free.find(static_cast<unsigned>(node));
        cells.push_back(found == free.end() ? 0 : found->second);
    }
    return cells;
}

unsigned Driver::max_vcpus() const {
    return impl_->pool.max_vcpus();
}

bool passes_filter(const DomainView& domain, unsigned flags) {
    // virDomainObjMatchFilter: a group of which no bit is wanted filters nothing.
    struct Filter {
        unsigned flag;
        bool passes;
    };
    const bool running = domain.state == VIR_DOMAIN_RUNNING;
    const bool paused = domain.state == VIR_DOMAIN_PAUSED;
    const bool shutoff = domain.state == VIR_DOMAIN_SHUTOFF;
    const auto group = [flags](std::initializer_list<Filter> filters) {
        unsigned wanted = 0;
        bool passes = false;
        for (const Filter& filter : filters) {
            wanted |= flags & filter.flag;
            passes = passes || ((flags & filter.flag) != 0 && filter.passes);
        }
        return wanted == 0 || passes;
    };
    return group({{VIR_CONNECT_LIST_DOMAINS_ACTIVE, domain.active()},
                  {VIR_CONNECT_LIST_DOMAINS_INACTIVE, !domain.active()}}) &&
           group({{VIR_CONNECT_LIST_DOMAINS_PERSISTENT, domain.persistent},
                  {VIR_CONNECT_LIST_DOMAINS_TRANSIENT, !domain.persistent}}) &&
           group({{VIR_CONNECT_LIST_DOMAINS_RUNNING, running},
                  {VIR_CONNECT_LIST_DOMAINS_PAUSED, paused},
                  {VIR_CONNECT_LIST_DOMAINS_SHUTOFF, shutoff},
                  {VIR_CONNECT_LIST_DOMAINS_OTHER, !running && !paused && !shutoff}}) &&
           group({{VIR_CONNECT_LIST_DOMAINS_MANAGEDSAVE, false},
                  {VIR_CONNECT_LIST_DOMAINS_NO_MANAGEDSAVE, true}}) &&
           group({{VIR_CONNECT_LIST_DOMAINS_AUTOSTART, domain.autostart},
                  {VIR_CONNECT_LIST_DOMAINS_NO_AUTOSTART, !domain.autostart}}) &&
           group({{VIR_CONNECT_LIST_DOMAINS_HAS_SNAPSHOT, false},
                  {VIR_CONNECT_LIST_DOMAINS_NO_SNAPSHOT, true}}) &&
           group({{VIR_CONNECT_LIST_DOMAINS_HAS_CHECKPOINT, false},
                  {VIR_CONNECT_LIST_DOMAINS_NO_CHECKPOINT, true}});
}

}  // namespace mk::domain
