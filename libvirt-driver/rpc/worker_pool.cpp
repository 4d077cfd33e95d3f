// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Workers: two queues, one lock.
#include "rpc/worker_pool.h"

#include <exception>

#include "util/log.h"

namespace mk::rpc {

WorkerPool::WorkerPool(unsigned workers, unsigned short_only) {
    for (unsigned i = 0; i < workers + short_only; ++i)
        threads_.emplace_back([this, only = i >= workers] { work(only); });
}

WorkerPool::~WorkerPool() {
    {
        const std::lock_guard lock(mutex_);
        ending_ = true;
    }
    changed_.notify_all();
    threads_.clear();
}

void WorkerPool::submit(bool is_short, Task task) {
    {
        const std::lock_guard lock(mutex_);
        (is_short ? short_tasks_ : long_tasks_).push_back(std::move(task));
    }
    // All: the one that wakes must be one that may take it.
    changed_.notify_all();
}

bool WorkerPool::take(bool short_only, Task& task) {
    auto& queue = short_tasks_.empty() && !short_only ? long_tasks_ : short_tasks_;
    if (queue.empty())
        return false;
    task = std::move(queue.front());
    queue.pop_front();
    return true;
}

void WorkerPool::work(bool short_only) {
    std::unique_lock lock(mutex_);
    while (true) {
        Task task;
        if (take(short_only, task)) {
            lock.unlock();
            try {
                task();
            } catch (const std::exception& error) {
                log::error("a call ended by surprise: {}", error.what());
            }
            task = nullptr;  // what it holds may be the last of a client: not under the lock
            lock.lock();
        } else if (ending_) {
            return;
        } else {
            changed_.wait(lock);
        }
    }
}

}  // namespace mk::rpc
