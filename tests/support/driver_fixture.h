// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A driver over a fake machine, and its events as words: "web started booted". For tests of the
// domain folder; clients on a wire are tests/wire's matter.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "domain/driver.h"
#include "support/fake_backend.h"
#include "support/sandbox.h"

namespace mk::test {

[[nodiscard]] std::string describe(const domain::Event& event);

class EventLog {
  public:
    void add(const domain::Event& event);
    // Everything so far, in order, but for app modules that came or went: when, is their matter.
    [[nodiscard]] std::vector<std::string> all();
    // Waits until `text` has come `times` times; false if it does not within 20 s.
    [[nodiscard]] bool wait_for(const std::string& text, unsigned times = 1);
    [[nodiscard]] bool has(const std::string& text, unsigned times = 1);

  private:
    [[nodiscard]] bool has_come(const std::string& text, unsigned times) const;  // mutex_

    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<std::string> events_;  // mutex_
    std::vector<std::string> agents_;  // mutex_: of app modules
};

struct DriverFixture : testing::Test {
    Sandbox sandbox;
    std::shared_ptr<FakeMachine> machine = std::make_shared<FakeMachine>();
    std::optional<LoopThread> loop;
    EventLog events;
    std::chrono::milliseconds app_patience{20'000};  // of a daemon that is started next
    std::unique_ptr<domain::Driver> driver;

    explicit DriverFixture(const SandboxMachine& hardware = {}) : sandbox(hardware) {
        start_daemon();
    }
    ~DriverFixture() override { stop_daemon(); }

    void start_daemon();
    // The next start_daemon() is another daemon on the same machine and disk.
    void stop_daemon();

    Uuid define(const std::string& name, unsigned vcpus = 1, const std::string& more = {});
    Uuid define_and_start(const std::string& name, unsigned vcpus = 1,
                          const std::string& more = {});
    [[nodiscard]] domain::DomainView view(const Uuid& uuid) const { return driver->lookup(uuid); }
    void expect_state(const Uuid& uuid, virDomainState state, int reason) const;
    // Nothing is held by anybody: not by the machine, the pool or the disk.
    void expect_nothing_held() const;
    // Reads from `session` until `text` has come; what was read. Fails after 20 s.
    [[nodiscard]] static std::string read_until(domain::ConsoleSession& session,
                                                const std::string& text);
    // Reads to the end of the session.
    [[nodiscard]] static std::string read_to_end(domain::ConsoleSession& session);
};

// A call that must throw Error(code) whose message contains `text`.
#define EXPECT_ERROR(call, wanted_code, text)                                               \
    try {                                                                                   \
        (void)(call);                                                                       \
        ADD_FAILURE() << #call " did not throw";                                            \
    } catch (const mk::Error& error) {                                                      \
        EXPECT_EQ(error.code(), wanted_code) << error.what();                               \
        EXPECT_NE(std::string(error.what()).find(text), std::string::npos) << error.what(); \
    }

}  // namespace mk::test
