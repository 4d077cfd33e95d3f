// SPDX-License-Identifier: LGPL-2.1-or-later
//
// One domain: its definitions, its state, and the job that whoever changes it holds. What a
// start or a stop does is lifecycle.h; which domains there are is domain_list.h.
//
// Thread-safe as noted at each member. Lock order: DomainList, Domain, Pool.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "backend/backend.h"
#include "domain/console.h"
#include "domain/driver.h"
#include "domain/event.h"
#include "domain/watch.h"
#include "host/grant.h"
#include "util/log.h"

namespace mk::domain {

struct DumpJob;  // dump.h
struct JobStats;

// A request that its app kernel has not answered yet.
struct Pending {
    std::uint32_t sequence = 0;
    backend::Ask ask;
    std::optional<MemoryDevice> device;  // what the memory is for
};

// What a running domain holds beside what DomainView shows. Only the holder of the job touches
// it; `console` is copied to DomainFields for the others.
struct Running {
    host::Grant grant;
    std::shared_ptr<ConsoleHub> console;
    std::unique_ptr<PartitionWatch> watch;
    bool autodestroy = false;
    unsigned ended_boot = 0;  // the start whose end was answered already; 0: none
    // What it is to be asked for once it goes on: it was paused when somebody wanted it.
    std::optional<backend::Request> asked_while_paused;
    std::array<std::optional<Pending>, backend::channels> pending;
    std::map<unsigned, unsigned> meant_for;  // CPU -> the vCPU that it was added for
};

// Everything of a domain that its mutex guards.
struct DomainFields {
    DomainView view;
    std::shared_ptr<ConsoleHub> console;        // null: not active
    bool removed = false;                       // no longer in the list
    std::shared_ptr<DumpJob> dump;              // null: none is being written
    std::shared_ptr<const JobStats> completed;  // of the last one; null: none, or told
    bool starting = false;                      // a start runs, a destroy may cancel it
    bool cancelled = false;                     // … and did
    bool agent = false;  // the app module is there to answer, and everybody was told so
};

class Domain {
  public:
    // `job_patience`: how long a call waits for the job of another.
    explicit Domain(const std::shared_ptr<const Definition>& definition,
                    std::chrono::milliseconds job_patience);
    Domain(const Domain&) = delete;
    Domain& operator=(const Domain&) = delete;

    [[nodiscard]] const Uuid& uuid() const noexcept { return uuid_; }
    [[nodiscard]] std::chrono::milliseconds job_patience() const noexcept { return job_patience_; }
    [[nodiscard]] std::string name() const;
    [[nodiscard]] int id() const;      // -1: not active
    [[nodiscard]] bool agent() const;  // DomainFields::agent
    [[nodiscard]] log::Subject subject() const { return {.name = name(), .uuid = uuid_}; }
    [[nodiscard]] DomainView view() const;
    [[nodiscard]] DomainFields fields() const;
    [[nodiscard]] DomainIdentity identity() const;

    // Runs `change(fields)` under the mutex; it must not block.
    template <typename Change>
    auto update(const Change& change) {
        const std::scoped_lock lock(mutex_);
        return change(fields_);
    }
    void set_state(virDomainState state, int reason);

    // Null while it does not run. REQUIRES: the job.
    std::unique_ptr<Running> running;
    // Somebody is to look at what its app kernel says, soon (Lifecycle::answer_soon()).
    std::atomic<bool> answer_due = false;
    // Something of Running::pending was given up on: its answer may come at any time.
    std::atomic<bool> awaits_answer = false;

  private:
    friend class Job;
    const Uuid uuid_;
    const std::chrono::milliseconds job_patience_;
    mutable std::mutex mutex_;
    DomainFields fields_;  // mutex_
    std::string job_;      // mutex_: who holds it; empty: nobody
    std::condition_variable job_ends_;
};

// The right to change a domain, held while it lives: one at a time, as libvirt's
// VIR_JOB_MODIFY. Also keeps the Domain alive.
class Job {
  public:
    // `what` it is for, unless a client calls: then its call says so. Throws Error:
    // VIR_ERR_OPERATION_TIMEOUT if another keeps it for `patience`, else the domain's;
    // VIR_ERR_NO_DOMAIN if the domain is gone by then.
    Job(const std::shared_ptr<Domain>& domain, const std::string& what);
    Job(std::shared_ptr<Domain> domain, const std::string& what,
        std::chrono::milliseconds patience);
    Job(const Job&) = delete;
    Job& operator=(const Job&) = delete;
    ~Job();

    [[nodiscard]] Domain& domain() const noexcept { return *domain_; }
    [[nodiscard]] const std::shared_ptr<Domain>& shared() const noexcept { return domain_; }

  private:
    std::shared_ptr<Domain> domain_;
};

// Throws Error(VIR_ERR_OPERATION_INVALID, "domain is not running").
void require_active(const DomainView& view);
// What "current" is, and whether it is there; virDomainObjUpdateModificationImpact. Throws
// Error(VIR_ERR_OPERATION_INVALID).
[[nodiscard]] Affect resolve(const DomainView& view, Affect affect);
// DomainView::updated, from the definitions.
void note_difference(DomainView& view);

}  // namespace mk::domain
