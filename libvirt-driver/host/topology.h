// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What this machine is: CPUs, cores, NUMA nodes, caches and the processor's name, as sysfs and
// /proc tell it. A CPU that a partition owns is offline for the host and has no topology in
// sysfs, so what was seen once is kept: saved in a file and merged into what is seen now. Knows
// nothing about who holds what (pool.h).
//
// Plain data and free functions: a Topology is externally synchronised. All functions read
// below roots that the caller gives ("/sys", "/proc"), so tests use trees of their own.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "util/cpu_set.h"

namespace mk::host {

// The hardware's identity of a core; `core` alone repeats on each socket and die.
struct CoreId {
    unsigned socket = 0;
    unsigned die = 0;
    unsigned core = 0;
    auto operator<=>(const CoreId&) const = default;
};

struct Cpu {
    unsigned id = 0;
    std::optional<CoreId> core;  // nullopt: offline since before anyone looked
    unsigned node = 0;
    bool online = false;  // for the host kernel; a CPU of a partition is not
    bool operator==(const Cpu&) const = default;
};

struct Node {
    unsigned id = 0;
    std::uint64_t memory_kib = 0;
    std::map<std::uint64_t, std::uint64_t> huge_pages;  // page size in KiB -> pages in the pool
    std::map<unsigned, unsigned> distances;             // to node -> SLIT value
    bool operator==(const Node&) const = default;
};

struct Cache {
    unsigned id = 0;
    unsigned level = 1;
    std::string type;  // "Data", "Instruction" or "Unified", as in sysfs
    std::uint64_t size_kib = 0;
    CpuSet cpus;
    bool operator==(const Cache&) const = default;
};

struct Topology {
    std::vector<Cpu> cpus;      // present CPUs, by id
    std::vector<Node> nodes;    // by id; at least one
    std::vector<Cache> caches;  // by level, type, id
    std::string vendor;         // "GenuineIntel"; empty: unknown
    std::string model;          // "Intel(R) Xeon(R) …"; empty: unknown
    unsigned mhz = 0;           // 0: unknown
    std::string boot_id;        // of the host kernel: a snapshot of another boot is worthless
    bool operator==(const Topology&) const = default;

    [[nodiscard]] const Cpu* find(unsigned cpu) const noexcept;  // null: not present
    [[nodiscard]] CpuSet present() const;
    [[nodiscard]] CpuSet online() const;
    // The hardware threads of the core of `cpu`, itself included; {cpu} if its core is unknown.
    [[nodiscard]] CpuSet threads_of(unsigned cpu) const;
    [[nodiscard]] std::uint64_t memory_kib() const noexcept;
};

// What the kernel shows now. A kernel without NUMA has node 0 with all memory.
// Throws Error(VIR_ERR_SYSTEM_ERROR) if a root is not readable, VIR_ERR_INTERNAL_ERROR if what
// it says makes no sense (the message names the file).
[[nodiscard]] Topology read_topology(const std::string& sysfs, const std::string& procfs);

// `now` completed from `snapshot`: what is seen now wins; the core of a present CPU and the CPUs
// of a cache that are missing now come from the snapshot, if both are of one boot. `online` is
// always now's.
[[nodiscard]] Topology merge(Topology now, const Topology& snapshot);

// "<state_dir>/topology": written to a temporary file, synced and renamed. Throws
// Error(VIR_ERR_SYSTEM_ERROR).
void save_topology(const Topology& topology, const std::string& path);
// nullopt: no such file, or it is damaged (a warning goes to the log).
[[nodiscard]] std::optional<Topology> load_topology(const std::string& path);

// The three steps of a daemon's start: read, complete from `path`, save there (a failure of that
// goes to the log).
[[nodiscard]] Topology remember_topology(const std::string& sysfs, const std::string& procfs,
                                         const std::string& path);

// What changes from one moment to the next.
struct Moment {
    CpuSet online;
    // Node -> free memory and what the kernel can drop at once (page cache), KiB.
    std::map<unsigned, std::uint64_t> available_kib;
};
[[nodiscard]] Moment read_moment(const std::string& sysfs, const std::string& procfs);

}  // namespace mk::host
