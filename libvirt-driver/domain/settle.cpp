// SPDX-License-Identifier: LGPL-2.1-or-later
//
// From a status to the books. Nothing here is asked of an app kernel.
#include "domain/settle.h"

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <utility>

#include "domain/audit.h"
#include "domain/steps.h"
#include "util/error.h"
#include "util/log.h"

namespace mk::domain {
namespace {

using backend::Channel;
using backend::Request;

// Those that were answered, taken out of `running`.
std::vector<Pending> take_answered(Running& running, const backend::Status& status) {
    std::vector<Pending> answered;
    for (std::size_t i = 0; i < backend::channels; i++) {
        auto& pending = running.pending.at(i);
        const backend::Answer& answer = status.answers.at(i);
        if (!pending || (answer.done != pending->sequence && answer.posted >= pending->sequence))
            continue;
        if (answer.done == pending->sequence) {
            log::info("the app kernel has answered a request at last: {}",
                      answer.error == 0 ? "it did what it was asked for" : "it could not");
            answered.push_back(*pending);
        }
        pending.reset();
    }
    return answered;
}

// The CPUs that it runs on: not those that it was asked to bring up and says nothing about.
std::vector<unsigned> used_cpus(const Running& running, const backend::Status& status) {
    const auto& asked = running.pending.at(index(Channel::cpu));
    std::vector<unsigned> cpus;
    for (std::size_t i = 0; i < status.cpus.size(); i++) {
        const bool waited_for =
            asked && asked->ask.what == Request::cpu_add && asked->ask.cpu == status.cpus[i];
        if (in_use(status.cpu_use.at(i)) && !waited_for)
            cpus.push_back(status.cpus[i]);
    }
    return cpus;
}

// A core goes back whole: while one thread of it runs, the others stay with the domain.
std::vector<unsigned> unused_cpus(const Context& context, const Running& running,
                                  const backend::Status& status) {
    const auto& asked = running.pending.at(index(Channel::cpu));
    CpuSet busy;
    for (std::size_t i = 0; i < status.cpus.size(); i++)
        if (in_use(status.cpu_use.at(i)) || (asked && asked->ask.cpu == status.cpus[i]))
            busy |= context.pool.topology().threads_of(status.cpus[i]);
    std::vector<unsigned> unused;
    for (const auto* list : {&status.cpus, &status.idle_cpus})
        std::copy_if(list->begin(), list->end(), std::back_inserter(unused),
                     [&busy](unsigned cpu) { return !busy.contains(cpu); });
    return unused;
}

// True if anything went back.
bool give_back(const Context& context, const Domain& domain, const backend::Status& status) {
    const auto unused = unused_cpus(context, *domain.running, status);
    const bool memory_asked = domain.running->pending.at(index(Channel::memory)).has_value();
    const bool memory_unused =
        std::any_of(status.memory.begin(), status.memory.end(),
                    [](const backend::MemoryRange& range) { return !in_use(range.use); });
    bool went = false;
    try {
        if (!unused.empty()) {
            context.backend.remove_cpus(domain.uuid(), unused);
            went = true;
        }
        if (memory_unused && !memory_asked)
            went = context.backend.remove_memory(domain.uuid()) != 0 || went;
    } catch (const Error& error) {
        log::error("domain '{}' keeps what its app kernel does not use: {}", domain.subject(),
                   error.what());
    }
    return went;
}

// Which vCPU is which CPU: as it was, else as it was meant, else the first that is offline.
std::map<unsigned, unsigned> map_vcpus(const DomainView& view, Running& running,
                                       const std::vector<unsigned>& used) {
    std::map<unsigned, unsigned> by_vcpu;
    std::vector<unsigned> rest = used;
    const auto seat = [&](unsigned vcpu, unsigned cpu) {
        const auto at = std::find(rest.begin(), rest.end(), cpu);
        if (at == rest.end() || vcpu >= view.live->vcpus || !by_vcpu.emplace(vcpu, cpu).second)
            return;
        rest.erase(at);
    };
    const std::vector<unsigned> online = view.live->online_vcpus();
    for (std::size_t i = 0; i < std::min(online.size(), view.details.cpus.size()); i++)
        seat(online[i], view.details.cpus[i]);
    for (const auto& [cpu, vcpu] : running.meant_for)
        seat(vcpu, cpu);
    for (const unsigned cpu : std::vector<unsigned>(rest))
        for (unsigned vcpu = 0; vcpu < view.live->vcpus && running.meant_for.count(cpu) == 0;
             vcpu++)
            if (by_vcpu.count(vcpu) == 0) {
                seat(vcpu, cpu);
                break;
            }
    for (const auto& [vcpu, cpu] : by_vcpu)
        running.meant_for.erase(cpu);
    if (!rest.empty())
        log::warning("domain '{}' has a CPU {} that is none of its vCPUs",
                     log::Subject{view.name, view.uuid}, rest.front());
    return by_vcpu;
}

void settle_vcpus(const std::map<unsigned, unsigned>& by_vcpu, Definition& live,
                  LiveDetails& details) {
    live.offline_vcpus = {};
    for (unsigned vcpu = 0; vcpu < live.vcpus; vcpu++)
        if (by_vcpu.count(vcpu) == 0)
            live.offline_vcpus.insert(vcpu);
    details.cpus.clear();
    for (const auto& [vcpu, cpu] : by_vcpu)
        details.cpus.push_back(cpu);
}

void settle_memory(std::uint64_t now_kib, std::uint64_t align_kib, Definition& live) {
    // A start rounds up what a definition says; that is no change.
    if (now_kib < live.current_memory_kib || now_kib - live.current_memory_kib >= align_kib)
        live.current_memory_kib = now_kib;
    live.memory_kib = std::max(live.memory_kib, live.current_memory_kib);
    if (live.max_memory_kib != 0)  // rounded up, it may be a little more
        live.memory_kib = std::min(live.memory_kib, live.max_memory_kib);
}

bool in_use(const MemoryDevice& device, const backend::Status& status) {
    return std::any_of(status.memory.begin(), status.memory.end(), [&](const auto& range) {
        return range.start_kib == device.base_kib && in_use(range.use);
    });
}

// Memory devices that were there and whose memory is not.
std::vector<MemoryDevice> drop_devices(const backend::Status& status, Definition& live) {
    std::vector<MemoryDevice> gone;
    std::erase_if(live.memory_devices, [&](const MemoryDevice& device) {
        const bool there = device.base_kib == 0 || in_use(device, status);
        if (!there)
            gone.push_back(device);
        return !there;
    });
    for (const MemoryDevice& device : gone)
        live.memory_kib -= std::min(live.memory_kib, device.size_kib);
    return gone;
}

std::vector<MemoryDevice> add_devices(const std::vector<Pending>& answered,
                                      const backend::Status& status, Definition& live) {
    std::vector<MemoryDevice> added;
    for (const Pending& pending : answered) {
        if (!pending.device || !in_use(*pending.device, status))
            continue;
        add_device(live, *pending.device);
        added.push_back(*pending.device);
    }
    return added;
}

void audit(const Context& context, const DomainView& before, const DomainView& after) {
    const log::Subject subject{after.name, after.uuid};
    const Definition& old_live = *before.live;
    const Definition& live = *after.live;
    if (old_live.current_memory_kib != live.current_memory_kib)
        audit_change(context.audit, subject,
                     {AuditResource::mem, old_live.current_memory_kib, live.current_memory_kib});
    if (old_live.current_vcpus() != live.current_vcpus())
        audit_change(context.audit, subject,
                     {AuditResource::vcpu, old_live.current_vcpus(), live.current_vcpus()});
}

void send_events(const Context& context, const Domain& domain, const DomainView& before,
                 const DomainView& after, const std::vector<MemoryDevice>& added,
                 const std::vector<MemoryDevice>& gone) {
    for (const MemoryDevice& device : added)
        context.events.push(
            {domain.identity(), DeviceEvent{DeviceChange::added, alias_of(device)}});
    for (const MemoryDevice& device : gone)
        context.events.push(
            {domain.identity(), DeviceEvent{DeviceChange::removed, alias_of(device)}});
    for (const unsigned vcpu : before.live->online_vcpus())
        if (after.live->offline_vcpus.contains(vcpu))
            context.events.push({domain.identity(), VcpuRemovedEvent{vcpu}});
    if (before.live->current_memory_kib != after.live->current_memory_kib)
        context.events.push({domain.identity(), BalloonEvent{after.live->current_memory_kib}});
    if (before.live->current_memory_kib != after.live->current_memory_kib ||
        before.details.cpus != after.details.cpus)
        log::info("domain '{}' has CPUs {} and {} KiB of memory now",
                  log::Subject{after.name, after.uuid},
                  domain.running->grant.holding().all_cpus().to_string(),
                  after.live->current_memory_kib);
}

bool make_agree(const Context& context, const Job& job, const backend::Status& seen) {
    Domain& domain = job.domain();
    Running& running = *domain.running;
    const std::vector<Pending> answered = take_answered(running, seen);
    domain.awaits_answer =
        std::ranges::any_of(running.pending, [](const auto& each) { return each.has_value(); });
    const backend::Status status =
        give_back(context, domain, seen) ? context.backend.status(domain.uuid()) : seen;

    const DomainView before = domain.view();
    DomainView after = before;
    auto live = std::make_shared<Definition>(*before.live);
    const auto gone = drop_devices(status, *live);
    const auto added = add_devices(answered, status, *live);
    settle_memory(used_kib(running, status), context.backend.limits().memory_align_kib, *live);
    std::erase_if(running.meant_for, [&status](const auto& entry) {
        return std::count(status.cpus.begin(), status.cpus.end(), entry.first) == 0;
    });
    settle_vcpus(map_vcpus(before, running, used_cpus(running, status)), *live, after.details);
    context.pool.settle(running.grant, holding_of(status));
    after.details.numa_nodeset = nodeset(running.grant.memory());
    after.live = live;
    if (*live == *before.live && after.details == before.details)
        return false;
    domain.update([&](DomainFields& fields) {
        fields.view.live = live;
        fields.view.details = after.details;
        note_difference(fields.view);
    });
    audit(context, before, after);
    send_events(context, domain, before, after, added, gone);
    return true;
}

}  // namespace

void add_device(Definition& live, const MemoryDevice& device) {
    live.memory_devices.push_back(device);
    live.memory_kib += device.size_kib;
}

host::Holding holding_of(const backend::Status& status) {
    host::Holding holding;
    for (std::size_t i = 0; i < status.cpus.size(); i++)
        (in_use(status.cpu_use.at(i)) ? holding.cpus : holding.idle_cpus).push_back(status.cpus[i]);
    holding.idle_cpus.insert(holding.idle_cpus.end(), status.idle_cpus.begin(),
                             status.idle_cpus.end());
    std::sort(holding.idle_cpus.begin(), holding.idle_cpus.end());
    for (const backend::MemoryRange& range : status.memory)
        holding.add({static_cast<unsigned>(std::max(range.node, 0)), range.size_kib});
    return holding;
}

std::uint64_t used_kib(const Running& running, const backend::Status& status) {
    const auto& asked = running.pending.at(index(Channel::memory));
    const bool grows = asked && asked->ask.what == Request::memory_add;
    const bool deflates =
        asked && asked->ask.what == Request::balloon && asked->ask.size_kib < status.balloon_kib;
    std::uint64_t sum = 0;
    for (const backend::MemoryRange& range : status.memory)
        if (in_use(range.use) && !(grows && range.start_kib == asked->ask.start_kib))
            sum += range.size_kib;
    return deflates ? sum - std::min(sum, status.balloon_kib - asked->ask.size_kib) : sum;
}

bool settle(const Context& context, const Job& job, const backend::Status& seen) {
    if (seen.state != backend::State::running && seen.state != backend::State::paused)
        return false;
    try {
        return make_agree(context, job, seen);
    } catch (const Error& error) {
        log::error("domain '{}': its books do not agree with the kernel: {}",
                   job.domain().subject(), error.what());
        return false;
    }
}

void give_back_unused_memory(const Context& context, const Domain& domain) {
    const backend::Status status = context.backend.status(domain.uuid());
    if (status.state == backend::State::stopped || status.state == backend::State::lost)
        return;  // now all that was added is unused; or nothing can go back
    static_cast<void>(context.backend.remove_memory(domain.uuid()));
    auto& asked = domain.running->pending.at(index(Channel::memory));
    if (asked && asked->device && !in_use(*asked->device, status))
        asked->device.reset();
}

void keep_memory(const Context& context, const Job& job) {
    Domain& domain = job.domain();
    const auto pending = std::exchange(domain.running->pending, {});
    const auto& asked = pending.at(index(Channel::memory));
    const auto device = asked ? asked->device : std::nullopt;
    domain.update([&device](DomainFields& fields) {
        auto live = std::make_shared<Definition>(*fields.view.live);
        if (device)  // it may have used it already
            add_device(*live, *device);
        for (MemoryDevice& booted : live->memory_devices)
            booted.base_kib = 0;
        fields.view.live = live;
        note_difference(fields.view);
    });
    if (device)
        context.events.push(
            {domain.identity(), DeviceEvent{DeviceChange::added, alias_of(*device)}});
}

}  // namespace mk::domain
