// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What sysfs forgets of a CPU that goes offline, kept in a file of one line for each CPU and
// cache. Only what merge() needs: memory and the processor's name are always there to be read.
#include <fmt/core.h>
#include <glib.h>

#include <algorithm>
#include <memory>
#include <sstream>

#include "host/topology.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/log.h"

namespace mk::host {
namespace {

constexpr const char* first_line = "multikernel-topology 1";

struct ErrorUnref {
    void operator()(GError* error) const noexcept { g_error_free(error); }
};

bool same_cache(const Cache& a, const Cache& b) {
    return a.id == b.id && a.level == b.level && a.type == b.type;
}

void merge_cache(Topology& now, const Cache& old) {
    const CpuSet gone = (old.cpus & now.present()) - now.online();
    const auto at = std::find_if(now.caches.begin(), now.caches.end(),
                                 [&](const Cache& cache) { return same_cache(cache, old); });
    if (at != now.caches.end()) {
        at->cpus |= gone;
    } else if (!gone.empty()) {
        now.caches.push_back(old);
        now.caches.back().cpus = gone;
    }
}

// "cpu 4 0 0 2 0": id, socket, die, core, node.
bool parse_cpu(std::istringstream& words, Topology& topology) {
    Cpu cpu;
    CoreId core;
    if (!(words >> cpu.id >> core.socket >> core.die >> core.core >> cpu.node))
        return false;
    cpu.core = core;
    topology.cpus.push_back(cpu);
    return true;
}

// "cache 0 3 Unified 32768 0-3": id, level, type, KiB, CPUs.
bool parse_cache(std::istringstream& words, Topology& topology) {
    Cache cache;
    std::string cpus;
    if (!(words >> cache.id >> cache.level >> cache.type >> cache.size_kib >> cpus))
        return false;
    cache.cpus = CpuSet::parse(cpus);
    topology.caches.push_back(cache);
    return true;
}

bool parse_line(const std::string& line, Topology& topology) {
    std::istringstream words(line);
    std::string kind;
    words >> kind;
    if (kind == "boot")
        return static_cast<bool>(words >> topology.boot_id);
    if (kind == "cpu")
        return parse_cpu(words, topology);
    return kind == "cache" && parse_cache(words, topology);
}

std::string format(const Topology& topology) {
    std::string text = fmt::format("{}\n", first_line);
    if (!topology.boot_id.empty())
        text += fmt::format("boot {}\n", topology.boot_id);
    for (const Cpu& cpu : topology.cpus)
        if (cpu.core)
            text += fmt::format("cpu {} {} {} {} {}\n", cpu.id, cpu.core->socket, cpu.core->die,
                                cpu.core->core, cpu.node);
    for (const Cache& cache : topology.caches)
        text += fmt::format("cache {} {} {} {} {}\n", cache.id, cache.level, cache.type,
                            cache.size_kib, cache.cpus.to_string());
    return text + "end\n";
}

// nullopt if damaged. A file that was cut off has no "end".
std::optional<Topology> parse(const std::string& text) {
    Topology topology;
    std::istringstream lines(text);
    std::string line;
    if (!std::getline(lines, line) || line != first_line)
        return std::nullopt;
    while (std::getline(lines, line) && line != "end")
        if (!parse_line(line, topology))
            return std::nullopt;
    if (line != "end")
        return std::nullopt;
    std::sort(topology.cpus.begin(), topology.cpus.end(),
              [](const Cpu& a, const Cpu& b) { return a.id < b.id; });
    return topology;
}

}  // namespace

Topology merge(Topology now, const Topology& snapshot) {
    if (now.boot_id != snapshot.boot_id)
        return now;
    for (Cpu& cpu : now.cpus) {
        const Cpu* const old = snapshot.find(cpu.id);
        if (cpu.core || old == nullptr || !old->core)
            continue;
        cpu.core = old->core;
        cpu.node = old->node;
    }
    for (const Cache& cache : snapshot.caches)
        merge_cache(now, cache);
    std::sort(now.caches.begin(), now.caches.end(), [](const Cache& a, const Cache& b) {
        return std::tie(a.level, a.type, a.id) < std::tie(b.level, b.type, b.id);
    });
    return now;
}

void save_topology(const Topology& topology, const std::string& path) {
    const std::string text = format(topology);
    const auto flags = static_cast<GFileSetContentsFlags>(G_FILE_SET_CONTENTS_CONSISTENT |
                                                          G_FILE_SET_CONTENTS_DURABLE);
    GError* raw = nullptr;
    if (g_file_set_contents_full(path.c_str(), text.data(), static_cast<gssize>(text.size()), flags,
                                 0600, &raw))
        return;
    const std::unique_ptr<GError, ErrorUnref> error(raw);
    throw Error(VIR_ERR_SYSTEM_ERROR, error->message);
}

std::optional<Topology> load_topology(const std::string& path) {
    const auto text = read_file_if_exists(path);
    if (!text)
        return std::nullopt;
    std::optional<Topology> topology;
    try {
        topology = parse(*text);
    } catch (const Error&) {
        topology = std::nullopt;  // a list of CPUs that is none
    }
    if (!topology)
        log::warning("{} is damaged and not used: CPUs that are offline now are not known", path);
    return topology;
}

Topology remember_topology(const std::string& sysfs, const std::string& procfs,
                           const std::string& path) {
    Topology topology = read_topology(sysfs, procfs);
    if (const auto snapshot = load_topology(path))
        topology = merge(std::move(topology), *snapshot);
    try {
        save_topology(topology, path);
    } catch (const Error& error) {  // a full disk is no reason to leave partitions alone
        log::error("{}: CPUs that are offline will not be known to the next daemon", error.what());
    }
    return topology;
}

}  // namespace mk::host
