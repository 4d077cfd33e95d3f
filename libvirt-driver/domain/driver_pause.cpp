// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The driver: what interrupts an app kernel without ending it.
#include <fmt/format.h>

#include "domain/driver_impl.h"
#include "util/error.h"
#include "util/log.h"

namespace mk::domain {

void Driver::suspend(const Uuid& uuid) {
    const Job job(impl_->domains.find(uuid), "suspend");
    impl_->lifecycle.suspend(job, {});
}

void Driver::resume(const Uuid& uuid) {
    const Job job(impl_->domains.find(uuid), "resume");
    impl_->lifecycle.resume(job);
}

void Driver::inject_nmi(const Uuid& uuid) {
    const Job job(impl_->domains.find(uuid), "inject-nmi");
    const DomainView view = job.domain().view();
    const backend::Status status = impl_->lifecycle.status(job.shared());
    if (status.state == backend::State::paused)
        throw Error(
            VIR_ERR_OPERATION_INVALID,
            fmt::format("domain '{}' is paused: its CPUs cannot print anything", view.name));
    const unsigned missing = impl_->backend->nmi(uuid, backend::Backend::Nmi::backtrace);
    if (missing == 0)
        return;
    if (missing >= status.cpus.size())
        throw Error(VIR_ERR_OPERATION_FAILED,
                    fmt::format("no CPU of domain '{}' answers the interrupt", view.name));
    log::warning("{} of {} CPUs of domain '{}' did not answer the interrupt", missing,
                 status.cpus.size(), log::Subject{view.name, view.uuid});
}

void Driver::send_sysrq(const Uuid& uuid, char key) {
    const Job job(impl_->domains.find(uuid), "send-key");
    const backend::State state = impl_->lifecycle.status(job.shared()).state;
    if (state == backend::State::paused)
        throw Error(VIR_ERR_OPERATION_INVALID,
                    fmt::format("domain '{}' is paused and takes no keys", job.domain().name()));
    Lifecycle::require_reported(job.domain().name(), state);
    static_cast<void>(impl_->backend->request(uuid, {.what = backend::Request::sysrq, .key = key}));
}

}  // namespace mk::domain
