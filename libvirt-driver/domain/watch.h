// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Hears that the backend has news of one partition, and says so once for each arm(). What the
// news is, status() tells; what follows from it is ending.h.
//
// Thread-safe.
#pragma once

#include <functional>
#include <memory>

#include "domain/loop.h"
#include "util/fd.h"

namespace mk::domain {

class PartitionWatch {
  public:
    // `news` runs on the loop thread and must not block. Not armed yet.
    PartitionWatch(Loop& loop, Fd fd, Task news);
    PartitionWatch(const PartitionWatch&) = delete;
    PartitionWatch& operator=(const PartitionWatch&) = delete;
    ~PartitionWatch();  // `news` does not run any more

    // Call `news` once, as soon as there is any.
    void arm();
    // Not until arm() is called again.
    void disarm();

  private:
    Loop& loop_;
    Fd fd_;
    Task news_;
    std::unique_ptr<FdWatch> watch_;  // loop thread
};

}  // namespace mk::domain
