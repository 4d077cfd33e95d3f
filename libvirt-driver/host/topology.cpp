// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Reads sysfs (Documentation/ABI/testing/sysfs-devices-system-cpu, stable/sysfs-devices-node)
// and /proc/cpuinfo. What is kept over time is in topology_snapshot.cpp.
#include "host/topology.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <string_view>

#include "util/error.h"
#include "util/fd.h"

namespace mk::host {
namespace {

namespace fs = std::filesystem;

// Caches below this level belong to one core and interest nobody; libvirt shows these too.
constexpr unsigned first_shared_cache_level = 3;

std::string_view trim(std::string_view text) {
    const auto first = text.find_first_not_of(" \t\n");
    if (first == std::string_view::npos)
        return {};
    return text.substr(first, text.find_last_not_of(" \t\n") - first + 1);
}

[[noreturn]] void nonsense(const std::string& path, std::string_view text) {
    throw Error(VIR_ERR_INTERNAL_ERROR, fmt::format("{} says '{}'", path, trim(text)));
}

// The number at the start of `text`, blanks skipped.
std::optional<std::uint64_t> leading_number(std::string_view text) {
    text = trim(text);
    std::uint64_t value = 0;
    const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
    if (result.ec != std::errc())
        return std::nullopt;
    return value;
}

std::optional<std::uint64_t> read_number(const std::string& path) {
    const auto text = read_file_if_exists(path);
    if (!text)
        return std::nullopt;
    const auto value = leading_number(*text);
    if (!value)
        nonsense(path, *text);
    return value;
}

CpuSet read_list(const std::string& path) {
    const std::string text = read_file(path);
    try {
        return CpuSet::parse(text);
    } catch (const Error&) {
        nonsense(path, text);
    }
}

// physical_package_id and its like are -1 where the firmware does not say.
unsigned read_id(const std::string& path) {
    const auto text = read_file_if_exists(path);
    if (!text || trim(*text).starts_with('-'))
        return 0;
    const auto value = leading_number(*text);
    if (!value || *value > UINT32_MAX)
        nonsense(path, *text);
    return static_cast<unsigned>(*value);
}

// The names below `folder` that are `prefix` and a number; those numbers.
CpuSet numbered(const std::string& folder, std::string_view prefix) {
    CpuSet found;
    std::error_code status;
    for (const auto& entry : fs::directory_iterator(folder, status)) {
        const std::string name = entry.path().filename();
        if (!name.starts_with(prefix))
            continue;
        const std::string_view digits = std::string_view(name).substr(prefix.size());
        unsigned value = 0;
        const auto end = digits.data() + digits.size();
        const auto result = std::from_chars(digits.data(), end, value);
        if (result.ec == std::errc() && result.ptr == end && value < CpuSet::limit)
            found.insert(value);
    }
    return found;
}

// "MemTotal:   123 kB", behind "Node 0 " in a node's file. 0 if the field is not there.
std::uint64_t meminfo_field(const std::string& text, std::string_view field) {
    const std::string label = fmt::format("{}:", field);
    for (std::size_t at = text.find(label); at != std::string::npos; at = text.find(label, at + 1))
        if (at == 0 || text[at - 1] == ' ' || text[at - 1] == '\n')
            return leading_number(std::string_view(text).substr(at + label.size())).value_or(0);
    return 0;
}

std::string cpuinfo_field(const std::string& text, std::string_view field) {
    const auto at = text.find(field);
    if (at == std::string::npos)
        return {};
    const auto line = std::string_view(text).substr(at, text.find('\n', at) - at);
    const auto colon = line.find(':');
    return colon == std::string_view::npos ? "" : std::string(trim(line.substr(colon + 1)));
}

std::map<std::uint64_t, std::uint64_t> read_huge_pages(const std::string& folder) {
    std::map<std::uint64_t, std::uint64_t> pages;
    std::error_code status;
    constexpr std::string_view prefix = "hugepages-";
    for (const auto& entry : fs::directory_iterator(folder, status)) {
        const std::string name = entry.path().filename();
        if (!name.starts_with(prefix))
            continue;
        const auto size_kib = leading_number(std::string_view(name).substr(prefix.size()));
        const auto count = read_number(entry.path().string() + "/nr_hugepages");
        if (size_kib && count)
            pages[*size_kib] = *count;
    }
    return pages;
}

Node read_node(const std::string& folder, unsigned id, const CpuSet& ids) {
    Node node;
    node.id = id;
    node.memory_kib = meminfo_field(read_file(folder + "/meminfo"), "MemTotal");
    node.huge_pages = read_huge_pages(folder + "/hugepages");
    // One number for each online node, in their order.
    const std::string distances = read_file_if_exists(folder + "/distance").value_or("");
    std::string_view rest = trim(distances);
    for (const unsigned other : ids) {
        const auto value = leading_number(rest);
        if (!value)
            break;
        node.distances[other] = static_cast<unsigned>(*value);
        const auto blank = rest.find(' ');
        rest = blank == std::string_view::npos ? std::string_view{} : trim(rest.substr(blank));
    }
    return node;
}

void read_nodes(Topology& topology, const std::string& sysfs, const std::string& procfs) {
    const std::string root = sysfs + "/devices/system/node";
    if (!fs::exists(root + "/online")) {  // CONFIG_NUMA=n
        Node all;
        all.memory_kib = meminfo_field(read_file(procfs + "/meminfo"), "MemTotal");
        all.huge_pages = read_huge_pages(sysfs + "/kernel/mm/hugepages");
        all.distances[0] = 10;  // LOCAL_DISTANCE
        topology.nodes.push_back(all);
        return;
    }
    const CpuSet ids = read_list(root + "/online");
    for (const unsigned id : ids) {
        const std::string folder = fmt::format("{}/node{}", root, id);
        topology.nodes.push_back(read_node(folder, id, ids));
        const CpuSet members = numbered(folder, "cpu");  // links; offline CPUs have theirs too
        for (Cpu& cpu : topology.cpus)
            if (members.contains(cpu.id))
                cpu.node = id;
    }
    if (topology.nodes.empty())
        nonsense(root + "/online", "");
}

void read_cpus(Topology& topology, const std::string& root) {
    const CpuSet online = read_list(root + "/online");
    for (const unsigned id : read_list(root + "/present")) {
        Cpu cpu;
        cpu.id = id;
        cpu.online = online.contains(id);
        const std::string folder = fmt::format("{}/cpu{}/topology", root, id);
        if (cpu.online && fs::exists(folder + "/core_id"))
            cpu.core = CoreId{read_id(folder + "/physical_package_id"), read_id(folder + "/die_id"),
                              read_id(folder + "/core_id")};
        topology.cpus.push_back(cpu);
    }
    // Where the kernel says that CPUs of different core_id share a core (AMD compute units), they
    // do: they get the identity of the first of them.
    for (Cpu& cpu : topology.cpus) {
        const std::string siblings =
            fmt::format("{}/cpu{}/topology/thread_siblings_list", root, cpu.id);
        if (!cpu.core || !fs::exists(siblings))
            continue;
        const CpuSet threads = read_list(siblings);
        const Cpu* first = threads.empty() ? nullptr : topology.find(*threads.begin());
        if (first != nullptr && first->core)
            cpu.core = first->core;
    }
}

std::optional<Cache> read_cache(const std::string& folder) {
    const auto level = read_number(folder + "/level");
    const auto id = read_number(folder + "/id");              // absent on some processors
    const auto size = read_file_if_exists(folder + "/size");  // "32768K"
    if (!level || *level < first_shared_cache_level || !id || !size)
        return std::nullopt;
    Cache cache;
    cache.id = static_cast<unsigned>(*id);
    cache.level = static_cast<unsigned>(*level);
    cache.type = trim(read_file(folder + "/type"));
    cache.size_kib = leading_number(*size).value_or(0);
    cache.cpus = read_list(folder + "/shared_cpu_list");
    return cache;
}

void read_caches(Topology& topology, const std::string& root) {
    CpuSet done;  // CPUs whose caches of level 3 were met through another CPU
    for (const Cpu& cpu : topology.cpus) {
        if (!cpu.online || done.contains(cpu.id))
            continue;
        const std::string folder = fmt::format("{}/cpu{}/cache", root, cpu.id);
        for (const unsigned index : numbered(folder, "index")) {
            const auto cache = read_cache(fmt::format("{}/index{}", folder, index));
            if (!cache)
                continue;
            const bool known = std::find(topology.caches.begin(), topology.caches.end(), *cache) !=
                               topology.caches.end();
            if (!known)
                topology.caches.push_back(*cache);
            if (cache->level == first_shared_cache_level)
                done |= cache->cpus;
        }
    }
    std::sort(topology.caches.begin(), topology.caches.end(), [](const auto& a, const auto& b) {
        return std::tie(a.level, a.type, a.id) < std::tie(b.level, b.type, b.id);
    });
}

void read_processor(Topology& topology, const std::string& procfs) {
    const std::string text = read_file(procfs + "/cpuinfo");
    topology.vendor = cpuinfo_field(text, "vendor_id");
    topology.model = cpuinfo_field(text, "model name");
    const std::string mhz = cpuinfo_field(text, "cpu MHz");
    topology.mhz = static_cast<unsigned>(leading_number(mhz).value_or(0));
}

}  // namespace

const Cpu* Topology::find(unsigned cpu) const noexcept {
    const auto at = std::lower_bound(cpus.begin(), cpus.end(), cpu,
                                     [](const Cpu& a, unsigned id) { return a.id < id; });
    return at != cpus.end() && at->id == cpu ? &*at : nullptr;
}

CpuSet Topology::present() const {
    CpuSet set;
    for (const Cpu& cpu : cpus)
        set.insert(cpu.id);
    return set;
}

CpuSet Topology::online() const {
    CpuSet set;
    for (const Cpu& cpu : cpus)
        if (cpu.online)
            set.insert(cpu.id);
    return set;
}

CpuSet Topology::threads_of(unsigned cpu) const {
    CpuSet threads{cpu};
    const Cpu* const self = find(cpu);
    if (self == nullptr || !self->core)
        return threads;
    for (const Cpu& other : cpus)
        if (other.core == self->core)
            threads.insert(other.id);
    return threads;
}

std::uint64_t Topology::memory_kib() const noexcept {
    std::uint64_t sum = 0;
    for (const Node& node : nodes)
        sum += node.memory_kib;
    return sum;
}

Topology read_topology(const std::string& sysfs, const std::string& procfs) {
    const std::string root = sysfs + "/devices/system/cpu";
    Topology topology;
    read_cpus(topology, root);
    read_nodes(topology, sysfs, procfs);
    read_caches(topology, root);
    read_processor(topology, procfs);
    const auto boot_id = read_file_if_exists(procfs + "/sys/kernel/random/boot_id");
    topology.boot_id = boot_id ? trim(*boot_id) : "";
    return topology;
}

Moment read_moment(const std::string& sysfs, const std::string& procfs) {
    Moment moment;
    moment.online = read_list(sysfs + "/devices/system/cpu/online");
    const std::string root = sysfs + "/devices/system/node";
    if (!fs::exists(root + "/online")) {
        moment.available_kib[0] = meminfo_field(read_file(procfs + "/meminfo"), "MemAvailable");
        return moment;
    }
    for (const unsigned id : read_list(root + "/online")) {
        const std::string text = read_file(fmt::format("{}/node{}/meminfo", root, id));
        std::uint64_t sum = 0;
        for (const auto* field : {"MemFree", "Active(file)", "Inactive(file)", "SReclaimable"})
            sum += meminfo_field(text, field);
        moment.available_kib[id] = sum;
    }
    return moment;
}

}  // namespace mk::host
