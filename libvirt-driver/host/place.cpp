// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Placement. vCPUs and the places they may go to form a bipartite graph; pins that overlap are
// solved by augmenting paths (Kuhn's algorithm), so a solution is found whenever there is one.
#include "host/place.h"

#include <algorithm>
#include <set>

namespace mk::host {
namespace {

using Choices = std::vector<std::vector<std::size_t>>;  // by vCPU: slots it may have, best first

constexpr std::size_t none = SIZE_MAX;

class Matching {
  public:
    Matching(const Choices& choices, std::size_t slots) : choices_(choices), owner_(slots, none) {}

    // The slot of each vCPU, or nullopt.
    std::optional<std::vector<std::size_t>> solve() {
        for (std::size_t vcpu = 0; vcpu < choices_.size(); vcpu++) {
            visited_.assign(owner_.size(), false);
            if (!seat(vcpu))
                return std::nullopt;
        }
        std::vector<std::size_t> slots(choices_.size(), none);
        for (std::size_t slot = 0; slot < owner_.size(); slot++)
            if (owner_[slot] != none)
                slots[owner_[slot]] = slot;
        return slots;
    }

  private:
    bool seat(std::size_t vcpu) {
        for (const std::size_t slot : choices_[vcpu]) {
            if (owner_[slot] == none) {
                owner_[slot] = vcpu;
                return true;
            }
        }
        for (const std::size_t slot : choices_[vcpu]) {
            if (visited_[slot])
                continue;
            visited_[slot] = true;
            if (seat(owner_[slot])) {
                owner_[slot] = vcpu;
                return true;
            }
        }
        return false;
    }

