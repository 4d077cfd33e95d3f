// SPDX-License-Identifier: LGPL-2.1-or-later
//
// /proc/stat (proc(5)), /proc/meminfo and /sys/devices/system/node/node*/meminfo. The same lines
// in the same order as libvirt (src/util/virhostcpu.c, virhostmem.c).
#include "host/usage.h"

#include <fmt/format.h>
#include <unistd.h>

#include <sstream>

#include "util/error.h"
#include "util/fd.h"

namespace mk::host {

namespace {

// "user nice system idle iowait irq softirq …" in clock ticks.
CpuTimes parse_times(std::istringstream& fields, const std::string& path) {
    std::uint64_t user = 0, nice = 0, system = 0, idle = 0, iowait = 0, irq = 0, softirq = 0;
    if (!(fields >> user >> nice >> system >> idle >> iowait >> irq >> softirq))
        throw Error(VIR_ERR_INTERNAL_ERROR, fmt::format("{}: a line of a CPU is too short", path));
    const auto tick_ns = 1'000'000'000ULL / static_cast<unsigned long>(sysconf(_SC_CLK_TCK));
    return {.kernel = (system + irq + softirq) * tick_ns,
            .user = (user + nice) * tick_ns,
            .idle = idle * tick_ns,
            .iowait = iowait * tick_ns};
}

// The value of "Name:   123 kB", which follows "Node 0 " in a node's file.
std::optional<std::uint64_t> value_kib(const std::string& text, const std::string& name) {
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        std::istringstream words(line);
        std::string word;
        words >> word;
        if (word == "Node")
            words >> word >> word;
        std::uint64_t value = 0;
        if (word == name + ":" && words >> value)
            return value;
    }
    return std::nullopt;
}

MemoryUsage parse_memory(const std::string& text, const std::string& path) {
    const auto total = value_kib(text, "MemTotal");
    const auto free = value_kib(text, "MemFree");
    if (!total || !free)
        throw Error(VIR_ERR_INTERNAL_ERROR, fmt::format("{}: no MemTotal or MemFree", path));
    return {.total_kib = *total,
            .free_kib = *free,
            .buffers_kib = value_kib(text, "Buffers"),
            .cached_kib = value_kib(text, "Cached"),
            .available_kib = value_kib(text, "MemAvailable")};
}

}  // namespace

std::optional<CpuTimes> cpu_times(std::optional<unsigned> cpu, const std::string& procfs) {
    const std::string path = procfs + "/stat";
    const std::string wanted = cpu ? fmt::format("cpu{}", *cpu) : "cpu";
    std::istringstream lines(read_file(path));
    for (std::string line; std::getline(lines, line);) {
        std::istringstream fields(line);
        std::string name;
        if (fields >> name && name == wanted)
            return parse_times(fields, path);
    }
    return std::nullopt;
}

MemoryUsage memory_usage(const std::string& procfs) {
    const std::string path = procfs + "/meminfo";
    return parse_memory(read_file(path), path);
}

std::optional<MemoryUsage> node_memory_usage(unsigned node, const std::string& sysfs) {
    const std::string path = fmt::format("{}/devices/system/node/node{}/meminfo", sysfs, node);
    const auto text = read_file_if_exists(path);
    if (!text)
        return std::nullopt;
    return parse_memory(*text, path);
}

}  // namespace mk::host
