// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Where a request goes: which vCPU on which CPU, how much memory from which node. Pure logic for
// the pool, which says what is free and keeps the books.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "host/pool.h"
#include "host/topology.h"
#include "util/cpu_set.h"

namespace mk::host {

struct Core {
    CpuSet threads;
    unsigned node = 0;
};

// What may be given away at one moment.
struct Room {
    std::vector<Core> cores;                       // whole and free, by first thread
    std::map<unsigned, std::uint64_t> memory_kib;  // by node, multiples of the alignment
};

// The cores of this machine, by first thread. CPUs whose core is unknown are in none.
[[nodiscard]] std::vector<Core> cores_of(const Topology& topology);

// The CPU of each vCPU on `cores`: every vCPU on a core of its own, or, if `sharing`, vCPUs with
// a cpuset or pins on any threads of them. nullopt: does not fit.
[[nodiscard]] std::optional<std::vector<unsigned>> place_vcpus(const Request& want,
                                                               const std::vector<Core>& cores,
                                                               bool sharing);

// `size_kib` from node `first` and then from the nodes nearest to it. Empty: not so much is free.
[[nodiscard]] std::vector<MemoryShare> nearest_memory(std::uint64_t size_kib, unsigned first,
                                                      const Room& room, const Topology& topology);

// The best place: one node for all; else one node for the CPUs and memory from the nearest; else
// the fewest nodes. nullopt: does not fit.
[[nodiscard]] std::optional<Holding> place(const Request& want, const Room& room,
                                           const Topology& topology);

}  // namespace mk::host
