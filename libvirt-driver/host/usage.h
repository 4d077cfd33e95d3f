// SPDX-License-Identifier: LGPL-2.1-or-later
//
// How busy this machine is, as its kernel says in /proc and /sys: CPU time and memory. Not for
// what the machine has (topology.h), and without what partitions do: their CPUs are offline to
// this kernel, their memory is used up.
//
// Thread-safe: no state.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace mk::host {

struct CpuTimes {  // nanoseconds since boot
    std::uint64_t kernel = 0;
    std::uint64_t user = 0;
    std::uint64_t idle = 0;
    std::uint64_t iowait = 0;
};

// Of one CPU, or of all of them (nullopt). nullopt: this kernel does not run that CPU.
// Throws Error(VIR_ERR_SYSTEM_ERROR) if /proc/stat cannot be read, VIR_ERR_INTERNAL_ERROR if it
// makes no sense.
[[nodiscard]] std::optional<CpuTimes> cpu_times(std::optional<unsigned> cpu,
                                                const std::string& procfs = "/proc");

struct MemoryUsage {
    std::uint64_t total_kib = 0;
    std::uint64_t free_kib = 0;
    // Known of the whole machine only.
    std::optional<std::uint64_t> buffers_kib;
    std::optional<std::uint64_t> cached_kib;
    std::optional<std::uint64_t> available_kib;
};

// Throws as cpu_times().
[[nodiscard]] MemoryUsage memory_usage(const std::string& procfs = "/proc");
// Of one NUMA node. nullopt: no such node.
[[nodiscard]] std::optional<MemoryUsage> node_memory_usage(unsigned node,
                                                           const std::string& sysfs = "/sys");

}  // namespace mk::host
