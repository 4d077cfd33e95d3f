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

// A CPU is busy for as long as its app kernel says, and idle for the rest of the time that that
// kernel is up.
host::CpuTimes times_of(const backend::CpuTimes& cpu, std::uint64_t uptime_ns) {
    const std::uint64_t kernel_ns = cpu.system_ns + cpu.irq_ns;
    const std::uint64_t busy_ns = kernel_ns + cpu.user_ns;
    return {.kernel = kernel_ns,
            .user = cpu.user_ns,
            .idle = uptime_ns - std::min(uptime_ns, busy_ns),
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
    at_all([this](const Uuid& uuid, const backend::AppStats& stats) { see(uuid, stats); });
}

void NodeTimes::see(const Uuid& uuid, const backend::AppStats& stats) {
    for (const backend::CpuTimes& times : stats.cpus) {
        Cpu& cpu = cpus_[times.cpu];
        if (cpu.owner != uuid || stats.uptime_ns < cpu.uptime_ns) {
            cpu.past = cpu.past + cpu.present;
            cpu.present = {};
        }
        cpu.owner = uuid;
        cpu.uptime_ns = stats.uptime_ns;
        cpu.present = latest(cpu.present, times_of(times, stats.uptime_ns));
    }
}

host::CpuTimes NodeTimes::of(unsigned cpu, const std::optional<host::CpuTimes>& host) {
    const std::scoped_lock lock(mutex_);
    Cpu& known = cpus_[cpu];
    if (host)
        known.host = *host;
    return known.host + known.past + known.present;
}

host::CpuTimes NodeTimes::of_all(const host::CpuTimes& host) const {
    const std::scoped_lock lock(mutex_);
    host::CpuTimes sum = host;
    for (const auto& [number, cpu] : cpus_)
        sum = sum + cpu.past + cpu.present;
    return sum;
}

}  // namespace mk::domain
