// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What is given to a partition and taken from it, before and while it runs, and what its app
// kernel is asked for or made to do.
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <optional>

#include "backend/module.h"
#include "backend/module_call.h"

namespace mk::backend {
namespace {

[[nodiscard]] std::uint64_t bytes(std::uint64_t size_kib) {
    std::uint64_t result = 0;
    if (__builtin_mul_overflow(size_kib, kib, &result))
        throw Error(VIR_ERR_INVALID_ARG, fmt::format("{} KiB of memory are too many", size_kib));
    return result;
}

[[nodiscard]] std::uint32_t number(CpuRole role) {
    switch (role) {
        case CpuRole::run:
            return MK_CPU_RUN;
        case CpuRole::idle:
            return MK_CPU_IDLE;
        case CpuRole::spare:
            return MK_CPU_SPARE;
        case CpuRole::standby:
            return MK_CPU_STANDBY;
    }
    return MK_CPU_RUN;
}

[[nodiscard]] mk_request request_of(const Ask& ask) {
    mk_request request = sized<mk_request>();
    switch (ask.what) {
        case Request::poweroff:
            request.op = MK_REQUEST_POWEROFF;
            break;
        case Request::reboot:
            request.op = MK_REQUEST_REBOOT;
            break;
        case Request::cpu_add:
            request.op = MK_REQUEST_CPU_ADD;
            request.arg = ask.cpu;
            break;
        case Request::cpu_remove:
            request.op = MK_REQUEST_CPU_REMOVE;
            request.arg = ask.cpu;
            break;
        case Request::memory_add:
            request.op = MK_REQUEST_MEMORY_ADD;
            request.arg = bytes(ask.start_kib);
            request.bytes = bytes(ask.size_kib);
            break;
        case Request::memory_remove:
            request.op = MK_REQUEST_MEMORY_REMOVE;
            request.arg = bytes(ask.start_kib);
            request.bytes = bytes(ask.size_kib);
            break;
        case Request::balloon:
            request.op = MK_REQUEST_BALLOON;
            request.bytes = bytes(ask.size_kib);
            break;
        case Request::sysrq:
            request.op = MK_REQUEST_SYSRQ;
            request.arg = static_cast<unsigned char>(ask.key);
            break;
    }
    return request;
}

[[nodiscard]] std::uint32_t number(Channel channel) {
    switch (channel) {
        case Channel::power:
            return MK_CHANNEL_POWER;
        case Channel::cpu:
            return MK_CHANNEL_CPU;
        case Channel::memory:
            return MK_CHANNEL_MEMORY;
        case Channel::key:
            return MK_CHANNEL_KEY;
    }
    return MK_CHANNEL_POWER;
}

[[nodiscard]] CpuTimes times_of(const mk_cpu_stats& stats) {
    CpuTimes times;
    times.cpu = stats.cpu;
    if (stats.app_cpu >= 0)
        times.app_cpu = static_cast<unsigned>(stats.app_cpu);
    times.online = stats.online != 0;
    times.user_ns = stats.user_ns;
    times.system_ns = stats.system_ns;
    times.idle_ns = stats.idle_ns;
    times.irq_ns = stats.irq_ns;
    return times;
}

[[nodiscard]] AppStats stats_of(const mk_query_stats& query,
                                const std::vector<mk_cpu_stats>& cpus) {
    AppStats stats;
    std::transform(cpus.begin(), cpus.end(), std::back_inserter(stats.cpus), times_of);
    for (std::size_t i = 0; i < stats.load.size(); i++)
        stats.load.at(i) = query.load[i] / 65536.0;
    stats.realtime_ns = query.realtime_ns;
    stats.uptime_ns = query.uptime_ns;
    stats.total_kib = query.total_bytes / kib;
    stats.free_kib = query.free_bytes / kib;
    stats.available_kib = query.available_bytes / kib;
    stats.cached_kib = query.cached_bytes / kib;
    stats.swap_total_kib = query.swap_total_bytes / kib;
    stats.swap_free_kib = query.swap_free_bytes / kib;
    stats.swap_in_kib = query.swap_in_bytes / kib;
    stats.swap_out_kib = query.swap_out_bytes / kib;
    stats.major_faults = query.major_faults;
    stats.minor_faults = query.minor_faults;
    return stats;
}

}  // namespace

void Module::add_cpus(const Uuid& uuid, const std::vector<unsigned>& cpus, CpuRole role) {
    static_assert(sizeof(unsigned) == sizeof(__u32));
    mk_add_cpus arguments = sized<mk_add_cpus>();
    arguments.cpus = reinterpret_cast<std::uintptr_t>(cpus.data());
    arguments.count = static_cast<std::uint32_t>(cpus.size());
    arguments.role = number(role);
    do_ioctl_message(*partition(uuid), MK_ADD_CPUS, arguments, Call::take, "take CPUs");
}

void Module::remove_cpus(const Uuid& uuid, const std::vector<unsigned>& cpus) {
    mk_remove_cpus arguments = sized<mk_remove_cpus>();
    arguments.cpus = reinterpret_cast<std::uintptr_t>(cpus.data());
    arguments.count = static_cast<std::uint32_t>(cpus.size());
    do_ioctl_message(*partition(uuid), MK_REMOVE_CPUS, arguments, Call::act, "give CPUs back");
}

Backend::Claimed Module::add_memory(const Uuid& uuid, const Claim& claim) {
    mk_add_memory arguments = sized<mk_add_memory>();
    arguments.flags = claim.returned ? MK_MEMORY_RETURN : 0;
    arguments.bytes = bytes(claim.size_kib);
    arguments.node = claim.node.value_or(-1);
    arguments.align_bytes = bytes(claim.align_kib);
    do_ioctl_message(*partition(uuid), MK_ADD_MEMORY, arguments, Call::take, "claim memory");
    return {arguments.id, arguments.bytes / kib};
}

std::uint64_t Module::remove_memory(const Uuid& uuid) {
    mk_remove_memory arguments = sized<mk_remove_memory>();
    do_ioctl_message(*partition(uuid), MK_REMOVE_MEMORY, arguments, Call::act, "give memory back");
    return arguments.freed_bytes / kib;
}

std::uint32_t Module::request(const Uuid& uuid, const Ask& ask) {
    mk_request arguments = request_of(ask);
    const int error_number = try_ioctl(*partition(uuid), MK_REQUEST, arguments);
    if (error_number == EAGAIN)
        throw module_error(Call::act, "", EAGAIN,
                           "the app kernel has not taken the last request yet");
    if (error_number != 0)
        throw module_error(Call::act, "ask the app kernel", error_number);
    return arguments.seq;
}

void Module::withdraw(const Uuid& uuid, Channel channel) {
    mk_withdraw arguments = sized<mk_withdraw>();
    arguments.channel = number(channel);
    do_ioctl(*partition(uuid), MK_WITHDRAW, arguments, Call::act, "withdraw a request");
}

void Module::pause(const Uuid& uuid) {
    mk_pause arguments = sized<mk_pause>();
    do_ioctl_message(*partition(uuid), MK_PAUSE, arguments, Call::act, "hold the CPUs");
}

void Module::resume(const Uuid& uuid) {
    mk_pause arguments = sized<mk_pause>();
    do_ioctl_message(*partition(uuid), MK_RESUME, arguments, Call::act, "let the CPUs go on");
}

unsigned Module::nmi(const Uuid& uuid, Nmi what) {
    mk_nmi arguments = sized<mk_nmi>();
    arguments.op = what == Nmi::backtrace ? MK_NMI_BACKTRACE : MK_NMI_REGISTERS;
    do_ioctl(*partition(uuid), MK_NMI, arguments, Call::act, "interrupt the CPUs");
    return arguments.missing;
}

std::vector<Registers> Module::registers(const Uuid& uuid) {
    const auto entries = read_list<mk_registers, mk_query_registers>(
        *partition(uuid), MK_QUERY_REGISTERS,
        [](mk_query_registers& list, std::uint64_t address) { list.registers = address; },
        "query the CPUs' registers");
    std::vector<Registers> all;
    for (const mk_registers& entry : entries) {
        Registers one;
        one.cpu = entry.cpu;
        one.valid = entry.valid != 0;
        static_assert(MK_REGISTERS == std::tuple_size_v<decltype(one.values)>);
        std::copy(std::begin(entry.values), std::end(entry.values), one.values.begin());
        all.push_back(one);
    }
    return all;
}

std::optional<AppStats> Module::stats(const Uuid& uuid) {
    mk_query_stats last = {};
    const auto cpus = read_list<mk_cpu_stats, mk_query_stats>(
        *partition(uuid), MK_QUERY_STATS,
        [](mk_query_stats& list, std::uint64_t address) { list.cpus = address; },
        "query the app kernel's statistics", &last);
    if (last.valid == 0)
        return std::nullopt;
    return stats_of(last, cpus);
}

Fd Module::memory_file(const Uuid& uuid) {
    mk_memory_fd arguments = sized<mk_memory_fd>();
    do_ioctl(*partition(uuid), MK_MEMORY_FD, arguments, Call::act, "open the memory");
    return Fd(arguments.fd);
}

}  // namespace mk::backend
