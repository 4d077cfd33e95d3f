// SPDX-License-Identifier: LGPL-2.1-or-later
//
// vCPUs that come, go and move.
#include <fmt/format.h>

#include <algorithm>

#include "domain/live.h"
#include "domain/settle.h"
#include "util/error.h"
#include "util/log.h"

namespace mk::domain {
namespace {

using backend::Request;

std::optional<CpuSet> allowed_for(const Definition& definition, unsigned vcpu) {
    const auto pin = definition.vcpu_pins.find(vcpu);
    return pin != definition.vcpu_pins.end() ? std::optional(pin->second) : definition.cpuset;
}

std::optional<unsigned> cpu_of(const DomainView& view, unsigned vcpu) {
    const std::vector<unsigned> online = view.live->online_vcpus();
    const auto at = std::find(online.begin(), online.end(), vcpu);
    const auto place = static_cast<std::size_t>(at - online.begin());
    if (at == online.end() || place >= view.details.cpus.size())
        return std::nullopt;
    return view.details.cpus[place];
}

// A thread that the domain has because the rest of its core runs, and that its app kernel knows.
std::optional<unsigned> unused_thread(LiveChange& change, const std::optional<CpuSet>& allowed) {
    const CpuSet known = change.view().details.known_cpus;
    for (const unsigned thread : holding_of(change.status()).idle_cpus)
        if (known.contains(thread) && (!allowed || allowed->contains(thread)))
            return thread;
    return std::nullopt;
}

// A CPU that is the partition's, and that its app kernel was not told of yet.
unsigned take_cpu(LiveChange& change, const std::optional<CpuSet>& allowed) {
    const Context& context = change.context();
    const CpuSet known = change.view().details.known_cpus;
    host::Pool::Taken taken;
    try {
        taken = context.pool.add_core(change.running().grant, {allowed, known});
    } catch (const Error&) {
        if (const auto thread = unused_thread(change, allowed))
            return *thread;
        throw;
    }
    try {
        context.backend.add_cpus(change.uuid(), {taken.cpu}, backend::CpuRole::run);
        add_idle_threads(context, change.uuid(), taken.idle, known);
    } catch (const Error&) {
        change.settle();
        throw;
    }
    return taken.cpu;
}

[[noreturn]] void fail(LiveChange& change, const LiveChange::Outcome& outcome,
                       const std::string& what) {
    const DomainView view = change.view();
    throw Error(outcome.answered ? VIR_ERR_OPERATION_FAILED : VIR_ERR_OPERATION_TIMEOUT,
                fmt::format("{} of domain '{}': {}; it has {} vCPUs now", what, view.name,
                            outcome.why(), view.live->current_vcpus()));
}

// Brings `cpu` up, or leaves it unused.
LiveChange::Outcome bring_up(LiveChange& change, unsigned cpu) {
    const auto outcome = change.ask({.what = Request::cpu_add, .cpu = cpu});
    if (outcome.answered && outcome.error != 0) {
        // The host module keeps a CPU given until the app kernel says that it does not use it.
        const backend::Status status = change.status();
        for (std::size_t i = 0; i < status.cpus.size(); i++)
            if (status.cpus[i] == cpu && status.cpu_use.at(i) == backend::Use::given)
                static_cast<void>(change.ask({.what = Request::cpu_remove, .cpu = cpu}));
    }
    return outcome;
}

void enable(LiveChange& change, unsigned vcpu) {
    const unsigned cpu = take_cpu(change, allowed_for(*change.view().live, vcpu));
    change.running().meant_for[cpu] = vcpu;
    LiveChange::Outcome outcome;
    try {
        outcome = bring_up(change, cpu);
    } catch (const Error&) {
        change.settle();
        throw;
    }
    change.settle();
    if (!outcome.done())
        fail(change, outcome, fmt::format("CPU {} cannot be brought up as vCPU {}", cpu, vcpu));
}

void disable(LiveChange& change, unsigned vcpu) {
    const auto cpu = cpu_of(change.view(), vcpu);
    if (!cpu)
        return;
    LiveChange::Outcome outcome;
    try {
        outcome = change.ask({.what = Request::cpu_remove, .cpu = *cpu});
    } catch (const Error&) {
        change.settle();
        throw;
    }
    change.settle();
    if (!outcome.done())
        fail(change, outcome, fmt::format("vCPU {} cannot be taken", vcpu));
}

}  // namespace

void enable_vcpus(LiveChange& change, const CpuSet& vcpus) {
    for (const unsigned vcpu : vcpus)
        change.attempt(AuditResource::vcpu, change.view().live->current_vcpus() + 1,
                       [&] { enable(change, vcpu); });
}

void disable_vcpus(LiveChange& change, const CpuSet& vcpus) {
    std::vector<unsigned> last_first(vcpus.begin(), vcpus.end());
    std::reverse(last_first.begin(), last_first.end());
    for (const unsigned vcpu : last_first)
        change.attempt(AuditResource::vcpu, change.view().live->current_vcpus() - 1,
                       [&] { disable(change, vcpu); });
}

void move_vcpu(LiveChange& change, unsigned vcpu, const CpuSet& cpus) {
    const auto old_cpu = cpu_of(change.view(), vcpu);
    if (!old_cpu || cpus.contains(*old_cpu))
        return;
    if (vcpu == 0)
        throw Error(VIR_ERR_OPERATION_UNSUPPORTED,
                    fmt::format("vCPU 0 stays on CPU {} while the domain runs: it is the one that "
                                "its app kernel booted on, which x86 cannot take offline",
                                *old_cpu));
    change.require_answered(backend::Channel::cpu);
    const unsigned new_cpu = take_cpu(change, cpus);
    LiveChange::Outcome outcome;
    try {
        outcome = bring_up(change, new_cpu);
        if (outcome.done()) {
            outcome = change.ask({.what = Request::cpu_remove, .cpu = *old_cpu});
            if (outcome.done())
                change.running().meant_for[new_cpu] = vcpu;
            else if (outcome.answered)  // then it stays where it was
                static_cast<void>(change.ask({.what = Request::cpu_remove, .cpu = new_cpu}));
        }
    } catch (const Error&) {
        change.settle();
        throw;
    }
    change.settle();
    if (!outcome.done())
        fail(change, outcome,
             fmt::format("vCPU {} cannot be moved from CPU {} to {}", vcpu, *old_cpu, new_cpu));
}

}  // namespace mk::domain
