// SPDX-License-Identifier: LGPL-2.1-or-later
#include "domain/ahead.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>

namespace mk::domain {
namespace {

using namespace std::string_literals;

TEST(Ahead, IsMadeByAWorkerBeforeItIsAskedFor) {
    Workers workers(1);
    std::promise<std::thread::id> maker;
    Ahead<std::string> ahead(workers, [&maker] {
        maker.set_value(std::this_thread::get_id());
        return "made"s;
    });
    EXPECT_NE(maker.get_future().get(), std::this_thread::get_id());
    EXPECT_EQ(ahead.get(), "made");
    EXPECT_EQ(ahead.get(), "made");
}

TEST(Ahead, ThrowsWhatMakingItThrew) {
    Workers workers(1);
    Ahead<int> ahead(workers, []() -> int { throw std::runtime_error("no such file"); });
    EXPECT_THROW(static_cast<void>(ahead.get()), std::runtime_error);
    EXPECT_THROW(static_cast<void>(ahead.get()), std::runtime_error);
    EXPECT_EQ(ahead.made(), nullptr);
}

class BusyWorker : public ::testing::Test {
  protected:
    void SetUp() override {
        workers.post([this] { go_on.get_future().wait(); });
    }

    std::promise<void> go_on;
    std::atomic<int> times = 0;
    Workers workers{1};  // ends first: its task uses the others
};

TEST_F(BusyWorker, IsNotWaitedFor) {
    Ahead<int> ahead(workers, [this] { return ++times; });
    EXPECT_EQ(ahead.get(), 1);
    std::promise<void> done;
    workers.post([&done] { done.set_value(); });
    go_on.set_value();
    done.get_future().wait();
    EXPECT_EQ(times, 1);
    ASSERT_NE(ahead.made(), nullptr);
    EXPECT_EQ(*ahead.made(), 1);
}

TEST_F(BusyWorker, MakesNothingThatIsNotWantedAnyMore) {
    std::optional<Ahead<int>> ahead;
    ahead.emplace(workers, [this] { return ++times; });
    EXPECT_EQ(ahead->made(), nullptr);
    ahead.reset();
    std::promise<void> done;
    workers.post([&done] { done.set_value(); });
    go_on.set_value();
    done.get_future().wait();
    EXPECT_EQ(times, 0);
}

TEST(Ahead, IsMadeByWhoAsksWhenWorkersHaveStopped) {
    Workers workers(1);
    workers.stop();
    Ahead<int> ahead(workers, [] { return 7; });
    EXPECT_EQ(ahead.get(), 7);
}

}  // namespace
}  // namespace mk::domain
