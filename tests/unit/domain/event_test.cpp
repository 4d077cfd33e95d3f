// SPDX-License-Identifier: LGPL-2.1-or-later
#include "domain/event.h"

#include <gmock/gmock.h>

#include <future>

#include "support/driver_fixture.h"

namespace mk::domain {

using testing::ElementsAre;

struct EventQueueTest : testing::Test {
    test::LoopThread loop;
    EventQueue queue;
    std::vector<std::string> seen;  // loop thread, until a drain

    static Event event(const std::string& name) {
        return {{name, Uuid(), -1},
                LifecycleEvent{VIR_DOMAIN_EVENT_STARTED, VIR_DOMAIN_EVENT_STARTED_BOOTED}};
    }
};

TEST_F(EventQueueTest, DeliversInTheOrderOfThePushes) {
    (void)queue.add_sink([&](const Event& event) { seen.push_back(event.domain.name); });
    for (const char* name : {"a", "b", "c"})
        queue.push(event(name));
    queue.drain();
    EXPECT_THAT(seen, ElementsAre("a", "b", "c"));
}

TEST_F(EventQueueTest, ARemovedSinkIsNotCalledAnyMore) {
    std::promise<void> inside;
    std::promise<void> go_on;
    const int number = queue.add_sink([&](const Event& event) {
        inside.set_value();
        go_on.get_future().wait();
        seen.push_back(event.domain.name);
    });
    queue.push(event("a"));
    inside.get_future().wait();
    auto removal = std::async(std::launch::async, [&] { queue.remove_sink(number); });
    queue.push(event("b"));
    go_on.set_value();
    removal.get();
    EXPECT_THAT(seen, ElementsAre("a"));  // finished, and the second one did not come
}

TEST_F(EventQueueTest, ASinkMayRemoveItself) {
    int number = 0;
    number = queue.add_sink([&](const Event& event) {
        seen.push_back(event.domain.name);
        queue.remove_sink(number);
    });
    queue.push(event("a"));
    queue.push(event("b"));
    queue.drain();
    EXPECT_THAT(seen, ElementsAre("a"));
}

TEST_F(EventQueueTest, ASinkThatThrowsDoesNotStopTheOthers) {
    (void)queue.add_sink([](const Event&) { throw std::runtime_error("no"); });
    (void)queue.add_sink([&](const Event& event) { seen.push_back(event.domain.name); });
    queue.push(event("a"));
    queue.drain();
    EXPECT_THAT(seen, ElementsAre("a"));
}

TEST(EventQueueWithoutLoop, DrainDeliversByItself) {
    EventQueue queue;
    unsigned count = 0;
    (void)queue.add_sink([&](const Event&) { ++count; });
    queue.push(EventQueueTest::event("a"));
    queue.drain();
    EXPECT_EQ(count, 1U);
}

}  // namespace mk::domain
