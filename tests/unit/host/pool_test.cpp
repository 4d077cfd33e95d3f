// SPDX-License-Identifier: LGPL-2.1-or-later
#include "host/pool.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "support/fake_host.h"
#include "support/matchers.h"

namespace mk::host {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr std::uint64_t gib = 1U << 20;  // in KiB

// One node of four cores without threads.
struct PoolTest : testing::Test {
    Pool pool{test::topology({}), {}};
    Uuid web = Uuid::random();
    Uuid db = Uuid::random();

    auto reserving(const Request& want) {
        return [this, want] { (void)pool.reserve(web, want); };
    }
};

// Two nodes of four cores of two threads: node 0 is CPUs 0-7, node 1 is 8-15; 0-1 stays home.
struct ThreadsTest : PoolTest {
    ThreadsTest()
        : big(test::topology({.nodes = 2, .cores_per_node = 4, .threads_per_core = 2}), {}) {}
    Pool big;

    auto reserving(const Request& want) {
        return [this, want] { (void)big.reserve(web, want); };
    }
};

TEST_F(PoolTest, GivesCoresUntilTheGrantDies) {
    {
        const Grant grant = pool.reserve(web, {.vcpus = 2, .memory_kib = gib});
        EXPECT_THAT(grant.cpus(), ElementsAre(1, 2));
        EXPECT_THAT(grant.idle_cpus(), IsEmpty());
        EXPECT_THAT(grant.memory(), ElementsAre(MemoryShare{0, gib}));
        EXPECT_EQ(pool.held_cpus(), CpuSet::parse("1-2"));
        EXPECT_EQ(pool.free_cpus(), CpuSet{3});
    }
    EXPECT_EQ(pool.held_cpus(), CpuSet{});
    EXPECT_EQ(pool.free_cpus(), CpuSet::parse("1-3"));
}

TEST_F(PoolTest, TakesNothingIfTheRequestDoesNotFit) {
    const Grant other = pool.reserve(db, {.vcpus = 2, .memory_kib = gib});
    EXPECT_THAT(reserving({.vcpus = 2}),
                test::throws_error(VIR_ERR_OPERATION_FAILED, "2 cores wanted, node 0 has 1 free"));
    EXPECT_EQ(pool.free_cpus(), CpuSet{3});
    EXPECT_NO_THROW(reserving({.vcpus = 1})());
}

TEST_F(PoolTest, SaysWhenTheHostCanNeverGiveSoManyCores) {
    EXPECT_THAT(reserving({.vcpus = 4}),
                test::throws_error(VIR_ERR_CONFIG_UNSUPPORTED,
                                   "4 cores wanted, this host has 3 to give away"));
    EXPECT_THAT(reserving({.vcpus = 4'000'000'000U, .pins = {{0, {1}}}}),
                test::throws_error(VIR_ERR_CONFIG_UNSUPPORTED, "this host has 3 CPUs"));
    EXPECT_THAT(reserving({.vcpus = 0}), test::throws_error(VIR_ERR_INVALID_ARG, "at least 1"));
}

TEST_F(PoolTest, NeverGivesTheCoreOfCpuZero) {
    EXPECT_THAT(reserving({.cpuset = CpuSet::parse("0-3")}),
                test::throws_error(VIR_ERR_CONFIG_UNSUPPORTED,
                                   "cpuset '0-3' names CPU 0: the core of CPU 0 stays with the "
                                   "host"));
    EXPECT_THAT(reserving({.pins = {{0, {0}}}}),
                test::throws_error(VIR_ERR_CONFIG_UNSUPPORTED, "stays with the host"));
}

TEST_F(PoolTest, RefusesACpuThatIsNotThere) {
    EXPECT_THAT(reserving({.cpuset = CpuSet::parse("2-9")}),
                test::throws_error(VIR_ERR_CONFIG_UNSUPPORTED,
                                   "cpuset '2-9' names CPU 4-9, this host has CPUs 0-3"));
    EXPECT_THAT(reserving({.pins = {{0, {17}}}}),
                test::throws_error(VIR_ERR_CONFIG_UNSUPPORTED, "vcpupin of vCPU 0 to '17'"));
}

TEST_F(PoolTest, HonoursACpuset) {
    const Grant grant = pool.reserve(web, {.vcpus = 1, .cpuset = CpuSet::parse("3")});
    EXPECT_THAT(grant.cpus(), ElementsAre(3));
}

TEST_F(PoolTest, NamesTheCpusOfACpusetThatAreTaken) {
    const Grant other = pool.reserve(db, {.cpuset = CpuSet::parse("2")});
    EXPECT_THAT(reserving({.vcpus = 2, .cpuset = CpuSet::parse("2-3")}),
                test::throws_error(VIR_ERR_OPERATION_FAILED, "of which 2 are held"));
}

TEST_F(PoolTest, RefusesMoreVcpusThanTheCpusetHas) {
    EXPECT_THAT(
        reserving({.vcpus = 3, .cpuset = CpuSet::parse("2-3")}),
        test::throws_error(VIR_ERR_CONFIG_UNSUPPORTED, "3 vCPUs wanted, cpuset '2-3' has 2 CPUs"));
}

TEST_F(PoolTest, PutsAPinnedVcpuWhereItsPinSays) {
    const Grant grant = pool.reserve(web, {.vcpus = 2, .pins = {{0, {2}}, {1, {1, 2}}}});
    EXPECT_THAT(grant.cpus(), ElementsAre(2, 1));
}

TEST_F(PoolTest, SolvesPinsThatOverlap) {
    const Request want{.vcpus = 3, .pins = {{0, {1, 2}}, {1, {1, 3}}, {2, {1}}}};
    EXPECT_THAT(pool.reserve(web, want).cpus(), ElementsAre(2, 3, 1));
}

TEST_F(PoolTest, RefusesTwoVcpusPinnedToOneCpu) {
    EXPECT_THAT(reserving({.vcpus = 2, .pins = {{0, {2}}, {1, {2}}}}),
                test::throws_error(VIR_ERR_CONFIG_UNSUPPORTED, "cannot all be honoured"));
}

TEST_F(PoolTest, IgnoresPinsOfVcpusThatTheDomainDoesNotHave) {
    EXPECT_THAT(pool.reserve(web, {.vcpus = 1, .pins = {{5, {99}}}}).cpus(), ElementsAre(1));
}

TEST_F(PoolTest, GivesOneDomainOneHolding) {
    const Grant grant = pool.reserve(web, {});
    EXPECT_THAT(reserving({}), test::throws_error(VIR_ERR_OPERATION_INVALID, "holds CPUs"));
    EXPECT_THAT([&] { (void)pool.adopt(web, {}); },
                test::throws_error(VIR_ERR_OPERATION_INVALID, "holds CPUs"));
}

TEST_F(PoolTest, KeepsAFloorOfMemoryForTheHost) {
    const std::uint64_t floor = Pool::Options{}.host_floor_kib;
    EXPECT_EQ(pool.free_memory_kib().at(0), 4 * gib - floor);
    EXPECT_THAT(reserving({.memory_kib = 4 * gib - floor + 1}),
                test::throws_error(VIR_ERR_CONFIG_UNSUPPORTED,
                                   "3932161 KiB of memory wanted, this host has 3932160 KiB"));
    EXPECT_NO_THROW(reserving({.memory_kib = 4 * gib - floor})());
}

TEST_F(PoolTest, CountsMemoryThatOthersHold) {
    const Grant other = pool.reserve(db, {.memory_kib = 3 * gib});
    EXPECT_THAT(reserving({.memory_kib = gib}),
                test::throws_error(VIR_ERR_OPERATION_FAILED,
                                   "1048576 KiB of memory wanted, 786432 KiB are free"));
}

TEST_F(PoolTest, RoundsMemoryUpToTheAlignment) {
    const Grant grant = pool.reserve(web, {.memory_kib = 100'001});
    EXPECT_EQ(grant.holding().memory_kib(), 100'352U);
}

TEST_F(PoolTest, CountsWhatAPartitionAdopted) {
    Holding holding;
    holding.cpus = {3};
    holding.memory = {{0, gib}};
    {
        const Grant grant = pool.adopt(db, holding);
        EXPECT_EQ(pool.free_cpus(), CpuSet::parse("1-2"));
        EXPECT_EQ(pool.free_memory_kib().at(0), 3 * gib - Pool::Options{}.host_floor_kib);
        EXPECT_THAT([&] { (void)pool.adopt(web, holding); },
                    test::throws_error(VIR_ERR_RESOURCE_BUSY, "CPUs 3 are held"));
    }
    EXPECT_EQ(pool.free_cpus(), CpuSet::parse("1-3"));
}

TEST_F(PoolTest, GivesAHoldingBackOnceWhenAGrantMoved) {
    Grant first = pool.reserve(web, {});
    Grant second = std::move(first);
    first = pool.reserve(db, {});
    EXPECT_EQ(pool.held_cpus(), CpuSet::parse("1-2"));
    first = std::move(second);
    EXPECT_EQ(pool.held_cpus(), CpuSet{1});
    EXPECT_EQ(first.owner(), web);
}

TEST(PoolMoment, LeavesOutWhatIsOfflineOrInUseNow) {
    Moment moment{CpuSet::parse("0-2"), {{0, gib}}};
    Pool pool(test::topology({}), {.moment = [&] { return moment; }});
    EXPECT_EQ(pool.free_cpus(), CpuSet::parse("1-2"));
    EXPECT_EQ(pool.free_memory_kib().at(0), gib - Pool::Options{}.host_floor_kib);
    moment.online.insert(3);
    EXPECT_EQ(pool.free_cpus(), CpuSet::parse("1-3"));
}

TEST(PoolMoment, LeavesOutACoreOfWhichOneThreadIsOffline) {
    const Pool pool(test::topology({.threads_per_core = 2}), {.moment = [] {
                        return Moment{CpuSet::parse("0-4,6-7"), {}};
                    }});
    EXPECT_EQ(pool.free_cpus(), CpuSet::parse("2-3,6-7"));
}

TEST(PoolMoment, LeavesOutACpuWhoseCoreIsUnknown) {
    Topology topology = test::topology({});
    topology.cpus[3].core.reset();
    Pool pool(topology, {});
    EXPECT_EQ(pool.free_cpus(), CpuSet::parse("1-2"));
    EXPECT_THAT([&] { (void)pool.reserve(Uuid::random(), {.cpuset = CpuSet{3}}); },
                test::throws_error(VIR_ERR_CONFIG_UNSUPPORTED, "whose core is not known"));
}

TEST_F(ThreadsTest, OneVcpuTakesTheCoreAndItsSiblingStaysIdle) {
    const Grant grant = big.reserve(web, {.vcpus = 1});
    EXPECT_THAT(grant.cpus(), ElementsAre(2));
    EXPECT_THAT(grant.idle_cpus(), ElementsAre(3));
    EXPECT_EQ(big.held_cpus(), CpuSet::parse("2-3"));
}

TEST_F(ThreadsTest, EveryVcpuHasACoreOfItsOwn) {
    const Grant grant = big.reserve(web, {.vcpus = 3});
    EXPECT_THAT(grant.cpus(), ElementsAre(2, 4, 6));
    EXPECT_THAT(grant.idle_cpus(), ElementsAre(3, 5, 7));
}

TEST_F(ThreadsTest, RefusesHalfACore) {
    EXPECT_THAT(reserving({.cpuset = CpuSet::parse("3-5")}),
                test::throws_error(VIR_ERR_CONFIG_UNSUPPORTED,
                                   "cpuset '3-5' has half of the core of CPUs 2-3"));
}

TEST_F(ThreadsTest, ACpusetWithFewerVcpusThanCoresLeavesTheOtherCores) {
    const Grant grant = big.reserve(web, {.vcpus = 1, .cpuset = CpuSet::parse("4-7")});
    EXPECT_THAT(grant.cpus(), ElementsAre(4));
    EXPECT_THAT(grant.idle_cpus(), ElementsAre(5));
}

TEST_F(ThreadsTest, ACpusetWithMoreVcpusThanCoresSharesThem) {
    const Grant grant = big.reserve(web, {.vcpus = 3, .cpuset = CpuSet::parse("4-7")});
    EXPECT_THAT(grant.cpus(), ElementsAre(4, 5, 6));
    EXPECT_THAT(grant.idle_cpus(), ElementsAre(7));
}

TEST_F(ThreadsTest, AnIdleThreadIsACandidateIfItIsNamedAndAfterOtherCores) {
    const Grant grant = big.reserve(web, {.vcpus = 1, .cpuset = CpuSet::parse("4-7")});
    EXPECT_THAT(big.candidates(grant, {.vcpus = 4, .cpuset = CpuSet::parse("4-7")}, 8),
                ElementsAre(6, 5, 7));
    EXPECT_THAT(big.candidates(grant, {.vcpus = 2}, 9), ElementsAre(2, 6, 8, 10, 12, 14, 3, 7, 9));
    EXPECT_THAT(big.candidates(grant, {.vcpus = 2, .pins = {{1, {5}}}}, 8),
                ElementsAre(2, 6, 8, 10, 12, 14, 3, 5));
}

TEST_F(ThreadsTest, ACpusetOverTwoNodesSpreadsBeforeItShares) {
    const Grant grant = big.reserve(web, {.vcpus = 2, .cpuset = CpuSet::parse("6-7,14-15")});
    EXPECT_THAT(grant.cpus(), testing::UnorderedElementsAre(6, 14));
    EXPECT_THAT(grant.idle_cpus(), ElementsAre(7, 15));
}

TEST_F(ThreadsTest, PinsToBothThreadsShareACore) {
    const Grant grant = big.reserve(web, {.vcpus = 3, .pins = {{0, {5}}, {1, {4}}}});
    EXPECT_THAT(grant.cpus(), ElementsAre(5, 4, 2));
    EXPECT_THAT(grant.idle_cpus(), ElementsAre(3));
}

TEST_F(ThreadsTest, StaysOnOneNodeIfItFitsThere) {
    EXPECT_THAT(big.reserve(web, {.vcpus = 4}).cpus(), ElementsAre(8, 10, 12, 14));
    const Grant three = big.reserve(web, {.vcpus = 3, .memory_kib = gib});
    EXPECT_THAT(three.cpus(), ElementsAre(2, 4, 6)) << "the tightest node that fits";
    EXPECT_THAT(three.memory(), ElementsAre(MemoryShare{0, gib}));
}

TEST_F(ThreadsTest, GoesToTheNodeThatHasTheMemory) {
    const Grant other = big.reserve(db, {.memory_kib = 3 * gib});
    const Grant grant = big.reserve(web, {.memory_kib = 2 * gib});
    EXPECT_THAT(grant.cpus(), ElementsAre(8));
    EXPECT_THAT(grant.memory(), ElementsAre(MemoryShare{1, 2 * gib}));
}

TEST_F(ThreadsTest, TakesMemoryOfOtherNodesIfNoNodeHasEnough) {
    const Grant grant = big.reserve(web, {.vcpus = 4, .memory_kib = 6 * gib});
    EXPECT_THAT(grant.cpus(), ElementsAre(8, 10, 12, 14));
    EXPECT_THAT(grant.memory(), ElementsAre(MemoryShare{1, 4 * gib}, MemoryShare{0, 2 * gib}));
}

TEST_F(ThreadsTest, GoesOverSeveralNodesIfNoneHasEnoughCores) {
    const Grant grant = big.reserve(web, {.vcpus = 6});
    EXPECT_THAT(grant.cpus(), ElementsAre(8, 10, 12, 14, 2, 4));
    EXPECT_THAT([this] { (void)big.reserve(db, {.vcpus = 2}); },
                test::throws_error(VIR_ERR_OPERATION_FAILED,
                                   "2 cores wanted, node 0 has 1 free, node 1 has 0 free"));
}

TEST_F(ThreadsTest, OffersAllThreadsButTheHostsCore) {
    EXPECT_EQ(big.max_vcpus(), 14U);
    EXPECT_EQ(big.free_cpus(), CpuSet::parse("2-15"));
}

TEST(PoolThreads, NeverGiveOneCpuTwice) {
    Pool pool(test::topology({.cores_per_node = 16}), {});
    std::atomic<unsigned> overlaps = 0;
    std::mutex mutex;
    CpuSet taken;
    const auto client = [&] {
        const Uuid self = Uuid::random();
        for (int round = 0; round < 300; round++) {
            try {
                const Grant grant = pool.reserve(self, {.vcpus = 5});
                const CpuSet mine = grant.holding().all_cpus();
                {
                    const std::scoped_lock lock(mutex);
                    overlaps += taken.intersects(mine) ? 1 : 0;
                    taken |= mine;
                }
                const std::scoped_lock lock(mutex);
                taken -= mine;
            } catch (const Error&) {
                std::this_thread::yield();
            }
        }
    };
    std::vector<std::thread> clients;
    clients.reserve(4);
    for (int n = 0; n < 4; n++)
        clients.emplace_back(client);
    for (std::thread& thread : clients)
        thread.join();
    EXPECT_EQ(overlaps, 0U);
    EXPECT_EQ(pool.held_cpus(), CpuSet{});
}

}  // namespace
}  // namespace mk::host
