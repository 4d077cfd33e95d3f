// SPDX-License-Identifier: LGPL-2.1-or-later
#include "rpc/worker_pool.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>

#include "support/matchers.h"

namespace mk::rpc {

// Tasks that hold their worker until they are let go.
struct WorkerPoolTest : testing::Test {
    std::mutex mutex;
    std::condition_variable changed;
    unsigned running = 0;  // mutex
    bool let_go = false;   // mutex

    void hold(WorkerPool& pool, bool is_short) {
        pool.submit(is_short, [this] {
            std::unique_lock lock(mutex);
            ++running;
            changed.notify_all();
            changed.wait(lock, [this] { return let_go; });
            --running;
            changed.notify_all();
        });
    }

    void wait_for_running(unsigned count) {
        std::unique_lock lock(mutex);
        changed.wait(lock, [&] { return running == count; });
    }

    void release() {
        const std::lock_guard lock(mutex);
        let_go = true;
        changed.notify_all();
    }
};

// A worker that has finished its task becomes free a moment later.
template <typename Condition>
WorkerPool::Status status_when(const WorkerPool& pool, Condition condition) {
    auto status = pool.status();
    while (!condition(status)) {
        std::this_thread::yield();
        status = pool.status();
    }
    return status;
}

TEST_F(WorkerPoolTest, StartsWithTheLeastAndGrowsToTheMost) {
    WorkerPool pool({.min = 1, .max = 3, .priority = 0});
    EXPECT_EQ(pool.status().workers, 1U);
    for (int i = 0; i < 5; ++i)
        hold(pool, false);
    wait_for_running(3);
    const auto status = pool.status();
    EXPECT_EQ(status.workers, 3U);
    EXPECT_EQ(status.free_workers, 0U);
    EXPECT_EQ(status.waiting, 2U);
    release();
    status_when(pool, [](const auto& now) { return now.waiting == 0 && now.free_workers == 3; });
}

TEST_F(WorkerPoolTest, KeepsWorkersForShortTasks) {
    WorkerPool pool({.min = 1, .max = 1, .priority = 1});
    hold(pool, false);
    wait_for_running(1);
    hold(pool, false);
    hold(pool, true);
    wait_for_running(2);
    EXPECT_EQ(pool.status().waiting, 1U);
    release();
}

TEST_F(WorkerPoolTest, RunsShortTasksWithoutWorkersOfTheirOwn) {
    WorkerPool pool({.min = 0, .max = 1, .priority = 0});
    hold(pool, true);
    wait_for_running(1);
    release();
}

TEST_F(WorkerPoolTest, TakesNewLimitsWhileItWorks) {
    WorkerPool pool({.min = 1, .max = 1, .priority = 1});
    for (int i = 0; i < 3; ++i)
        hold(pool, false);
    wait_for_running(1);
    pool.set_limits({.min = 3, .max = 4, .priority = 2});
    wait_for_running(3);
    EXPECT_EQ(pool.status().priority_workers, 2U);
    pool.set_limits({.min = 0, .max = 1, .priority = 0});
    EXPECT_EQ(pool.status().workers, 3U) << "a task was cut short";
    release();
    const auto status = status_when(pool, [](const auto& now) {
        return now.workers == 1 && now.priority_workers == 0 && now.free_workers == 1;
    });
    EXPECT_EQ(status.limits.max, 1U);
}

TEST_F(WorkerPoolTest, RefusesLimitsThatContradictEachOther) {
    WorkerPool pool({.min = 1, .max = 2, .priority = 1});
    const auto refused = [&](const WorkerLimits& limits, const char* text) {
        EXPECT_THAT([&] { pool.set_limits(limits); },
                    test::throws_error(VIR_ERR_INVALID_ARG, text));
    };
    refused({.min = 3, .max = 2}, "minWorkers cannot be larger than maxWorkers");
    refused({.min = 0, .max = 0}, "maxWorkers must not be zero");
    refused({.min = 0, .max = 4000000000U}, "at most 10000 workers");
    refused({.min = 0, .max = 2, .priority = 10001}, "at most 10000 workers");
    EXPECT_EQ(pool.status().limits.max, 2U);
}

TEST_F(WorkerPoolTest, TakesNoMoreThanTheMostFromAHigherLeast) {
    const WorkerPool pool({.min = 5, .max = 2, .priority = 0});
    EXPECT_EQ(pool.status().workers, 2U);
}

}  // namespace mk::rpc
