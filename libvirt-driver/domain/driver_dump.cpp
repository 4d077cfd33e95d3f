// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The driver: core dumps, and the jobs that clients see.
#include "domain/driver_impl.h"
#include "domain/dump.h"
#include "util/error.h"

namespace mk::domain {

void Driver::core_dump(const Uuid& uuid, const DumpRequest& request) {
    const Job job(impl_->domains.find(uuid), "dump");
    impl_->lifecycle.dump(job, request);
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
