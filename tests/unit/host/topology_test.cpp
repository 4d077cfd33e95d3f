// SPDX-License-Identifier: LGPL-2.1-or-later
#include "host/topology.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/fake_host.h"
#include "support/matchers.h"
#include "util/fd.h"

namespace mk::host {

using test::FakeHost;
using test::Machine;

constexpr Machine two_nodes{.nodes = 2, .cores_per_node = 2, .threads_per_core = 2};

TEST(Topology, IsReadFromAMachineOfFourCpusWithoutThreads) {
    const FakeHost host(Machine{});
    EXPECT_EQ(read_topology(host.sysfs(), host.procfs()), test::topology(Machine{}));
}

TEST(Topology, IsReadFromAMachineOfTwoNodesWithThreads) {
    const FakeHost host(two_nodes);
    const Topology read = read_topology(host.sysfs(), host.procfs());
    EXPECT_EQ(read, test::topology(two_nodes));
    EXPECT_EQ(read.threads_of(5), CpuSet::parse("4-5"));
    EXPECT_EQ(read.find(5)->node, 1U);
    EXPECT_EQ(read.nodes[1].distances.at(0), 20U);
}

TEST(Topology, IsReadFromALargeMachine) {
    const Machine large{.nodes = 8, .cores_per_node = 32, .threads_per_core = 2};
    const FakeHost host(large);
    EXPECT_EQ(read_topology(host.sysfs(), host.procfs()), test::topology(large));
}

TEST(Topology, OfAKernelWithoutNumaIsOneNode) {
    const Machine flat{.cores_per_node = 2, .numa = false};
    const FakeHost host(flat);
    EXPECT_EQ(read_topology(host.sysfs(), host.procfs()), test::topology(flat));
    EXPECT_EQ(read_moment(host.sysfs(), host.procfs()).available_kib.at(0), 2U << 20);
}

TEST(Topology, HasNoCoreForAnOfflineCpuThatNobodySawOnline) {
    const FakeHost host(Machine{});
    host.set_online(CpuSet::parse("0-2"));
    const Topology read = read_topology(host.sysfs(), host.procfs());
    EXPECT_FALSE(read.find(3)->core);
    EXPECT_FALSE(read.find(3)->online);
    EXPECT_EQ(read.threads_of(3), CpuSet{3});
}

TEST(Topology, BelievesTheKernelsSiblingsOverCoreNumbers) {
    const FakeHost host(Machine{});
    for (const char* cpu : {"2", "3"})
        host.write(
            std::string("sys/devices/system/cpu/cpu") + cpu + "/topology/thread_siblings_list",
            "2-3\n");
    const Topology read = read_topology(host.sysfs(), host.procfs());
    EXPECT_EQ(read.threads_of(3), CpuSet::parse("2-3"));
    EXPECT_EQ(read.threads_of(1), CpuSet{1});
}

TEST(Topology, NamesTheFileThatMakesNoSense) {
    const FakeHost host(Machine{});
    host.write("sys/devices/system/cpu/present", "four\n");
    EXPECT_THAT([&] { (void)read_topology(host.sysfs(), host.procfs()); },
                test::throws_error(VIR_ERR_INTERNAL_ERROR, "cpu/present says 'four'"));
}

TEST(Topology, OfAMissingTreeIsASystemError) {
    EXPECT_THAT([] { (void)read_topology("/nonexistent", "/nonexistent"); },
                test::throws_error(VIR_ERR_SYSTEM_ERROR, "No such file"));
}

TEST(Moment, CountsFreeMemoryAndPageCacheByNode) {
    const FakeHost host(two_nodes);
    host.set_online(CpuSet::parse("0-6"));
    const Moment moment = read_moment(host.sysfs(), host.procfs());
    EXPECT_EQ(moment.online, CpuSet::parse("0-6"));
    EXPECT_EQ(moment.available_kib.at(1), (2U << 20) + 3000 + 2000 + 100);
}

struct SnapshotTest : testing::Test {
    FakeHost host{two_nodes};
    std::string file = host.path("topology");
    Topology remember() const { return remember_topology(host.sysfs(), host.procfs(), file); }
};

TEST_F(SnapshotTest, KeepsTheCoresAndCachesOfCpusThatWentOffline) {
    const Topology before = remember();
    host.set_online(CpuSet::parse("0-3"));  // all of node 1 belongs to partitions
    Topology after = remember();
    EXPECT_EQ(after.online(), CpuSet::parse("0-3"));
    for (Cpu& cpu : after.cpus)
        cpu.online = true;
    EXPECT_EQ(after, before);
}

TEST_F(SnapshotTest, SurvivesSeveralRestartsInARow) {
    const Topology before = remember();
    host.set_online(CpuSet::parse("0-3"));
    (void)remember();
    host.set_online(CpuSet::parse("0,1,4"));
    const Topology after = remember();
    EXPECT_EQ(after.threads_of(7), CpuSet::parse("6-7"));
    EXPECT_EQ(after.threads_of(2), CpuSet::parse("2-3"));
    EXPECT_EQ(after.threads_of(4), CpuSet::parse("4-5"));
    EXPECT_EQ(after.caches, before.caches);
}

TEST_F(SnapshotTest, OfAnotherBootIsNotBelieved) {
    (void)remember();
    host.set_boot_id("99999999-2222-4333-8444-555555555555");
    host.set_online(CpuSet::parse("0-3"));
    EXPECT_FALSE(remember().find(5)->core);
}

TEST_F(SnapshotTest, ThatCannotBeWrittenKeepsNoDaemonFromItsPartitions) {
    file = host.path("no/such/folder");
    EXPECT_EQ(remember().online(), CpuSet::parse("0-7"));
}

TEST_F(SnapshotTest, LosesToWhatIsSeenNow) {
    Topology old = remember();
    old.cpus[2].core = CoreId{7, 7, 7};
    EXPECT_EQ(merge(read_topology(host.sysfs(), host.procfs()), old).find(2)->core,
              (CoreId{0, 0, 1}));
}

TEST_F(SnapshotTest, OfACpuThatIsNoLongerPresentIsForgotten) {
    (void)remember();
    host.write("sys/devices/system/cpu/present", "0-5\n");
    host.set_online(CpuSet::parse("0-3"));
    const Topology after = remember();
    EXPECT_EQ(after.find(6), nullptr);
    EXPECT_EQ(after.caches[1].cpus, CpuSet::parse("4-5"));
}

TEST_F(SnapshotTest, ThatWasCutOffAnywhereIsNotUsed) {
    save_topology(test::topology(two_nodes), file);
    const std::string whole = read_file(file);
    for (std::size_t length = 0; length + 1 < whole.size(); length++) {
        host.write("topology", whole.substr(0, length));
        EXPECT_FALSE(load_topology(file)) << length << " bytes";
    }
}

TEST_F(SnapshotTest, WithNonsenseInItIsNotUsed) {
    for (const char* line : {"cpu 4", "cpu x 0 0 0 0", "cache 0 3 Unified 1 9-1", "what is this"}) {
        host.write("topology", std::string("multikernel-topology 1\n") + line + "\nend\n");
        EXPECT_FALSE(load_topology(file)) << line;
    }
}

TEST_F(SnapshotTest, ThatIsNotThereIsNothing) {
    EXPECT_FALSE(load_topology(file));
}

TEST_F(SnapshotTest, ThatCannotBeWrittenIsASystemError) {
    EXPECT_THAT([&] { save_topology(Topology{}, host.path("no/such/folder/topology")); },
                test::throws_error(VIR_ERR_SYSTEM_ERROR, "No such file"));
}

}  // namespace mk::host
