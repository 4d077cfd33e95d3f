// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Changes of what a running domain has: vCPUs and memory that come and go. Each asks the pool,
// then the backend, then the app kernel, and ends with settle(), so whatever the app kernel did,
// wholly, in part or not at all, definition, books and machine agree afterwards.
//
// An app kernel gets Paths::app_patience to do what it is asked for; then the request is
// withdrawn, and after a little more time the call fails with VIR_ERR_OPERATION_TIMEOUT. An answer
// that comes later still counts. A destroy() ends any of these at once.
//
// Externally synchronised by the domain's job. Calls block. Throw Error: VIR_ERR_OPERATION_INVALID
// nobody is there to be asked; VIR_ERR_OPERATION_FAILED it could not be done, or in part (the
// message says how far); VIR_ERR_OPERATION_TIMEOUT; VIR_ERR_OPERATION_ABORTED destroyed meanwhile;
// VIR_ERR_RESOURCE_BUSY the app kernel still works on an earlier request; and what the pool says.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "domain/audit.h"
#include "domain/context.h"
#include "domain/definition.h"
#include "domain/domain.h"
#include "domain/lifecycle.h"
#include "domain/steps.h"
#include "util/error.h"

namespace mk::domain {

// One change while it runs: nobody else listens to the partition, and a destroy() may end it.
class LiveChange {
  public:
    LiveChange(const Context& context, Lifecycle& lifecycle, const Job& job);
    LiveChange(const LiveChange&) = delete;
    LiveChange& operator=(const LiveChange&) = delete;
    ~LiveChange();

    struct Outcome {
        bool answered = false;
        int error = 0;                // an errno; 0: it did what it was asked for
        std::uint64_t value_kib = 0;  // how far it came
        [[nodiscard]] bool done() const noexcept { return answered && error == 0; }
        [[nodiscard]] std::string why() const;
    };
    // Throws VIR_ERR_RESOURCE_BUSY while the last request is not answered: before anything is taken
    // for the next one.
    void require_answered(backend::Channel channel) const;
    // Posts a request and waits; what is not answered in time stays in Running::pending.
    Outcome ask(const backend::Ask& ask, const std::optional<MemoryDevice>& device = {});
    // Brings the books up to date and saves the live record.
    void settle();
    // Runs `work`. If it throws, an audit record says that `wanted` was not reached; what was
    // reached, settle() has told.
    template <typename Work>
    void attempt(AuditResource resource, std::uint64_t wanted, const Work& work) {
        try {
            require_answered(resource == AuditResource::vcpu ? backend::Channel::cpu
                                                             : backend::Channel::memory);
            work();
        } catch (const Error&) {
            audit_failure(resource, wanted);
            throw;
        }
    }
    [[nodiscard]] backend::Status status();
    // What its app kernel has now.
    [[nodiscard]] std::uint64_t used_kib();
    // The unit in which its memory moves; 0: its app kernel has not said yet.
    [[nodiscard]] std::uint64_t block_kib() const noexcept { return last_.block_kib; }

    [[nodiscard]] Running& running() const noexcept { return *job_.domain().running; }
    [[nodiscard]] DomainView view() const { return job_.domain().view(); }
    [[nodiscard]] const Context& context() const noexcept { return context_; }
    [[nodiscard]] const Uuid& uuid() const noexcept { return job_.domain().uuid(); }
    [[nodiscard]] DomainIdentity identity() const { return job_.domain().identity(); }
    // The live definition, changed. Nobody else changes it: the job is held.
    template <typename Change>
    void edit(const Change& change) {
        job_.domain().update([&change](DomainFields& fields) {
            auto live = std::make_shared<Definition>(*fields.view.live);
            change(*live);
            fields.view.live = live;
            note_difference(fields.view);
        });
    }

  private:
    bool wait_for_answer(std::size_t channel, std::uint32_t sequence,
                         std::chrono::milliseconds patience);
    void audit_failure(AuditResource resource, std::uint64_t wanted);

    const Context& context_;
    Lifecycle& lifecycle_;
    const Job& job_;
    const Starting interruptible_;
    backend::Status last_;
    Fd news_;
};

// vCPUs of a running domain. REQUIRES: active; they are offline (online).
void enable_vcpus(LiveChange& change, const CpuSet& vcpus);
void disable_vcpus(LiveChange& change, const CpuSet& vcpus);
// Moves a vCPU to one of `cpus`, unless it is there.
void move_vcpu(LiveChange& change, unsigned vcpu, const CpuSet& cpus);

// What it has in all. Rounded up to what can be given or taken; the live definition says it.
void resize_memory(LiveChange& change, std::uint64_t size_kib);
void attach_memory(LiveChange& change, MemoryDevice device);
// An entry of the live definition's memory_devices.
void detach_memory(LiveChange& change, const MemoryDevice& device);

}  // namespace mk::domain
