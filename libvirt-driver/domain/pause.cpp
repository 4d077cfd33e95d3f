// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Lifecycle's pauses: those that somebody asked for, and those that the host's kernel made
// because an app kernel flooded it. States and events are those of libvirt's qemu driver
// (qemuDomainSuspend, qemuDomainResume).
#include <fmt/format.h>

#include <utility>

#include "domain/lifecycle.h"
#include "util/error.h"
#include "util/log.h"

namespace mk::domain {

using backend::State;

void Lifecycle::require_reported(const std::string& name, State state) {
    if (state == State::loaded)
        throw Error(VIR_ERR_OPERATION_INVALID,
                    fmt::format("the app kernel of domain '{}' was started paused and has not "
                                "booted yet: resume boots it",
                                name));
    if (has_ended(state))
        throw Error(VIR_ERR_OPERATION_INVALID,
                    fmt::format("the app kernel of domain '{}' has ended and cannot be asked; "
                                "destroy works",
                                name));
    if (state == State::booting)
        throw Error(VIR_ERR_OPERATION_INVALID,
                    fmt::format("the app kernel of domain '{}' has not reported yet and cannot be "
                                "asked; destroy and reset work",
                                name));
}

void Lifecycle::suspend(const Job& job, const Pause& why) {
    Domain& domain = job.domain();
    require_active(domain.view());
    const State state = status(job.shared()).state;
    if (state == State::loaded)
        return;  // it was started paused
    require_reported(domain.name(), state);
    if (domain.view().state == VIR_DOMAIN_PAUSED)
        return;
    if (state != State::paused)
        context_.backend.pause(domain.uuid());
    become_paused(domain, why);
}

void Lifecycle::become_paused(Domain& domain, const Pause& why) {
    domain.set_state(VIR_DOMAIN_PAUSED, why.reason);
    note_live(domain);
    push(domain, VIR_DOMAIN_EVENT_SUSPENDED, why.detail);
}

void Lifecycle::resume(const Job& job) {
    Domain& domain = job.domain();
    const DomainView view = domain.view();
    require_active(view);
    if (view.state == VIR_DOMAIN_RUNNING)
        throw Error(VIR_ERR_OPERATION_INVALID, "domain is already running");
    if (view.state != VIR_DOMAIN_PAUSED)
        throw Error(VIR_ERR_OPERATION_INVALID,
                    fmt::format("the app kernel of domain '{}' has ended; reset starts it again",
                                view.name));
    const bool begins = status(job.shared()).state == State::loaded;
    if (begins) {
        context_.backend.start(view.uuid);
        const State state = attach_console(view.uuid, *domain.running->console, nullptr);
        listen(job.shared(), state);
    } else {
        context_.backend.resume(view.uuid);
    }
    domain.set_state(VIR_DOMAIN_RUNNING, VIR_DOMAIN_RUNNING_UNPAUSED);
    const auto asked = std::exchange(domain.running->asked_while_paused, std::nullopt);
    note_live(domain);
    push(domain, VIR_DOMAIN_EVENT_RESUMED, VIR_DOMAIN_EVENT_RESUMED_UNPAUSED);
    if (!asked)
        return;
    try {
        static_cast<void>(context_.backend.request(view.uuid, {*asked}));
    } catch (const Error& error) {
        log::error(
            "domain '{}' could not be asked for what was wanted of it while it was paused: "
            "{}",
            log::Subject{view.name, view.uuid}, error.what());
    }
}

// Nobody asked for it: the host protected itself.
void Lifecycle::answer_pause(const Job& job, const backend::Status& status) {
    Domain& domain = job.domain();
    if (status.state != State::paused || domain.view().state != VIR_DOMAIN_RUNNING)
        return;
    log::warning(
        "domain '{}' was paused by the host: it rang for attention far too often; resume lets it "
        "go on",
        domain.subject());
    become_paused(domain, {VIR_DOMAIN_PAUSED_UNKNOWN, VIR_DOMAIN_EVENT_SUSPENDED_PAUSED});
}

}  // namespace mk::domain
