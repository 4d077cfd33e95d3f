// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Made-up machines.
#include "support/fake_host.h"

#include <fmt/core.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "util/error.h"

namespace mk::test {
namespace {

namespace fs = std::filesystem;

constexpr const char* first_boot = "11111111-2222-4333-8444-555555555555";

}  // namespace

host::Topology topology(const Machine& machine) {
    host::Topology made;
    made.vendor = "GenuineIntel";
    made.model = "Made-up Processor";
    made.mhz = 2400;
    made.boot_id = first_boot;
    const unsigned cpus_per_node = machine.cores_per_node * machine.threads_per_core;
    for (unsigned node = 0; node < machine.nodes; node++) {
        host::Node& last = made.nodes.emplace_back();
        last.id = node;
        last.memory_kib = machine.node_kib;
        last.huge_pages[2048] = 0;
        for (unsigned other = 0; other < machine.nodes; other++)
            last.distances[other] = other == node ? 10 : 20 + (other > node ? other - node : 0);
        host::Cache& cache = made.caches.emplace_back();
        cache = {.id = node, .level = 3, .type = "Unified", .size_kib = 32768, .cpus = {}};
        for (unsigned n = 0; n < cpus_per_node; n++) {
            host::Cpu& cpu = made.cpus.emplace_back();
            cpu.id = node * cpus_per_node + n;
            cpu.core = host::CoreId{node, 0, n / machine.threads_per_core};
            cpu.node = node;
            cpu.online = true;
            cache.cpus.insert(cpu.id);
        }
    }
    return made;
}

FakeHost::FakeHost(const Machine& machine) : machine_(machine) {
    std::string pattern = fs::temp_directory_path() / "mk-host-XXXXXX";
    if (::mkdtemp(pattern.data()) == nullptr)
        throw Error::from_errno("make a temporary folder");
    root_ = pattern;
    const host::Topology all = topology(machine);
    write("proc/cpuinfo", fmt::format("processor\t: 0\nvendor_id\t: {}\ncpu family\t: 6\n"
                                      "model\t\t: 143\nmodel name\t: {}\ncpu MHz\t\t: 2400.123\n",
                                      all.vendor, all.model));
    write("proc/meminfo", fmt::format("MemTotal:       {} kB\nMemFree:        1024 kB\n"
                                      "MemAvailable:   {} kB\n",
                                      all.memory_kib(), all.memory_kib() / 2));
    set_boot_id(first_boot);
    write("sys/devices/system/cpu/present", all.present().to_string() + "\n");
    if (machine.numa)
        write_nodes(all);
    else
        write("sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", "0\n");
    set_online(all.online());
}

FakeHost::~FakeHost() {
    std::error_code ignored;
    fs::remove_all(root_, ignored);
}

void FakeHost::write_nodes(const host::Topology& all) const {
    const std::string root = "sys/devices/system/node/";
    CpuSet ids;
    for (const host::Node& node : all.nodes) {
        ids.insert(node.id);
        const std::string folder = fmt::format("{}node{}/", root, node.id);
        const auto half = node.memory_kib / 2;
        write(folder + "meminfo",
              fmt::format("Node {0} MemTotal:       {1} kB\nNode {0} MemFree:        {2} kB\n"
                          "Node {0} Active(file):   3000 kB\nNode {0} Inactive(file): 2000 kB\n"
                          "Node {0} SReclaimable:   100 kB\n",
                          node.id, node.memory_kib, half));
        write(folder + "hugepages/hugepages-2048kB/nr_hugepages", "0\n");
        std::string distances;
        for (const auto& [other, value] : node.distances)
            distances += fmt::format("{}{}", distances.empty() ? "" : " ", value);
        write(folder + "distance", distances + "\n");
        for (const host::Cpu& cpu : all.cpus)  // links in sysfs
            if (cpu.node == node.id)
                fs::create_directories(path(fmt::format("{}cpu{}", folder, cpu.id)));
    }
    write(root + "online", ids.to_string() + "\n");
}

void FakeHost::write_cpu(const host::Topology& all, const host::Cpu& cpu,
                         const CpuSet& online) const {
    const std::string folder = fmt::format("sys/devices/system/cpu/cpu{}/", cpu.id);
    fs::create_directories(path(folder));
    if (!online.contains(cpu.id)) {
        fs::remove_all(path(folder + "topology"));
        fs::remove_all(path(folder + "cache"));
        return;
    }
    write(folder + "topology/physical_package_id", fmt::format("{}\n", cpu.core->socket));
    write(folder + "topology/die_id", fmt::format("{}\n", cpu.core->die));
    write(folder + "topology/core_id", fmt::format("{}\n", cpu.core->core));
    write(folder + "topology/thread_siblings_list",
          (all.threads_of(cpu.id) & online).to_string() + "\n");
    const std::string own = folder + "cache/index0/";
    write(own + "level", "1\n");
    write(own + "id", fmt::format("{}\n", cpu.id));
    write(own + "type", "Data\n");
    write(own + "size", "48K\n");
    write(own + "shared_cpu_list", fmt::format("{}\n", cpu.id));
    const std::string shared = folder + "cache/index3/";
    const host::Cache& cache = all.caches.at(cpu.node);
    write(shared + "level", fmt::format("{}\n", cache.level));
    write(shared + "id", fmt::format("{}\n", cache.id));
    write(shared + "type", cache.type + "\n");
    write(shared + "size", fmt::format("{}K\n", cache.size_kib));
    write(shared + "shared_cpu_list", (cache.cpus & online).to_string() + "\n");
}

void FakeHost::set_online(const CpuSet& online) const {
    const host::Topology all = topology(machine_);
    write("sys/devices/system/cpu/online", online.to_string() + "\n");
    for (const host::Cpu& cpu : all.cpus)
        write_cpu(all, cpu, online);
}

void FakeHost::set_boot_id(const std::string& id) const {
    write("proc/sys/kernel/random/boot_id", id + "\n");
}

void FakeHost::write(const std::string& name, const std::string& text) const {
    const fs::path file = path(name);
    fs::create_directories(file.parent_path());
    std::ofstream out(file, std::ios::binary | std::ios::trunc);
    out << text;
    out.close();
    if (!out)
        throw Error(VIR_ERR_SYSTEM_ERROR, "cannot write " + file.string());
}

}  // namespace mk::test
