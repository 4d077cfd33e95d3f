// SPDX-License-Identifier: LGPL-2.1-or-later
#include "domain/reconcile.h"

#include <fcntl.h>
#include <gmock/gmock.h>

#include <thread>

#include "support/driver_fixture.h"

namespace mk::domain {

using backend::State;
using testing::Contains;
using testing::Not;

struct ReconcileTest : test::DriverFixture {
    void restart_daemon() {
        stop_daemon();
        start_daemon();
    }
    // A partition that no record tells of.
    void make_partition(const Uuid& uuid, const std::string& name, bool started) {
        test::FakeBackend kernel(machine);
        kernel.create(uuid, name);
        static_cast<void>(kernel.add_memory(uuid, {64U << 10, 0}));
        kernel.add_cpus(uuid, {5, 6}, backend::CpuRole::run);
        const Fd kernel_file = open_file(sandbox.kernel(), O_RDONLY);
        kernel.load(uuid, kernel_file, kernel_file, "");
        if (started)
            kernel.start(uuid);
    }
};

TEST_F(ReconcileTest, ARunningDomainIsTheSameToTheNextDaemon) {
    const Uuid web = define_and_start("web", 2);
    const auto before = view(web);
    machine->forget_calls();
    restart_daemon();
    const auto after = view(web);
    EXPECT_EQ(after.id, before.id);
    EXPECT_EQ(after.state, VIR_DOMAIN_RUNNING);
    EXPECT_EQ(after.details.cpus, before.details.cpus);
    EXPECT_EQ(*after.live, *before.live);
    EXPECT_TRUE(after.persistent);
    EXPECT_THAT(machine->calls(), Not(Contains("stop")));
    driver->destroy(web);
    expect_nothing_held();
}

TEST_F(ReconcileTest, AdoptedCpusAreNotGivenToAnother) {
    const Uuid web = define_and_start("web", 4);
    restart_daemon();
    const Uuid rest = define("rest", 4);  // 7 are offered
    EXPECT_ERROR(driver->start(rest, {}), VIR_ERR_OPERATION_FAILED, "cannot start domain 'rest'");
    driver->destroy(web);
    driver->start(rest, {});
}

TEST_F(ReconcileTest, ATransientDomainIsFoundAgain) {
    const Uuid once = driver->create_xml(sandbox.xml("once"), false, {}).uuid;
    restart_daemon();
    EXPECT_FALSE(view(once).persistent);
    EXPECT_TRUE(view(once).active());
    machine->app_ends(once, State::poweroff);
    EXPECT_TRUE(events.wait_for("once stopped shutdown"));
    expect_nothing_held();
}

TEST_F(ReconcileTest, ALiveDefinitionThatDiffersFromTheStoredOneIsKept) {
    const Uuid web = define_and_start("web");
    auto changed =
        driver->define(sandbox.xml("web", 3, "<uuid>" + web.to_string() + "</uuid>"), false);
    EXPECT_TRUE(changed.updated);
    restart_daemon();
    EXPECT_EQ(view(web).live->vcpus, 1U);
    EXPECT_EQ(view(web).persistent_definition->vcpus, 3U);
}

TEST_F(ReconcileTest, WhatEndedMeanwhileIsAnsweredNow) {
    const Uuid off = define_and_start("off");
    const Uuid again = define_and_start("again");
    const Uuid crashed = define_and_start("crashed");
    stop_daemon();
    machine->app_ends(off, State::poweroff);
    machine->app_ends(again, State::reboot);
    machine->app_ends(crashed, State::panic, "oops");
    start_daemon();
    EXPECT_TRUE(events.wait_for("off stopped shutdown"));
    EXPECT_TRUE(events.wait_for("again reboot"));
    EXPECT_TRUE(events.wait_for("crashed stopped crashed"));
    expect_state(again, VIR_DOMAIN_RUNNING, VIR_DOMAIN_RUNNING_BOOTED);
    EXPECT_EQ(driver->status(again).boots, 2U);
    EXPECT_EQ(machine->partitions(), 1U);
}

TEST_F(ReconcileTest, APreservedCrashIsNotAnsweredTwice) {
    const Uuid web = define_and_start("web", 1, "<on_crash>preserve</on_crash>");
    machine->app_ends(web, State::panic);
    EXPECT_TRUE(events.wait_for("web crashed panicked"));
    expect_state(web, VIR_DOMAIN_CRASHED, VIR_DOMAIN_CRASHED_PANICKED);
    restart_daemon();
    expect_state(web, VIR_DOMAIN_CRASHED, VIR_DOMAIN_CRASHED_PANICKED);
    (void)driver->status(web);
    driver->reset(web);  // comes after whatever the worker would have done
    driver->events().drain();
    const auto all = events.all();
    EXPECT_EQ(std::count(all.begin(), all.end(), "web crashed panicked"), 1);
    EXPECT_THAT(all, Contains("web reboot"));
}

TEST_F(ReconcileTest, ARestartThatBrokeOffIsFinished) {
    const Uuid web = define_and_start("web");
    stop_daemon();
    test::FakeBackend(machine).stop(web);
    start_daemon();
    EXPECT_TRUE(events.wait_for("web reboot"));
    EXPECT_EQ(driver->status(web).boots, 2U);
}

// A daemon that dies within a stop leaves the record that is there while the stop waits.
struct BrokenStop : ReconcileTest {
    std::string record_within_stop(const Uuid& web) {
        machine->hold("destroy");
        std::thread stop([&] { driver->destroy(web); });
        machine->wait_until_held("destroy");
        std::string record = sandbox.read("run/web.xml");
        machine->release("destroy");
        stop.join();
        stop_daemon();
        return record;
    }
};

TEST_F(BrokenStop, IsFinishedNotTakenForARestart) {
    const Uuid web = define_and_start("web");
    const std::string record = record_within_stop(web);
    make_partition(web, "web", true);
    test::FakeBackend(machine).stop(web);
    sandbox.write("run/web.xml", record);
    start_daemon();
    expect_state(web, VIR_DOMAIN_SHUTOFF, VIR_DOMAIN_SHUTOFF_DESTROYED);
    EXPECT_TRUE(events.wait_for("web stopped destroyed", 2));
    expect_nothing_held();
}

TEST_F(BrokenStop, IsNoCrashOnceThePartitionIsGone) {
    const Uuid web = define_and_start("web");
    sandbox.write("run/web.xml", record_within_stop(web));
    start_daemon();
    expect_state(web, VIR_DOMAIN_SHUTOFF, VIR_DOMAIN_SHUTOFF_DESTROYED);
    expect_nothing_held();
}

TEST_F(BrokenStop, ThatFailsLeavesARunningDomain) {
    const Uuid web = define_and_start("web");
    machine->fail_next("destroy", Error(VIR_ERR_RESOURCE_BUSY, "another call runs"));
    EXPECT_ERROR(driver->destroy(web), VIR_ERR_RESOURCE_BUSY, "cannot stop domain 'web'");
    restart_daemon();
    expect_state(web, VIR_DOMAIN_RUNNING, VIR_DOMAIN_RUNNING_BOOTED);
}

TEST_F(ReconcileTest, AnEndBetweenTwoLooksIsAnswered) {
    const Uuid web = define_and_start("web");
    stop_daemon();
    machine->hold("watch");
    std::thread ends([&] {
        machine->wait_until_held("watch");
        machine->app_ends(web, State::poweroff);
        machine->release("watch");
    });
    start_daemon();
    ends.join();
    EXPECT_TRUE(events.wait_for("web stopped shutdown"));
    expect_nothing_held();
}

TEST_F(ReconcileTest, AStartThatBrokeOffIsGivenBack) {
    const Uuid web = define("web");
    stop_daemon();
    make_partition(web, "web", false);
    start_daemon();
    EXPECT_FALSE(view(web).active());
    expect_nothing_held();
}

TEST_F(ReconcileTest, AStartThatBrokeOffLeavesNoConsoleRecord) {
    const Uuid web = define("web");
    const Uuid shop = define_and_start("shop");
    stop_daemon();
    const std::string record = sandbox.read("run/" + shop.to_string() + ".console");
    sandbox.write("run/" + web.to_string() + ".console", record);
    make_partition(web, "web", false);
    start_daemon();
    EXPECT_TRUE(sandbox.exists("run/" + shop.to_string() + ".console"));
    driver->destroy(shop);
    expect_nothing_held();
}

TEST_F(ReconcileTest, AnUnknownWorkloadGoesOnAsATransientDomain) {
    const Uuid stray = Uuid::random();
    make_partition(stray, "stray", true);
    restart_daemon();
    const auto found = driver->lookup_by_name("stray");
    EXPECT_EQ(found.uuid, stray);
    EXPECT_FALSE(found.persistent);
    EXPECT_EQ(found.state, VIR_DOMAIN_RUNNING);
    EXPECT_EQ(found.details.cpus, (std::vector<unsigned>{5, 6}));
    EXPECT_EQ(found.live->vcpus, 2U);
    EXPECT_EQ(found.live->memory_kib, 64U << 10);
    driver->destroy(stray);
    expect_nothing_held();
}

TEST_F(ReconcileTest, AnUnknownWorkloadWithATakenNameIsFoundByUuid) {
    define("web");
    const Uuid stray = Uuid::random();
    make_partition(stray, "web", true);
    restart_daemon();
    EXPECT_EQ(driver->lookup(stray).name, stray.to_string());
    EXPECT_FALSE(driver->lookup_by_name("web").active());
}

TEST_F(ReconcileTest, ALostRecordIsReplacedByTheDefinition) {
    const Uuid web = define_and_start("web", 1, "<on_reboot>destroy</on_reboot>");
    stop_daemon();
    std::remove((sandbox.root() + "/run/web.xml").c_str());
    start_daemon();
    EXPECT_TRUE(view(web).active());
    EXPECT_EQ(view(web).live->on_reboot, Action::destroy);
}

TEST_F(ReconcileTest, ARecordWithoutItsPartitionIsADomainThatCrashed) {
    const Uuid web = define_and_start("web");
    stop_daemon();
    machine->remove(web);
    start_daemon();
    EXPECT_TRUE(events.wait_for("web stopped crashed"));
    expect_state(web, VIR_DOMAIN_SHUTOFF, VIR_DOMAIN_SHUTOFF_CRASHED);
    expect_nothing_held();
}

TEST_F(ReconcileTest, RecordsAreKeptWhileTheKernelCannotBeAsked) {
    const Uuid web = define_and_start("web");
    stop_daemon();
    machine->fail_next("list", Error(VIR_ERR_SYSTEM_ERROR, "no", EPERM));
    start_daemon();
    EXPECT_FALSE(view(web).active());
    EXPECT_TRUE(sandbox.exists("run/web.xml"));
    restart_daemon();
    EXPECT_TRUE(view(web).active());
}

TEST_F(ReconcileTest, WithoutTheModuleNothingRuns) {
    const Uuid web = define_and_start("web");
    stop_daemon();
    machine->remove(web);
    machine->fail_next("list", Error(VIR_ERR_SYSTEM_ERROR, "there is no device", ENOENT));
    machine->fail_next("limits", Error(VIR_ERR_SYSTEM_ERROR, "there is no device", ENOENT));
    start_daemon();
    expect_state(web, VIR_DOMAIN_SHUTOFF, VIR_DOMAIN_SHUTOFF_CRASHED);
}

TEST_F(ReconcileTest, AnAutodestroyDomainDiesWithTheDaemonThatHeldItsConnection) {
    const Uuid web = define("web");
    driver->start(web, {.autodestroy = true});
    restart_daemon();
    EXPECT_FALSE(view(web).active());
    expect_nothing_held();
}

TEST_F(ReconcileTest, ALostPartitionIsStillLost) {
    const Uuid web = define_and_start("web");
    machine->lose_on_stop(web);
    EXPECT_ERROR(driver->destroy(web), VIR_ERR_OPERATION_FAILED, "did not answer");
    restart_daemon();
    expect_state(web, VIR_DOMAIN_CRASHED, VIR_DOMAIN_CRASHED_UNKNOWN);
    EXPECT_TRUE(view(web).active());
}

TEST_F(ReconcileTest, WhatWasStartedPausedStaysSo) {
    const Uuid web = define("web");
    driver->start(web, {.paused = true});
    restart_daemon();
    expect_state(web, VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_USER);
    driver->resume(web);
    auto console = driver->open_console(web, "", false);
    (void)read_until(*console, "# ");
    expect_state(web, VIR_DOMAIN_RUNNING, VIR_DOMAIN_RUNNING_UNPAUSED);
    driver->destroy(web);
    expect_nothing_held();
}

TEST_F(ReconcileTest, IdsGoOnAboveThoseInUse) {
    define_and_start("a");
    const Uuid b = define_and_start("b");
    restart_daemon();
    EXPECT_EQ(view(b).id, 2);
    EXPECT_EQ(view(define_and_start("c")).id, 3);
}

}  // namespace mk::domain
