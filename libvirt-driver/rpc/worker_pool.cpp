// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Workers: two queues, one lock. They come and go as libvirt's do (src/util/virthreadpool.c).
#include "rpc/worker_pool.h"

#include <algorithm>
#include <exception>
#include <system_error>

#include "util/error.h"
#include "util/log.h"

namespace mk::rpc {

WorkerPool::WorkerPool(const WorkerLimits& limits) : limits_(limits) {
    limits_.min = std::min(limits_.min, limits_.max);
    const std::lock_guard lock(mutex_);
    for (unsigned i = 0; i < std::max(limits_.min, 1U); ++i)
        grow(false);
    if (workers_ == 0)
        throw Error(VIR_ERR_SYSTEM_ERROR, "there is room for no thread that could run a call");
    for (unsigned i = 0; i < limits_.priority; ++i)
        grow(true);
}

WorkerPool::~WorkerPool() {
    Threads threads;
    {
        const std::lock_guard lock(mutex_);
        ending_ = true;
        threads.splice(threads.end(), threads_);
        threads.splice(threads.end(), ended_);
    }
    changed_.notify_all();
    priority_changed_.notify_all();
    threads.clear();
}

// One thread is woken, of those that may take it. A thread that was woken counts as free until it
// has taken a task, and so does its task as waiting: the two never drift apart.
void WorkerPool::submit(bool is_short, Task task) {
    Threads ended;
    bool for_priority = false;
    {
        const std::lock_guard lock(mutex_);
        ended.swap(ended_);
        if (free_ <= waiting() && workers_ < limits_.max)
            grow(false);
        (is_short ? short_tasks_ : long_tasks_).push_back(std::move(task));
        for_priority = is_short && free_priority_ >= short_tasks_.size();
    }
    (for_priority ? priority_changed_ : changed_).notify_one();
}

WorkerPool::Status WorkerPool::status() const {
    const std::lock_guard lock(mutex_);
    return {.limits = limits_,
            .workers = workers_,
            .free_workers = free_,
            .priority_workers = priority_,
            .waiting = waiting()};
}

void WorkerPool::set_limits(const WorkerLimits& limits) {
    if (limits.min > limits.max)
        throw Error(VIR_ERR_INVALID_ARG, "minWorkers cannot be larger than maxWorkers");
    if (limits.max == 0)
        throw Error(VIR_ERR_INVALID_ARG, "maxWorkers must not be zero");
    if (limits.max > most_workers || limits.priority > most_workers)
        throw Error(VIR_ERR_INVALID_ARG,
                    "there are at most " + std::to_string(most_workers) + " workers");
    Threads ended;
    {
        const std::lock_guard lock(mutex_);
        ended.swap(ended_);
        limits_ = limits;
        for (unsigned i = workers_; i < limits_.min; ++i)
            grow(false);
        for (unsigned i = priority_; i < limits_.priority; ++i)
            grow(true);
    }
    changed_.notify_all();
    priority_changed_.notify_all();
}

std::size_t WorkerPool::waiting() const {
    return short_tasks_.size() + long_tasks_.size();
}

// One less than there could be is no reason to fail: those that are there go on.
void WorkerPool::grow(bool priority) {
    const auto added = threads_.emplace(threads_.end());
    try {
        *added = std::jthread([this, priority, added] { work(priority, added); });
    } catch (const std::system_error& error) {
        threads_.erase(added);
        log::warning("cannot start one more worker: {}", error.what());
        return;
    }
    ++(priority ? priority_ : workers_);
}

bool WorkerPool::is_one_too_many(bool priority) const {
    return priority ? priority_ > limits_.priority : workers_ > limits_.max;
}

bool WorkerPool::take(bool priority, Task& task) {
    auto& queue = short_tasks_.empty() && !priority ? long_tasks_ : short_tasks_;
    if (queue.empty())
        return false;
    task = std::move(queue.front());
    queue.pop_front();
    return true;
}

void WorkerPool::work(bool priority, Threads::iterator self) {
    std::unique_lock lock(mutex_);
    while (true) {
        Task task;
        if (!ending_ && is_one_too_many(priority)) {
            --(priority ? priority_ : workers_);
            ended_.splice(ended_.end(), threads_, self);
            return;
        }
        if (take(priority, task)) {
            // It may have taken a short one that another was woken for, instead of its own.
            if (!priority && waiting() > 0 && free_ > 0)
                changed_.notify_one();
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
            unsigned& free = priority ? free_priority_ : free_;
            ++free;
            (priority ? priority_changed_ : changed_).wait(lock);
            --free;
        }
    }
}

}  // namespace mk::rpc
