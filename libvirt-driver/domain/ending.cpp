// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Lifecycle's other half: what follows when an app kernel ends by itself. States, reasons and
// events are those of libvirt's qemu driver (src/qemu/qemu_process.c, qemu_driver.c
// processGuestPanicEvent), which clients know.
#include <fmt/format.h>

#include <exception>

#include "domain/lifecycle.h"
#include "domain/settle.h"
#include "util/error.h"
#include "util/log.h"

namespace mk::domain {

using backend::State;

void Lifecycle::answer_soon(const std::shared_ptr<Domain>& domain) {
    if (!domain->answer_due.exchange(true))
        context_.workers.post([this, domain] { answer(domain); });
}

void Lifecycle::answer(const std::shared_ptr<Domain>& domain) noexcept {
    constexpr std::chrono::seconds patience{1};  // a long job, a dump perhaps: others first
    std::unique_ptr<Job> job;
    try {
        job = std::make_unique<Job>(domain, "end of the app kernel", patience);
        domain->answer_due = false;
        if (domain->running)
            answer_end(*job);
    } catch (const Error& error) {
        if (!job && error.code() == VIR_ERR_OPERATION_TIMEOUT) {
            context_.workers.post([this, domain] { answer(domain); });
            return;
        }
        domain->answer_due = false;
        if (error.code() != VIR_ERR_NO_DOMAIN)
            log::error("domain '{}': {}", domain->subject(), error.what());
    } catch (const std::exception& error) {
        domain->answer_due = false;
        log::error("domain '{}': {}", domain->subject(), error.what());
    }
}

void Lifecycle::hear_late_answer(const Job& job) {
    Domain& domain = job.domain();
    if (domain.running && domain.awaits_answer &&
        settle(context_, job, context_.backend.status(domain.uuid())))
        note_live(domain);
}

void Lifecycle::answer_end(const Job& job) {
    Domain& domain = job.domain();
    std::optional<backend::Status> status;
    try {
        status = context_.backend.status(domain.uuid());
    } catch (const Error& error) {
        if (error.code() != VIR_ERR_NO_DOMAIN) {
            context_.events.push({domain.identity(), ControlErrorEvent{}});
            throw;
        }
    }
    if (!status) {
        log::warning("the partition of domain '{}' was destroyed by somebody else",
                     domain.subject());
        forget_partition(job, ending_for(VIR_DOMAIN_SHUTOFF_DESTROYED));
        return;
    }
    if (settle(context_, job, *status))
        note_live(domain);
    note_agent(domain, has_reported(status->state));
    answer_state(job, *status);
    if (domain.running)
        domain.running->watch->arm();
}

void Lifecycle::answer_state(const Job& job, const backend::Status& status) {
    Running& running = *job.domain().running;
    if (status.state == State::paused)
        answer_pause(job, status);
    const bool told = running.ended_boot == status.boots && status.state != State::lost;
    if (!has_ended(status.state) || told)
        return;
    running.ended_boot = status.boots;  // `preserve` leaves it ended; it is answered once
    const auto definition = job.domain().view().live;
    switch (status.state) {
        case State::poweroff:
        case State::halted:
            answer_shutdown(job, definition->on_poweroff);
            break;
        case State::reboot:
            answer_reboot(job);
            break;
        case State::panic:
            answer_panic(job, status);
            break;
        case State::lost:
            answer_loss(job);
            break;
        default:  // loaded, stopped: a restart that did not come to its end
            finish_restart(job);
            break;
    }
}

void Lifecycle::answer_shutdown(const Job& job, Action action) {
    Domain& domain = job.domain();
    log::info("the app kernel of domain '{}' has shut down", domain.subject());
    domain.set_state(VIR_DOMAIN_SHUTDOWN, VIR_DOMAIN_SHUTDOWN_UNKNOWN);
    push(domain, VIR_DOMAIN_EVENT_SHUTDOWN, VIR_DOMAIN_EVENT_SHUTDOWN_FINISHED);
    follow(job, action, ending_for(VIR_DOMAIN_SHUTOFF_SHUTDOWN));
}

void Lifecycle::answer_reboot(const Job& job) {
    Domain& domain = job.domain();
    const Action action = domain.view().live->on_reboot;
    if (action == Action::restart || action == Action::rename_restart) {
        log::info("the app kernel of domain '{}' reboots", domain.subject());
        finish_restart(job);
        return;
    }
    answer_shutdown(job, action);
}

void Lifecycle::finish_restart(const Job& job) {
    if (restart_ended(job))
        context_.events.push({job.domain().identity(), RebootEvent{}});
}

void Lifecycle::answer_panic(const Job& job, const backend::Status& status) {
    Domain& domain = job.domain();
    log::error("the app kernel of domain '{}' crashed: {}", domain.subject(),
               status.panic.empty() ? "no reason is known" : status.panic);
    domain.set_state(VIR_DOMAIN_CRASHED, VIR_DOMAIN_CRASHED_PANICKED);
    push(domain, VIR_DOMAIN_EVENT_CRASHED, VIR_DOMAIN_EVENT_CRASHED_PANICKED);
    append_kernel_log(job, "the app kernel crashed");
    const Action action = domain.view().live->on_crash;
    if (action == Action::coredump_destroy || action == Action::coredump_restart)
        auto_dump(job);
    follow(job, action, ending_for(VIR_DOMAIN_SHUTOFF_CRASHED));
}

// What the definition says is to follow an end; `ending` if that is destroy.
void Lifecycle::follow(const Job& job, Action action, const Ending& ending) {
    switch (action) {
        case Action::restart:
        case Action::rename_restart:
        case Action::coredump_restart:
            if (restart_ended(job))
                push(job.domain(), VIR_DOMAIN_EVENT_STARTED, VIR_DOMAIN_EVENT_STARTED_BOOTED);
            break;
        case Action::preserve:
            note_live(job.domain());
            break;
        case Action::destroy:
        case Action::coredump_destroy:
            stop(job, ending);
            break;
    }
}

// A CPU that does not answer INIT may still run: nothing of the partition can be given away.
void Lifecycle::answer_loss(const Job& job) {
    Domain& domain = job.domain();
    const DomainView view = domain.view();
    if (view.state == VIR_DOMAIN_CRASHED && view.reason == VIR_DOMAIN_CRASHED_UNKNOWN)
        return;
    log::error(
        "domain '{}' is lost: a CPU does not answer, and nothing that it holds can be given "
        "back. Only a reset of the host helps; CPUs {}",
        log::Subject{view.name, view.uuid}, domain.running->grant.holding().all_cpus().to_string());
    domain.set_state(VIR_DOMAIN_CRASHED, VIR_DOMAIN_CRASHED_UNKNOWN);
    note_live(domain);
    context_.events.push({domain.identity(), ControlErrorEvent{}});
    push(domain, VIR_DOMAIN_EVENT_CRASHED, VIR_DOMAIN_EVENT_CRASHED_PANICKED);
}

// Nothing runs any more, so a domain that cannot be started again is stopped.
bool Lifecycle::restart_ended(const Job& job) {
    try {
        restart(job);
        return true;
    } catch (const Error& error) {
        log::error("{}", error.what());
    }
    if (job.domain().running)
        stop(job, ending_for(VIR_DOMAIN_SHUTOFF_FAILED));
    return false;
}

}  // namespace mk::domain
