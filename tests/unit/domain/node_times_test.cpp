// SPDX-License-Identifier: LGPL-2.1-or-later
#include "domain/node_times.h"

#include <gtest/gtest.h>

namespace mk::domain {
namespace {

constexpr int web = 1;
constexpr int db = 2;

struct NodeTimesTest : testing::Test {
    NodeTimes times;

    // What the app kernel says that CPU 3 did since that boot.
    void report(int id, unsigned boots, std::uint64_t user_ns, std::uint64_t kernel_ns,
                std::uint64_t idle_ns) {
        backend::AppStats stats;
        backend::CpuTimes& cpu = stats.cpus.emplace_back();
        cpu.cpu = 3;
        cpu.user_ns = user_ns;
        cpu.system_ns = kernel_ns - 1;
        cpu.irq_ns = 1;
        cpu.idle_ns = idle_ns;
        times.look([&](const NodeTimes::See& see) { see(id, boots, stats); });
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
    report(web, 1, 20, 10, 70);
    expect(times.of(3, std::nullopt), 1010, 2020, 3070);
    report(web, 2, 25, 5, 80);  // it was started again
    expect(times.of(3, std::nullopt), 1015, 2045, 3150);
    report(db, 2, 6, 4, 50);  // another domain's
    expect(times.of(3, std::nullopt), 1019, 2051, 3200);
    expect(times.of(3, of_host), 1019, 2051, 3200);  // the host's again
}

TEST_F(NodeTimesTest, OfAllAreTheHostsAndTheAppKernels) {
    report(web, 1, 20, 10, 70);
    report(web, 2, 25, 5, 80);
    expect(times.of_all(of_host), 1015, 2045, 3150);
}

TEST_F(NodeTimesTest, NeverGoBackWhateverAKernelSays) {
    report(web, 1, 20, 10, 70);
    report(web, 1, 1, 1, 80);
    expect(times.of(3, std::nullopt), 10, 20, 80);
    expect(times.of_all(of_host), 1010, 2020, 3080);
    const host::CpuTimes less_idle{.kernel = 1000, .user = 2000, .idle = 2990, .iowait = 0};
    expect(times.of_all(less_idle), 1010, 2020, 3080);
}

}  // namespace
}  // namespace mk::domain
