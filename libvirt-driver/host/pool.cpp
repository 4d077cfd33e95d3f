// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The pool's books: what is held, what is free, and what a request can never have.
#include "host/pool.h"

#include <fmt/core.h>

#include <algorithm>
#include <mutex>
#include <utility>

#include "host/place.h"
#include "util/error.h"
#include "util/log.h"
#include "util/round_up.h"

namespace mk::host {

struct Pool::Impl {
    Impl(Topology machine, Options how)
        : topology(std::move(machine)),
          options(std::move(how)),
          home(topology.threads_of(0)),
          cores(cores_of(topology)) {}

    // Never written after construction.
    const Topology topology;
    const Options options;
    const CpuSet home;  // the core of CPU 0
    const std::vector<Core> cores;

    mutable std::mutex mutex;
    std::map<Uuid, Holding> holdings;  // guarded by mutex

    [[nodiscard]] Moment now() const;
    [[nodiscard]] CpuSet held() const;                                       // REQUIRES: mutex held
    [[nodiscard]] std::vector<Core> free_cores(const CpuSet& online) const;  // likewise
    [[nodiscard]] std::map<unsigned, std::uint64_t> free_memory(const Moment& moment) const;
    void check_new_owner(const Uuid& owner) const;  // likewise

    [[nodiscard]] unsigned max_vcpus() const;
    void check_possible(const Request& want) const;
    void check_cpuset(const Request& want) const;
    void check_pin(unsigned vcpu, const CpuSet& pin) const;
    void check_cpus(const std::string& what, const CpuSet& cpus) const;
    [[nodiscard]] unsigned home_node(const Grant& grant) const;
    [[nodiscard]] CpuSet usable(const Vcpu& want) const;
    void keep(Grant& grant, Holding holding);  // REQUIRES: mutex held
    [[noreturn]] void no_room(const Request& want, const Room& room) const;
};

namespace {

std::string cores_text(std::size_t count) {
    return fmt::format("{} core{}", count, count == 1 ? "" : "s");
}

[[noreturn]] void impossible(const std::string& why) {
    throw Error(VIR_ERR_CONFIG_UNSUPPORTED, why);
}

[[noreturn]] void failed(const std::string& why) {
    throw Error(VIR_ERR_OPERATION_FAILED, why);
}

std::uint64_t sum(const std::map<unsigned, std::uint64_t>& by_node) {
    std::uint64_t total = 0;
    for (const auto& [node, size] : by_node)
        total += size;
    return total;
}

// "node 0 has 2 free, node 1 has 0 free" of `cores`
std::string free_text(const std::vector<Core>& cores, const Topology& topology) {
    std::string text;
    for (const Node& node : topology.nodes) {
        const auto count = std::count_if(cores.begin(), cores.end(),
                                         [&](const Core& core) { return core.node == node.id; });
        text += fmt::format("{}node {} has {} free", text.empty() ? "" : ", ", node.id, count);
    }
    return text;
}

}  // namespace

Moment Pool::Impl::now() const {
    if (options.moment)
        return options.moment();
    Moment moment;
    moment.online = topology.online();
    for (const Node& node : topology.nodes)
        moment.available_kib[node.id] = node.memory_kib;
    return moment;
}

CpuSet Pool::Impl::held() const {
    CpuSet set;
    for (const auto& [owner, holding] : holdings)
        set |= holding.all_cpus();
    return set;
}

std::vector<Core> Pool::Impl::free_cores(const CpuSet& online) const {
    const CpuSet taken = held() | home;
    std::vector<Core> free;
    std::copy_if(cores.begin(), cores.end(), std::back_inserter(free), [&](const Core& core) {
        return !core.threads.intersects(taken) && online.contains(core.threads);
    });
    return free;
}

std::map<unsigned, std::uint64_t> Pool::Impl::free_memory(const Moment& moment) const {
    std::map<unsigned, std::uint64_t> free;
    for (const Node& node : topology.nodes)
        free[node.id] = node.memory_kib;
    for (const auto& [owner, holding] : holdings)
        for (const MemoryShare& share : holding.memory)
            if (const auto at = free.find(share.node); at != free.end())
                at->second -= std::min(at->second, share.size_kib);
    std::uint64_t floor = options.host_floor_kib;
    // The host keeps its floor on the lowest nodes, where CPU 0 is.
    for (auto& [node, size] : free) {
        const auto at = moment.available_kib.find(node);
        size = std::min(size, at == moment.available_kib.end() ? 0 : at->second);
        const std::uint64_t kept = std::min(floor, size);
        floor -= kept;
        size = (size - kept) / options.memory_align_kib * options.memory_align_kib;
    }
    return free;
}

unsigned Pool::Impl::max_vcpus() const {
    std::size_t threads = 0;
    for (const Core& core : cores)
        if (!core.threads.intersects(home))
            threads += core.threads.size();
    return static_cast<unsigned>(threads);
}

void Pool::Impl::check_new_owner(const Uuid& owner) const {
    if (holdings.count(owner) != 0)
        throw Error(VIR_ERR_OPERATION_INVALID,
                    fmt::format("domain {} holds CPUs and memory that an earlier start could not "
                                "give back; only a reset of the host frees them",
                                owner.to_string()));
}

void Pool::Impl::check_cpus(const std::string& what, const CpuSet& cpus) const {
    const CpuSet missing = cpus - topology.present();
    if (!missing.empty())
        impossible(fmt::format("{} names CPU {}, this host has CPUs {}", what, missing.to_string(),
                               topology.present().to_string()));
    for (const unsigned cpu : cpus)
        if (!topology.find(cpu)->core)
            impossible(
                fmt::format("{} names CPU {}, which is offline and whose core is not known: "
                            "bring it online and restart virtmultikerneld",
                            what, cpu));
}

void Pool::Impl::check_cpuset(const Request& want) const {
    const std::string what = fmt::format("cpuset '{}'", want.cpuset->to_string());
    check_cpus(what, *want.cpuset);
    if (want.cpuset->intersects(home))
        impossible(fmt::format("{} names CPU {}: the core of CPU 0 stays with the host", what,
                               (*want.cpuset & home).to_string()));
    for (const Core& core : cores)
        if (core.threads.intersects(*want.cpuset) && !want.cpuset->contains(core.threads))
            impossible(
                fmt::format("{} has half of the core of CPUs {}: cores are given away "
                            "whole, name all of these CPUs or none",
                            what, core.threads.to_string()));
    if (want.cpuset->size() < want.vcpus)
        impossible(
            fmt::format("{} vCPUs wanted, {} has {} CPUs", want.vcpus, what, want.cpuset->size()));
}

void Pool::Impl::check_pin(unsigned vcpu, const CpuSet& pin) const {
    const std::string what = fmt::format("vcpupin of vCPU {} to '{}'", vcpu, pin.to_string());
    check_cpus(what, pin);
    if (home.contains(pin))
        impossible(fmt::format("{}: the core of CPU 0 stays with the host", what));
}

void Pool::Impl::check_possible(const Request& want) const {
    if (want.vcpus == 0)
        throw Error(VIR_ERR_INVALID_ARG, "a domain has at least 1 vCPU");
    if (want.cpuset)
        check_cpuset(want);
    for (const auto& [vcpu, pin] : want.pins)
        if (vcpu < want.vcpus)
            check_pin(vcpu, pin);
    Room all;  // as if nobody held anything
    std::copy_if(cores.begin(), cores.end(), std::back_inserter(all.cores),
                 [this](const Core& core) { return !core.threads.intersects(home); });
    if (!want.cpuset && want.pins.empty() && want.vcpus > all.cores.size())
        impossible(
            fmt::format("{} wanted, this host has {} to give away; a cpuset of whole cores "
                        "puts two vCPUs on one core where it has two threads",
                        cores_text(want.vcpus), all.cores.size()));
    if (want.vcpus > max_vcpus())
        impossible(fmt::format("{} vCPUs wanted, this host has {} CPUs to give away", want.vcpus,
                               max_vcpus()));
    if (!place_vcpus(want, all.cores, false) && !place_vcpus(want, all.cores, true))
        impossible(
            fmt::format("the cpuset and pins of {} vCPUs cannot all be honoured: two vCPUs "
                        "need one CPU, or a CPU of the host",
                        want.vcpus));
    const std::uint64_t total = topology.memory_kib();
    const std::uint64_t most = total - std::min(total, options.host_floor_kib);
    if (want.memory_kib > most)
        impossible(fmt::format("{} KiB of memory wanted, this host has {} KiB to give away",
                               want.memory_kib, most));
}

void Pool::Impl::no_room(const Request& want, const Room& room) const {
    if (want.memory_kib > sum(room.memory_kib))
        failed(fmt::format("{} KiB of memory wanted, {} KiB are free", want.memory_kib,
                           sum(room.memory_kib)));
    if (!want.cpuset && want.pins.empty())
        failed(
            fmt::format("{} wanted, {}", cores_text(want.vcpus), free_text(room.cores, topology)));
    CpuSet wanted = want.cpuset.value_or(CpuSet{});
    for (const auto& [vcpu, pin] : want.pins)
        wanted |= pin;
    CpuSet free;
    for (const Core& core : room.cores)
        free |= core.threads;
    failed(
        fmt::format("{} vCPUs wanted on CPUs {}, of which {} are held by another domain or "
                    "offline",
                    want.vcpus, wanted.to_string(), (wanted - free - home).to_string()));
}

Pool::Pool(Topology topology, Options options)
    : impl_(std::make_unique<Impl>(std::move(topology), std::move(options))) {
    CpuSet unknown;
    for (const Cpu& cpu : impl_->topology.cpus)
        if (!cpu.core)
            unknown.insert(cpu.id);
    if (!unknown.empty())
        log::warning(
            "CPUs {} are offline and their cores are not known: do not bring them online "
            "while domains run, one could be the second thread of a core of a domain",
            unknown.to_string());
}

Pool::~Pool() = default;

Grant Pool::reserve(const Uuid& owner, const Request& asked) {
    Request want = asked;
    const std::uint64_t align = impl_->options.memory_align_kib;
    impl_->check_possible(want);
    want.memory_kib = round_up(want.memory_kib, align);
    const Moment moment = impl_->now();
    const std::scoped_lock lock(impl_->mutex);
    impl_->check_new_owner(owner);
    const Room room{impl_->free_cores(moment.online), impl_->free_memory(moment)};
    auto holding = place(want, room, impl_->topology);
    if (!holding)
        impl_->no_room(want, room);
    impl_->holdings.emplace(owner, *holding);
    return Grant(*this, owner, std::move(*holding));
}

Grant Pool::adopt(const Uuid& owner, Holding holding) {
    const std::scoped_lock lock(impl_->mutex);
    impl_->check_new_owner(owner);
    const CpuSet both = impl_->held() & holding.all_cpus();
    if (!both.empty())
        throw Error(VIR_ERR_RESOURCE_BUSY,
                    fmt::format("CPUs {} are held by another domain", both.to_string()));
    impl_->holdings.emplace(owner, holding);
    return Grant(*this, owner, std::move(holding));
}

// Where a vCPU can go at all.
CpuSet Pool::Impl::usable(const Vcpu& want) const {
    const CpuSet allowed = want.allowed.value_or(want.known);
    if (want.allowed) {
        const std::string what = fmt::format("'{}'", allowed.to_string());
        check_cpus(what, allowed);
        if (home.contains(allowed))
            impossible(fmt::format("{}: the core of CPU 0 stays with the host", what));
    }
    CpuSet usable = (allowed & want.known) - home;
    if (usable.empty())
        impossible(
            fmt::format("an app kernel can only be given CPUs that were named to it when it "
                        "booted, which are {}, and CPUs {} are not; start the domain again",
                        want.known.to_string(), allowed.to_string()));
    return usable;
}

unsigned Pool::Impl::home_node(const Grant& grant) const {
    const Cpu* first = grant.cpus().empty() ? nullptr : topology.find(grant.cpus().front());
    return first == nullptr ? 0 : first->node;
}

void Pool::Impl::keep(Grant& grant, Holding holding) {
    holdings[grant.owner_] = holding;
    grant.holding_ = std::move(holding);
}

Pool::Taken Pool::add_core(Grant& grant, const Vcpu& want) {
    const CpuSet usable = impl_->usable(want);
    const Moment moment = impl_->now();
    const unsigned node = impl_->home_node(grant);
    const std::scoped_lock lock(impl_->mutex);
    std::optional<Core> best;
    for (Core& core : impl_->free_cores(moment.online))
        if (core.threads.intersects(usable) && (!best || (best->node != node && core.node == node)))
            best = std::move(core);
    if (!best)
        failed(fmt::format(
            "no core is free: a whole one of CPUs {} is wanted, of which {} are held "
            "by a domain or offline",
            usable.to_string(), (usable - (moment.online - impl_->held())).to_string()));
    Taken taken;
    taken.cpu = *(best->threads & usable).begin();
    best->threads.erase(taken.cpu);
    taken.idle.assign(best->threads.begin(), best->threads.end());
    Holding holding = grant.holding();
    holding.cpus.push_back(taken.cpu);
    holding.idle_cpus.insert(holding.idle_cpus.end(), taken.idle.begin(), taken.idle.end());
    std::sort(holding.idle_cpus.begin(), holding.idle_cpus.end());
    impl_->keep(grant, std::move(holding));
    return taken;
}

std::vector<MemoryShare> Pool::add_memory(Grant& grant, std::uint64_t size_kib,
                                          std::uint64_t align_kib) {
    const Moment moment = impl_->now();
    const unsigned node = impl_->home_node(grant);
    const std::scoped_lock lock(impl_->mutex);
    Room room{{}, impl_->free_memory(moment)};
    for (auto& [other, free_kib] : room.memory_kib)
        free_kib -= free_kib % align_kib;
    auto shares = nearest_memory(size_kib, node, room, impl_->topology);
    if (shares.empty())
        failed(fmt::format("{} KiB of memory wanted, {} KiB are free", size_kib,
                           sum(room.memory_kib)));
    Holding holding = grant.holding();
    for (const MemoryShare& share : shares)
        holding.add(share);
    impl_->keep(grant, std::move(holding));
    return shares;
}

void Pool::settle(Grant& grant, Holding holding) {
    const std::scoped_lock lock(impl_->mutex);
    const CpuSet mine = grant.holding().all_cpus();
    const CpuSet both = (impl_->held() - mine) & holding.all_cpus();
    if (!both.empty())
        throw Error(VIR_ERR_RESOURCE_BUSY,
                    fmt::format("CPUs {} are held by another domain", both.to_string()));
    impl_->keep(grant, std::move(holding));
}

std::vector<unsigned> Pool::candidates(const Grant& grant, const Request& want,
                                       std::size_t limit) const {
    CpuSet named = want.cpuset.value_or(CpuSet{});
    for (const auto& [vcpu, pin] : want.pins)
        named |= pin;
    CpuSet allowed = named;
    if (!want.cpuset && want.pins.size() < want.vcpus) {
        allowed = impl_->topology.present();
        for (const unsigned thread : grant.idle_cpus())
            if (!named.contains(thread))
                allowed.erase(thread);
    }
    const std::vector<unsigned>& used = grant.cpus();
    const unsigned node = impl_->home_node(grant);
    std::vector<unsigned> found;
    for (const bool first : {true, false}) {
        for (const bool near : {true, false}) {
            for (const Core& core : impl_->cores) {
                if (core.threads.intersects(impl_->home) || (core.node == node) != near)
                    continue;
                const CpuSet threads = core.threads & allowed;
                for (const unsigned cpu : threads)
                    if ((cpu == *threads.begin()) == first && found.size() < limit &&
                        std::find(used.begin(), used.end(), cpu) == used.end())
                        found.push_back(cpu);
            }
        }
    }
    return found;
}

void Pool::release(const Uuid& owner) noexcept {
    const std::scoped_lock lock(impl_->mutex);
    impl_->holdings.erase(owner);
}

CpuSet Pool::held_cpus() const {
    const std::scoped_lock lock(impl_->mutex);
    return impl_->held();
}

CpuSet Pool::free_cpus() const {
    const Moment moment = impl_->now();
    const std::scoped_lock lock(impl_->mutex);
    CpuSet free;
    for (const Core& core : impl_->free_cores(moment.online))
        free |= core.threads;
    return free;
}

std::map<unsigned, std::uint64_t> Pool::free_memory_kib() const {
    const Moment moment = impl_->now();
    const std::scoped_lock lock(impl_->mutex);
    return impl_->free_memory(moment);
}

unsigned Pool::max_vcpus() const {
    return impl_->max_vcpus();
}

const Topology& Pool::topology() const noexcept {
    return impl_->topology;
}

}  // namespace mk::host
