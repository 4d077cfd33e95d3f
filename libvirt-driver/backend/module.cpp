// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The ioctls of uapi/linux/multikernel.h, with bytes where backend.h says KiB.
#include "backend/module.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include "backend/module_call.h"

namespace mk::backend {
namespace {

// MK_STOP and MK_DESTROY have one failure that needs a sentence.
std::string_view loss(int error_number) {
    return error_number == EIO ? "a CPU of it does not answer the reset: nothing of it can be "
                                 "given back until the host is reset"
                               : "";
}

State state_of(std::uint32_t state) {
    switch (state) {
        case MK_STATE_CREATED:
            return State::created;
        case MK_STATE_LOADED:
            return State::loaded;
        case MK_STATE_BOOTING:
            return State::booting;
        case MK_STATE_RUNNING:
            return State::running;
        case MK_STATE_POWEROFF:
            return State::poweroff;
        case MK_STATE_REBOOT:
            return State::reboot;
        case MK_STATE_HALTED:
            return State::halted;
        case MK_STATE_PANIC:
            return State::panic;
        case MK_STATE_STOPPED:
            return State::stopped;
        case MK_STATE_LOST:
            return State::lost;
        case MK_STATE_PAUSED:
            return State::paused;
        default:
            throw Error(VIR_ERR_INTERNAL_ERROR,
                        fmt::format("the module reports the unknown state {}", state));
    }
}

static_assert(channels == MK_CHANNELS);

Use use_of(const mk_cpu& cpu) {
    switch (cpu.state) {
        case MK_CPU_TAKEN:
            return Use::taken;
        case MK_CPU_RELEASED:
            return Use::released;
        default:
            return Use::given;
    }
}

Use use_of(const mk_range& range) {
    switch (range.state) {
        case MK_RANGE_BOOT:
            return Use::boot;
        case MK_RANGE_TAKEN:
            return Use::taken;
        case MK_RANGE_RELEASED:
            return Use::released;
        default:
            return Use::given;
    }
}

Status status_of(const mk_query& query) {
    Status status;
    status.state = state_of(query.state);
    status.name = text(query.name);
    status.memory_kib = query.memory_bytes / kib;
    status.wanted_kib = query.wanted_bytes / kib;
    status.claimed_kib = query.claimed_bytes / kib;
    status.console_bytes = query.console_bytes;
    status.boots = query.boots;
    status.started_ns = query.started_ns;
    status.timings = {query.claim_ns, query.scrub_ns, query.offline_ns,
                      query.load_ns,  query.wake_ns,  query.module_ns};
    status.panic = text(query.panic);
    status.known_cpus = query.known_cpus;
    status.balloon_kib = query.balloon_bytes / kib;
    status.block_kib = query.block_bytes / kib;
    for (std::size_t i = 0; i < channels; i++) {
        const mk_answer& answer = query.answers[i];
        status.answers.at(i) = {answer.posted, answer.done, -answer.result, answer.value / kib};
    }
    if (query.heartbeat != 0 || query.app_uptime_ns != 0) {
        AppReport app;
        app.heartbeat = query.heartbeat;
        app.online_cpus = query.online_cpus;
        app.total_kib = query.app_total_bytes / kib;
        app.free_kib = query.app_free_bytes / kib;
        app.available_kib = query.app_available_bytes / kib;
        app.uptime_ns = query.app_uptime_ns;
        app.busy_ns = query.app_busy_ns;
        app.release = text(query.release);
        app.hostname = text(query.hostname);
        status.app = app;
    }
    return status;
}

}  // namespace

Module::Module(std::string device) : device_(std::move(device)) {}

Fd Module::control() const {
    const auto fd = ::open(device_.c_str(), O_RDWR | O_CLOEXEC);
    if (fd >= 0)
        return Fd(fd);
    if (errno == ENOENT || errno == ENXIO || errno == ENODEV)
        throw Error(VIR_ERR_SYSTEM_ERROR,
                    fmt::format("there is no {}: the kernel module is not loaded "
                                "(modprobe multikernel_host)",
                                device_),
                    errno);
    throw Error::from_errno("open " + device_);
}

std::shared_ptr<const Fd> Module::partition(const Uuid& uuid) {
    const std::scoped_lock lock(mutex_);
    const auto found = partitions_.find(uuid);
    if (found != partitions_.end())
        return found->second;
    mk_open arguments = sized<mk_open>();
    std::copy(uuid.bytes().begin(), uuid.bytes().end(), arguments.uuid);
    do_ioctl(control(), MK_OPEN, arguments, Call::act, "find partition " + uuid.to_string());
    return partitions_.emplace(uuid, std::make_shared<const Fd>(arguments.fd)).first->second;
}

void Module::forget(const Uuid& uuid) {
    const std::scoped_lock lock(mutex_);
    partitions_.erase(uuid);
}

Limits Module::limits() {
    mk_info info = sized<mk_info>();
    const Fd device = control();
    do_ioctl(device, MK_GET_INFO, info, Call::act, "ask " + device_ + " what it can do");
    if (info.abi_version != MK_ABI_VERSION)
        throw Error(VIR_ERR_SYSTEM_ERROR,
                    fmt::format("the loaded multikernel_host module speaks version {} of its "
                                "interface, this daemon version {}: load the module that was "
                                "installed with this daemon",
                                info.abi_version, MK_ABI_VERSION));
    Limits limits;
    limits.blockers = blocker_sentences(info.blockers);
    limits.max_partitions = info.max_partitions;
    limits.memory_align_kib = info.memory_align_bytes / kib;
    limits.control_kib = info.control_bytes / kib;
    limits.tsc_khz = info.tsc_khz;
    limits.doorbells_per_second = info.doorbells_per_second;
    return limits;
}

std::vector<Uuid> Module::list() {
    const auto entries = read_list<mk_list_entry, mk_list>(
        control(), MK_LIST, [](mk_list& list, std::uint64_t address) { list.entries = address; },
        "list the partitions");
    std::vector<Uuid> uuids;
    uuids.reserve(entries.size());
    for (const mk_list_entry& entry : entries)
        uuids.emplace_back(std::span<const std::uint8_t, Uuid::size>(entry.uuid));
    return uuids;
}

void Module::create(const Uuid& uuid, const std::string& name) {
    mk_create arguments = sized<mk_create>();
    std::copy(uuid.bytes().begin(), uuid.bytes().end(), arguments.uuid);
    name.copy(reinterpret_cast<char*>(arguments.name), MK_NAME_BYTES - 1);
    do_ioctl_message(control(), MK_CREATE, arguments, Call::take, "create a partition");
    const std::scoped_lock lock(mutex_);
    partitions_.insert_or_assign(uuid, std::make_shared<const Fd>(arguments.fd));
}

void Module::load(const Uuid& uuid, const Fd& kernel, const Fd& initrd,
                  const std::string& cmdline) {
    mk_load arguments = sized<mk_load>();
    arguments.kernel_fd = kernel.get();
    arguments.initrd_fd = initrd.get();
    arguments.cmdline = reinterpret_cast<std::uintptr_t>(cmdline.data());
    arguments.cmdline_bytes = static_cast<std::uint32_t>(cmdline.size());
    do_ioctl_message(*partition(uuid), MK_LOAD, arguments, Call::act, "load the kernel");
}

void Module::start(const Uuid& uuid) {
    mk_start arguments = sized<mk_start>();
    do_ioctl_message(*partition(uuid), MK_START, arguments, Call::act, "start the partition");
}

void Module::stop(const Uuid& uuid) {
    mk_stop arguments = sized<mk_stop>();
    const int error_number = try_ioctl(*partition(uuid), MK_STOP, arguments);
    if (error_number != 0)
        throw module_error(Call::act, "stop the partition", error_number, loss(error_number));
}

void Module::destroy(const Uuid& uuid) {
    mk_destroy arguments = sized<mk_destroy>();
    try {
        const int error_number = try_ioctl(*partition(uuid), MK_DESTROY, arguments);
        if (error_number != 0)
            throw module_error(Call::take, "destroy the partition", error_number,
                               loss(error_number));
    } catch (const Error& error) {
        if (error.code() != VIR_ERR_NO_DOMAIN)
            throw;
    }
    forget(uuid);
}

void Module::cancel(const Uuid& uuid) {
    mk_cancel arguments = sized<mk_cancel>();
    do_ioctl(*partition(uuid), MK_CANCEL, arguments, Call::act, "cancel");
}

Status Module::status(const Uuid& uuid) {
    const auto fd = partition(uuid);
    mk_query query = sized<mk_query>();
    try {
        do_ioctl(*fd, MK_QUERY, query, Call::act, "query the partition");
        Status status = status_of(query);
        const auto cpus = read_list<mk_cpu, mk_query_cpus>(
            *fd, MK_QUERY_CPUS,
            [](mk_query_cpus& list, std::uint64_t address) { list.cpus = address; },
            "query the partition's CPUs");
        for (const mk_cpu& cpu : cpus) {
            if (cpu.role == MK_CPU_IDLE || cpu.role == MK_CPU_STANDBY)
                status.idle_cpus.push_back(cpu.cpu);
            if (cpu.role != MK_CPU_RUN)
                continue;
            status.cpus.push_back(cpu.cpu);
            status.cpu_use.push_back(use_of(cpu));
        }
        const auto ranges = read_list<mk_range, mk_query_memory>(
            *fd, MK_QUERY_MEMORY,
            [](mk_query_memory& list, std::uint64_t address) { list.ranges = address; },
            "query the partition's memory");
        for (const mk_range& range : ranges)
            status.memory.push_back(
                {range.start / kib, range.bytes / kib, range.node, use_of(range), range.id});
        return status;
    } catch (const Error& error) {
        if (error.code() == VIR_ERR_NO_DOMAIN)
            forget(uuid);
        throw;
    }
}

Fd Module::watch(const Uuid& uuid) {
    return partition(uuid)->duplicate();
}

Backend::Console Module::open_console(const Uuid& uuid, std::uint64_t position) {
    mk_console arguments = sized<mk_console>();
    arguments.position = position;
    do_ioctl(*partition(uuid), MK_CONSOLE, arguments, Call::act, "open the console");
    Console console{Fd(arguments.fd), arguments.position};
    const int flags = ::fcntl(console.fd.get(), F_GETFL);
    if (flags < 0 || ::fcntl(console.fd.get(), F_SETFL, flags | O_NONBLOCK) < 0)
        throw Error::from_errno("make the console non-blocking");
    return console;
}

}  // namespace mk::backend
