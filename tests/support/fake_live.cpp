// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What FakeBackend's partitions are given and asked for while they run, and how their app
// kernels answer.
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "support/fake_backend.h"

namespace mk::test {

using backend::Request;
using backend::State;
using backend::Use;

namespace {

[[nodiscard]] bool live(State state) {
    return state == State::running || state == State::paused;
}

void need(bool allowed) {
    if (!allowed)
        throw Error(VIR_ERR_OPERATION_INVALID, "the partition is in the wrong state for this");
}

[[nodiscard]] std::size_t channel_of(Request what) {
    switch (what) {
        case Request::poweroff:
        case Request::reboot:
            return static_cast<std::size_t>(backend::Channel::power);
        case Request::cpu_add:
        case Request::cpu_remove:
            return static_cast<std::size_t>(backend::Channel::cpu);
        case Request::memory_add:
        case Request::memory_remove:
        case Request::balloon:
            return static_cast<std::size_t>(backend::Channel::memory);
        case Request::sysrq:
            break;
    }
    return static_cast<std::size_t>(backend::Channel::key);
}

// False if it is not there.
bool erase(std::vector<unsigned>& cpus, unsigned cpu) {
    const auto at = std::find(cpus.begin(), cpus.end(), cpu);
    const bool found = at != cpus.end();
    if (found)
        cpus.erase(at);
    return found;
}

void set_use(backend::Status& status, unsigned cpu, Use use) {
    if (use == Use::given && erase(status.idle_cpus, cpu)) {
        status.cpus.push_back(cpu);
        status.cpu_use.push_back(use);
    }
    for (std::size_t i = 0; i < status.cpus.size(); i++)
        if (status.cpus[i] == cpu)
            status.cpu_use.at(i) = use;
}

// Boot memory that the balloon holds becomes `released`, from the end on.
void inflate(backend::Status& status, std::uint64_t size_kib) {
    std::vector<backend::MemoryRange> ranges;
    for (auto& range : status.memory) {
        const std::uint64_t part = range.use == Use::boot ? std::min(size_kib, range.size_kib) : 0;
        size_kib -= part;
        range.size_kib -= part;
        if (range.size_kib != 0)
            ranges.push_back(range);
        if (part != 0)
            ranges.push_back(
                {range.start_kib + range.size_kib, part, range.node, Use::released, range.id});
    }
    status.memory = std::move(ranges);
}

// A range that was added, or a part at its end, becomes `released`.
void give_up(backend::Status& status, const backend::Ask& ask) {
    std::vector<backend::MemoryRange> ranges;
    for (auto range : status.memory) {
        const std::uint64_t before_kib =
            ask.start_kib > range.start_kib ? ask.start_kib - range.start_kib : 0;
        if (range.use == Use::given && before_kib < range.size_kib &&
            range.start_kib + range.size_kib == ask.start_kib + ask.size_kib) {
            if (before_kib != 0)
                ranges.push_back({range.start_kib, before_kib, range.node, range.use, range.id});
            range = {ask.start_kib, ask.size_kib, range.node, Use::released, range.id};
        }
        ranges.push_back(range);
    }
    status.memory = std::move(ranges);
}

// What an app kernel that has just booted has counted: vCPU i was busy for i + 1 times 250 ms.
backend::AppStats stats_of(const backend::Status& status) {
    backend::AppStats stats;
    for (const unsigned cpu : status.cpus) {
        const auto index = static_cast<unsigned>(stats.cpus.size());
        stats.cpus.push_back({cpu, index, true, 100'000'000UL * (index + 1),
                              100'000'000UL * (index + 1), 500'000'000,
                              50'000'000UL * (index + 1)});
    }
    stats.load = {0.5, 0.25, 0.125};
    stats.realtime_ns = 1'800'000'000'500'000'000;
    stats.uptime_ns = status.app->uptime_ns;
    stats.total_kib = status.app->total_kib;
    stats.free_kib = status.app->free_kib;
    stats.available_kib = status.app->available_kib;
    stats.cached_kib = 8192;
    stats.major_faults = 3;
    stats.minor_faults = 1000;
    return stats;
}

}  // namespace

void FakeMachine::app_answers(const Uuid& uuid, Request what, const Manners& manners) {
    const std::scoped_lock lock(mutex_);
    find(uuid).manners[what] = manners;
}

void FakeMachine::app_reports(const Uuid& uuid, const backend::AppStats& stats) {
    const std::scoped_lock lock(mutex_);
    find(uuid).stats = stats;
}

void FakeMachine::app_hangs(const Uuid& uuid, bool hangs) {
    const std::scoped_lock lock(mutex_);
    Partition& partition = find(uuid);
    partition.hung = hangs;
    for (std::size_t channel = 0; !hangs && channel < backend::channels; channel++) {
        const backend::Answer& answer = partition.status.answers.at(channel);
        if (answer.done != answer.posted)
            obey(partition, channel);  // at last
    }
}

void FakeMachine::app_misses_nmi(const Uuid& uuid, unsigned cpus) {
    const std::scoped_lock lock(mutex_);
    find(uuid).deaf_cpus = cpus;
}

std::vector<backend::Ask> FakeMachine::asked() {
    const std::scoped_lock lock(mutex_);
    return asked_;
}

void FakeMachine::answer(Partition& partition, std::size_t channel, int error,
                         std::uint64_t value_kib) {
    backend::Answer& answer = partition.status.answers.at(channel);
    answer.done = answer.posted;
    answer.error = error;
    answer.value_kib = value_kib;
    notice(partition);
}

void FakeMachine::end_by_request(Partition& partition, State state) {
    emit(partition,
         state == State::poweroff ? "reboot: Power down\r\n" : "reboot: Restarting system\r\n");
    set_state(partition, state);
}

// Does what was asked for, as far as the app kernel's manners allow.
void FakeMachine::obey(Partition& partition, std::size_t channel) {
    const backend::Ask ask = partition.asks.at(channel);
    const Manners manners = partition.manners[ask.what];
    backend::Status& status = partition.status;
    const std::uint64_t size_kib = manners.error != 0 ? manners.done_kib : ask.size_kib;
    switch (ask.what) {
        case Request::poweroff:
            return end_by_request(partition, State::poweroff);
        case Request::reboot:
            return end_by_request(partition, State::reboot);
        case Request::cpu_remove:
            if (manners.error == 0)
                set_use(status, ask.cpu, Use::released);
            break;
        case Request::memory_remove:
            if (size_kib != 0)  // from the end on
                give_up(status, {.what = ask.what,
                                 .start_kib = ask.start_kib + ask.size_kib - size_kib,
                                 .size_kib = size_kib});
            break;
        case Request::balloon:
            if (size_kib > status.balloon_kib)
                inflate(status, size_kib - status.balloon_kib);
            for (auto& range : status.memory)
                if (partition.offered.count(range.id) != 0)
                    range.use = Use::boot;
            partition.offered.clear();
            status.balloon_kib = size_kib;
            break;
        case Request::cpu_add:
            if (manners.error != 0)
                set_use(status, ask.cpu, Use::released);
            break;
        case Request::memory_add:
            for (auto& range : status.memory)
                if (range.start_kib == ask.start_kib && manners.error != 0)
                    range.use = Use::taken;
            break;
        case Request::sysrq:
            break;
    }
    if (status.app)
        status.app->online_cpus = static_cast<unsigned>(
            std::count(status.cpu_use.begin(), status.cpu_use.end(), Use::given));
    answer(partition, channel, manners.error, size_kib);
}

void FakeBackend::add_cpus(const Uuid& uuid, const std::vector<unsigned>& cpus,
                           backend::CpuRole role) {
    const bool standby = role == backend::CpuRole::standby;
    const bool idle = role == backend::CpuRole::idle || standby;
    const bool spare = role == backend::CpuRole::spare;
    const auto lock = machine_->enter(spare     ? "add_spare_cpus"
                                      : standby ? "add_standby_cpus"
                                      : idle    ? "add_idle_cpus"
                                                : "add_cpus",
                                      &uuid);
    auto& status = machine_->find(uuid).status;
    need(status.state == State::created || (live(status.state) && !spare));
    if (std::count(cpus.begin(), cpus.end(), 0U) != 0 || cpus.empty())
        throw Error(VIR_ERR_INVALID_ARG, "CPU 0 cannot be given away");
    status.known_cpus += status.state == State::created && (standby || !idle) ? cpus.size() : 0;
    if (spare)
        return;
    for (const auto& [other, partition] : machine_->partitions_) {
        for (const unsigned cpu : cpus) {
            const auto& run = partition.status.cpus;
            const auto& unused = partition.status.idle_cpus;
            if (std::count(run.begin(), run.end(), cpu) +
                    std::count(unused.begin(), unused.end(), cpu) !=
                0)
                throw Error(VIR_ERR_RESOURCE_BUSY, fmt::format("CPU {} is held already", cpu));
        }
    }
    auto& list = idle ? status.idle_cpus : status.cpus;
    list.insert(list.end(), cpus.begin(), cpus.end());
    status.cpu_use.resize(status.cpus.size(), Use::taken);
}

void FakeBackend::remove_cpus(const Uuid& uuid, const std::vector<unsigned>& cpus) {
    const auto lock = machine_->enter("remove_cpus", &uuid);
    auto& status = machine_->find(uuid).status;
    need(live(status.state));
    for (const unsigned cpu : cpus) {
        if (erase(status.idle_cpus, cpu))
            continue;
        const auto found = std::find(status.cpus.begin(), status.cpus.end(), cpu);
        if (found == status.cpus.end())
            throw Error(VIR_ERR_INVALID_ARG, fmt::format("CPU {} is not the partition's", cpu));
        const auto use = status.cpu_use.begin() + (found - status.cpus.begin());
        if (*use == Use::given)
            throw Error(VIR_ERR_OPERATION_INVALID, fmt::format("the app kernel uses CPU {}", cpu));
        status.cpu_use.erase(use);
        status.cpus.erase(found);
    }
}

FakeBackend::Claimed FakeBackend::add_memory(const Uuid& uuid, const Claim& claim) {
    const auto lock = machine_->enter("add_memory", &uuid);
    auto& partition = machine_->find(uuid);
    backend::Status& status = partition.status;
    need(status.state == State::created || live(status.state));
    const std::uint64_t align_kib = std::max(claim.align_kib, machine_->limits.memory_align_kib);
    if (claim.size_kib == 0 || claim.size_kib % align_kib != 0)
        throw Error(VIR_ERR_INVALID_ARG, fmt::format("{} KiB are not aligned", claim.size_kib));
    const Use use = status.state == State::created ? Use::boot : Use::taken;
    machine_->next_address_kib_ += align_kib - machine_->next_address_kib_ % align_kib;
    status.memory.push_back({machine_->next_address_kib_, claim.size_kib, claim.node.value_or(0),
                             use, ++partition.last_id});
    status.memory_kib += claim.size_kib;
    machine_->next_address_kib_ += claim.size_kib;
    return {partition.last_id, claim.size_kib};
}

std::uint64_t FakeBackend::remove_memory(const Uuid& uuid) {
    const auto lock = machine_->enter("remove_memory", &uuid);
    backend::Status& status = machine_->find(uuid).status;
    need(status.state != State::lost);
    const std::uint64_t before_kib = status.memory_kib;
    std::erase_if(status.memory, [&status](const backend::MemoryRange& range) {
        const bool unused = range.use == Use::taken || range.use == Use::released;
        status.memory_kib -= unused ? range.size_kib : 0;
        return unused;
    });
    return before_kib - status.memory_kib;
}

std::uint32_t FakeBackend::request(const Uuid& uuid, const backend::Ask& ask) {
    const auto lock = machine_->enter("request");
    auto& partition = machine_->find(uuid);
    backend::Status& status = partition.status;
    need(status.state == State::running);
    const std::size_t channel = channel_of(ask.what);
    backend::Answer& answer = status.answers.at(channel);
    if (answer.done != answer.posted)
        throw Error(VIR_ERR_RESOURCE_BUSY, "the app kernel has not taken the last request yet");
    if (ask.what == Request::cpu_add)
        set_use(status, ask.cpu, Use::given);
    for (auto& range : status.memory)
        if (ask.what == Request::memory_add && range.start_kib == ask.start_kib)
            range.use = Use::given;
    for (auto& range : status.memory)
        if (ask.what == Request::balloon && ask.size_kib < status.balloon_kib &&
            range.use == Use::taken) {
            range.use = Use::given;
            partition.offered.insert(range.id);
        }
    machine_->asked_.push_back(ask);
    partition.asks.at(channel) = ask;
    const std::uint32_t sequence = ++answer.posted;
    if (!partition.hung && !partition.manners[ask.what].silent)
        machine_->obey(partition, channel);
    return sequence;
}

void FakeBackend::withdraw(const Uuid& uuid, backend::Channel channel) {
    const auto lock = machine_->enter("withdraw");
    auto& partition = machine_->find(uuid);
    const auto number = static_cast<std::size_t>(channel);
    const backend::Answer& answer = partition.status.answers.at(number);
    if (!partition.hung && answer.done != answer.posted)
        machine_->answer(partition, number, EINTR,
                         partition.manners[partition.asks.at(number).what].done_kib);
}

void FakeBackend::pause(const Uuid& uuid) {
    const auto lock = machine_->enter("pause", &uuid);
    auto& partition = machine_->find(uuid);
    need(partition.status.state == State::running);
    if (partition.deaf_cpus != 0)
        throw Error(VIR_ERR_OPERATION_TIMEOUT,
                    fmt::format("{} CPUs did not answer", partition.deaf_cpus));
    machine_->set_state(partition, State::paused);
}

void FakeBackend::resume(const Uuid& uuid) {
    const auto lock = machine_->enter("resume", &uuid);
    auto& partition = machine_->find(uuid);
    need(partition.status.state == State::paused);
    machine_->set_state(partition, State::running);
}

unsigned FakeBackend::nmi(const Uuid& uuid, Nmi what) {
    const auto lock = machine_->enter("nmi", &uuid);
    auto& partition = machine_->find(uuid);
    if (what == Nmi::backtrace)
        machine_->emit(partition, "NMI backtrace for cpu 0\r\n");
    machine_->wake();
    return partition.deaf_cpus;
}

std::vector<backend::Registers> FakeBackend::registers(const Uuid& uuid) {
    const auto lock = machine_->enter("registers", &uuid);
    auto& partition = machine_->find(uuid);
    std::vector<backend::Registers> all;
    for (const unsigned cpu : partition.status.cpus) {
        backend::Registers one;
        one.cpu = cpu;
        one.valid = all.size() + partition.deaf_cpus < partition.status.cpus.size();
        one.values[16] = one.valid ? 0xffffffff81000000 + cpu : 0;  // rip
        all.push_back(one);
    }
    return all;
}

std::optional<backend::AppStats> FakeBackend::stats(const Uuid& uuid) {
    const auto lock = machine_->enter("stats");
    const auto& partition = machine_->find(uuid);
    if (partition.stats || !partition.status.app)
        return partition.stats;
    return stats_of(partition.status);
}

Fd FakeBackend::memory_file(const Uuid& uuid) {
    const auto lock = machine_->enter("memory_file", &uuid);
    const auto& status = machine_->find(uuid).status;
    Fd fd(::memfd_create("partition", MFD_CLOEXEC));
    if (!fd || ::ftruncate(fd.get(), static_cast<off_t>(status.memory_kib * 1024)) < 0)
        throw Error::from_errno("memfd");
    return fd;
}

}  // namespace mk::test
