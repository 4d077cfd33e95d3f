// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A few threads for what the loop thread must not do: answering the end of a partition means
// backend calls, files and waiting for a domain's job. Calls of clients have rpc's workers.
//
// Thread-safe.
#pragma once

#include <sched.h>

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "domain/loop.h"

namespace mk::domain {

class Workers {
  public:
    // `policy` as sched(7) has it: with SCHED_BATCH whoever posts keeps its CPU at first, with
    // SCHED_IDLE nobody gives one up for a task.
    explicit Workers(unsigned count, int policy = SCHED_BATCH);
    Workers(const Workers&) = delete;
    Workers& operator=(const Workers&) = delete;
    ~Workers();

    // An exception of `task` goes to the log.
    void post(Task task);
    // Waits for the tasks that run; those that have not begun are dropped, later ones refused.
    void stop();

  private:
    void work();

    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<Task> tasks_;  // mutex_
    bool stopping_ = false;   // mutex_
    std::vector<std::thread> threads_;
};

}  // namespace mk::domain
