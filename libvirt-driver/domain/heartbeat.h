// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Decides from what app kernels report, and from the time that somebody else looks at, whether
// one has lost its heartbeat. Not for what follows (watchdog.cpp).
//
// Thread-safe.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>

#include "backend/backend.h"
#include "util/uuid.h"

namespace mk::domain {

class Heartbeats {
  public:
    using Clock = std::chrono::steady_clock;

    // How long a heartbeat may stand still. Default: 10 seconds; it beats four times a second.
    void set_patience(Clock::duration patience);
    // One look at a partition. True once for each loss: not again until it has beaten, however
    // often it is paused in between. Only an app kernel that has reported and is not paused can
    // lose its heartbeat.
    [[nodiscard]] bool lost(const Uuid& uuid, const backend::Status& status, Clock::time_point now);
    void forget(const Uuid& uuid);

  private:
    struct Beat {
        unsigned boots = 0;
        std::uint64_t heartbeat = 0;
        Clock::time_point since;
        bool told = false;
    };

    std::mutex mutex_;
    Clock::duration patience_ = std::chrono::seconds(10);  // mutex_
    std::map<Uuid, Beat> beats_;                           // mutex_
};

}  // namespace mk::domain
