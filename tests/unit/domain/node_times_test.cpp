// SPDX-License-Identifier: LGPL-2.1-or-later
#include "domain/node_times.h"

#include <gtest/gtest.h>

namespace mk::domain {
namespace {

const Uuid web = Uuid::random();
const Uuid db = Uuid::random();

struct NodeTimesTest : testing::Test {
    NodeTimes times;

    // CPU 3's app kernel is up for `uptime_ns`, of which it was busy for so long.
    void report(const Uuid& uuid, std::uint64_t uptime_ns, std::uint64_t user_ns,
                std::uint64_t kernel_ns) {
        backend::AppStats stats;
        stats.uptime_ns = uptime_ns;
        backend::CpuTimes& cpu = stats.cpus.emplace_back();
        cpu.cpu = 3;
        cpu.user_ns = user_ns;
        cpu.system_ns = kernel_ns - 1;
        cpu.irq_ns = 1;
        times.look([&](const NodeTimes::See& see) { see(uuid, stats); });
    }
    void expect(const host::CpuTimes& found, std::uint64_t kernel, std::uint64_t user,
                std::uint64_t idle) {
        EXPECT_EQ(found.kernel, kernel);
        EXPECT_EQ(found.user, user);
        EXPECT_EQ(found.idle, idle);
    }
};

constexpr host::CpuTimes of_host{.kernel = 1000, .user = 2000, .idle = 3000, .iowait = 0};

TEST_F(NodeTimesTest, GoOnFromKernelToKernel) {
    expect(times.of(3, of_host), 1000, 2000, 3000);
    expect(times.of(3, std::nullopt), 1000, 2000, 3000);  // taken, and nothing runs there yet
    report(web, 100, 20, 10);
    expect(times.of(3, std::nullopt), 1010, 2020, 3070);
    report(web, 50, 5, 5);  // it was started again
    expect(times.of(3, std::nullopt), 1015, 2025, 3110);
    report(db, 60, 6, 4);  // another domain's
    expect(times.of(3, std::nullopt), 1019, 2031, 3160);
    expect(times.of(3, of_host), 1019, 2031, 3160);  // the host's again
}

TEST_F(NodeTimesTest, OfAllAreTheHostsAndTheAppKernels) {
    report(web, 100, 20, 10);
    report(web, 50, 5, 5);
    expect(times.of_all(of_host), 1015, 2025, 3110);
}

TEST_F(NodeTimesTest, NeverGoBackWhateverAnAppKernelSays) {
    report(web, 100, 20, 10);
    report(web, 110, 1, 1);
    expect(times.of(3, std::nullopt), 10, 20, 108);
}

}  // namespace
}  // namespace mk::domain
