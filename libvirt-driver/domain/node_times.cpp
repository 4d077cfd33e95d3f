// SPDX-License-Identifier: LGPL-2.1-or-later
#include "domain/node_times.h"

#include <algorithm>

namespace mk::domain {
namespace {

host::CpuTimes operator+(const host::CpuTimes& one, const host::CpuTimes& other) {
    return {.kernel = one.kernel + other.kernel,
            .user = one.user + other.user,
            .idle = one.idle + other.idle,
            .iowait = one.iowait + other.iowait};
}

host::CpuTimes times_of(const backend::CpuTimes& cpu) {
    return {.kernel = cpu.system_ns + cpu.irq_ns,
            .user = cpu.user_ns,
            .idle = cpu.idle_ns,
            .iowait = 0};
}

host::CpuTimes latest(const host::CpuTimes& before, const host::CpuTimes& now) {
    return {.kernel = std::max(before.kernel, now.kernel),
            .user = std::max(before.user, now.user),
            .idle = std::max(before.idle, now.idle),
            .iowait = std::max(before.iowait, now.iowait)};
}

}  // namespace

void NodeTimes::look(const std::function<void(const See& see)>& at_all) {
    const std::scoped_lock lock(mutex_);
    at_all(
        [this](int id, unsigned boots, const backend::AppStats& stats) { see(id, boots, stats); });
}

void NodeTimes::see(int id, unsigned boots, const backend::AppStats& stats) {
    for (const backend::CpuTimes& times : stats.cpus) {
        Cpu& cpu = cpus_[times.cpu];
        const std::pair owner(id, boots);
        if (cpu.owner != owner) {
            cpu.past = cpu.past + cpu.present;
            cpu.present = {};
            cpu.owner = owner;
        }
        cpu.present = latest(cpu.present, times_of(times));
    }
}

host::CpuTimes NodeTimes::of(unsigned cpu, const std::optional<host::CpuTimes>& host) {
    const std::scoped_lock lock(mutex_);
    Cpu& known = cpus_[cpu];
    if (host)
        known.host = latest(known.host, *host);
    return known.host + known.past + known.present;
}

// The kernel's sum may go back a little: it counts a CPU that is offline in another way.
host::CpuTimes NodeTimes::of_all(const host::CpuTimes& host) {
    const std::scoped_lock lock(mutex_);
    host::CpuTimes sum = host;
    for (const auto& [number, cpu] : cpus_)
        sum = sum + cpu.past + cpu.present;
    all_ = latest(all_, sum);
    return all_;
}

}  // namespace mk::domain
