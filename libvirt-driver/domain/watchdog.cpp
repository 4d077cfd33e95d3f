// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What follows when an app kernel has lost its heartbeat: the event, and then the action of
// <watchdog>. Events and states are those of libvirt's qemu driver (qemuProcessHandleWatchdog).
#include <exception>
#include <string_view>

#include "domain/document.h"
#include "domain/driver_impl.h"
#include "util/error.h"
#include "util/log.h"

namespace mk::domain {
namespace {

virDomainEventWatchdogAction event_of(WatchdogAction action) {
    switch (action) {
        case WatchdogAction::reset:
            return VIR_DOMAIN_EVENT_WATCHDOG_RESET;
        case WatchdogAction::poweroff:
            return VIR_DOMAIN_EVENT_WATCHDOG_POWEROFF;
        case WatchdogAction::pause:
        case WatchdogAction::dump:  // it is held meanwhile
            return VIR_DOMAIN_EVENT_WATCHDOG_PAUSE;
        case WatchdogAction::inject_nmi:
            return VIR_DOMAIN_EVENT_WATCHDOG_INJECTNMI;
        case WatchdogAction::none:
            break;
    }
    return VIR_DOMAIN_EVENT_WATCHDOG_NONE;
}

}  // namespace

void Lifecycle::answer_hang(const std::shared_ptr<Domain>& domain,
                            const backend::Status& seen) noexcept {
    try {
        const Job job(domain, "watchdog");
        if (!domain->view().active())
            return;
        // It may have gone on, ended or been restarted while the job was another's.
        const backend::Status now = status(domain);
        if (now.state != seen.state || now.boots != seen.boots || !now.app || !seen.app ||
            now.app->heartbeat != seen.app->heartbeat)
            return;
        follow_watchdog(job);
    } catch (const std::exception& error) {
        log::error("watchdog of domain '{}': {}", domain->subject(), error.what());
    }
}

void Lifecycle::follow_watchdog(const Job& job) {
    Domain& domain = job.domain();
    const auto action = domain.view().live->watchdog.value_or(WatchdogAction::none);
    log::warning("the app kernel of domain '{}' has lost its heartbeat; action: {}",
                 domain.subject(), to_string(action));
    context_.events.push({domain.identity(), WatchdogEvent{event_of(action)}});
    // Before anything boots over its memory; what an NMI makes it print is to be there, too.
    constexpr std::string_view why = "the app kernel has lost its heartbeat";
    if (action != WatchdogAction::inject_nmi)
        append_kernel_log(job, why);
    switch (action) {
        case WatchdogAction::reset:
            restart(job);
            context_.events.push({domain.identity(), RebootEvent{}});
            break;
        case WatchdogAction::poweroff:
            stop(job, ending_for(VIR_DOMAIN_SHUTOFF_DESTROYED));
            break;
        case WatchdogAction::pause:
            suspend(job, {VIR_DOMAIN_PAUSED_WATCHDOG, VIR_DOMAIN_EVENT_SUSPENDED_WATCHDOG});
            break;
        case WatchdogAction::dump:
            auto_dump(job);
            break;
        case WatchdogAction::inject_nmi:
            if (const unsigned missing =
                    context_.backend.nmi(domain.uuid(), backend::Backend::Nmi::backtrace))
                log::warning("{} CPUs of domain '{}' did not answer the interrupt", missing,
                             domain.subject());
            append_kernel_log(job, why);
            break;
        case WatchdogAction::none:
            break;
    }
}

void Driver::set_watchdog_timeout(std::chrono::seconds timeout) {
    impl_->heartbeats.set_patience(timeout);
}

void Driver::check_heartbeats(std::chrono::steady_clock::time_point now) {
    for (const auto& domain : impl_->domains.all()) {
        if (!domain->view().active()) {
            impl_->heartbeats.forget(domain->uuid());
            continue;
        }
        try {
            const backend::Status status = impl_->lifecycle.status(domain);
            if (!impl_->heartbeats.lost(domain->uuid(), status, now))
                continue;
            impl_->workers.post(
                [this, domain, status] { impl_->lifecycle.answer_hang(domain, status); });
        } catch (const Error& error) {  // it ended since the look
            log::debug("heartbeat of domain '{}': {}", domain->subject(), error.what());
        }
    }
}

void Driver::look_at_heartbeats() {
    if (impl_->checking_heartbeats.exchange(true))
        return;
    impl_->workers.post([this] {
        check_heartbeats(std::chrono::steady_clock::now());
        impl_->checking_heartbeats = false;
    });
}

}  // namespace mk::domain
