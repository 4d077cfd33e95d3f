// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The machine behind FakeBackend: one thread plays all app kernels.
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>

#include "support/fake_backend.h"

namespace mk::test {

using backend::State;

FakeMachine::FakeMachine(std::string file)
    : file_(std::move(file)), wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (!wake_)
        throw Error::from_errno("eventfd");
    (void)std::signal(SIGPIPE, SIG_IGN);  // consoles are sockets here
    limits.max_partitions = 8;
    limits.memory_align_kib = 2048;
    limits.control_kib = 2048;
    limits.tsc_khz = 2'000'000;
    restore();
    thread_ = std::thread([this] { run(); });
}

FakeMachine::~FakeMachine() {
    {
        const std::scoped_lock lock(mutex_);
        stopping_ = true;
        wake();
    }
    thread_.join();
}

void FakeMachine::fail_next(const std::string& call, const Error& error) {
    const std::scoped_lock lock(mutex_);
    failures_[call].push_back(error);
}

void FakeMachine::hold(const std::string& call) {
    const std::scoped_lock lock(mutex_);
    held_.insert(call);
}

void FakeMachine::release(const std::string& call) {
    const std::scoped_lock lock(mutex_);
    held_.erase(call);
    changed_.notify_all();
}

void FakeMachine::wait_until_held(const std::string& call) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return waiting_.count(call) != 0; });
}

void FakeMachine::app_ends(const Uuid& uuid, State how, const std::string& reason) {
    const std::scoped_lock lock(mutex_);
    Partition& partition = find(uuid);
    partition.status.panic = reason;
    set_state(partition, how);
}

void FakeMachine::app_writes(const Uuid& uuid, const std::string& text) {
    const std::scoped_lock lock(mutex_);
    emit(find(uuid), text);
    wake();
}

std::string FakeMachine::app_input(const Uuid& uuid) {
    const std::scoped_lock lock(mutex_);
    return find(uuid).input;
}

void FakeMachine::lose_on_stop(const Uuid& uuid) {
    const std::scoped_lock lock(mutex_);
    find(uuid).lost_on_stop = true;
}

void FakeMachine::remove(const Uuid& uuid) {
    const std::scoped_lock lock(mutex_);
    partitions_.erase(uuid);
    wake();
}

std::size_t FakeMachine::partitions() {
    const std::scoped_lock lock(mutex_);
    return partitions_.size();
}

std::size_t FakeMachine::cpus_in_use() {
    const std::scoped_lock lock(mutex_);
    std::size_t count = 0;
    for (const auto& [uuid, partition] : partitions_)
        count += partition.status.cpus.size() + partition.status.idle_cpus.size();
    return count;
}

std::uint64_t FakeMachine::memory_in_use_kib() {
    const std::scoped_lock lock(mutex_);
    std::uint64_t sum = 0;
    for (const auto& [uuid, partition] : partitions_)
        sum += partition.status.memory_kib;
    return sum;
}

std::vector<std::string> FakeMachine::calls() {
    const std::scoped_lock lock(mutex_);
    return calls_;
}

void FakeMachine::forget_calls() {
    const std::scoped_lock lock(mutex_);
    calls_.clear();
}

std::string FakeMachine::cmdline(const Uuid& uuid) {
    const std::scoped_lock lock(mutex_);
    return find(uuid).cmdline;
}

// The beginning of every call: note it, hold it, fail it.
FakeMachine::Entered FakeMachine::enter(const std::string& call, const Uuid* uuid) {
    std::unique_lock lock(mutex_);
    calls_.push_back(call);
    const auto cancelled = [&] {
        const auto found = uuid == nullptr ? partitions_.end() : partitions_.find(*uuid);
        return call == "add_memory" && found != partitions_.end() && found->second.cancelled;
    };
    if (held_.count(call) != 0) {
        waiting_.insert(call);
        changed_.notify_all();
        changed_.wait(lock, [&] { return held_.count(call) == 0 || cancelled(); });
        waiting_.erase(call);
        if (cancelled())
            throw Error(VIR_ERR_OPERATION_ABORTED, "claiming memory was cancelled");
    }
    auto& failures = failures_[call];
    if (!failures.empty()) {
        const Error error = failures.front();
        failures.erase(failures.begin());
        throw error;
    }
    return {*this, std::move(lock)};
}

