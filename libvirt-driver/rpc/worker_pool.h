// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The threads that run calls, more of them as they are needed and never over a limit. Some run
// short tasks only, so that a client can still look and destroy while every other worker waits
// in a long start.
//
// Thread-safe.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <list>
#include <mutex>
#include <thread>

namespace mk::rpc {

// libvirt's defaults (src/remote/libvirtd.conf.in).
struct WorkerLimits {
    unsigned min = 5;   // there from the start; one in any case
    unsigned max = 20;  // min counts for no more than that
    unsigned priority = 5;
};

class WorkerPool {
  public:
    using Task = std::function<void()>;

    struct Status {
        WorkerLimits limits;
        unsigned workers = 0;       // that run any task
        unsigned free_workers = 0;  // of those, without one
        unsigned priority_workers = 0;
        std::size_t waiting = 0;  // tasks
    };

    static constexpr unsigned most_workers = 10000;

    // Throws Error(VIR_ERR_SYSTEM_ERROR) if there cannot be a single one.
    explicit WorkerPool(const WorkerLimits& limits);
    WorkerPool(const WorkerPool&) = delete;
    WorkerPool& operator=(const WorkerPool&) = delete;
    // Runs what was submitted, then ends the threads.
    ~WorkerPool();

    // An exception that leaves `task` is logged. REQUIRES: not being destroyed.
    void submit(bool is_short, Task task);

    [[nodiscard]] Status status() const;
    // Takes effect as workers become free.
    // Throws Error(VIR_ERR_INVALID_ARG): max is 0 or below min, or more than most_workers.
    void set_limits(const WorkerLimits& limits);

  private:
    using Threads = std::list<std::jthread>;

    void grow(bool priority);  // REQUIRES: mutex_
    void work(bool priority, Threads::iterator self);
    [[nodiscard]] bool take(bool priority, Task& task);       // REQUIRES: mutex_
    [[nodiscard]] bool is_one_too_many(bool priority) const;  // REQUIRES: mutex_
    [[nodiscard]] std::size_t waiting() const;                // REQUIRES: mutex_

    mutable std::mutex mutex_;
    std::condition_variable changed_;           // for those that run any task
    std::condition_variable priority_changed_;  // for the others
    WorkerLimits limits_;                       // mutex_
    std::deque<Task> short_tasks_;              // mutex_
    std::deque<Task> long_tasks_;               // mutex_
    unsigned workers_ = 0;                      // mutex_
    unsigned free_ = 0;                         // mutex_
    unsigned priority_ = 0;                     // mutex_
    unsigned free_priority_ = 0;                // mutex_
    bool ending_ = false;                       // mutex_
    Threads ended_;                             // mutex_; to be joined
    Threads threads_;                           // mutex_
};

}  // namespace mk::rpc
