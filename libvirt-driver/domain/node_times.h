// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What the machine's CPUs have done, by whichever kernel: a partition's CPU goes on from what the
// host's kernel had counted, and the host's from what app kernels did meanwhile. So what a client
// takes the difference of never goes back, while this daemon lives. What nobody asked for between
// the last look at an app kernel and its end is not counted.
//
// Thread-safe.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <utility>

#include "backend/backend.h"
#include "host/usage.h"

namespace mk::domain {

class NodeTimes {
  public:
    // Tells what the app kernel of an active domain says now: `id` is the domain's, `boots` as
    // backend::Status has it. Looks are in order.
    using See = std::function<void(int id, unsigned boots, const backend::AppStats& stats)>;
    void look(const std::function<void(const See& see)>& at_all);

    // `host`: what the host's kernel has counted of this CPU; nullopt: it does not run it now.
    [[nodiscard]] host::CpuTimes of(unsigned cpu, const std::optional<host::CpuTimes>& host);
    // `host`: of all CPUs, those that it does not run now too.
    [[nodiscard]] host::CpuTimes of_all(const host::CpuTimes& host);

  private:
    struct Cpu {
        host::CpuTimes host;                    // when it last ran it
        host::CpuTimes past;                    // of app kernels before
        host::CpuTimes present;                 // of `owner`
        std::pair<int, unsigned> owner{-1, 0};  // id and boots
    };
    void see(int id, unsigned boots, const backend::AppStats& stats);

    std::mutex mutex_;
    std::map<unsigned, Cpu> cpus_;  // mutex_
    host::CpuTimes all_;            // mutex_; what was told last
};

}  // namespace mk::domain
