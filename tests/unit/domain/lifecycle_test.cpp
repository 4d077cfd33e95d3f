// SPDX-License-Identifier: LGPL-2.1-or-later
#include "domain/lifecycle.h"

#include <gmock/gmock.h>

#include <future>

#include "domain/caller.h"
#include "support/driver_fixture.h"

namespace mk::domain {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

struct LifecycleTest : test::DriverFixture {};

TEST_F(LifecycleTest, AStartTakesWhatTheDefinitionSays) {
    const Uuid web = define_and_start("web", 3);
    const auto live = view(web);
    EXPECT_EQ(live.state, VIR_DOMAIN_RUNNING);
    EXPECT_EQ(live.reason, VIR_DOMAIN_RUNNING_BOOTED);
    EXPECT_EQ(live.id, 1);
    EXPECT_EQ(live.details.cpus.size(), 3U);
    EXPECT_EQ(live.details.tty.rfind("/dev/pts/", 0), 0U);
    const auto status = driver->status(web);
    EXPECT_EQ(status.cpus, live.details.cpus);
    EXPECT_EQ(status.memory_kib, 256U << 10);
    EXPECT_EQ(machine->cmdline(web), "quiet");
    driver->events().drain();
    EXPECT_THAT(events.all(), ElementsAre("web defined added", "web started booted"));
}

TEST_F(LifecycleTest, MemoryIsRoundedUpToTheModulesUnit) {
    auto xml = sandbox.xml("odd");
    xml.replace(xml.find("<memory unit='MiB'>256"), 22, "<memory unit='KiB'>262145");
    const auto odd = driver->create_xml(xml, false, {});
    EXPECT_EQ(driver->status(odd.uuid).memory_kib, (256U << 10) + 2048);
}

TEST_F(LifecycleTest, IdsRiseAndAreNotUsedTwice) {
    const Uuid web = define_and_start("web");
    driver->destroy(web);
    driver->start(web, {});
    EXPECT_EQ(view(web).id, 2);
    EXPECT_EQ(driver->lookup_by_id(2).uuid, web);
    EXPECT_ERROR(driver->lookup_by_id(1), VIR_ERR_NO_DOMAIN, "no domain with matching id 1");
}

TEST_F(LifecycleTest, ADestroyGivesEverythingBack) {
    const Uuid web = define_and_start("web", 2);
    driver->destroy(web);
    expect_state(web, VIR_DOMAIN_SHUTOFF, VIR_DOMAIN_SHUTOFF_DESTROYED);
    EXPECT_EQ(view(web).id, -1);
    EXPECT_TRUE(events.wait_for("web stopped destroyed"));
    expect_nothing_held();
}

TEST_F(LifecycleTest, StatesAreRefusedInLibvirtsWords) {
    const Uuid web = define("web");
    EXPECT_ERROR(driver->destroy(web), VIR_ERR_OPERATION_INVALID, "domain is not running");
    EXPECT_ERROR(driver->shutdown(web), VIR_ERR_OPERATION_INVALID, "domain is not running");
    EXPECT_ERROR(driver->reset(web), VIR_ERR_OPERATION_INVALID, "domain is not running");
    driver->start(web, {});
    EXPECT_ERROR(driver->start(web, {}), VIR_ERR_OPERATION_INVALID, "domain is already running");
}

TEST_F(LifecycleTest, WhatIsStartedPausedBootsWhenItIsResumed) {
    const Uuid web = define("web");
    driver->start(web, {.paused = true});
    expect_state(web, VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_USER);
    EXPECT_TRUE(view(web).active());
    EXPECT_TRUE(events.wait_for("web suspended paused"));
    EXPECT_THAT(machine->calls(), Not(Contains("start")));
    EXPECT_ERROR(driver->shutdown(web), VIR_ERR_OPERATION_INVALID, "resume boots it");
    auto console = driver->open_console(web, "", false);
    driver->resume(web);
    EXPECT_THAT(read_until(*console, "# "), HasSubstr("Linux version"));
    expect_state(web, VIR_DOMAIN_RUNNING, VIR_DOMAIN_RUNNING_UNPAUSED);
    driver->shutdown(web);
    EXPECT_TRUE(events.wait_for("web stopped shutdown"));

    driver->start(web, {.paused = true});
    driver->destroy(web);
    expect_nothing_held();
}

struct StepTest : LifecycleTest, testing::WithParamInterface<const char*> {};

TEST_P(StepTest, AFailureGivesEverythingBackAndIsToldOnce) {
    const Uuid web = define("web", 2);
    machine->fail_next(GetParam(), Error(VIR_ERR_OPERATION_FAILED, "it is broken"));
    EXPECT_ERROR(driver->start(web, {}), VIR_ERR_OPERATION_FAILED,
                 "cannot start domain 'web': it is broken");
    expect_state(web, VIR_DOMAIN_SHUTOFF, VIR_DOMAIN_SHUTOFF_FAILED);
    EXPECT_FALSE(view(web).active());
    expect_nothing_held();
    driver->start(web, {});  // and nothing is in the way of the next one
    EXPECT_TRUE(view(web).active());
}

INSTANTIATE_TEST_SUITE_P(Backend, StepTest,
                         testing::Values("limits", "create", "add_memory", "add_cpus", "load",
                                         "watch", "start", "status", "open_console"),
                         [](const auto& test) { return std::string(test.param); });

struct TwoThreadsTest : test::DriverFixture {
    TwoThreadsTest() : DriverFixture({.threads = 2}) {}
};

TEST_F(TwoThreadsTest, AFailureToTakeTheIdleThreadsGivesEverythingBack) {
    const Uuid web = define("web");
    machine->fail_next("add_idle_cpus", Error(VIR_ERR_OPERATION_FAILED, "it is broken"));
    EXPECT_ERROR(driver->start(web, {}), VIR_ERR_OPERATION_FAILED,
                 "cannot start domain 'web': it is broken");
    EXPECT_EQ(machine->partitions(), 0U);
    EXPECT_FALSE(view(web).active());
    driver->start(web, {});
    EXPECT_EQ(machine->cpus_in_use(), 2U);
}

TEST_F(LifecycleTest, AMissingFileIsNamedAndNothingIsTaken) {
    for (const std::string file : {"vmlinuz", "initrd.img", "libexec/init"}) {
        const std::string kept = sandbox.read(file);
        std::remove((sandbox.root() + "/" + file).c_str());
        const Uuid web = define("web-" + std::to_string(kept.size()));
        EXPECT_ERROR(driver->start(web, {}), VIR_ERR_SYSTEM_ERROR, file);
        sandbox.write(file, kept);
        expect_nothing_held();
        driver->undefine(web);
    }
}

// It is found out while memory and CPUs are taken.
TEST_F(LifecycleTest, ADamagedInitrdGivesEverythingBack) {
    const Uuid web = define("web");
    const std::string kept = sandbox.read("initrd.img");
    sandbox.write("initrd.img", "no archive");
    EXPECT_ERROR(driver->start(web, {}), VIR_ERR_CONFIG_UNSUPPORTED, "initrd.img");
    sandbox.write("initrd.img", kept);
    expect_nothing_held();
}

TEST_F(LifecycleTest, AKernelWithoutAModuleIsRefusedByVersion) {
    const std::string module = "modules/6.1.0-fake/multikernel_app.ko";
    std::remove((sandbox.root() + "/" + module).c_str());
    const Uuid web = define("web");
    EXPECT_ERROR(driver->start(web, {}), VIR_ERR_CONFIG_UNSUPPORTED, "6.1.0-fake");
    sandbox.write(module, "the module");
    expect_nothing_held();
}

TEST_F(LifecycleTest, ADefinitionWithoutAKernelSaysSo) {
    auto xml = sandbox.xml("bare");
    const auto from = xml.find("    <kernel>");
    xml.erase(from, xml.find("  </os>") - from);
    const Uuid bare = driver->define(xml, false).uuid;
    EXPECT_ERROR(driver->start(bare, {}), VIR_ERR_CONFIG_UNSUPPORTED, "<kernel>");
}

TEST_F(LifecycleTest, AHostThatCannotSaysAllReasons) {
    const Uuid web = define("web");
    machine->limits.blockers = {"first reason", "second reason"};
    EXPECT_ERROR(driver->start(web, {}), VIR_ERR_OPERATION_FAILED, "first reason; second reason");
    machine->limits.blockers.clear();
    expect_nothing_held();
}

TEST_F(LifecycleTest, MoreThanThePoolHasIsRefused) {
    const Uuid big = define("big", 8);  // 8 cores, of which the host keeps one
    EXPECT_ERROR(driver->start(big, {}), VIR_ERR_CONFIG_UNSUPPORTED, "cannot start domain 'big'");
    expect_nothing_held();
}

TEST_F(LifecycleTest, ALogThatCannotBeOpenedStopsTheStart) {
    const Uuid web = define("web", 1,
                            "<devices><console type='pty'><log file='/nonexistent/x.log'/>"
                            "</console></devices>");
    EXPECT_ERROR(driver->start(web, {}), VIR_ERR_SYSTEM_ERROR, "/nonexistent/x.log");
    expect_nothing_held();
}

TEST_F(LifecycleTest, AConsoleRecordThatCannotBeWrittenStopsTheStart) {
    const Uuid web = define("web");
    sandbox.write("run/" + web.to_string() + ".console/in-the-way", "");
    EXPECT_ERROR(driver->start(web, {}), VIR_ERR_SYSTEM_ERROR, ".console");
    EXPECT_EQ(machine->partitions(), 0U);
    EXPECT_FALSE(view(web).active());
}

TEST_F(LifecycleTest, ARecordThatCannotBeWrittenStopsTheStart) {
    const Uuid web = define("web");
    // A folder at the record's place: no file can be renamed over it.
    sandbox.write("run/web.xml/in-the-way", "");
    EXPECT_ERROR(driver->start(web, {}), VIR_ERR_SYSTEM_ERROR, "cannot start domain 'web'");
    EXPECT_EQ(machine->partitions(), 0U);
    EXPECT_FALSE(view(web).active());
}

TEST_F(LifecycleTest, ADestroyCancelsAStartThatClaimsMemory) {
    const Uuid web = define("web");
    machine->hold("add_memory");
    auto start = std::async(std::launch::async, [&] { driver->start(web, {}); });
    machine->wait_until_held("add_memory");
    driver->destroy(web);
    EXPECT_ERROR(start.get(), VIR_ERR_OPERATION_ABORTED, "cannot start domain 'web'");
    expect_state(web, VIR_DOMAIN_SHUTOFF, VIR_DOMAIN_SHUTOFF_DESTROYED);
    machine->release("add_memory");
    expect_nothing_held();
}

TEST_F(LifecycleTest, ADestroyDuringALaterStepEndsTheStartToo) {
    const auto xml = sandbox.xml("once");
    machine->hold("load");
    auto start = std::async(std::launch::async, [&] { driver->create_xml(xml, false, {}); });
    machine->wait_until_held("load");
    const Uuid once = driver->lookup_by_name("once").uuid;
    auto destroy = std::async(std::launch::async, [&] { driver->destroy(once); });
    while (machine->calls().back() != "cancel")
        std::this_thread::yield();
    machine->release("load");
    destroy.get();
    EXPECT_ERROR(start.get(), VIR_ERR_OPERATION_ABORTED, "destroyed meanwhile");
    EXPECT_ERROR(driver->lookup(once), VIR_ERR_NO_DOMAIN, "no domain");
    expect_nothing_held();
}

TEST_F(LifecycleTest, AShutdownIsAskedForAndFollowed) {
    const Uuid web = define_and_start("web");
    auto console = driver->open_console(web, "", false);
    (void)read_until(*console, "# ");
    driver->shutdown(web);
    EXPECT_TRUE(events.wait_for("web stopped shutdown"));
    EXPECT_NE(read_to_end(*console).find("Power down"), std::string::npos);
    expect_state(web, VIR_DOMAIN_SHUTOFF, VIR_DOMAIN_SHUTOFF_SHUTDOWN);
    EXPECT_THAT(events.all(), ElementsAre("web defined added", "web started booted",
                                          "web shutdown finished", "web stopped shutdown"));
    expect_nothing_held();
}

TEST_F(LifecycleTest, AnAppKernelThatHasNotReportedCannotBeAsked) {
    machine->silent_boot = true;
    const Uuid web = define_and_start("web");
    EXPECT_ERROR(driver->shutdown(web), VIR_ERR_OPERATION_INVALID, "has not reported yet");
    EXPECT_ERROR(driver->reboot(web), VIR_ERR_OPERATION_INVALID, "has not reported yet");
    driver->destroy(web);
}

TEST_F(LifecycleTest, AResetBootsAgainOnTheSameCpusWithTheSameId) {
    const Uuid web = define_and_start("web", 2);
    const auto before = view(web);
    driver->reset(web);
    const auto after = view(web);
    EXPECT_EQ(after.id, before.id);
    EXPECT_EQ(after.details.cpus, before.details.cpus);
    EXPECT_EQ(driver->status(web).boots, 2U);
    EXPECT_TRUE(events.wait_for("web reboot"));
    EXPECT_THAT(events.all(), Not(Contains("web stopped destroyed")));
}

TEST_F(LifecycleTest, AResetWithoutItsKernelFileLeavesTheAppKernelRunning) {
    const Uuid web = define_and_start("web");
    std::remove(sandbox.kernel().c_str());
    EXPECT_ERROR(driver->reset(web), VIR_ERR_SYSTEM_ERROR, "vmlinuz");
    expect_state(web, VIR_DOMAIN_RUNNING, VIR_DOMAIN_RUNNING_BOOTED);
    EXPECT_EQ(driver->status(web).boots, 1U);
}

TEST_F(LifecycleTest, AResetThatCannotStartAgainStopsTheDomain) {
    const Uuid web = define_and_start("web");
    machine->fail_next("start", Error(VIR_ERR_OPERATION_FAILED, "the CPU did not wake"));
    EXPECT_ERROR(driver->reset(web), VIR_ERR_OPERATION_FAILED, "did not wake");
    expect_state(web, VIR_DOMAIN_SHUTOFF, VIR_DOMAIN_SHUTOFF_FAILED);
    EXPECT_TRUE(events.wait_for("web stopped failed"));
    expect_nothing_held();
}

TEST_F(LifecycleTest, ALostPartitionKeepsItsCpusAndIsNotDestroyed) {
    const Uuid web = define_and_start("web", 2);
    const auto cpus = view(web).details.cpus;
    machine->lose_on_stop(web);
    EXPECT_ERROR(driver->destroy(web), VIR_ERR_OPERATION_FAILED, "cannot stop domain 'web'");
    expect_state(web, VIR_DOMAIN_CRASHED, VIR_DOMAIN_CRASHED_UNKNOWN);
    EXPECT_TRUE(view(web).active());
    EXPECT_ERROR(driver->destroy(web), VIR_ERR_OPERATION_FAILED, "did not answer");
    EXPECT_ERROR(driver->reset(web), VIR_ERR_OPERATION_FAILED, "did not answer");
    const auto rest = driver->create_xml(sandbox.xml("rest", 5), false, {});
    for (const unsigned cpu : driver->lookup(rest.uuid).details.cpus)
        EXPECT_THAT(cpus, Not(Contains(cpu)));
}

TEST_F(LifecycleTest, AFailedStartThatCannotBeUndoneKeepsItsCpusOutOfThePool) {
    const Uuid web = define("web", 3);
    machine->fail_next("start", Error(VIR_ERR_OPERATION_FAILED, "the CPU did not wake"));
    machine->fail_next("destroy", Error(VIR_ERR_OPERATION_FAILED, "a CPU does not answer"));
    EXPECT_ERROR(driver->start(web, {}), VIR_ERR_OPERATION_FAILED, "did not wake");
    const Uuid rest = define("rest", 5);  // 7 cores are offered, 3 are stranded
    EXPECT_ERROR(driver->start(rest, {}), VIR_ERR_OPERATION_FAILED, "cannot start domain 'rest'");
}

TEST_F(LifecycleTest, ASecondCallWaitsForTheFirst) {
    const Uuid web = define("web");
    machine->hold("load");
    auto first = std::async(std::launch::async, [&] { driver->start(web, {}); });
    machine->wait_until_held("load");
    auto second = std::async(std::launch::async, [&] { driver->start(web, {}); });
    machine->release("load");
    first.get();
    EXPECT_ERROR(second.get(), VIR_ERR_OPERATION_INVALID, "domain is already running");
}

TEST(Job, GivesUpAfterItsPatience) {
    auto definition = std::make_shared<Definition>();
    const auto domain = std::make_shared<Domain>(definition, std::chrono::milliseconds(1));
    const Job job(domain, "watchdog");
    EXPECT_ERROR(Job(domain, "destroy"), VIR_ERR_OPERATION_TIMEOUT,
                 "cannot acquire state change lock (held by monitor=watchdog)");
}

TEST(Job, IsKnownByTheCallThatHoldsIt) {
    const auto domain =
        std::make_shared<Domain>(std::make_shared<Definition>(), std::chrono::milliseconds(1));
    const Caller caller("virDomainCreate");
    const Job job(domain, "start");
    EXPECT_ERROR(Job(domain, "destroy"), VIR_ERR_OPERATION_TIMEOUT,
                 "(held by monitor=remoteDispatchDomainCreate)");
}

}  // namespace mk::domain