FakeMachine::Partition& FakeMachine::find(const Uuid& uuid) {
    const auto found = partitions_.find(uuid);
    if (found == partitions_.end())
        throw Error(VIR_ERR_NO_DOMAIN, "there is no partition " + uuid.to_string());
    return found->second;
}

void FakeMachine::set_state(Partition& partition, State state) {
    partition.status.state = state;
    notice(partition);
}

void FakeMachine::notice(Partition& partition) {
    for (const Watch& watch : partition.watches)
        (void)!::write(watch.writer.get(), "x", 1);
    wake();
}

void FakeMachine::emit(Partition& partition, const std::string& text) {
    partition.output += text;
    partition.status.console_bytes += text.size();
    for (Console& console : partition.consoles)
        console.backlog += text;
}

void FakeMachine::end_consoles(Partition& partition) {
    for (Console& console : partition.consoles) {
        console.ends = true;
        serve(console, partition, POLLOUT);  // a stop returns with the output readable
    }
    wake();
}

void FakeMachine::boot(Partition& partition) {
    partition.boot_pending = false;
    if (partition.status.state != State::booting)
        return;  // stopped before it came to anything
    emit(partition, "[    0.000000] Linux version 6.1.0-fake (nobody@nowhere)\r\n");
    emit(partition, "[    0.000000] Command line: " + partition.cmdline + "\r\n");
    if (silent_boot)
        return;
    emit(partition, "multikernel: userspace is up\r\n# ");
    report(partition);
    partition.status.block_kib = 128U << 10;
    std::fill(partition.status.cpu_use.begin(), partition.status.cpu_use.end(),
              backend::Use::given);
    set_state(partition, State::running);
}

void FakeMachine::report(Partition& partition) const {
    backend::AppReport app;
    app.heartbeat = 1;
    app.online_cpus = static_cast<unsigned>(partition.status.cpus.size());
    app.total_kib = partition.status.memory_kib - limits.control_kib;
    app.free_kib = app.total_kib / 2;
    app.available_kib = app.total_kib / 2;
    app.uptime_ns = 1'000'000'000;
    app.busy_ns = 500'000'000;
    app.release = "6.1.0-fake";
    app.hostname = partition.status.name;
    partition.status.app = app;
}

void FakeMachine::type(Partition& partition, const std::string& bytes) {
    partition.input += bytes;
    if (partition.status.state != State::running || partition.hung)
        return;
    for (const char byte : bytes) {
        if (byte != '\r' && byte != '\n') {
            partition.line += byte;
            emit(partition, std::string(1, byte));
            continue;
        }
        emit(partition, "\r\n");
        const std::string line = std::exchange(partition.line, {});
        run_line(partition, line);
        if (partition.status.state != State::running)
            return;
        emit(partition, "# ");
    }
}

