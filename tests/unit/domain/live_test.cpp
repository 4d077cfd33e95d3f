// SPDX-License-Identifier: LGPL-2.1-or-later
#include "domain/live.h"

#include <gmock/gmock.h>

#include <atomic>
#include <cerrno>
#include <future>

#include "support/driver_fixture.h"

namespace mk::domain {
namespace {

using backend::Request;
using testing::ElementsAre;
using testing::SizeIs;

constexpr std::uint64_t mib = 1024;
constexpr Affect live{.live = true};
constexpr Affect config{.config = true};
constexpr Affect both{.live = true, .config = true};

const std::string growing = "<maxMemory slots='2' unit='MiB'>1024</maxMemory>";

std::string dimm_of(unsigned size_mib) {
    return "<memory model='dimm'><target><size unit='MiB'>" + std::to_string(size_mib) +
           "</size><node>0</node></target></memory>";
}
const std::string dimm = dimm_of(128);

struct LiveTest : test::DriverFixture {
    using DriverFixture::DriverFixture;
    Uuid start(const std::string& vcpus, const std::string& more = {}) {
        std::string xml = sandbox.xml("web", 1, more);
        const std::string vcpu = "<vcpu>1</vcpu>";
        xml.replace(xml.find(vcpu), vcpu.size(), vcpus);
        const Uuid uuid = driver->define(xml, false).uuid;
        driver->start(uuid, {});
        wait_until_running(uuid);
        return uuid;
    }
    void wait_until_running(const Uuid& uuid) {
        auto console = driver->open_console(uuid, "", true);
        (void)read_until(*console, "# ");
    }
    void impatient() {
        stop_daemon();
        app_patience = std::chrono::milliseconds(200);
        start_daemon();
    }
    // A domain whose app kernel did not answer when it was offered `dimm`.
    Uuid start_and_offer_while_it_hangs() {
        impatient();
        const Uuid web = start("<vcpu>1</vcpu>", growing);
        machine->app_hangs(web);
        EXPECT_ERROR(driver->change_device(web, dimm, Driver::DeviceAction::attach, live),
                     VIR_ERR_OPERATION_TIMEOUT, "does not answer");
        return web;
    }
    unsigned vcpus(const Uuid& uuid) const { return view(uuid).live->current_vcpus(); }
    std::uint64_t memory_mib(const Uuid& uuid) const {
        return view(uuid).live->current_memory_kib / mib;
    }
    void expect_books_agree(const Uuid& uuid) const {
        EXPECT_THAT(view(uuid).details.cpus, SizeIs(vcpus(uuid)));
        EXPECT_EQ(machine->cpus_in_use(), vcpus(uuid));
        EXPECT_EQ(machine->memory_in_use_kib(), view(uuid).live->current_memory_kib);
    }
};

TEST_F(LiveTest, VcpusComeAndGo) {
    const Uuid web = start("<vcpu current='1'>4</vcpu>");
    EXPECT_EQ(vcpus(web), 1U);
    driver->set_vcpus(web, {.vcpus = 3, .affect = live});
    EXPECT_THAT(view(web).details.cpus, ElementsAre(1, 2, 3));
    EXPECT_EQ(view(web).persistent_definition->current_vcpus(), 1U);
    expect_books_agree(web);
    driver->set_vcpus(web, {.vcpus = 2, .affect = both});
    EXPECT_THAT(view(web).details.cpus, ElementsAre(1, 2));
    EXPECT_EQ(view(web).persistent_definition->current_vcpus(), 2U);
    EXPECT_TRUE(events.wait_for("web vcpu 2 removed"));
    expect_books_agree(web);
    driver->destroy(web);
    expect_nothing_held();
}

TEST_F(LiveTest, MoreVcpusThanAllowedAreRefusedInLibvirtsWords) {
    const Uuid web = start("<vcpu current='1'>4</vcpu>");
    EXPECT_ERROR(driver->set_vcpus(web, {.vcpus = 5, .affect = live}), VIR_ERR_INVALID_ARG,
                 "requested vcpus is greater than max allowable vcpus for the live domain: 5 > 4");
    EXPECT_ERROR(driver->set_vcpus(web, {.vcpus = 5, .affect = config}), VIR_ERR_INVALID_ARG,
                 "for the persistent domain: 5 > 4");
    EXPECT_ERROR(driver->set_vcpus(web, {.vcpus = 2, .maximum = true, .affect = live}),
                 VIR_ERR_OPERATION_UNSUPPORTED, "can't be modified");
    driver->set_vcpus(web, {.vcpus = 6, .maximum = true, .affect = config});
    EXPECT_EQ(view(web).persistent_definition->vcpus, 6U);
    EXPECT_EQ(view(web).persistent_definition->current_vcpus(), 1U);
}

TEST_F(LiveTest, OneVcpuInTheMiddleIsSwitched) {
    const Uuid web = start("<vcpu>3</vcpu>");
    driver->set_vcpu(web, {1}, false, live);
    EXPECT_EQ(view(web).live->offline_vcpus, CpuSet{1});
    EXPECT_THAT(view(web).details.cpus, ElementsAre(1, 3));
    driver->set_vcpu(web, {1}, true, live);
    EXPECT_THAT(view(web).details.cpus, ElementsAre(1, 2, 3));
    EXPECT_ERROR(driver->set_vcpu(web, {1}, true, live), VIR_ERR_INVALID_ARG,
                 "vcpu '1' is already in requested state");
    EXPECT_ERROR(driver->set_vcpu(web, {0}, false, live), VIR_ERR_INVALID_ARG,
                 "vcpu '0' can't be hotunplugged");
    EXPECT_ERROR(driver->set_vcpu(web, {7}, true, live), VIR_ERR_INVALID_ARG,
                 "vcpu 7 is not present in live config");
}

TEST_F(LiveTest, ARefusedVcpuLeavesNothingTaken) {
    const Uuid web = start("<vcpu current='1'>4</vcpu>");
    machine->app_answers(web, Request::cpu_add, {.error = EIO});
    EXPECT_ERROR(driver->set_vcpus(web, {.vcpus = 2, .affect = live}), VIR_ERR_OPERATION_FAILED,
                 "its app kernel says: Input/output error; it has 1 vCPUs now");
    expect_books_agree(web);
    machine->app_answers(web, Request::cpu_add, {});
    driver->set_vcpus(web, {.vcpus = 2, .affect = live});
    machine->app_answers(web, Request::cpu_remove, {.error = EBUSY});
    EXPECT_ERROR(driver->set_vcpus(web, {.vcpus = 1, .affect = both}), VIR_ERR_OPERATION_FAILED,
                 "it has 2 vCPUs now");
    EXPECT_EQ(view(web).persistent_definition->current_vcpus(), 1U);
    expect_books_agree(web);
}

TEST_F(LiveTest, AnIgnoredVcpuEndsInTime) {
    impatient();
    const Uuid web = start("<vcpu current='1'>4</vcpu>");
    machine->app_answers(web, Request::cpu_add, {.silent = true});
    EXPECT_ERROR(driver->set_vcpus(web, {.vcpus = 2, .affect = live}), VIR_ERR_OPERATION_FAILED,
                 "it has 1 vCPUs now");  // it was withdrawn, and the app kernel said so
    expect_books_agree(web);
}

TEST_F(LiveTest, MemoryThatAHungAppKernelWasOfferedIsNotItsAndIsOfferedOnce) {
    impatient();
    const Uuid web = start("<vcpu>1</vcpu>", growing);
    machine->app_hangs(web);
    EXPECT_ERROR(driver->set_memory(web, 512 * mib, false, live), VIR_ERR_OPERATION_TIMEOUT,
                 "it has 262144 KiB now");
    EXPECT_EQ(memory_mib(web), 256U);
    EXPECT_EQ(view(web).live->memory_kib, 256 * mib);
    const std::uint64_t free_kib = driver->free_memory_kib();
    EXPECT_ERROR(driver->set_memory(web, 512 * mib, false, live), VIR_ERR_RESOURCE_BUSY,
                 "has not taken the last request yet");
    EXPECT_ERROR(driver->change_device(web, dimm, Driver::DeviceAction::attach, live),
                 VIR_ERR_RESOURCE_BUSY, "has not taken the last request yet");
    EXPECT_EQ(driver->free_memory_kib(), free_kib);
    machine->app_hangs(web, false);
    EXPECT_TRUE(events.wait_for("web memory 524288"));
    EXPECT_EQ(memory_mib(web), 512U);
    expect_books_agree(web);
    driver->set_memory(web, 128 * mib, false, live);
    machine->app_hangs(web);
    EXPECT_ERROR(driver->set_memory(web, 192 * mib, false, live), VIR_ERR_OPERATION_TIMEOUT,
                 "it has 131072 KiB now");
    machine->app_hangs(web, false);
    EXPECT_TRUE(events.wait_for("web memory 196608"));
    expect_books_agree(web);
}

TEST_F(LiveTest, ALateAnswerIsHeardWhoeverAsksMeanwhile) {
    const Uuid web = start_and_offer_while_it_hangs();
    std::atomic<bool> over = false;
    auto asking = std::async(std::launch::async, [&] {
        while (!over)
            (void)driver->status(web);
    });
    machine->app_hangs(web, false);
    EXPECT_TRUE(events.wait_for("web device dimm0 added"));
    over = true;
    asking.get();
    EXPECT_THAT(view(web).live->memory_devices, SizeIs(1));
    EXPECT_EQ(memory_mib(web), 384U);
    expect_books_agree(web);
}

TEST_F(LiveTest, ADestroyEndsAWaitingChange) {
    const Uuid web = start("<vcpu current='1'>4</vcpu>");
    machine->app_answers(web, Request::cpu_add, {.silent = true});
    auto change = std::async(std::launch::async, [&] {
        EXPECT_ERROR(driver->set_vcpus(web, {.vcpus = 2, .affect = live}),
                     VIR_ERR_OPERATION_ABORTED, "destroyed");
    });
    while (machine->asked().empty())
        std::this_thread::yield();
    EXPECT_EQ(view(web).state, VIR_DOMAIN_RUNNING);  // queries do not wait
    driver->destroy(web);
    change.get();
    expect_nothing_held();
}

TEST_F(LiveTest, NoCpuOfAnotherAndNoneThatIsNotKnown) {
    const Uuid web = start("<vcpu cpuset='2-3' current='1'>2</vcpu>");
    (void)driver->create_xml(sandbox.xml("db", 6), false, {});
    EXPECT_ERROR(driver->set_vcpus(web, {.vcpus = 2, .affect = live}), VIR_ERR_OPERATION_FAILED,
                 "no core is free");
    expect_state(web, VIR_DOMAIN_RUNNING, VIR_DOMAIN_RUNNING_BOOTED);
}

TEST_F(LiveTest, AVcpuMovesToAnotherCpu) {
    const Uuid web = start("<vcpu>2</vcpu>");
    driver->pin_vcpu(web, 1, {5}, live);
    EXPECT_THAT(view(web).details.cpus, ElementsAre(1, 5));
    EXPECT_EQ(view(web).live->vcpu_pins.at(1), CpuSet{5});
    EXPECT_TRUE(events.wait_for("web cputune.vcpupin1 5"));
    expect_books_agree(web);
    EXPECT_ERROR(driver->pin_vcpu(web, 0, {4}, live), VIR_ERR_OPERATION_UNSUPPORTED,
                 "x86 cannot take offline");
    EXPECT_ERROR(driver->pin_vcpu(web, 1, {0}, live), VIR_ERR_CONFIG_UNSUPPORTED,
                 "stays with the host");
    EXPECT_ERROR(driver->pin_vcpu(web, 2, {4}, live), VIR_ERR_INVALID_ARG,
                 "vcpu 2 is out of range of live cpu count 2");
    driver->pin_vcpu(web, 0, {6}, config);
    EXPECT_EQ(view(web).persistent_definition->vcpu_pins.at(0), CpuSet{6});
}

struct LiveThreadsTest : LiveTest {
    LiveThreadsTest() : LiveTest({.threads = 2}) {}
};

TEST_F(LiveThreadsTest, AThreadOfItsOwnCoreBecomesAVcpuIfTheDefinitionNamesIt) {
    const Uuid web = start("<vcpu cpuset='2-3' current='1'>2</vcpu>");
    EXPECT_THAT(view(web).details.cpus, ElementsAre(2));
    EXPECT_EQ(view(web).details.known_cpus, CpuSet::parse("2-3"));
    for (int round = 0; round < 2; round++) {
        driver->set_vcpus(web, {.vcpus = 2, .affect = live});
        EXPECT_THAT(view(web).details.cpus, ElementsAre(2, 3));
        driver->set_vcpus(web, {.vcpus = 1, .affect = live});
        EXPECT_THAT(view(web).details.cpus, ElementsAre(2));
        EXPECT_EQ(machine->cpus_in_use(), 2U);
        stop_daemon();
        start_daemon();
    }
    driver->destroy(web);
    EXPECT_EQ(machine->cpus_in_use(), 0U);
}

TEST_F(LiveThreadsTest, AThreadThatIsRefusedIsOfferedAgain) {
    const Uuid web = start("<vcpu cpuset='2-5' current='1'>4</vcpu>");
    driver->set_vcpus(web, {.vcpus = 3, .affect = live});  // a core first, then a thread
    EXPECT_THAT(view(web).details.cpus, ElementsAre(2, 4, 3));
    machine->app_answers(web, Request::cpu_add, {.error = EAGAIN});
    EXPECT_ERROR(driver->set_vcpus(web, {.vcpus = 4, .affect = live}), VIR_ERR_OPERATION_FAILED,
                 "CPU 5 cannot be brought up as vCPU 3");
    machine->app_answers(web, Request::cpu_add, {});
    driver->set_vcpus(web, {.vcpus = 4, .affect = live});
    EXPECT_THAT(view(web).details.cpus, ElementsAre(2, 4, 3, 5));
    driver->destroy(web);
    EXPECT_EQ(machine->cpus_in_use(), 0U);
}

TEST_F(LiveThreadsTest, AVcpuThatIsPlacedNowhereGetsACore) {
    const Uuid web = start("<vcpu current='1'>2</vcpu>");
    driver->set_vcpus(web, {.vcpus = 2, .affect = live});
    EXPECT_THAT(view(web).details.cpus, ElementsAre(2, 4));
}

TEST_F(LiveTest, GuestVcpusAreTheAppKernels) {
    const Uuid web = start("<vcpu>3</vcpu>");
    EXPECT_EQ(driver->guest_vcpus(web).online, CpuSet::parse("0-2"));
    EXPECT_EQ(driver->guest_vcpus(web).offlinable, CpuSet::parse("1-2"));
    driver->set_guest_vcpus(web, {2}, false);
    EXPECT_EQ(vcpus(web), 2U);
    EXPECT_ERROR(driver->set_guest_vcpus(web, {0}, false), VIR_ERR_OPERATION_UNSUPPORTED,
                 "vCPU '0' is not offlinable");
    EXPECT_ERROR(driver->set_guest_vcpus(web, {9}, true), VIR_ERR_INVALID_ARG,
                 "guest is missing vCPUs '9'");
}

TEST_F(LiveTest, AVcpuThatTheAppKernelTookOfflineIsNotSaidToBeEnabled) {
    const Uuid web = start("<vcpu>2</vcpu>");
    const auto cpus = view(web).details.cpus;
    backend::AppStats stats;
    stats.cpus = {{.cpu = cpus.at(0), .app_cpu = 0, .online = true},
                  {.cpu = cpus.at(1), .app_cpu = 1, .online = false}};
    machine->app_reports(web, stats);
    EXPECT_EQ(driver->guest_vcpus(web).online, CpuSet{0});
    driver->set_guest_vcpus(web, {0}, true);
    EXPECT_ERROR(driver->set_guest_vcpus(web, {0, 1}, true), VIR_ERR_OPERATION_UNSUPPORTED,
                 "vCPUs '1' were taken offline inside the app kernel");
}

TEST_F(LiveTest, ANewDaemonKnowsWhichVcpuTheAppKernelGaveUp) {
    const Uuid web = start("<vcpu>3</vcpu>");
    driver->set_guest_vcpus(web, {1}, false);
    const auto cpus = view(web).details.cpus;
    stop_daemon();
    start_daemon();
    EXPECT_EQ(view(web).live->offline_vcpus, CpuSet{1});
    EXPECT_EQ(view(web).details.cpus, cpus);
}

TEST_F(LiveTest, ANewDaemonKnowsADomainThatGotALittleMoreThanItsMaximum) {
    std::string xml = sandbox.xml("web", 1, "<maxMemory slots='2' unit='MiB'>641</maxMemory>");
    xml.replace(xml.find("256</memory>"), 3, "513");  // one less than it gets
    const Uuid web = driver->define(xml, false).uuid;
    driver->start(web, {});
    wait_until_running(web);
    driver->change_device(web, dimm, Driver::DeviceAction::attach, live);
    const int id = view(web).id;
    stop_daemon();
    start_daemon();
    EXPECT_EQ(view(web).id, id);
    EXPECT_EQ(view(web).live->memory_devices.size(), 1U);
}

TEST_F(LiveTest, AMaximumBelowTheMemoryDevicesIsRefused) {
    const Uuid web = define("web", 1,
                            "<maxMemory slots='2' unit='MiB'>2048</maxMemory><devices>"
                            "<memory model='dimm'><target><size unit='MiB'>128</size>"
                            "<node>0</node></target></memory></devices>");
    EXPECT_ERROR(driver->set_memory(web, 127 << 10, true, {.config = true}), VIR_ERR_XML_ERROR,
                 "Total size of memory devices exceeds the total memory size");
}

TEST_F(LiveTest, MemoryGrowsInBlocksAndShrinks) {
    const Uuid web = start("<vcpu>1</vcpu>", growing);
    driver->set_memory(web, 300 * mib, false, live);
    EXPECT_EQ(memory_mib(web), 384U);  // 256 MiB and one block
    expect_books_agree(web);
    EXPECT_TRUE(events.wait_for("web memory 393216"));
    driver->set_memory(web, 128 * mib, false, live);
    EXPECT_EQ(memory_mib(web), 128U);  // the block is gone, and the balloon has another
    expect_books_agree(web);
    driver->set_memory(web, 256 * mib, false, live);
    EXPECT_EQ(memory_mib(web), 256U);
    expect_books_agree(web);
    EXPECT_ERROR(driver->set_memory(web, 1025 * mib, false, live), VIR_ERR_INVALID_ARG,
                 "cannot set memory higher than max memory");
    EXPECT_ERROR(driver->set_memory(web, 512 * mib, true, live), VIR_ERR_OPERATION_INVALID,
                 "cannot resize the maximum memory on an active domain");
}

TEST_F(LiveTest, TheBalloonIsNotHeldToBlocks) {
    const Uuid web = start("<vcpu>1</vcpu>");
    driver->set_memory(web, 200 * mib, false, live);
    EXPECT_EQ(memory_mib(web), 200U);
    driver->set_memory(web, 210 * mib + 1, false, live);
    EXPECT_EQ(view(web).live->current_memory_kib, 212 * mib);
    expect_books_agree(web);
}

TEST_F(LiveTest, AResetKeepsWhatADomainHas) {
    const Uuid web = start("<vcpu current='1'>2</vcpu>", growing);
    driver->set_vcpus(web, {.vcpus = 2, .affect = live});
    driver->set_memory(web, 384 * mib, false, live);
    driver->change_device(web, dimm, Driver::DeviceAction::attach, live);
    driver->reset(web);
    wait_until_running(web);
    (void)driver->status(web);
    EXPECT_EQ(memory_mib(web), 512U);
    EXPECT_EQ(vcpus(web), 2U);
    ASSERT_THAT(view(web).live->memory_devices, SizeIs(1));
    expect_books_agree(web);
    driver->detach_alias(web, "dimm0", live);  // its memory is like any other's now
    EXPECT_THAT(machine->asked().back().what, Request::balloon);
    EXPECT_THAT(view(web).live->memory_devices, SizeIs(0));
    EXPECT_EQ(view(web).live->memory_kib, 384 * mib);
    expect_books_agree(web);
}

TEST_F(LiveTest, AResetKeepsADeviceThatAHungAppKernelWasOfferedAndNoneThatItRefused) {
    const Uuid web = start_and_offer_while_it_hangs();
    driver->reset(web);
    wait_until_running(web);
    EXPECT_TRUE(events.wait_for("web device dimm0 added"));
    EXPECT_TRUE(events.wait_for("web memory 393216"));
    EXPECT_THAT(view(web).live->memory_devices, SizeIs(1));
    EXPECT_EQ(memory_mib(web), 384U);
    machine->app_answers(web, Request::memory_add, {.error = ENOMEM});
    EXPECT_ERROR(driver->change_device(web, dimm, Driver::DeviceAction::attach, live),
                 VIR_ERR_OPERATION_FAILED, "cannot be attached");
    driver->reset(web);
    EXPECT_THAT(view(web).live->memory_devices, SizeIs(1));
    EXPECT_EQ(memory_mib(web), 384U);
    driver->destroy(web);
    expect_nothing_held();
}

TEST_F(LiveTest, MemoryThatIsGivenUpInPartStaysGivenUp) {
    const Uuid web = start("<vcpu>1</vcpu>", growing);
    driver->set_memory(web, 512 * mib, false, live);
    machine->app_answers(web, Request::memory_remove, {.error = EBUSY});
    machine->app_answers(web, Request::balloon, {.error = ENOMEM, .done_kib = 128 * mib});
    EXPECT_ERROR(driver->set_memory(web, 256 * mib, false, live), VIR_ERR_OPERATION_FAILED,
                 "it has 393216 KiB now");
    EXPECT_EQ(memory_mib(web), 384U);
    expect_books_agree(web);
}

TEST_F(LiveTest, MemoryDevicesAreAttachedAndDetached) {
    const std::string odd = dimm_of(200);
    const Uuid web = start("<vcpu>1</vcpu>", growing);
    driver->change_device(web, odd, Driver::DeviceAction::attach, live);
    ASSERT_THAT(view(web).live->memory_devices, SizeIs(1));
    EXPECT_EQ(view(web).live->memory_devices[0].size_kib, 256 * mib);  // whole blocks
    EXPECT_EQ(memory_mib(web), 512U);
    EXPECT_EQ(view(web).live->memory_kib, 512 * mib);
    EXPECT_TRUE(events.wait_for("web device dimm0 added"));
    expect_books_agree(web);

    stop_daemon();  // the next one knows it again
    start_daemon();
    ASSERT_THAT(view(web).live->memory_devices, SizeIs(1));

    machine->app_answers(web, Request::memory_remove, {.error = EBUSY});
    EXPECT_ERROR(driver->detach_alias(web, "dimm0", live), VIR_ERR_OPERATION_FAILED,
                 "cannot be detached");
    EXPECT_TRUE(events.wait_for("web device dimm0 stays"));
    machine->app_answers(web, Request::memory_remove, {});
    driver->detach_alias(web, "dimm0", live);
    EXPECT_TRUE(events.wait_for("web device dimm0 removed"));
    EXPECT_THAT(view(web).live->memory_devices, SizeIs(0));
    EXPECT_EQ(memory_mib(web), 256U);
    EXPECT_EQ(view(web).live->memory_kib, 256 * mib);
    expect_books_agree(web);
    EXPECT_ERROR(driver->detach_alias(web, "dimm0", live), VIR_ERR_DEVICE_MISSING, "dimm0");
}

TEST_F(LiveTest, AMemoryDeviceThatIsGivenUpInPartIsSmaller) {
    const std::string large = dimm_of(256);
    const Uuid web = start("<vcpu>1</vcpu>", growing);
    driver->change_device(web, large, Driver::DeviceAction::attach, live);
    machine->app_answers(web, Request::memory_remove, {.error = EBUSY, .done_kib = 128 * mib});
    EXPECT_ERROR(driver->detach_alias(web, "dimm0", live), VIR_ERR_OPERATION_FAILED,
                 "cannot be detached");
    EXPECT_TRUE(events.wait_for("web device dimm0 has 131072"));
    EXPECT_TRUE(events.wait_for("web device dimm0 stays"));
    ASSERT_THAT(view(web).live->memory_devices, SizeIs(1));
    EXPECT_EQ(view(web).live->memory_devices[0].size_kib, 128 * mib);
    EXPECT_EQ(view(web).live->memory_kib, 384 * mib);
    expect_books_agree(web);
}

TEST_F(LiveTest, ANewDaemonKnowsWhatADomainHas) {
    const Uuid web = start("<vcpu current='1'>4</vcpu>", growing);
    driver->set_vcpu(web, {2}, true, live);
    driver->set_memory(web, 384 * mib, false, live);
    stop_daemon();
    start_daemon();
    EXPECT_EQ(view(web).live->online_vcpus(), (std::vector<unsigned>{0, 2}));
    EXPECT_EQ(memory_mib(web), 384U);
    driver->set_vcpus(web, {.vcpus = 1, .affect = live});
    driver->destroy(web);
    expect_nothing_held();
}

TEST_F(LiveTest, ADeadPartitionIsNotAsked) {
    const Uuid web = start("<vcpu current='1'>4</vcpu>", "<on_crash>preserve</on_crash>");
    machine->app_ends(web, backend::State::panic);
    EXPECT_TRUE(events.wait_for("web crashed panicked"));
    EXPECT_ERROR(driver->set_vcpus(web, {.vcpus = 2, .affect = live}), VIR_ERR_OPERATION_INVALID,
                 "has ended");
    EXPECT_ERROR(driver->set_memory(web, 128 * mib, false, live), VIR_ERR_OPERATION_INVALID,
                 "has ended");
}

}  // namespace
}  // namespace mk::domain
