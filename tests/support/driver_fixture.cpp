// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The verbs of DriverFixture.
#include "support/driver_fixture.h"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <filesystem>

#include "domain/dump.h"

namespace mk::test {
namespace {

constexpr int patience_ms = 20'000;

std::string lifecycle_words(const domain::LifecycleEvent& event) {
    const auto pick = [&event](std::initializer_list<const char*> details) -> std::string {
        const auto index = static_cast<std::size_t>(event.detail);
        return index < details.size() ? *(details.begin() + event.detail) : "?";
    };
    switch (event.type) {
        case VIR_DOMAIN_EVENT_DEFINED:
            return "defined " + pick({"added", "updated", "renamed"});
        case VIR_DOMAIN_EVENT_UNDEFINED:
            return "undefined " + pick({"removed", "renamed"});
        case VIR_DOMAIN_EVENT_STARTED:
            return "started " + pick({"booted"});
        case VIR_DOMAIN_EVENT_STOPPED:
            return "stopped " +
                   pick({"shutdown", "destroyed", "crashed", "migrated", "saved", "failed"});
        case VIR_DOMAIN_EVENT_SUSPENDED:
            return "suspended " + pick({"paused", "migrated", "ioerror", "watchdog"});
        case VIR_DOMAIN_EVENT_RESUMED:
            return "resumed " + pick({"unpaused"});
        case VIR_DOMAIN_EVENT_SHUTDOWN:
            return "shutdown " + pick({"finished"});
        case VIR_DOMAIN_EVENT_CRASHED:
            return "crashed " + pick({"panicked"});
        default:
            return fmt::format("event {} {}", static_cast<int>(event.type), event.detail);
    }
}

}  // namespace

std::string describe(const domain::Event& event) {
    const std::string& name = event.domain.name;
    if (const auto* lifecycle = std::get_if<domain::LifecycleEvent>(&event.what))
        return name + " " + lifecycle_words(*lifecycle);
    if (const auto* metadata = std::get_if<domain::MetadataChangeEvent>(&event.what))
        return fmt::format("{} metadata {} {}", name, static_cast<int>(metadata->type),
                           metadata->uri);
    if (const auto* job = std::get_if<domain::JobCompletedEvent>(&event.what))
        return fmt::format("{} job {}", name, static_cast<int>(job->stats->type));
    if (const auto* device = std::get_if<domain::DeviceEvent>(&event.what)) {
        const char* const words[] = {"added", "removed", "stays"};
        return fmt::format("{} device {} {}", name, device->alias,
                           words[static_cast<int>(device->change)]);
    }
    if (const auto* balloon = std::get_if<domain::BalloonEvent>(&event.what))
        return fmt::format("{} memory {}", name, balloon->current_kib);
    if (const auto* watchdog = std::get_if<domain::WatchdogEvent>(&event.what))
        return fmt::format("{} watchdog {}", name, static_cast<int>(watchdog->action));
    if (const auto* memory = std::get_if<domain::MemoryDeviceSizeEvent>(&event.what))
        return fmt::format("{} device {} has {}", name, memory->alias, memory->size_kib);
    if (const auto* tunable = std::get_if<domain::TunableEvent>(&event.what))
        return fmt::format("{} {} {}", name, tunable->name, tunable->value);
    if (const auto* agent = std::get_if<domain::AgentEvent>(&event.what))
        return fmt::format("{} agent {}", name, static_cast<int>(agent->state));
    if (const auto* vcpu = std::get_if<domain::VcpuRemovedEvent>(&event.what))
        return fmt::format("{} vcpu {} removed", name, vcpu->vcpu);
    if (std::holds_alternative<domain::ControlErrorEvent>(event.what))
        return name + " control error";
    return name + " reboot";
}

void EventLog::add(const domain::Event& event) {
    const std::scoped_lock lock(mutex_);
    const bool agent = std::holds_alternative<domain::AgentEvent>(event.what);
    (agent ? agents_ : events_).push_back(describe(event));
    changed_.notify_all();
}

std::vector<std::string> EventLog::all() {
    const std::scoped_lock lock(mutex_);
    return events_;
}

bool EventLog::has_come(const std::string& text, unsigned times) const {
    return std::count(events_.begin(), events_.end(), text) +
               std::count(agents_.begin(), agents_.end(), text) >=
           static_cast<long>(times);
}

bool EventLog::has(const std::string& text, unsigned times) {
    const std::scoped_lock lock(mutex_);
    return has_come(text, times);
}

bool EventLog::wait_for(const std::string& text, unsigned times) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::milliseconds(patience_ms),
                             [&] { return has_come(text, times); });
}

void DriverFixture::start_daemon() {
    loop.reset();  // as in main(): first the driver and who listens to it, then the loop
    domain::Paths paths = sandbox.paths();
    paths.app_patience = app_patience;
    driver = std::make_unique<domain::Driver>(
        paths, std::make_unique<FakeBackend>(machine),
        domain::Settings{.audit = {.level = AuditSettings::Level::off}});
    (void)driver->events().add_sink([this](const domain::Event& event) { events.add(event); });
    loop.emplace();
}

void DriverFixture::stop_daemon() {
    driver.reset();
}

Uuid DriverFixture::define(const std::string& name, unsigned vcpus, const std::string& more) {
    return driver->define(sandbox.xml(name, vcpus, more), false).uuid;
}

Uuid DriverFixture::define_and_start(const std::string& name, unsigned vcpus,
                                     const std::string& more) {
    const Uuid uuid = define(name, vcpus, more);
    driver->start(uuid, {});
    return uuid;
}

void DriverFixture::expect_state(const Uuid& uuid, virDomainState state, int reason) const {
    const auto now = view(uuid);
    EXPECT_EQ(now.state, state);
    EXPECT_EQ(now.reason, reason);
}

void DriverFixture::expect_nothing_held() const {
    EXPECT_EQ(machine->partitions(), 0U);
    EXPECT_EQ(machine->cpus_in_use(), 0U);
    for (const auto& entry : std::filesystem::directory_iterator(sandbox.paths().state_dir))
        EXPECT_EQ(entry.path().filename(), "topology") << "left behind";
    // The pool as a user meets it: a domain that needs all of it can be had.
    const auto all = driver->create_xml(sandbox.xml("all-of-it", driver->max_vcpus()), false, {});
    EXPECT_EQ(machine->cpus_in_use(), driver->max_vcpus());
    driver->destroy(all.uuid);
}

std::string DriverFixture::read_until(domain::ConsoleSession& session, const std::string& text) {
    std::string seen;
    while (seen.find(text) == std::string::npos) {
        std::array<pollfd, 1> fds = {{{session.poll_fd(), POLLIN, 0}}};
        if (::poll(fds.data(), fds.size(), patience_ms) != 1) {
            ADD_FAILURE() << "no '" << text << "' in: " << seen;
            break;
        }
        const auto piece = session.read(4096);
        if (!piece) {
            ADD_FAILURE() << "the end, and no '" << text << "' in: " << seen;
            break;
        }
        seen += *piece;
    }
    return seen;
}

std::string DriverFixture::read_to_end(domain::ConsoleSession& session) {
    std::string seen;
    for (;;) {
        std::array<pollfd, 1> fds = {{{session.poll_fd(), POLLIN, 0}}};
        if (::poll(fds.data(), fds.size(), patience_ms) != 1) {
            ADD_FAILURE() << "no end after: " << seen;
            return seen;
        }
        const auto piece = session.read(4096);
        if (!piece)
            return seen;
        seen += *piece;
    }
}

}  // namespace mk::test
