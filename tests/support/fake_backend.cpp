// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The calls of FakeBackend: what the module would do, with nothing behind it.
#include "support/fake_backend.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <sstream>

namespace mk::test {

using backend::State;

namespace {

bool any_of(State state, std::initializer_list<State> states) {
    return std::find(states.begin(), states.end(), state) != states.end();
}

void need(const backend::Status& status, std::initializer_list<State> states) {
    if (!any_of(status.state, states))
        throw Error(VIR_ERR_OPERATION_INVALID, "the partition is in the wrong state for this");
}

std::pair<Fd, Fd> connected_pair() {
    std::array<int, 2> fds{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds.data()) < 0)
        throw Error::from_errno("socketpair");
    return {Fd(fds[0]), Fd(fds[1])};
}

// The module owns these words (its command line table); three stand for all.
void check_cmdline(const std::string& cmdline) {
    std::istringstream words(cmdline);
    for (std::string word; words >> word && word != "--";) {
        const std::string name = word.substr(0, word.find('='));
        if (name == "noapic" || name == "maxcpus" || name == "no_ipi_broadcast")
            throw Error(VIR_ERR_INVALID_ARG,
                        fmt::format("the command line may not contain '{}'", word));
    }
}

}  // namespace

backend::Limits FakeBackend::limits() {
    const auto lock = machine_->enter("limits");
    return machine_->limits;
}

std::vector<Uuid> FakeBackend::list() {
    const auto lock = machine_->enter("list");
    std::vector<Uuid> uuids;
    for (const auto& [uuid, partition] : machine_->partitions_)
        uuids.push_back(uuid);
    return uuids;
}

void FakeBackend::create(const Uuid& uuid, const std::string& name) {
    const auto lock = machine_->enter("create");
    if (machine_->partitions_.size() >= machine_->limits.max_partitions)
        throw Error(VIR_ERR_RESOURCE_BUSY, "there is no low memory for another partition");
    const auto [entry, added] = machine_->partitions_.try_emplace(uuid);
    if (!added)
        throw Error(VIR_ERR_OPERATION_FAILED, "a partition with this UUID exists already");
    entry->second.status.name = name;
}

void FakeBackend::load(const Uuid& uuid, const Fd& kernel, const Fd& initrd,
                       const std::string& cmdline) {
    const auto lock = machine_->enter("load", &uuid);
    auto& partition = machine_->find(uuid);
    need(partition.status, {State::created, State::loaded, State::stopped, State::poweroff,
                            State::reboot, State::halted, State::panic});
    if (partition.status.cpus.empty() || partition.status.memory.empty())
        throw Error(VIR_ERR_OPERATION_INVALID, "the partition has no CPU or no memory");
    for (const Fd* file : {&kernel, &initrd}) {
        if ((::fcntl(file->get(), F_GETFL) & O_ACCMODE) != O_RDONLY)
            throw Error(VIR_ERR_OPERATION_FAILED, "the file is open for writing");
    }
    check_cmdline(cmdline);
    partition.cmdline = cmdline;
    for (auto& range : partition.status.memory)
        range.use = backend::Use::boot;
    partition.status.balloon_kib = 0;
    machine_->set_state(partition, State::loaded);
}

void FakeBackend::start(const Uuid& uuid) {
    const auto lock = machine_->enter("start", &uuid);
    auto& partition = machine_->find(uuid);
    need(partition.status, {State::loaded});
    partition.output.clear();
    partition.forgotten = 0;
    partition.line.clear();
    partition.hung = false;
    partition.status.panic.clear();
    partition.status.app.reset();
    partition.status.console_bytes = 0;
    partition.status.answers = {};
    ++partition.status.boots;
    partition.boot_pending = true;
    machine_->set_state(partition, State::booting);
    machine_->wake();
}

void FakeBackend::stop(const Uuid& uuid) {
    const auto lock = machine_->enter("stop", &uuid);
    auto& partition = machine_->find(uuid);
    if (any_of(partition.status.state, {State::created, State::loaded, State::stopped}))
        return;
    if (partition.lost_on_stop)
        machine_->set_state(partition, State::lost);
    if (partition.status.state == State::lost)
        throw Error(VIR_ERR_OPERATION_FAILED, "a CPU of the partition did not answer");
    partition.status.app.reset();
    for (auto& range : partition.status.memory)
        if (range.use == backend::Use::given)
            range.use =
                partition.offered.count(range.id) != 0 ? backend::Use::boot : backend::Use::taken;
    partition.offered.clear();
    machine_->set_state(partition, State::stopped);
    machine_->end_consoles(partition);
}

void FakeBackend::destroy(const Uuid& uuid) {
    const auto lock = machine_->enter("destroy", &uuid);
    const auto found = machine_->partitions_.find(uuid);
    if (found == machine_->partitions_.end())
        return;
    auto& partition = found->second;
    if (partition.lost_on_stop)
        machine_->set_state(partition, State::lost);
    if (partition.status.state == State::lost)
        throw Error(VIR_ERR_OPERATION_FAILED, "a CPU of the partition did not answer");
    machine_->end_consoles(partition);
    machine_->partitions_.erase(found);  // its watches hang up
    machine_->wake();
}

void FakeBackend::cancel(const Uuid& uuid) {
    const auto lock = machine_->enter("cancel");
    machine_->find(uuid).cancelled = true;
    machine_->changed_.notify_all();
}

backend::Status FakeBackend::status(const Uuid& uuid) {
    const auto lock = machine_->enter("status");
    auto& partition = machine_->find(uuid);
    for (const auto& watch : partition.watches) {
        std::array<char, 64> bytes{};
        while (::read(watch.reader.get(), bytes.data(), bytes.size()) > 0) {
        }
    }
    if (partition.status.app && partition.status.state == State::running && !partition.hung)
        partition.status.app->heartbeat++;
    return partition.status;
}

Fd FakeBackend::watch(const Uuid& uuid) {
    const auto lock = machine_->enter("watch", &uuid);
    auto& partition = machine_->find(uuid);
    std::array<int, 2> fds{};
    if (::pipe2(fds.data(), O_CLOEXEC | O_NONBLOCK) < 0)
        throw Error::from_errno("pipe");
    Fd reader(fds[0]);
    partition.watches.push_back({reader.duplicate(), Fd(fds[1])});
    return reader;
}

backend::Backend::Console FakeBackend::open_console(const Uuid& uuid, std::uint64_t position) {
    const auto lock = machine_->enter("open_console", &uuid);
    auto& partition = machine_->find(uuid);
    auto [ours, theirs] = connected_pair();
    const std::uint64_t from = std::clamp<std::uint64_t>(
        position, partition.forgotten, partition.forgotten + partition.output.size());
    partition.consoles.push_back(
        {std::move(ours), partition.output.substr(from - partition.forgotten), false});
    if (!any_of(partition.status.state,
                {State::created, State::loaded, State::booting, State::running}))
        partition.consoles.back().ends = true;
    machine_->wake();
    return {std::move(theirs), from};
}

}  // namespace mk::test
