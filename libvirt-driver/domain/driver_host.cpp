// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The driver: the machine as clients see it, which stays the same while partitions come and go,
// and the filters of virConnectListAllDomains.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>

#include "domain/capabilities.h"
#include "domain/driver_impl.h"
#include "domain/sysinfo.h"
#include "host/huge_pages.h"
#include "util/error.h"

namespace mk::domain {
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
    const Uuid uuid = impl_->host_uuid ? *impl_->host_uuid
                                       : host_uuid(impl_->paths.sysfs, impl_->paths.machine_id);
    return capabilities_xml(impl_->topology, uuid);
}

std::string Driver::domain_capabilities(const DomainCapabilitiesQuery& query) const {
    return domain_capabilities_xml({query.emulator, query.arch, query.machine, query.virt_type},
                                   max_vcpus());
}

std::vector<unsigned> Driver::Impl::cells(int first, unsigned count) const {
    const auto last = static_cast<int>(topology.nodes.back().id);
    if (first < 0 || first > last)
        throw Error(VIR_ERR_INTERNAL_ERROR,
                    fmt::format("start cell {} out of range (0-{})", first, last));
    std::vector<unsigned> cells;
    for (int node = first; node <= last && cells.size() < count; ++node)
        cells.push_back(static_cast<unsigned>(node));
    return cells;
}

std::uint64_t Driver::free_memory_kib() const {
    std::uint64_t sum = 0;
    for (const auto& [node, free_kib] : impl_->pool.free_memory_kib())
        sum += free_kib;
    return sum;
}

std::vector<std::uint64_t> Driver::cells_free_kib(int first, int count) const {
    const auto free = impl_->pool.free_memory_kib();
    std::vector<std::uint64_t> cells;
    for (const unsigned node : impl_->cells(first, static_cast<unsigned>(count))) {
        const auto found = free.find(node);
        cells.push_back(found == free.end() ? 0 : found->second);
    }
    return cells;
}

std::vector<std::uint64_t> Driver::free_pages(const std::vector<unsigned>& sizes_kib, int first,
                                              unsigned count) const {
    constexpr unsigned small_page_kib = 4;
    const auto nodes = impl_->cells(first, count);
    const auto free_kib = impl_->pool.free_memory_kib();
    std::vector<std::uint64_t> pages;
    for (const unsigned node : nodes) {
        for (const unsigned size_kib : sizes_kib) {
            const auto free = free_kib.find(node);
            const auto found = size_kib == small_page_kib && free != free_kib.end()
                                   ? std::optional(free->second / size_kib)
                                   : host::free_huge_pages(impl_->paths.sysfs, node, size_kib);
            if (!found)
                throw Error(
                    VIR_ERR_OPERATION_FAILED,
                    fmt::format("page size {} is not available on node {}", size_kib, node));
            pages.push_back(*found);
        }
    }
    return pages;
}

unsigned Driver::allocate_pages(const std::vector<PageCount>& wanted, int first, unsigned count,
                                bool add) {
    unsigned done = 0;
    for (const unsigned node : impl_->cells(first, count)) {
        for (const PageCount& pages : wanted) {
            if (pages.size_kib == 4)
                throw Error(VIR_ERR_OPERATION_UNSUPPORTED, "system pages pool can't be modified");
            host::set_huge_pages(impl_->paths.sysfs, node, pages.size_kib, pages.count, add);
            done++;
        }
    }
    return done;
}

// The host's kernel does not run the CPUs of partitions: their app kernels tell.
std::optional<host::CpuTimes> Driver::cpu_times(std::optional<unsigned> cpu) const {
    const bool held = cpu && impl_->pool.held_cpus().contains(*cpu);
    const auto host = held ? std::nullopt : host::cpu_times(cpu, impl_->paths.procfs);
    if (!held && !host)
        return std::nullopt;
    impl_->node_times.look([this](const NodeTimes::See& see) {
        for (const auto& domain : impl_->domains.all()) {
            try {
                const unsigned boots = impl_->lifecycle.status(domain).boots;
                if (const auto stats = impl_->backend->stats(domain->uuid()))
                    see(domain->id(), boots, *stats);
            } catch (const Error&) {  // it is not active
            }
        }
    });
    return cpu ? impl_->node_times.of(*cpu, host) : impl_->node_times.of_all(*host);
}

std::vector<host::SamepageValue> Driver::samepage_values() const {
    return host::read_samepage(impl_->paths.sysfs);
}

void Driver::set_samepage_values(const std::vector<host::SamepageValue>& values) {
    host::write_samepage(impl_->paths.sysfs, values);
}

// The tables stay as they are until the machine boots again; a client may ask often.
std::string Driver::sysinfo() const {
    {
        const std::scoped_lock lock(impl_->sysinfo_mutex);
        if (!impl_->sysinfo.empty())
            return impl_->sysinfo;
    }
    std::string read = read_sysinfo();
    const std::scoped_lock lock(impl_->sysinfo_mutex);
    impl_->sysinfo = read;
    return read;
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
