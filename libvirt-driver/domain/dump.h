// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Core dumps as jobs: what is wanted, how far it has come, how it went. What a core file holds
// is dump/core.h.
//
// Plain data, except DumpJob, which is atomic.
#pragma once

#include <libvirt/libvirt.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "dump/compress.h"
#include "dump/core.h"

namespace mk::domain {

struct DumpRequest {
    std::string path;                                   // absolute; what is there is overwritten
    std::optional<dump::Compression> compression = {};  // nullopt: ELF
    bool live = false;                                  // its CPUs run on meanwhile
    bool crash = false;                                 // destroy it afterwards, as crashed
    bool reset = false;                                 // … start it again
    bool bypass_cache = false;
};

// What virDomainGetJobStats tells of one.
struct JobStats {
    virDomainJobOperation operation = VIR_DOMAIN_JOB_OPERATION_DUMP;
    virDomainJobType type = VIR_DOMAIN_JOB_NONE;
    std::uint64_t elapsed_ms = 0;
    std::uint64_t total_bytes = 0;
    std::uint64_t done_bytes = 0;
    std::string error;  // of a failed one
};

// One that runs; anybody may look and cancel.
struct DumpJob {
    dump::Progress progress;
    const std::chrono::steady_clock::time_point began = std::chrono::steady_clock::now();

    [[nodiscard]] JobStats stats() const;
};

}  // namespace mk::domain
