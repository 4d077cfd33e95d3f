// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The fixed set of threads that run calls. Some of them run short tasks only, so that a client
// can still look and destroy while every other worker waits in a long start.
//
// Thread-safe.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace mk::rpc {

class WorkerPool {
  public:
    using Task = std::function<void()>;

    WorkerPool(unsigned workers, unsigned short_only);
    WorkerPool(const WorkerPool&) = delete;
    WorkerPool& operator=(const WorkerPool&) = delete;
    // Runs what was submitted, then ends the threads.
    ~WorkerPool();

    // An exception that leaves `task` is logged. REQUIRES: not being destroyed.
    void submit(bool is_short, Task task);

  private:
    void work(bool short_only);
    [[nodiscard]] bool take(bool short_only, Task& task);  // REQUIRES: mutex_

    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<Task> short_tasks_;  // mutex_
    std::deque<Task> long_tasks_;   // mutex_
    bool ending_ = false;           // mutex_
    std::vector<std::jthread> threads_;
};

}  // namespace mk::rpc
