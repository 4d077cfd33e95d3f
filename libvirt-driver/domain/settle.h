// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Makes the books agree with the kernel: what a running partition has now goes into its live
// definition and the pool's holding, and what its app kernel does not use goes back to the host.
// The last step of every change, of an answer that came late, and of a daemon's start.
//
// Externally synchronised by the domain's job. Blocks (CPUs come back online, memory is scrubbed).
#pragma once

#include "backend/backend.h"
#include "domain/context.h"
#include "domain/domain.h"
#include "host/grant.h"

namespace mk::domain {

// All that a partition owns.
[[nodiscard]] host::Holding holding_of(const backend::Status& status);

// What of it the app kernel has, KiB: not what it was asked to take and says nothing about.
[[nodiscard]] std::uint64_t used_kib(const Running& running, const backend::Status& status);

// A memory device that has come. That the domain uses more memory is settle()'s to find.
void add_device(Definition& live, const MemoryDevice& device);

[[nodiscard]] constexpr std::size_t index(backend::Channel channel) noexcept {
    return static_cast<std::size_t>(channel);
}

// `status` is the last one. Sends the events and audit records that follow. True if the live record
// has changed. Does nothing unless the app kernel runs. Throws nothing: what cannot be given back
// stays in the books, and the log says so. REQUIRES: active.
bool settle(const Context& context, const Job& job, const backend::Status& status);

// Around the stop of an app kernel that is to start again: it boots with all memory that the
// partition has then. What was added is that of a memory device, if it was, but no range of its
// own any more; what the app kernel was never given goes back first. Throw as the Backend.
void give_back_unused_memory(const Context& context, const Domain& domain);
void keep_memory(const Context& context, const Job& job);

}  // namespace mk::domain
