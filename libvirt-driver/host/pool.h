// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The pool: which CPUs and how much memory this host gives away, and which domain holds them.
// They leave the host only through reserve() and adopt() and come back only when a Grant dies,
// so "can two kernels own one CPU?" is decided in this file and nowhere else.
//
// Cores are given whole: two hardware threads of one core never belong to two kernels. A vCPU
// takes a core of its own, and the core's other threads stay idle and the domain's. Two vCPUs
// share a core only if the definition leaves no other way: a cpuset with more vCPUs than cores,
// or pins that name both threads.
//
// Thread-safe. Does not block, except for reading sysfs through Options::moment.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>

#include "host/grant.h"
#include "host/topology.h"
#include "util/cpu_set.h"
#include "util/uuid.h"

namespace mk::host {

// Places are optional: what is not said the pool chooses, on one NUMA node if it fits there.
struct Request {
    unsigned vcpus = 1;
    std::optional<CpuSet> cpuset = {};     // <vcpu cpuset=>: whole cores
    std::map<unsigned, CpuSet> pins = {};  // <vcpupin>: vCPU -> where it may be; wins over cpuset
    std::uint64_t memory_kib = 0;          // rounded up to Options::memory_align_kib
};

class Pool {
  public:
    struct Options {
        std::uint64_t host_floor_kib = 256U << 10;  // what the host keeps in any case
        std::uint64_t memory_align_kib = 2048;
        // Asked once for each reserve() and free_memory_kib(), without a lock held: which CPUs
        // are online, how much memory is available. Empty: as the topology says.
        std::function<Moment()> moment = {};
    };

    // Keeps a copy of `topology`. The host keeps the core of CPU 0, always.
    Pool(Topology topology, Options options);
    Pool(const Pool&) = delete;
    Pool& operator=(const Pool&) = delete;
    ~Pool();

    // Reserves all of `want` for `owner`, or throws and takes nothing. Not offered: the core of
    // CPU 0, cores with a thread that is offline, CPUs whose core is unknown.
    // Throws Error: VIR_ERR_CONFIG_UNSUPPORTED if `want` can never be had on this host (half a
    // core, a CPU that is not there, the host's core, more cores or memory than it has);
    // VIR_ERR_OPERATION_FAILED if there is no room now ("4 cores wanted, node 0 has 2 free");
    // VIR_ERR_OPERATION_INVALID if `owner` holds something already.
    [[nodiscard]] Grant reserve(const Uuid& owner, const Request& want);

    // Takes what a partition that outlived the daemon holds, without asking whether it should.
    // Throws Error: VIR_ERR_RESOURCE_BUSY if a CPU is held by another; VIR_ERR_OPERATION_INVALID
    // as above.
    [[nodiscard]] Grant adopt(const Uuid& owner, Holding holding);

    // What a running domain is given beside what it holds; whoever orders the calls for `grant`
    // orders these. Each takes all or nothing.

    struct Vcpu {
        std::optional<CpuSet> allowed = {};  // where it may be; nullopt: anywhere
        CpuSet known;                        // the CPUs that its app kernel can be given at all
    };
    struct Taken {
        unsigned cpu = 0;            // the vCPU's
        std::vector<unsigned> idle;  // the other threads of its core
    };
    // A whole free core for one vCPU more, on the node of vCPU 0 if there is one. Throws Error:
    // VIR_ERR_CONFIG_UNSUPPORTED no CPU that is allowed can ever be had (not there, the host's,
    // not known); VIR_ERR_OPERATION_FAILED none is free now.
    Taken add_core(Grant& grant, const Vcpu& want);
    // Memory, from the node of vCPU 0 and then the nearest, in multiples of `align_kib`. Throws
    // Error as reserve().
    std::vector<MemoryShare> add_memory(Grant& grant, std::uint64_t size_kib,
                                        std::uint64_t align_kib);
    // What `grant` holds from now on, after something was given back. Throws Error
    // (VIR_ERR_RESOURCE_BUSY) if a CPU is held by another; then nothing changes.
    void settle(Grant& grant, Holding holding);
    // Up to `limit` CPUs beside those of `grant` that a domain like `want` could be given later:
    // one of each core first, those of vCPU 0's node before others. Idle threads of `grant` are
    // among them if `want` names them. Nothing is taken.
    [[nodiscard]] std::vector<unsigned> candidates(const Grant& grant, const Request& want,
                                                   std::size_t limit) const;

    [[nodiscard]] CpuSet held_cpus() const;  // of all domains, idle threads included
    [[nodiscard]] CpuSet free_cpus() const;  // a snapshot; may be stale once returned
    // Node -> what a new domain could still get, KiB.
    [[nodiscard]] std::map<unsigned, std::uint64_t> free_memory_kib() const;
    // The most vCPUs a domain could ever have here: the threads of all cores but the host's.
    [[nodiscard]] unsigned max_vcpus() const;
    [[nodiscard]] const Topology& topology() const noexcept;

  private:
    friend class Grant;
    void release(const Uuid& owner) noexcept;

    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace mk::host
