// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gmock/gmock.h>

#include <future>

#include "domain/dump.h"
#include "domain/lifecycle.h"
#include "support/driver_fixture.h"

namespace mk::domain {

using backend::State;
using testing::Contains;
using testing::ElementsAre;
using testing::Not;

struct EndingTest : test::DriverFixture {};

TEST_F(EndingTest, APoweroffShutsTheDomainOff) {
    const Uuid web = define_and_start("web");
    machine->app_ends(web, State::poweroff);
    EXPECT_TRUE(events.wait_for("web stopped shutdown"));
    expect_state(web, VIR_DOMAIN_SHUTOFF, VIR_DOMAIN_SHUTOFF_SHUTDOWN);
    expect_nothing_held();
}

TEST_F(EndingTest, AHaltIsAShutdown) {
    const Uuid web = define_and_start("web");
    machine->app_ends(web, State::halted);
    EXPECT_TRUE(events.wait_for("web stopped shutdown"));
    expect_state(web, VIR_DOMAIN_SHUTOFF, VIR_DOMAIN_SHUTOFF_SHUTDOWN);
}

TEST_F(EndingTest, APoweroffStartsAgainIfTheDefinitionSaysSo) {
    const Uuid web = define_and_start("web", 1, "<on_poweroff>restart</on_poweroff>");
    machine->app_ends(web, State::poweroff);
    EXPECT_TRUE(events.wait_for("web started booted", 2));
    expect_state(web, VIR_DOMAIN_RUNNING, VIR_DOMAIN_RUNNING_BOOTED);
    EXPECT_EQ(driver->status(web).boots, 2U);
}

TEST_F(EndingTest, ARebootKeepsIdResourcesAndConsole) {
    const Uuid web = define_and_start("web", 2);
    const auto before = view(web);
    auto console = driver->open_console(web, "", false);
    (void)read_until(*console, "# ");
    driver->reboot(web);
    EXPECT_TRUE(events.wait_for("web reboot"));
    const std::string seen = read_until(*console, "userspace is up");
    EXPECT_NE(seen.find("Restarting system"), std::string::npos) << seen;
    EXPECT_NE(seen.find("Linux version"), std::string::npos) << seen;
    EXPECT_EQ(view(web).id, before.id);
    EXPECT_EQ(view(web).details.cpus, before.details.cpus);
    EXPECT_THAT(events.all(), ElementsAre("web defined added", "web started booted", "web reboot"));
}

TEST_F(EndingTest, TheAppModuleComesAndGoesWithItsKernel) {
    const Uuid web = define_and_start("web");
    for (int i = 0; i < 50; ++i)  // each one takes the news from the watch
        (void)driver->status(web);
    EXPECT_TRUE(events.wait_for("web agent 1"));
    driver->reboot(web);
    EXPECT_TRUE(events.wait_for("web agent 2"));
    EXPECT_TRUE(events.wait_for("web agent 1", 2));
    driver->suspend(web);
    driver->resume(web);
    driver->reset(web);
    EXPECT_TRUE(events.wait_for("web agent 1", 3));
    stop_daemon();
    start_daemon();  // it knows that the module is there
    (void)driver->status(web);
    driver->destroy(web);
    EXPECT_TRUE(events.wait_for("web stopped destroyed"));
    EXPECT_TRUE(events.wait_for("web agent 2", 3));
    EXPECT_FALSE(events.has("web agent 1", 4));
    EXPECT_FALSE(events.has("web agent 2", 4));
}

TEST_F(EndingTest, AnAppModuleThatNeverCameDoesNotGo) {
    machine->silent_boot = true;
    const Uuid web = define_and_start("web");
    driver->destroy(web);
    EXPECT_TRUE(events.wait_for("web stopped destroyed"));
    EXPECT_FALSE(events.has("web agent 1"));
    EXPECT_FALSE(events.has("web agent 2"));
}

TEST_F(EndingTest, TheAppModuleOfADomainThatWasStartedPausedComesWithItsBoot) {
    const Uuid web = define("web");
    driver->start(web, {.paused = true});
    driver->resume(web);
    EXPECT_TRUE(events.wait_for("web agent 1"));
}

TEST_F(EndingTest, WhoWaitsForADumpKeepsNoOtherDomainWaiting) {
    const Uuid web = define_and_start("web", 1, "<on_crash>preserve</on_crash>");
    const Uuid db = define_and_start("db");
    machine->app_ends(web, State::panic, "oops");
    EXPECT_TRUE(events.wait_for("web crashed panicked"));
    machine->hold("registers");
    auto dumping = std::async(std::launch::async,
                              [&] { driver->core_dump(web, {.path = sandbox.root() + "/core"}); });
    machine->wait_until_held("registers");
    for (unsigned i = 0; i < 10; ++i)
        (void)driver->status(web);
    machine->app_ends(db, State::poweroff);
    EXPECT_TRUE(events.wait_for("db stopped shutdown"));
    machine->release("registers");
    dumping.get();
}

TEST_F(EndingTest, ARebootEndsTheDomainIfTheDefinitionSaysSo) {
    const Uuid web = define_and_start("web", 1, "<on_reboot>destroy</on_reboot>");
    machine->app_ends(web, State::reboot);
    EXPECT_TRUE(events.wait_for("web stopped shutdown"));
    EXPECT_THAT(events.all(), Not(Contains("web reboot")));
    expect_nothing_held();
}

TEST_F(EndingTest, ARebootWhoseKernelIsGoneStopsTheDomain) {
    const Uuid web = define_and_start("web");
    std::remove(sandbox.kernel().c_str());
    machine->app_ends(web, State::reboot);
    EXPECT_TRUE(events.wait_for("web stopped failed"));
    expect_state(web, VIR_DOMAIN_SHUTOFF, VIR_DOMAIN_SHUTOFF_FAILED);
    sandbox.write("vmlinuz", "no kernel either");
    EXPECT_EQ(machine->partitions(), 0U);
}

TEST_F(EndingTest, APanicDestroysByDefault) {
    const Uuid web = define_and_start("web");
    machine->app_ends(web, State::panic, "Attempted to kill init");
    EXPECT_TRUE(events.wait_for("web stopped crashed"));
    EXPECT_THAT(events.all(), Contains("web crashed panicked"));
    expect_state(web, VIR_DOMAIN_SHUTOFF, VIR_DOMAIN_SHUTOFF_CRASHED);
    expect_nothing_held();
}

TEST_F(EndingTest, APanicStartsAgainIfTheDefinitionSaysSo) {
    const Uuid web = define_and_start("web", 1, "<on_crash>restart</on_crash>");
    machine->app_ends(web, State::panic);
    EXPECT_TRUE(events.wait_for("web started booted", 2));
    EXPECT_EQ(driver->status(web).boots, 2U);
    expect_state(web, VIR_DOMAIN_RUNNING, VIR_DOMAIN_RUNNING_BOOTED);
}

TEST_F(EndingTest, APreservedCrashStaysUntilItIsDestroyed) {
    const Uuid web = define_and_start("web", 1, "<on_crash>preserve</on_crash>");
    machine->app_ends(web, State::panic, "oops");
    EXPECT_TRUE(events.wait_for("web crashed panicked"));
    EXPECT_EQ(driver->status(web).panic, "oops");
    expect_state(web, VIR_DOMAIN_CRASHED, VIR_DOMAIN_CRASHED_PANICKED);
    driver->destroy(web);
    expect_nothing_held();
    EXPECT_THAT(events.all(), Not(Contains("web stopped crashed")));
}

TEST_F(EndingTest, APreservedCrashCanBeReset) {
    const Uuid web = define_and_start("web", 1, "<on_crash>preserve</on_crash>");
    machine->app_ends(web, State::panic);
    EXPECT_TRUE(events.wait_for("web crashed panicked"));
    driver->reset(web);
    expect_state(web, VIR_DOMAIN_RUNNING, VIR_DOMAIN_RUNNING_BOOTED);
    machine->app_ends(web, State::panic);
    EXPECT_TRUE(events.wait_for("web crashed panicked", 2));
}

TEST_F(EndingTest, AnEndIsNotMissedWhenAClientAsksFirst) {
    const Uuid web = define_and_start("web", 1, "<on_crash>preserve</on_crash>");
    machine->app_ends(web, State::panic);
    for (int i = 0; i < 50; ++i)  // each one takes the news from the watch
        (void)driver->status(web);
    EXPECT_TRUE(events.wait_for("web crashed panicked"));
    driver->events().drain();
    const auto all = events.all();
    EXPECT_EQ(std::count(all.begin(), all.end(), "web crashed panicked"), 1);
}

TEST_F(EndingTest, AnEndIsNotMissedWhenAShutdownIsAskedForFirst) {
    const Uuid web = define("web");
    for (unsigned round = 1; round <= 30; ++round) {
        driver->start(web, {});
        machine->app_ends(web, State::poweroff);
        // If it comes first, it takes the news from the watch.
        EXPECT_ERROR(driver->shutdown(web), VIR_ERR_OPERATION_INVALID, "");
        ASSERT_TRUE(events.wait_for("web stopped shutdown", round));
    }
}

TEST_F(EndingTest, WhatHasEndedCannotBeAsked) {
    const Uuid web = define_and_start("web", 1, "<on_crash>preserve</on_crash>");
    machine->app_ends(web, State::panic);
    EXPECT_TRUE(events.wait_for("web crashed panicked"));
    EXPECT_ERROR(driver->shutdown(web), VIR_ERR_OPERATION_INVALID, "has ended");
    EXPECT_ERROR(driver->reboot(web), VIR_ERR_OPERATION_INVALID, "has ended");
}

TEST_F(EndingTest, ALossIsTold) {
    const Uuid web = define_and_start("web");
    machine->app_ends(web, State::lost);
    EXPECT_TRUE(events.wait_for("web control error"));
    EXPECT_TRUE(events.wait_for("web crashed panicked"));
    expect_state(web, VIR_DOMAIN_CRASHED, VIR_DOMAIN_CRASHED_UNKNOWN);
    EXPECT_EQ(machine->partitions(), 1U);
}

TEST_F(EndingTest, APartitionThatAnotherDestroyedIsGone) {
    const Uuid web = define_and_start("web");
    machine->remove(web);
    EXPECT_TRUE(events.wait_for("web stopped destroyed"));
    expect_nothing_held();
}

TEST_F(EndingTest, ATransientDomainVanishesWithItsEnd) {
    const Uuid once = driver->create_xml(sandbox.xml("once"), false, {}).uuid;
    machine->app_ends(once, State::poweroff);
    EXPECT_TRUE(events.wait_for("once stopped shutdown"));
    EXPECT_ERROR(driver->lookup(once), VIR_ERR_NO_DOMAIN, "no domain with matching uuid");
    expect_nothing_held();
}

TEST_F(EndingTest, ManyEndsAtOnceAreAllAnswered) {
    std::vector<Uuid> all;
    for (const char* name : {"a", "b", "c", "d", "e", "f"})
        all.push_back(define_and_start(name));
    for (const Uuid& uuid : all)
        machine->app_ends(uuid, State::poweroff);
    for (const char* name : {"a", "b", "c", "d", "e", "f"})
        EXPECT_TRUE(events.wait_for(std::string(name) + " stopped shutdown"));
    expect_nothing_held();
}

}  // namespace mk::domain