    const Choices& choices_;
    std::vector<std::size_t> owner_;  // by slot: its vCPU
    std::vector<bool> visited_;
};

// Where the definition lets a vCPU go; null: anywhere.
const CpuSet* allowed(const Request& want, unsigned vcpu) {
    const auto pin = want.pins.find(vcpu);
    if (pin != want.pins.end())
        return &pin->second;
    return want.cpuset ? &*want.cpuset : nullptr;
}

// The first thread of `core` that `set` allows.
std::optional<unsigned> first_thread(const Core& core, const CpuSet* set) {
    for (const unsigned thread : core.threads)
        if (set == nullptr || set->contains(thread))
            return thread;
    return std::nullopt;
}

// `vcpus` one to a core; writes their CPUs into `cpus`. False: does not fit.
bool on_own_cores(const Request& want, const std::vector<unsigned>& vcpus,
                  const std::vector<Core>& cores, std::vector<unsigned>& cpus) {
    if (vcpus.size() > cores.size())
        return false;
    Choices choices(vcpus.size());
    for (std::size_t i = 0; i < vcpus.size(); i++)
        for (std::size_t core = 0; core < cores.size(); core++)
            if (first_thread(cores[core], allowed(want, vcpus[i])))
                choices[i].push_back(core);
    const auto slots = Matching(choices, cores.size()).solve();
    if (!slots)
        return false;
    for (std::size_t i = 0; i < vcpus.size(); i++)
        cpus[vcpus[i]] = *first_thread(cores[(*slots)[i]], allowed(want, vcpus[i]));
    return true;
}

// `vcpus`, which all have a cpuset or pin, on any threads of `cores`.
bool on_threads(const Request& want, const std::vector<unsigned>& vcpus,
                const std::vector<Core>& cores, std::vector<unsigned>& cpus) {
    std::vector<unsigned> threads;
    for (const Core& core : cores)
        threads.insert(threads.end(), core.threads.begin(), core.threads.end());
    Choices choices(vcpus.size());
    for (std::size_t i = 0; i < vcpus.size(); i++)
        for (std::size_t slot = 0; slot < threads.size(); slot++)
            if (allowed(want, vcpus[i])->contains(threads[slot]))
                choices[i].push_back(slot);
    const auto slots = Matching(choices, threads.size()).solve();
    if (!slots)
        return false;
    for (std::size_t i = 0; i < vcpus.size(); i++)
        cpus[vcpus[i]] = threads[(*slots)[i]];
    return true;
}

std::vector<Core> of_node(const std::vector<Core>& cores, unsigned node) {
    std::vector<Core> some;
    std::copy_if(cores.begin(), cores.end(), std::back_inserter(some),
                 [node](const Core& core) { return core.node == node; });
    return some;
}

// Nodes with free cores, those with the fewest first: large holes stay whole.
std::vector<unsigned> tightest_first(const std::vector<Core>& cores) {
    std::map<unsigned, std::size_t> count;
    for (const Core& core : cores)
        count[core.node]++;
    std::vector<unsigned> nodes;
    nodes.reserve(count.size());
    for (const auto& [node, free] : count)
        nodes.push_back(node);
    std::stable_sort(nodes.begin(), nodes.end(),
                     [&](unsigned a, unsigned b) { return count[a] < count[b]; });
    return nodes;
}

Holding holding_of(std::vector<unsigned> cpus, std::vector<MemoryShare> memory,
                   const std::vector<Core>& cores) {
    Holding holding;
    const CpuSet run = [&] {
        CpuSet set;
        for (const unsigned cpu : cpus)
            set.insert(cpu);
        return set;
    }();
    CpuSet idle;
    for (const Core& core : cores)
        if (core.threads.intersects(run))
            idle |= core.threads - run;
    holding.cpus = std::move(cpus);
    holding.idle_cpus.assign(idle.begin(), idle.end());
    holding.memory = std::move(memory);
    return holding;
}

std::optional<Holding> place_on(const Request& want, const std::vector<Core>& cores, bool sharing,
                                bool local_memory, const Room& room, const Topology& topology) {
    auto cpus = place_vcpus(want, cores, sharing);
    if (!cpus)
        return std::nullopt;
    unsigned node = 0;
    for (const Core& core : cores)
        if (core.threads.contains(cpus->front()))
            node = core.node;
    auto memory = nearest_memory(want.memory_kib, node, room, topology);
    const bool local = memory.size() == 1 && memory.front().node == node;
    if (want.memory_kib != 0 && (memory.empty() || (local_memory && !local)))
        return std::nullopt;
    return holding_of(std::move(*cpus), std::move(memory), cores);
}

}  // namespace

std::vector<Core> cores_of(const Topology& topology) {
    std::map<CoreId, Core> by_id;
    for (const Cpu& cpu : topology.cpus) {
        if (!cpu.core)
            continue;
        Core& core = by_id[*cpu.core];
        if (core.threads.empty())
            core.node = cpu.node;
        core.threads.insert(cpu.id);
    }
    std::vector<Core> cores;
    cores.reserve(by_id.size());
    for (auto& [id, core] : by_id)
        cores.push_back(std::move(core));
    std::sort(cores.begin(), cores.end(),
              [](const Core& a, const Core& b) { return *a.threads.begin() < *b.threads.begin(); });
    return cores;
}

std::optional<std::vector<unsigned>> place_vcpus(const Request& want,
                                                 const std::vector<Core>& cores, bool sharing) {
    std::vector<unsigned> bound;
    std::vector<unsigned> unbound;
    for (unsigned vcpu = 0; vcpu < want.vcpus; vcpu++)
        (sharing && allowed(want, vcpu) != nullptr ? bound : unbound).push_back(vcpu);
    std::vector<unsigned> cpus(want.vcpus);
    if (!on_threads(want, bound, cores, cpus))
        return std::nullopt;
    CpuSet taken;
    for (const unsigned vcpu : bound)
        taken.insert(cpus[vcpu]);
    std::vector<Core> rest;
    std::copy_if(cores.begin(), cores.end(), std::back_inserter(rest),
                 [&](const Core& core) { return !core.threads.intersects(taken); });
    if (!on_own_cores(want, unbound, rest, cpus))
        return std::nullopt;
    return cpus;
}

std::vector<MemoryShare> nearest_memory(std::uint64_t size_kib, unsigned first, const Room& room,
                                        const Topology& topology) {
    std::map<unsigned, unsigned> distances;
    for (const Node& node : topology.nodes)
        if (node.id == first)
            distances = node.distances;
    std::set<std::pair<unsigned, unsigned>> order;  // distance, node
    for (const auto& [node, free] : room.memory_kib) {
        const auto at = distances.find(node);
        const unsigned remote = at == distances.end() ? UINT32_MAX : at->second;
        order.insert({node == first ? 0 : remote, node});
    }
    std::vector<MemoryShare> shares;
    for (const auto& [distance, node] : order) {
        const std::uint64_t share = std::min(size_kib, room.memory_kib.at(node));
        size_kib -= share;
        if (share != 0)
            shares.push_back({node, share});
    }
    return size_kib == 0 ? shares : std::vector<MemoryShare>{};
}

std::optional<Holding> place(const Request& want, const Room& room, const Topology& topology) {
    const std::vector<unsigned> nodes = tightest_first(room.cores);
    std::vector<Core> roomiest_first;
    for (auto node = nodes.rbegin(); node != nodes.rend(); ++node)
        for (const Core& core : of_node(room.cores, *node))
            roomiest_first.push_back(core);
    for (const bool sharing : {false, true}) {
        for (const bool local_memory : {true, false})
            for (const unsigned node : nodes)
                if (auto found = place_on(want, of_node(room.cores, node), sharing, local_memory,
                                          room, topology))
                    return found;
        if (auto found = place_on(want, roomiest_first, sharing, false, room, topology))
            return found;
    }
    return std::nullopt;
}

}  // namespace mk::host
