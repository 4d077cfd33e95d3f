// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The driver: core dumps, looks into memory, and the jobs that clients see.
#include <fmt/format.h>

#include <span>

#include "domain/driver_impl.h"
#include "domain/dump.h"
#include "dump/address_space.h"
#include "dump/memory.h"
#include "dump/vmcoreinfo.h"
#include "util/error.h"

namespace mk::domain {

void Driver::core_dump(const Uuid& uuid, const DumpRequest& request) {
    const Job job(impl_->domains.find(uuid), "dump");
    impl_->lifecycle.dump(job, request);
}

std::string Driver::memory_peek(const Uuid& uuid, std::uint64_t address, std::size_t bytes,
                                bool physical) const {
    constexpr std::chrono::milliseconds patience{2'000};
    const Job job(impl_->domains.find(uuid), "memory peek");
    require_active(job.domain().view());
    dump::Memory memory(impl_->backend->memory_file(uuid),
                        impl_->lifecycle.status(job.shared()).memory);
    std::string out(bytes, '\0');
    const auto room = std::as_writable_bytes(std::span(out));
    bool there = false;
    if (physical) {
        there = memory.read(address, room);
    } else {
        const auto info = dump::find_vmcoreinfo(memory, patience);
        auto space = info ? dump::AddressSpace::of(memory, *info) : std::nullopt;
        if (!space)
            throw Error(VIR_ERR_OPERATION_FAILED, "the app kernel's page tables are not found");
        there = space->read(address, room);
    }
    if (!there)
        throw Error(VIR_ERR_INVALID_ARG,
                    fmt::format("not all of {} bytes at 0x{:x} are memory of domain '{}'", bytes,
                                address, job.domain().name()));
    return out;
}

JobStats Driver::job_stats(const Uuid& uuid) const {
    const auto fields = impl_->domains.find(uuid)->fields();
    require_active(fields.view);
    return fields.dump ? fields.dump->stats() : JobStats{};
}

JobStats Driver::completed_job_stats(const Uuid& uuid, bool keep) {
    return impl_->domains.find(uuid)->update([keep](DomainFields& fields) {
        if (!fields.completed)
            return JobStats{};
        JobStats stats = *fields.completed;
        if (!keep)
            fields.completed.reset();
        return stats;
    });
}

void Driver::abort_job(const Uuid& uuid) {
    const auto domain = impl_->domains.find(uuid);
    require_active(domain->view());
    if (!Lifecycle::cancel_dump(*domain))
        throw Error(VIR_ERR_OPERATION_INVALID, "no job is active on the domain");
}

}  // namespace mk::domain
