// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What the machine's CPUs have done, by whichever kernel: a partition's CPU goes on from what the
// host's kernel had counted, and the host's from what app kernels did meanwhile. So what a client
// takes the difference of never goes back, while this daemon lives. What nobody asked for between
// the last look at an app kernel and its end is not counted.
//
// Thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>

#include "backend/backend.h"
#include "host/usage.h"
#include "util/uuid.h"

namespace mk::domain {

class NodeTimes {
  public:
    // Tells what an app kernel says now, again and again; looks are in order.
    using See = std::function<void(const Uuid& uuid, const backend::AppStats& stats)>;
    void look(const std::function<void(const See& see)>& at_all);

    // `host`: what the host's kernel has counted of this CPU; nullopt: it does not run it now.
    [[nodiscard]] host::CpuTimes of(unsigned cpu, const std::optional<host::CpuTimes>& host);
    // `host`: of all CPUs, those that it does not run now too.
    [[nodiscard]] host::CpuTimes of_all(const host::CpuTimes& host) const;

  private:
    struct Cpu {
        host::CpuTimes host;     // when it last ran it
        host::CpuTimes past;     // of app kernels before
        host::CpuTimes present;  // of `owner`, since its boot
        std::optional<Uuid> owner;
        std::uint64_t uptime_ns = 0;  // of `owner`: less than before, and it is another boot
    };
    void see(const Uuid& uuid, const backend::AppStats& stats);

    mutable std::mutex mutex_;
    std::map<unsigned, Cpu> cpus_;  // mutex_
};

}  // namespace mk::domain
