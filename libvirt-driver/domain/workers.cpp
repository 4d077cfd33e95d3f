// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The threads of Workers.
#include "domain/workers.h"

#include <pthread.h>
#include <sched.h>

#include <exception>
#include <utility>

#include "util/log.h"

namespace mk::domain {

Workers::Workers(unsigned count, int policy) {
    for (unsigned i = 0; i < count; ++i)
        threads_.emplace_back([this, policy] {
            const sched_param none = {};
            static_cast<void>(::pthread_setschedparam(::pthread_self(), policy, &none));
            work();
        });
}

Workers::~Workers() {
    stop();
}

void Workers::post(Task task) {
    {
        const std::scoped_lock lock(mutex_);
        if (stopping_)
            return;
        tasks_.push_back(std::move(task));
    }
    changed_.notify_one();
}

void Workers::stop() {
    {
        const std::scoped_lock lock(mutex_);
        stopping_ = true;
        tasks_.clear();
    }
    changed_.notify_all();
    for (std::thread& thread : threads_) {
        if (thread.joinable())
            thread.join();
    }
}

void Workers::work() {
    for (;;) {
        Task task;
        {
            std::unique_lock lock(mutex_);
            changed_.wait(lock, [this] { return stopping_ || !tasks_.empty(); });
            if (stopping_)
                return;
            task = std::move(tasks_.front());
            tasks_.pop_front();
        }
        try {
            task();
        } catch (const std::exception& error) {
            log::error("{}", error.what());
        }
    }
}

}  // namespace mk::domain