void FakeMachine::run_line(Partition& partition, const std::string& line) {
    const std::string word = line.substr(0, line.find(' '));
    const std::string rest = word.size() < line.size() ? line.substr(word.size() + 1) : "";
    if (word == "echo") {
        emit(partition, rest + "\r\n");
    } else if (line == "uname -r") {
        emit(partition, "6.1.0-fake\r\n");
    } else if (word == "nproc") {
        emit(partition, std::to_string(partition.status.cpus.size()) + "\r\n");
    } else if (word == "poweroff") {
        emit(partition, "reboot: Power down\r\n");
        set_state(partition, State::poweroff);
    } else if (word == "reboot") {
        emit(partition, "reboot: Restarting system\r\n");
        set_state(partition, State::reboot);
    } else if (word == "halt") {
        emit(partition, "reboot: System halted\r\n");
        set_state(partition, State::halted);
    } else if (word == "panic") {
        partition.status.panic = rest.empty() ? "sysrq triggered crash" : rest;
        emit(partition, "Kernel panic - not syncing: " + partition.status.panic + "\r\n");
        set_state(partition, State::panic);
    } else if (word == "hang") {
        partition.hung = true;
    } else if (word == "lose") {  // a CPU
        set_state(partition, State::lost);
    } else if (word == "busy") {  // so many KiB of what is to be given up, and no more
        partition.manners[backend::Request::memory_remove] = {
            .error = EBUSY, .done_kib = std::strtoul(rest.c_str(), nullptr, 10)};
    } else if (word == "flood") {
        for (unsigned long i = std::strtoul(rest.c_str(), nullptr, 10); i > 0; --i)
            emit(partition, std::string(1022, 'x') + "\r\n");
    } else if (!word.empty()) {
        emit(partition, "sh: " + word + ": not found\r\n");
    }
}

void FakeMachine::wake() {
    (void)::eventfd_write(wake_.get(), 1);
}

void FakeMachine::run() {
    for (;;) {
        std::vector<pollfd> fds = {{wake_.get(), POLLIN, 0}};
        std::vector<std::pair<Uuid, int>> owners = {{}};
        {
            const std::scoped_lock lock(mutex_);
            if (stopping_)
                return;
            for (auto& [uuid, partition] : partitions_) {
                if (partition.boot_pending)
                    boot(partition);
                for (Console& console : partition.consoles)
                    serve(console, partition, POLLOUT);
                std::erase_if(partition.consoles, [](const Console& c) { return !c.fd; });
                for (const Console& console : partition.consoles) {
                    const int in = partition.hung ? 0 : POLLIN;
                    const int out = console.backlog.empty() ? 0 : POLLOUT;
                    fds.push_back({console.fd.get(), static_cast<short>(in | out), 0});
                    owners.emplace_back(uuid, console.fd.get());
                }
            }
            save();
        }
        (void)::poll(fds.data(), fds.size(), -1);
        eventfd_t count = 0;
        (void)::eventfd_read(wake_.get(), &count);
        const std::scoped_lock lock(mutex_);
        for (std::size_t i = 1; i < fds.size(); ++i) {
            const auto found = partitions_.find(owners[i].first);
            if (found == partitions_.end())
                continue;
            for (Console& console : found->second.consoles) {
                if (console.fd.get() == owners[i].second)
                    serve(console, found->second, fds[i].revents);
            }
        }
        save();
    }
}

void FakeMachine::serve(Console& console, Partition& partition, short events) {
    if ((events & POLLOUT) != 0 && !console.backlog.empty()) {
        const ssize_t put =
            ::send(console.fd.get(), console.backlog.data(), console.backlog.size(), MSG_NOSIGNAL);
        if (put > 0)
            console.backlog.erase(0, static_cast<std::size_t>(put));
    }
    if (console.ends && console.backlog.empty()) {
        // Unread input would turn the end of the stream into a reset of the connection.
        std::array<char, 4096> unread{};
        while (::recv(console.fd.get(), unread.data(), unread.size(), 0) > 0) {
        }
        console.fd.reset();
        return;
    }
    // What hangs does not read either; only the end of the console is noticed.
    const int heeded = partition.hung ? POLLHUP | POLLERR : POLLIN | POLLHUP | POLLERR;
    if ((events & heeded) == 0)
        return;
    std::array<char, 4096> bytes{};
    const ssize_t got = ::recv(console.fd.get(), bytes.data(), bytes.size(), 0);
    if (got > 0)
        type(partition, {bytes.data(), static_cast<std::size_t>(got)});
    else if (got == 0 || errno != EAGAIN)
        console.fd.reset();
}

}  // namespace mk::test
