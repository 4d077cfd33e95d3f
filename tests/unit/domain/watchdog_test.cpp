// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gmock/gmock.h>

#include <algorithm>

#include "domain/heartbeat.h"
#include "support/driver_fixture.h"

namespace mk::domain {

using std::chrono::seconds;
using testing::Contains;
using testing::Not;

struct WatchdogTest : test::DriverFixture {
    Heartbeats::Clock::time_point now;

    // A domain whose app kernel has hung for longer than it may.
    Uuid hang(const std::string& action) {
        const std::string element =
            action.empty() ? "" : "<watchdog model='multikernel' action='" + action + "'/>";
        const Uuid web = define_and_start("web", 1, "<devices>" + element + "</devices>");
        auto console = driver->open_console(web, "", false);
        (void)read_until(*console, "# ");
        machine->app_hangs(web);
        pass(seconds(0));
        pass(seconds(11));
        return web;
    }
    void pass(seconds time) {
        now += time;
        driver->check_heartbeats(now);
    }
};

TEST_F(WatchdogTest, AResetStartsItAgainWithItsId) {
    const Uuid web = hang("reset");
    EXPECT_TRUE(events.wait_for("web watchdog 2"));
    EXPECT_TRUE(events.wait_for("web reboot"));
    expect_state(web, VIR_DOMAIN_RUNNING, VIR_DOMAIN_RUNNING_BOOTED);
    EXPECT_EQ(driver->status(web).boots, 2U);
}

TEST_F(WatchdogTest, APoweroffGivesEverythingBack) {
    const Uuid web = hang("poweroff");
    EXPECT_TRUE(events.wait_for("web watchdog 3"));
    EXPECT_TRUE(events.wait_for("web stopped destroyed"));
    expect_state(web, VIR_DOMAIN_SHUTOFF, VIR_DOMAIN_SHUTOFF_DESTROYED);
    expect_nothing_held();
}

TEST_F(WatchdogTest, APauseSaysThatTheWatchdogDidIt) {
    const Uuid web = hang("pause");
    EXPECT_TRUE(events.wait_for("web watchdog 1"));
    EXPECT_TRUE(events.wait_for("web suspended watchdog"));
    expect_state(web, VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_WATCHDOG);
    pass(seconds(60));  // a paused one has no heartbeat to lose
    driver->resume(web);
    pass(seconds(60));
    expect_state(web, VIR_DOMAIN_RUNNING, VIR_DOMAIN_RUNNING_UNPAUSED);
}

TEST_F(WatchdogTest, AHangIsDumpedOnce) {
    machine->hold("registers");
    const Uuid web = hang("dump");
    machine->wait_until_held("registers");
    pass(seconds(60));  // it is held for its dump
    machine->release("registers");
    EXPECT_TRUE(events.wait_for("web resumed unpaused"));
    pass(seconds(1));
    pass(seconds(60));  // and hangs as before
    machine->app_hangs(web, false);
    pass(seconds(1));
    machine->app_hangs(web);
    pass(seconds(1));
    pass(seconds(11));
    EXPECT_TRUE(events.wait_for("web watchdog 1", 2));
    stop_daemon();
    const auto all = events.all();
    EXPECT_EQ(std::count(all.begin(), all.end(), "web watchdog 1"), 2);
}

TEST_F(WatchdogTest, WhatAHungKernelHasPrintedGoesToTheEndOfTheConsoleLog) {
    (void)hang("reset");
    EXPECT_TRUE(events.wait_for("web reboot"));
    EXPECT_NE(sandbox.read("log/web.log").find("[the app kernel has lost its heartbeat; no kernel"),
              std::string::npos);
}

TEST_F(WatchdogTest, AnNmiIsInjected) {
    (void)hang("inject-nmi");
    EXPECT_TRUE(events.wait_for("web watchdog 6"));
    stop_daemon();  // the action runs behind the event
    EXPECT_THAT(machine->calls(), Contains("nmi"));
}

TEST_F(WatchdogTest, WithoutTheElementThereIsAnEventOnlyOnceForEachHang) {
    const Uuid web = hang("");
    EXPECT_TRUE(events.wait_for("web watchdog 0"));
    pass(seconds(100));
    machine->app_hangs(web, false);
    pass(seconds(1));  // it beats: armed again
    expect_state(web, VIR_DOMAIN_RUNNING, VIR_DOMAIN_RUNNING_BOOTED);
    machine->app_hangs(web);
    pass(seconds(1));
    pass(seconds(11));
    EXPECT_TRUE(events.wait_for("web watchdog 0", 2));
    const auto all = events.all();
    EXPECT_EQ(std::count(all.begin(), all.end(), "web watchdog 0"), 2);
}

TEST_F(WatchdogTest, NobodyIsSuspectedTooEarlyOrWhileItBeats) {
    const Uuid web = define_and_start("web");
    auto console = driver->open_console(web, "", false);
    (void)read_until(*console, "# ");
    driver->set_watchdog_timeout(seconds(30));
    pass(seconds(0));
    pass(seconds(1000));
    machine->app_hangs(web);
    pass(seconds(1));
    pass(seconds(28));
    stop_daemon();
    EXPECT_THAT(events.all(), Not(Contains(testing::HasSubstr("watchdog"))));
}

}  // namespace mk::domain
