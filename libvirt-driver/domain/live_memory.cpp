// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Memory that comes and goes. More than the app kernel booted with is added in its own memory
// blocks, which it can give up again; less is what its balloon has given up.
#include <fmt/format.h>

#include <algorithm>

#include "domain/live.h"
#include "domain/settle.h"
#include "util/error.h"
#include "util/log.h"
#include "util/round_up.h"

namespace mk::domain {
namespace {

using backend::MemoryRange;
using backend::Request;
using backend::Use;
using Outcome = LiveChange::Outcome;

std::uint64_t block_of(LiveChange& change) {
    const std::uint64_t block_kib = change.status().block_kib;
    if (block_kib == 0)
        throw Error(VIR_ERR_OPERATION_INVALID,
                    "its app kernel has not said yet in what blocks its memory moves");
    return block_kib;
}

std::vector<MemoryRange> ranges_of(LiveChange& change, unsigned id) {
    std::vector<MemoryRange> ranges = change.status().memory;
    std::erase_if(ranges, [id](const MemoryRange& range) { return range.id != id; });
    return ranges;
}

[[noreturn]] void fail(LiveChange& change, const Outcome& outcome, const std::string& what) {
    const DomainView view = change.view();
    throw Error(outcome.answered ? VIR_ERR_OPERATION_FAILED : VIR_ERR_OPERATION_TIMEOUT,
                fmt::format("{} of domain '{}': {}; it has {} KiB now", what, view.name,
                            outcome.why(), view.live->current_memory_kib));
}

// Runs `work`, which may throw after it took something, and brings the books up to date.
template <typename Work>
auto settled(LiveChange& change, const Work& work) {
    try {
        const auto result = work();
        change.settle();
        return result;
    } catch (const Error&) {
        change.settle();
        throw;
    }
}

// New memory of the partition, not yet the app kernel's: its ranges.
std::vector<MemoryRange> claim(LiveChange& change, std::uint64_t size_kib,
                               std::uint64_t block_kib) {
    const Context& context = change.context();
    std::vector<MemoryRange> ranges;
    for (const host::MemoryShare& share :
         context.pool.add_memory(change.running().grant, size_kib, block_kib)) {
        const auto claimed =
            context.backend.add_memory(change.uuid(), {.size_kib = share.size_kib,
                                                       .node = static_cast<int>(share.node),
                                                       .align_kib = block_kib});
        for (const MemoryRange& range : ranges_of(change, claimed.id))
            ranges.push_back(range);
    }
    return ranges;
}

Outcome ask_range(LiveChange& change, Request what, const MemoryRange& range,
                  const std::optional<MemoryDevice>& device = {}) {
    return change.ask({.what = what, .start_kib = range.start_kib, .size_kib = range.size_kib},
                      device);
}

// Gives `ranges` to the app kernel, up to the first one that it does not take.
Outcome give(LiveChange& change, const std::vector<MemoryRange>& ranges,
             const std::optional<MemoryDevice>& device = {}) {
    Outcome outcome{.answered = true};
    for (const MemoryRange& range : ranges) {
        const bool last = range.start_kib == ranges.back().start_kib;
        outcome = ask_range(change, Request::memory_add, range,
                            last ? device : std::optional<MemoryDevice>());
        if (!outcome.done())
            break;
    }
    return outcome;
}

// Takes memory out of the balloon, up to `size_kib` of it.
Outcome deflate(LiveChange& change, std::uint64_t size_kib) {
    const std::uint64_t balloon_kib = change.status().balloon_kib;
    const std::uint64_t part_kib = std::min(balloon_kib, size_kib);
    if (part_kib == 0)
        return {.answered = true};
    const Context& context = change.context();
    static_cast<void>(context.pool.add_memory(change.running().grant, part_kib, 1));
    const auto claimed =
        context.backend.add_memory(change.uuid(), {.size_kib = part_kib, .returned = true});
    if (claimed.size_kib == 0)
        return {.answered = true};
    return change.ask({.what = Request::balloon, .size_kib = balloon_kib - claimed.size_kib});
}

// Memory is added and removed in blocks of the app kernel, the balloon's in the host's alignment.
struct Granularity {
    std::uint64_t block_kib;
    std::uint64_t align_kib;
};

void grow(LiveChange& change, std::uint64_t size_kib, const Granularity& in) {
    const auto have = [&change] { return change.used_kib(); };
    const Outcome deflated =
        settled(change, [&] { return deflate(change, round_up(size_kib - have(), in.align_kib)); });
    if (!deflated.done())
        fail(change, deflated, fmt::format("memory cannot grow to {} KiB", size_kib));
    if (have() >= size_kib)
        return;
    const std::uint64_t more_kib = round_up(size_kib - have(), in.block_kib);
    const DomainView view = change.view();
    const std::uint64_t limit_kib = std::max(view.live->max_memory_kib, view.live->memory_kib);
    if (have() + more_kib > limit_kib)
        throw Error(VIR_ERR_INVALID_ARG,
                    fmt::format("cannot set memory higher than max memory: {} KiB, in blocks of "
                                "{} KiB, are more than {} KiB",
                                size_kib, in.block_kib, limit_kib));
    const Outcome outcome =
        settled(change, [&] { return give(change, claim(change, more_kib, in.block_kib)); });
    if (!outcome.done())
        fail(change, outcome, fmt::format("memory cannot grow to {} KiB", size_kib));
}

bool is_of_device(const Definition& live, const std::vector<MemoryRange>& all,
                  const MemoryRange& range) {
    return std::any_of(
        live.memory_devices.begin(), live.memory_devices.end(), [&](const MemoryDevice& device) {
            return std::any_of(all.begin(), all.end(), [&](const MemoryRange& other) {
                return device.base_kib != 0 && other.start_kib == device.base_kib &&
                       other.id == range.id;
            });
        });
}

// Up to `size_kib`, in whole blocks, of what was added while it runs; the newest first.
Outcome take_added(LiveChange& change, std::uint64_t size_kib, std::uint64_t block_kib) {
    const std::vector<MemoryRange> all = change.status().memory;
    const auto live = change.view().live;
    Outcome worst{.answered = true};
    for (auto range = all.rbegin(); range != all.rend() && size_kib >= block_kib; ++range) {
        if (range->use != Use::given || is_of_device(*live, all, *range))
            continue;
        MemoryRange part = *range;
        part.size_kib = std::min(range->size_kib, size_kib / block_kib * block_kib);
        part.start_kib += range->size_kib - part.size_kib;
        const Outcome outcome = ask_range(change, Request::memory_remove, part);
        if (!outcome.done())
            worst = outcome;
        if (!outcome.answered)
            break;
        size_kib -= std::min(size_kib, outcome.error == 0 ? part.size_kib : outcome.value_kib);
    }
    return worst;
}

Outcome inflate(LiveChange& change, std::uint64_t size_kib) {
    if (change.view().live->memballoon_none)  // the words of qemuDomainSetMemoryFlags
        throw Error(VIR_ERR_OPERATION_INVALID,
                    "Unable to change memory of active domain without the balloon device and "
                    "guest OS balloon driver");
    return change.ask(
        {.what = Request::balloon, .size_kib = change.status().balloon_kib + size_kib});
}

void shrink(LiveChange& change, std::uint64_t size_kib, const Granularity& in) {
    const auto too_many = [&] {
        const std::uint64_t have_kib = change.used_kib();
        return have_kib > size_kib ? (have_kib - size_kib) / in.align_kib * in.align_kib : 0;
    };
    Outcome outcome = settled(change, [&] { return take_added(change, too_many(), in.block_kib); });
    if (outcome.answered && too_many() != 0)
        outcome = settled(change, [&] { return inflate(change, too_many()); });
    if (!outcome.done() && too_many() != 0)
        fail(change, outcome, fmt::format("memory cannot shrink to {} KiB", size_kib));
}

void choose_slot(const Definition& live, MemoryDevice& device) {
    CpuSet used;
    for (const MemoryDevice& other : live.memory_devices)
        if (other.slot)
            used.insert(*other.slot);
    if (device.slot && used.contains(*device.slot))  // qemuAssignMemoryDeviceSlot
        throw Error(VIR_ERR_XML_ERROR,
                    fmt::format("memory device slot '{}' is already being used by another memory "
                                "device",
                                *device.slot));
    for (unsigned slot = 0; !device.slot && slot < live.memory_slots; slot++)
        if (!used.contains(slot))
            device.slot = slot;
}

// All of a device's memory, or none: what was given already is taken again.
void take_again(LiveChange& change, const std::vector<MemoryRange>& ranges) {
    for (const MemoryRange& mine : ranges)
        for (const MemoryRange& range : change.status().memory)
            if (range.start_kib == mine.start_kib && range.use == Use::given)
                static_cast<void>(ask_range(change, Request::memory_remove, range));
}

void forget_device(LiveChange& change, const MemoryDevice& device) {
    change.edit([&device](Definition& live) {
        if (std::erase(live.memory_devices, device) > 0)
            live.memory_kib -= std::min(live.memory_kib, device.size_kib);
    });
}

// The ranges with that id, the first one last: while it is there, so is the device, if smaller.
Outcome take_ranges(LiveChange& change, const std::vector<MemoryRange>& all, unsigned id,
                    const MemoryDevice& device) {
    Outcome last{.answered = true};
    std::uint64_t taken_kib = 0;
    for (auto range = all.rbegin(); range != all.rend() && last.done(); ++range) {
        if (range->id != id || range->use != Use::given)
            continue;
        last = ask_range(change, Request::memory_remove, *range);
        taken_kib += last.done() ? range->size_kib : last.value_kib;
    }
    if (!last.done() && taken_kib != 0) {
        change.edit([&](Definition& live) {
            for (MemoryDevice& other : live.memory_devices)
                if (other == device)
                    other.size_kib -= taken_kib;
            live.memory_kib -= taken_kib;
        });
        change.context().events.push(
            {change.identity(),
             MemoryDeviceSizeEvent{alias_of(device), device.size_kib - taken_kib}});
    }
    return last;
}

void plug(LiveChange& change, MemoryDevice device, std::uint64_t block_kib) {
    const Outcome outcome = settled(change, [&] {
        const std::vector<MemoryRange> ranges = claim(change, device.size_kib, block_kib);
        device.base_kib = ranges.front().start_kib;
        Outcome given = give(change, ranges, device);
        if (given.answered && given.error != 0)
            take_again(change, ranges);
        if (given.done()) {
            change.edit([&device](Definition& live) { add_device(live, device); });
            change.context().events.push(
                {change.identity(), DeviceEvent{DeviceChange::added, alias_of(device)}});
        }
        return given;
    });
    if (!outcome.done())
        fail(change, outcome, fmt::format("memory device {} cannot be attached", alias_of(device)));
}

void unplug(LiveChange& change, const MemoryDevice& device) {
    const auto is_base = [&device](const MemoryRange& range) {
        return device.base_kib != 0 && range.start_kib == device.base_kib &&
               range.use == Use::given;
    };
    const std::vector<MemoryRange> all = change.status().memory;
    const auto base = std::find_if(all.begin(), all.end(), is_base);
    const Outcome outcome = settled(change, [&] {
        if (base == all.end()) {  // it booted with it: any of its memory will do
            const Outcome given_up = inflate(change, device.size_kib);
            if (given_up.done()) {
                forget_device(change, device);
                change.context().events.push(
                    {change.identity(), DeviceEvent{DeviceChange::removed, alias_of(device)}});
            }
            return given_up;
        }
        return take_ranges(change, all, base->id, device);
    });
    if (outcome.done())
        return;
    change.context().events.push(
        {change.identity(), DeviceEvent{DeviceChange::removal_failed, alias_of(device)}});
    fail(change, outcome, fmt::format("memory device {} cannot be detached", alias_of(device)));
}

}  // namespace

void resize_memory(LiveChange& change, std::uint64_t size_kib) {
    const Granularity in{.block_kib = block_of(change),
                         .align_kib = change.context().backend.limits().memory_align_kib};
    const std::uint64_t have_kib = change.used_kib();
    change.attempt(AuditResource::mem, size_kib, [&] {
        if (size_kib > have_kib)
            grow(change, size_kib, in);
        else if (size_kib < have_kib)
            shrink(change, size_kib, in);
    });
    const DomainView view = change.view();
    if (view.live->current_memory_kib != size_kib)
        log::warning(
            "domain '{}' was to have {} KiB of memory and has {} KiB: memory is added and removed "
            "in blocks of {} KiB, the balloon's in {} KiB",
            log::Subject{view.name, view.uuid}, size_kib, view.live->current_memory_kib,
            in.block_kib, in.align_kib);
}

void attach_memory(LiveChange& change, MemoryDevice device) {
    const std::uint64_t block_kib = block_of(change);
    const std::uint64_t asked_kib = device.size_kib;
    device.size_kib = round_up(asked_kib, block_kib);
    DomainView view = change.view();
    if (device.size_kib != asked_kib)
        log::warning("domain '{}': a memory device of {} KiB becomes one of {} KiB, whole blocks",
                     log::Subject{view.name, view.uuid}, asked_kib, device.size_kib);
    choose_slot(*view.live, device);
    Definition wanted = *view.live;
    wanted.memory_devices.push_back(device);
    wanted.memory_kib += device.size_kib;
    if (wanted.max_memory_kib != 0 && wanted.memory_kib > wanted.max_memory_kib)
        throw Error(VIR_ERR_CONFIG_UNSUPPORTED,
                    fmt::format("Attaching memory device with size '{}' would exceed domain's "
                                "maxMemory config size '{}'",
                                device.size_kib, wanted.max_memory_kib));
    validate(wanted);
    change.attempt(AuditResource::mem, view.live->current_memory_kib + device.size_kib,
                   [&] { plug(change, device, block_kib); });
}

void detach_memory(LiveChange& change, const MemoryDevice& device) {
    const std::uint64_t have_kib = change.view().live->current_memory_kib;
    change.attempt(AuditResource::mem, have_kib - std::min(have_kib, device.size_kib),
                   [&] { unplug(change, device); });
}

}  // namespace mk::domain
