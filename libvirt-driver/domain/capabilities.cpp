// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Prints capabilities in libvirt's layout (src/conf/capabilities.c, src/conf/domain_capabilities.c)
// and fills virNodeInfo (src/util/virhostcpu.c). Every text in it is ours or a number, so nothing
// has to be escaped. <host><cpu> has no <model>: libvirt's models are named sets of features that
// an emulator offers, and clients that see one ask to compare and combine them.
#include "domain/capabilities.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <set>

#include "util/error.h"
#include "util/fd.h"

namespace mk::domain {
namespace {

constexpr const char* arch_name = "x86_64";
constexpr const char* type_name = "multikernel";
constexpr std::uint64_t small_page_kib = 4;

// How a machine's cores are arranged, or as close as four numbers come.
struct Shape {
    unsigned nodes = 1;
    unsigned sockets = 1;  // of a node
    unsigned cores = 1;    // of a socket, within a node
    unsigned threads = 1;
    [[nodiscard]] unsigned cpus() const { return nodes * sockets * cores * threads; }
};

Shape shape_of(const host::Topology& topology) {
    std::map<std::pair<unsigned, unsigned>, std::set<host::CoreId>> cores;  // by node and socket
    std::map<unsigned, std::set<unsigned>> sockets;                         // by node
    std::map<host::CoreId, unsigned> threads;
    for (const host::Cpu& cpu : topology.cpus) {
        if (!cpu.core)
            continue;
        cores[{cpu.node, cpu.core->socket}].insert(*cpu.core);
        sockets[cpu.node].insert(cpu.core->socket);
        threads[*cpu.core]++;
    }
    Shape shape;
    shape.nodes = std::max<unsigned>(1, static_cast<unsigned>(sockets.size()));
    for (const auto& [node, some] : sockets)
        shape.sockets = std::max(shape.sockets, static_cast<unsigned>(some.size()));
    for (const auto& [where, some] : cores)
        shape.cores = std::max(shape.cores, static_cast<unsigned>(some.size()));
    for (const auto& [core, count] : threads)
        shape.threads = std::max(shape.threads, count);
    if (shape.cpus() == topology.cpus.size())
        return shape;
    return Shape{.cores = static_cast<unsigned>(topology.cpus.size())};
}

// <host><cpu><topology> counts the whole machine and knows dies.
std::string host_cpu_topology(const host::Topology& topology) {
    std::set<unsigned> sockets;
    std::set<std::pair<unsigned, unsigned>> dies;
    std::map<host::CoreId, unsigned> threads;
    for (const host::Cpu& cpu : topology.cpus) {
        if (!cpu.core)
            continue;
        sockets.insert(cpu.core->socket);
        dies.insert({cpu.core->socket, cpu.core->die});
        threads[*cpu.core]++;
    }
    unsigned most_threads = 1;
    for (const auto& [core, count] : threads)
        most_threads = std::max(most_threads, count);
    const std::size_t all = topology.cpus.size();
    const bool even = !sockets.empty() && dies.size() % sockets.size() == 0 &&
                      threads.size() % dies.size() == 0 && threads.size() * most_threads == all;
    if (!even)
        return fmt::format("<topology sockets='1' dies='1' cores='{}' threads='1'/>", all);
    return fmt::format("<topology sockets='{}' dies='{}' cores='{}' threads='{}'/>", sockets.size(),
                       dies.size() / sockets.size(), threads.size() / dies.size(), most_threads);
}

std::string host_cpu(const host::Topology& topology) {
    std::set<std::uint64_t> page_sizes{small_page_kib};
    for (const host::Node& node : topology.nodes)
        for (const auto& [size_kib, count] : node.huge_pages)
            page_sizes.insert(size_kib);
    std::string xml = fmt::format("    <cpu>\n      <arch>{}</arch>\n      {}\n", arch_name,
                                  host_cpu_topology(topology));
    for (const std::uint64_t size_kib : page_sizes)
        xml += fmt::format("      <pages unit='KiB' size='{}'/>\n", size_kib);
    return xml + "    </cpu>\n";
}

std::string cell_pages(const host::Node& node) {
    std::uint64_t huge_kib = 0;
    for (const auto& [size_kib, count] : node.huge_pages)
        huge_kib += size_kib * count;
    const std::uint64_t small_kib = node.memory_kib - std::min(node.memory_kib, huge_kib);
    std::string xml = fmt::format("          <pages unit='KiB' size='{}'>{}</pages>\n",
                                  small_page_kib, small_kib / small_page_kib);
    for (const auto& [size_kib, count] : node.huge_pages)
        xml += fmt::format("          <pages unit='KiB' size='{}'>{}</pages>\n", size_kib, count);
    return xml;
}

std::string cell_cpu(const host::Cpu& cpu, const CpuSet& siblings) {
    if (!cpu.core)
        return fmt::format("            <cpu id='{}'/>\n", cpu.id);
    return fmt::format(
        "            <cpu id='{}' socket_id='{}' die_id='{}' core_id='{}' siblings='{}'/>\n",
        cpu.id, cpu.core->socket, cpu.core->die, cpu.core->core, siblings.to_string());
}

std::string cell(const host::Topology& topology, const host::Node& node,
                 const std::map<host::CoreId, CpuSet>& cores) {
    std::string xml = fmt::format("        <cell id='{}'>\n", node.id);
    xml += fmt::format("          <memory unit='KiB'>{}</memory>\n", node.memory_kib);
    xml += cell_pages(node);
    if (!node.distances.empty()) {
        xml += "          <distances>\n";
        for (const auto& [other, value] : node.distances)
            xml += fmt::format("            <sibling id='{}' value='{}'/>\n", other, value);
        xml += "          </distances>\n";
    }
    std::string cpus;
    unsigned count = 0;
    for (const host::Cpu& cpu : topology.cpus) {
        if (cpu.node != node.id)
            continue;
        cpus += cell_cpu(cpu, cpu.core ? cores.at(*cpu.core) : CpuSet{});
        count++;
    }
    xml += fmt::format("          <cpus num='{}'>\n{}          </cpus>\n", count, cpus);
    return xml + "        </cell>\n";
}

std::string cells(const host::Topology& topology) {
    std::map<host::CoreId, CpuSet> cores;
    for (const host::Cpu& cpu : topology.cpus)
        if (cpu.core)
            cores[*cpu.core].insert(cpu.id);
    std::string xml =
        fmt::format("    <topology>\n      <cells num='{}'>\n", topology.nodes.size());
    for (const host::Node& node : topology.nodes)
        xml += cell(topology, node, cores);
    return xml + "      </cells>\n    </topology>\n";
}

const char* cache_type(const std::string& sysfs_type) {
    if (sysfs_type == "Data")
        return "data";
    return sysfs_type == "Instruction" ? "code" : "both";
}

std::string caches(const host::Topology& topology) {
    if (topology.caches.empty())
        return {};
    std::string xml = "    <cache>\n";
    for (const host::Cache& cache : topology.caches) {
        const bool whole_mib = cache.size_kib % 1024 == 0;  // as virFormatIntPretty
        xml += fmt::format(
            "      <bank id='{}' level='{}' type='{}' size='{}' unit='{}' cpus='{}'/>\n", cache.id,
            cache.level, cache_type(cache.type), whole_mib ? cache.size_kib / 1024 : cache.size_kib,
            whole_mib ? "MiB" : "KiB", cache.cpus.to_string());
    }
    return xml + "    </cache>\n";
}

// An unknown word of a client, made fit for a message.
void refuse_unless(const std::string& said, const char* ours, const char* what) {
    if (!said.empty() && said != ours)
        throw Error(VIR_ERR_INVALID_ARG, fmt::format("unknown {}: {}", what, said));
}

std::optional<Uuid> uuid_in(std::string text) {
    text.erase(std::min(text.find_last_not_of(" \t\n") + 1, text.size()));
    const auto uuid = Uuid::parse(text);
    return uuid && uuid->valid() ? uuid : std::nullopt;
}

}  // namespace

Uuid host_uuid(const std::string& sysfs, const std::string& machine_id_path) {
    for (const std::string& path : {sysfs + "/class/dmi/id/product_uuid", machine_id_path}) {
        const auto text = read_file_if_exists(path);
        if (const auto uuid = text ? uuid_in(*text) : std::nullopt)
            return *uuid;
    }
    return {};
}

Uuid machine_uuid(const std::string& machine_id_path) {
    if (const auto uuid = uuid_in(read_file(machine_id_path)))
        return *uuid;
    throw Error(VIR_ERR_CONFIG_UNSUPPORTED,
                fmt::format("host_uuid_source is machine-id, and {} has no UUID", machine_id_path));
}

std::string capabilities_xml(const host::Topology& topology, const Uuid& host) {
    std::string xml = "<capabilities>\n\n  <host>\n";
    if (host.valid())
        xml += fmt::format("    <uuid>{}</uuid>\n", host.to_string());
    xml += host_cpu(topology);
    xml += "    <power_management/>\n    <iommu support='no'/>\n";
    xml += cells(topology);
    xml += caches(topology);
    xml += "  </host>\n\n";
    xml += fmt::format(
        "  <guest>\n"
        "    <os_type>hvm</os_type>\n"
        "    <arch name='{}'>\n"
        "      <wordsize>64</wordsize>\n"
        "      <emulator>{}</emulator>\n"
        "      <machine>{}</machine>\n"
        "      <domain type='{}'/>\n"
        "    </arch>\n"
        "    <features>\n"
        "      <acpi default='on' toggle='no'/>\n"
        "      <apic default='on' toggle='no'/>\n"
        "    </features>\n"
        "  </guest>\n\n",
        arch_name, emulator_path, type_name, type_name);
    return xml + "</capabilities>\n";
}

std::string domain_capabilities_xml(const Asked& asked, unsigned max_vcpus) {
    refuse_unless(asked.arch, arch_name, "architecture");
    refuse_unless(asked.virt_type, type_name, "virttype");
    refuse_unless(asked.machine, type_name, "machine");
    std::string xml = fmt::format(
        "<domainCapabilities>\n"
        "  <path>{}</path>\n"
        "  <domain>{}</domain>\n"
        "  <machine>{}</machine>\n"
        "  <arch>{}</arch>\n"
        "  <vcpu max='{}'/>\n"
        "  <iothreads supported='no'/>\n"
        "  <os supported='yes'>\n"
        "    <enum name='firmware'/>\n"
        "    <loader supported='no'/>\n"
        "  </os>\n"
        "  <cpu>\n"
        "    <mode name='host-passthrough' supported='yes'>\n"
        "      <enum name='hostPassthroughMigratable'>\n"
        "        <value>off</value>\n"
        "      </enum>\n"
        "    </mode>\n"
        "    <mode name='maximum' supported='no'/>\n"
        "    <mode name='host-model' supported='no'/>\n"
        "    <mode name='custom' supported='no'/>\n"
        "  </cpu>\n"
        "  <memoryBacking supported='no'/>\n"
        "  <devices>\n",
        emulator_path, type_name, type_name, arch_name, max_vcpus);
    for (const auto* device : {"disk", "graphics", "video", "hostdev", "rng", "filesystem", "tpm",
                               "redirdev", "channel"})
        xml += fmt::format("    <{} supported='no'/>\n", device);
    xml += "  </devices>\n  <features>\n";
    for (const auto* feature : {"gic", "vmcoreinfo", "genid", "backingStoreInput", "backup", "sev"})
        xml += fmt::format("    <{} supported='no'/>\n", feature);
    return xml + "  </features>\n</domainCapabilities>\n";
}

virNodeInfo node_info(const host::Topology& topology, const CpuSet& held) {
    const Shape shape = shape_of(topology);
    virNodeInfo info = {};
    std::string_view(arch_name).copy(info.model, sizeof(info.model) - 1);
    info.memory = topology.memory_kib();
    info.cpus = static_cast<unsigned>(((topology.online() | held) & topology.present()).size());
    info.mhz = topology.mhz;
    info.nodes = shape.nodes;
    info.sockets = shape.sockets;
    info.cores = shape.cores;
    info.threads = shape.threads;
    return info;
}

}  // namespace mk::domain
