// SPDX-License-Identifier: LGPL-2.1-or-later
#include "domain/dump.h"

#include <gmock/gmock.h>

#include <future>

#include "support/driver_fixture.h"

namespace mk::domain {

using backend::State;
using testing::Contains;

struct DumpTest : test::DriverFixture {
    std::string core = sandbox.root() + "/core";

    Uuid boot(const std::string& more = {}) {
        const Uuid web = define_and_start("web", 2, more);
        auto console = driver->open_console(web, "", true);
        (void)read_until(*console, "# ");
        return web;
    }
};

TEST_F(DumpTest, CanBeWatchedAndAborted) {
    const Uuid web = boot();
    machine->hold("registers");
    auto dumping = std::async(std::launch::async, [&] { driver->core_dump(web, {.path = core}); });
    machine->wait_until_held("registers");
    EXPECT_EQ(driver->job_stats(web).type, VIR_DOMAIN_JOB_UNBOUNDED);
    expect_state(web, VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_DUMP);
    driver->abort_job(web);
    machine->release("registers");
    EXPECT_ERROR(dumping.get(), VIR_ERR_OPERATION_ABORTED, "canceled by client");
    EXPECT_FALSE(sandbox.exists("core"));
    expect_state(web, VIR_DOMAIN_RUNNING, VIR_DOMAIN_RUNNING_UNPAUSED);
    EXPECT_EQ(driver->completed_job_stats(web, false).type, VIR_DOMAIN_JOB_CANCELLED);
    EXPECT_EQ(driver->completed_job_stats(web, false).type, VIR_DOMAIN_JOB_NONE);
}

TEST_F(DumpTest, IsEndedByADestroy) {
    const Uuid web = boot();
    machine->hold("registers");
    auto dumping = std::async(std::launch::async, [&] { driver->core_dump(web, {.path = core}); });
    machine->wait_until_held("registers");
    auto destroying = std::async(std::launch::async, [&] { driver->destroy(web); });
    machine->release("registers");
    try {
        dumping.get();  // it may just have come to its end
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), VIR_ERR_OPERATION_ABORTED) << error.what();
    }
    destroying.get();
    expect_nothing_held();
}

TEST_F(DumpTest, IsWrittenOfAHungAppKernelToo) {
    const Uuid web = boot();
    machine->app_misses_nmi(web, 1);
    driver->core_dump(web, {.path = core});
    EXPECT_TRUE(sandbox.exists("core"));
    expect_state(web, VIR_DOMAIN_RUNNING, VIR_DOMAIN_RUNNING_BOOTED);
}

TEST_F(DumpTest, IsWrittenOfACrashBeforeTheDomainIsDestroyed) {
    const Uuid web = boot("<on_crash>coredump-destroy</on_crash>");
    machine->app_ends(web, State::panic, "oops");
    EXPECT_TRUE(events.wait_for("web stopped crashed"));
    EXPECT_THAT(events.all(), Contains("web job 3"));
    EXPECT_TRUE(sandbox.exists("dump"));
    EXPECT_NE(sandbox.read("log/web.log").find("[the app kernel crashed; no kernel log"),
              std::string::npos);
    expect_nothing_held();
}

TEST_F(DumpTest, OfADaemonThatDiedLeavesTheDomainRunning) {
    const Uuid web = boot();
    machine->hold("registers");
    auto dumping = std::async(std::launch::async, [&] { driver->core_dump(web, {.path = core}); });
    machine->wait_until_held("registers");
    const std::string record = sandbox.read("run/web.xml");  // as it is while it is held
    driver->abort_job(web);
    machine->release("registers");
    EXPECT_ERROR(dumping.get(), VIR_ERR_OPERATION_ABORTED, "");
    driver->suspend(web);
    stop_daemon();
    sandbox.write("run/web.xml", record);
    start_daemon();
    expect_state(web, VIR_DOMAIN_RUNNING, VIR_DOMAIN_RUNNING_UNPAUSED);
}

TEST_F(DumpTest, PausedDomainStaysPausedOverARestartOfTheDaemon) {
    const Uuid web = boot();
    driver->suspend(web);
    stop_daemon();
    start_daemon();
    expect_state(web, VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_USER);
    driver->resume(web);
    expect_state(web, VIR_DOMAIN_RUNNING, VIR_DOMAIN_RUNNING_UNPAUSED);
}

}  // namespace mk::domain
