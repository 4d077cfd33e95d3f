// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Machines that do not exist: as a Topology, or as a sysfs and procfs tree to read one from. For
// tests of host/ and of what prints a topology; a whole daemon's folder is support/sandbox.h.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "host/topology.h"
#include "util/cpu_set.h"

namespace mk::test {

// CPUs are numbered thread by thread, core by core, node by node; a node is a socket.
struct Machine {
    unsigned nodes = 1;
    unsigned cores_per_node = 4;
    unsigned threads_per_core = 1;
    std::uint64_t node_kib = 4U << 20;
    bool numa = true;  // false: the kernel shows no nodes
};

// What read_topology() finds on that machine.
[[nodiscard]] host::Topology topology(const Machine& machine);

// The tree of that machine, in a folder of its own that goes with the object.
class FakeHost {
  public:
    explicit FakeHost(const Machine& machine);
    FakeHost(const FakeHost&) = delete;
    FakeHost& operator=(const FakeHost&) = delete;
    ~FakeHost();

    [[nodiscard]] std::string sysfs() const { return root_ + "/sys"; }
    [[nodiscard]] std::string procfs() const { return root_ + "/proc"; }
    [[nodiscard]] std::string path(const std::string& name) const { return root_ + "/" + name; }
    // The others go offline and lose topology and caches, as in Linux.
    void set_online(const CpuSet& online) const;
    void set_boot_id(const std::string& id) const;
    void write(const std::string& name, const std::string& text) const;

  private:
    void write_cpu(const host::Topology& all, const host::Cpu& cpu, const CpuSet& online) const;
    void write_nodes(const host::Topology& all) const;

    Machine machine_;
    std::string root_;
};

}  // namespace mk::test
