// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The event queue: each push posts one delivery to the loop thread.
#include "domain/event.h"

#include <exception>
#include <map>
#include <mutex>
#include <vector>

#include "domain/loop.h"
#include "util/log.h"

namespace mk::domain {

struct EventQueue::Impl {
    std::mutex mutex;
    std::map<int, std::shared_ptr<const EventSink>> sinks;  // mutex
    int next = 1;                                           // mutex
    Loop loop;                                              // last: its tasks use the rest

    void deliver(const Event& event) {
        std::vector<int> numbers;
        {
            const std::scoped_lock lock(mutex);
            for (const auto& [number, sink] : sinks)
                numbers.push_back(number);
        }
        for (const int number : numbers) {
            std::shared_ptr<const EventSink> sink;
            {
                const std::scoped_lock lock(mutex);
                const auto found = sinks.find(number);
                if (found == sinks.end())
                    continue;
                sink = found->second;
            }
            try {
                (*sink)(event);
            } catch (const std::exception& error) {
                log::error("an event of domain '{}' was not delivered: {}", event.domain.name,
                           error.what());
            }
        }
    }
};

EventQueue::EventQueue() : impl_(std::make_unique<Impl>()) {}

EventQueue::~EventQueue() = default;

int EventQueue::add_sink(EventSink sink) {
    const std::scoped_lock lock(impl_->mutex);
    const int number = impl_->next++;
    impl_->sinks.emplace(number, std::make_shared<const EventSink>(std::move(sink)));
    return number;
}

void EventQueue::remove_sink(int number) {
    {
        const std::scoped_lock lock(impl_->mutex);
        impl_->sinks.erase(number);
    }
    // A delivery that had begun on the loop thread is over once this has run there.
    if (!Loop::here())
        impl_->loop.call([] {});
}

void EventQueue::push(Event event) {
    impl_->loop.post([impl = impl_.get(), event = std::move(event)] { impl->deliver(event); });
}

void EventQueue::drain() {
    impl_->loop.call([] {});
}

}  // namespace mk::domain
