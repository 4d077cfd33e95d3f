// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What a Driver is made of, for the files that implement it: driver.cpp (look-ups, changes of
// state), driver_config.cpp (definitions and metadata), driver_host.cpp (the machine). Not for
// callers of driver.h.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "domain/context.h"
#include "domain/domain_list.h"
#include "domain/driver.h"
#include "domain/heartbeat.h"
#include "domain/lifecycle.h"
#include "domain/node_times.h"
#include "domain/store.h"
#include "host/pool.h"
#include "host/topology.h"
#include "util/audit.h"

namespace mk::domain {

struct Driver::Impl {
    Impl(const Paths& wanted_paths, std::unique_ptr<backend::Backend> wanted_backend,
         const Settings& settings);
    Impl(const Impl&) = delete;
    Impl& operator=(const Impl&) = delete;
    ~Impl();

    [[nodiscard]] Context context();
    // Finds or adds the domain that `definition` names, and takes its job. `added` tells which.
    [[nodiscard]] std::unique_ptr<Job> job_for(const std::shared_ptr<const Definition>& definition,
                                               const std::string& what);
    // Checks, saves and shows a persistent definition. REQUIRES: the job.
    void save_config(Domain& domain, const std::shared_ptr<const Definition>& config);
    // Changes the definitions that `wanted` means; all of them are valid, or none is changed.
    // REQUIRES: the job.
    void change_definitions(Domain& domain, const Affect& wanted,
                            const std::function<void(Definition&)>& change);
    void set_autostart(const Uuid& uuid, bool on, Autostart which);

    // The NUMA nodes that a call about `count` cells from `first` on means. Throws
    // Error(VIR_ERR_INVALID_ARG).
    [[nodiscard]] std::vector<unsigned> cells(int first, unsigned count) const;

    // Later members use earlier ones and die first.
    const Paths paths;
    const std::optional<Uuid> host_uuid;
    Audit audit;
    const image::Places places;
    const std::unique_ptr<backend::Backend> backend;
    Store store;
    host::Topology topology;
    host::Pool pool;
    Loop loop;
    EventQueue events;
    Workers workers{4};
    Workers idle_workers{1, SCHED_IDLE};
    DomainList domains{paths.job_patience};
    Lifecycle lifecycle;
    Heartbeats heartbeats;
    NodeTimes node_times;
    std::atomic<bool> checking_heartbeats = false;
    std::atomic<bool> autostart_ended = false;
    std::mutex sysinfo_mutex;
    std::string sysinfo;  // sysinfo_mutex; empty: not read yet
};

}  // namespace mk::domain
