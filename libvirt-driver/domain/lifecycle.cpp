// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Start, stop and restart.
#include "domain/lifecycle.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <exception>
#include <utility>

#include "domain/audit.h"
#include "domain/settle.h"
#include "domain/steps.h"
#include "util/error.h"
#include "util/log.h"

namespace mk::domain {

bool has_reported(backend::State state) {
    return state == backend::State::running || state == backend::State::paused;
}

bool has_ended(backend::State state) {
    return state != backend::State::booting && !has_reported(state);
}

void Lifecycle::push(const Domain& domain, virDomainEventType type, int detail) {
    context_.events.push({domain.identity(), LifecycleEvent{type, detail}});
}

void Lifecycle::note_agent(Domain& domain, bool there) {
    const bool was =
        domain.update([there](DomainFields& fields) { return std::exchange(fields.agent, there); });
    if (was == there)
        return;
    const auto state = there ? VIR_CONNECT_DOMAIN_EVENT_AGENT_LIFECYCLE_STATE_CONNECTED
                             : VIR_CONNECT_DOMAIN_EVENT_AGENT_LIFECYCLE_STATE_DISCONNECTED;
    context_.events.push({domain.identity(), AgentEvent{state}});
}

Ending ending_for(int reason) {
    switch (reason) {
        case VIR_DOMAIN_SHUTOFF_SHUTDOWN:
            return {VIR_DOMAIN_SHUTOFF_SHUTDOWN, VIR_DOMAIN_EVENT_STOPPED_SHUTDOWN};
        case VIR_DOMAIN_SHUTOFF_DESTROYED:
            return {VIR_DOMAIN_SHUTOFF_DESTROYED, VIR_DOMAIN_EVENT_STOPPED_DESTROYED};
        case VIR_DOMAIN_SHUTOFF_FAILED:
            return {VIR_DOMAIN_SHUTOFF_FAILED, VIR_DOMAIN_EVENT_STOPPED_FAILED};
        default:
            return {VIR_DOMAIN_SHUTOFF_CRASHED, VIR_DOMAIN_EVENT_STOPPED_CRASHED};
    }
}

namespace {

LiveRecord record_of(const Domain& domain) {
    const DomainView view = domain.view();
    LiveRecord record;
    record.definition = *view.live;
    record.details = view.details;
    record.state = view.state;
    record.reason = view.reason;
    record.persistent = view.persistent;
    record.autodestroy = domain.running && domain.running->autodestroy;
    if (domain.running)
        record.asked_while_paused = domain.running->asked_while_paused;
    return record;
}

void save(Store& store, const LiveRecord& record) noexcept {
    try {
        store.save_live(record);
    } catch (const std::exception& error) {
        log::error("domain '{}': {}", log::Subject{record.definition.name, record.definition.uuid},
                   error.what());
    }
}

}  // namespace

void Lifecycle::note_live(const Domain& domain) noexcept {
    save(context_.store, record_of(domain));
}

// How it is about to end, for a daemon that finds it half ended.
void Lifecycle::note_end(const Domain& domain, const Ending& ending) noexcept {
    LiveRecord record = record_of(domain);
    record.state = VIR_DOMAIN_SHUTOFF;
    record.reason = ending.reason;
    save(context_.store, record);
}

void Lifecycle::start(const Job& job, const std::shared_ptr<const Definition>& definition,
                      const StartOptions& options) {
    try {
        run_steps(job, definition, options);
    } catch (const Error& error) {
        audit_start(context_.audit, *definition, {}, false);
        job.domain().update([](DomainFields& fields) {
            fields.view.reason =
                fields.cancelled ? VIR_DOMAIN_SHUTOFF_DESTROYED : VIR_DOMAIN_SHUTOFF_FAILED;
        });
        throw Error(error.code(),
                    fmt::format("cannot start domain '{}': {}", definition->name, error.what()),
                    error.error_number());
    }
    log::info("domain '{}' started on CPUs {}", log::Subject{definition->name, definition->uuid},
              job.domain().running->grant.holding().all_cpus().to_string());
    audit_start(context_.audit, *definition, job.domain().view().details.tty, true);
    push(job.domain(), VIR_DOMAIN_EVENT_STARTED, VIR_DOMAIN_EVENT_STARTED_BOOTED);
    if (options.paused)
        push(job.domain(), VIR_DOMAIN_EVENT_SUSPENDED, VIR_DOMAIN_EVENT_SUSPENDED_PAUSED);
}

// A domain that is started paused has all that it needs, and no CPU of it runs: resume() is what
// boots it.
void Lifecycle::run_steps(const Job& job, const std::shared_ptr<const Definition>& definition,
                          const StartOptions& options) {
    Domain& domain = job.domain();
    const Starting starting(domain);
    const backend::Limits limits = require_host(context_);
    const image::Kernel kernel = open_boot_files(context_, *definition);
    PartitionStep partition(context_, stranded_, *definition, limits.memory_align_kib);
    starting.check();
    partition.create();
    ConsoleStep console(context_, *definition);
    InitramfsStep initramfs(context_, *definition, kernel);
    partition.add_memory();
    starting.check();
    partition.add_cpus();
    partition.load(kernel, initramfs);
    starting.check();
    auto partition_watch = watch(job.shared());

    LiveRecord record;
    record.definition = *definition;
    record.details = {context_.domains.next_id(), partition.grant().cpus(), partition.known_cpus(),
                      console.hub().tty(), nodeset(partition.grant().memory())};
    record.state = options.paused ? VIR_DOMAIN_PAUSED : VIR_DOMAIN_RUNNING;
    record.reason = options.paused ? static_cast<int>(VIR_DOMAIN_PAUSED_USER)
                                   : static_cast<int>(VIR_DOMAIN_RUNNING_BOOTED);
    record.persistent = domain.view().persistent;
    record.autodestroy = options.autodestroy;
    LiveRecordStep live_record(context_, record);

    auto state = backend::State::loaded;
    if (!options.paused) {
        context_.backend.start(definition->uuid);
        state = attach_console(domain.uuid(), console.hub(), nullptr);
    }

    auto running = std::make_unique<Running>();
    running->autodestroy = options.autodestroy;
    running->watch = std::move(partition_watch);
    running->grant = partition.commit();
    running->console = console.commit();
    live_record.commit();
    domain.running = std::move(running);
    activate(domain, definition, record.details);
    if (options.paused)
        domain.set_state(VIR_DOMAIN_PAUSED, record.reason);
    listen(job.shared(), state);
}

void Lifecycle::activate(Domain& domain, const std::shared_ptr<const Definition>& definition,
                         const LiveDetails& details) {
    domain.update([&](DomainFields& fields) {
        fields.view.live = definition;
        fields.view.id = details.id;
        fields.view.details = details;
        fields.view.state = VIR_DOMAIN_RUNNING;
        fields.view.reason = VIR_DOMAIN_RUNNING_BOOTED;
        fields.console = domain.running->console;
    });
}

// `earlier`: how far a log got that is to be continued; null for a fresh start.
backend::State Lifecycle::attach_console(const Uuid& uuid, ConsoleHub& console,
                                         const ConsoleRecord* earlier) {
    const backend::Status status = context_.backend.status(uuid);
    ConsoleRecord record{status.boots, 0};
    if (earlier != nullptr && earlier->boots == status.boots)
        record.position = earlier->position;
    const auto open = [this, uuid](std::uint64_t position) {
        return context_.backend.open_console(uuid, position);
    };
    console.attach(open(record.position), record, open);
    return status.state;
}

// `seen` is what the last status said: it has silenced the watch.
void Lifecycle::listen(const std::shared_ptr<Domain>& domain, backend::State seen) {
    domain->running->watch->arm();
    if (has_ended(seen) || seen == backend::State::paused || has_reported(seen) != domain->agent())
        answer_soon(domain);
}

std::unique_ptr<PartitionWatch> Lifecycle::watch(const std::shared_ptr<Domain>& domain) {
    const std::weak_ptr<Domain> weak = domain;
    return std::make_unique<PartitionWatch>(context_.loop, context_.backend.watch(domain->uuid()),
                                            [this, weak] {
                                                if (const auto target = weak.lock())
                                                    answer_soon(target);
                                            });
}

void Lifecycle::stop(const Job& job, const Ending& ending) {
    Domain& domain = job.domain();
    note_end(domain, ending);
    note_silent_boot(job);
    try {
        context_.backend.destroy(domain.uuid());
    } catch (const Error& error) {
        if (error.code() != VIR_ERR_NO_DOMAIN) {
            if (context_.backend.status(domain.uuid()).state == backend::State::lost)
                answer_loss(job);
            note_live(domain);
            throw Error(error.code(),
                        fmt::format("cannot stop domain '{}': {}", domain.name(), error.what()),
                        error.error_number());
        }
    }
    forget_partition(job, ending);
}

// Nobody knows why an app kernel did not come up, unless it has said so itself.
void Lifecycle::note_silent_boot(const Job& job) noexcept {
    try {
        if (context_.backend.status(job.domain().uuid()).state == backend::State::booting)
            append_kernel_log(job, "the app kernel was stopped before it had reported");
    } catch (const std::exception& error) {
        log::debug("domain '{}': {}", job.domain().subject(), error.what());
    }
}

std::unique_ptr<Job> Lifecycle::job_to_stop(const std::shared_ptr<Domain>& domain) {
    using Clock = std::chrono::steady_clock;
    constexpr auto between_cancels = std::chrono::milliseconds(200);
    const auto give_up = Clock::now() + domain->job_patience();
    bool cancelled = false;
    for (;;) {
        (void)cancel_dump(*domain);
        if (cancel_start(*domain))
            cancelled = true;
        try {
            // What can be cancelled may be one that waits for the job, too.
            auto job = std::make_unique<Job>(domain, "destroy",
                                             std::min(between_cancels, domain->job_patience()));
            if (cancelled && !domain->view().active())
                return nullptr;
            require_active(domain->view());
            return job;
        } catch (const Error& error) {
            if (cancelled && error.code() == VIR_ERR_NO_DOMAIN)
                return nullptr;  // a transient domain, gone with its start
            if (error.code() != VIR_ERR_OPERATION_TIMEOUT || Clock::now() >= give_up)
                throw;
        }
    }
}

bool Lifecycle::cancel_start(Domain& domain) {
    const bool starting = domain.update([](DomainFields& fields) {
        fields.cancelled = fields.cancelled || fields.starting;
        return fields.starting;
    });
    if (!starting)
        return false;
    try {
        context_.backend.cancel(domain.uuid());
    } catch (const Error& error) {  // nothing to cancel yet, or no more
        log::debug("cancel: {}", error.what());
    }
    return true;
}

void Lifecycle::require_listening(const Job& job) {
    const DomainView view = job.domain().view();
    require_active(view);
    const backend::State state = status(job.shared()).state;
    require_reported(view.name, state);
    if (state == backend::State::paused)
        throw Error(VIR_ERR_OPERATION_INVALID,
                    fmt::format("domain '{}' is paused and cannot be asked; resume it", view.name));
}

void Lifecycle::request(const Job& job, backend::Request what) {
    const DomainView view = job.domain().view();
    require_active(view);
    const backend::State state = status(job.shared()).state;
    require_reported(view.name, state);
    if (state == backend::State::paused) {  // as a power button: it notices when it goes on
        log::info("domain '{}' is paused and will be asked when it is resumed",
                  log::Subject{view.name, view.uuid});
        job.domain().running->asked_while_paused = what;
        note_live(job.domain());
        return;
    }
    static_cast<void>(context_.backend.request(view.uuid, {what}));
}

// The partition is gone: so is everything that only a running domain has.
void Lifecycle::forget_partition(const Job& job, const Ending& ending) {
    Domain& domain = job.domain();
    note_agent(domain, false);
    domain.running->watch.reset();
    domain.running->console->end();
    // Before the live record goes: a daemon that finds one without a partition tells of it again.
    audit_stop(context_.audit, domain.subject(), ending.reason);
    try {
        context_.store.remove_live(domain.name());
    } catch (const std::exception& error) {
        log::error("{}", error.what());
    }
    domain.running.reset();  // before anybody can know: the pool has it all again
    // The last reference to the console dies behind the lock: it waits for the loop.
    const auto console = domain.update([&](DomainFields& fields) {
        fields.view.id = -1;
        fields.view.details = {};
        fields.view.state = VIR_DOMAIN_SHUTOFF;
        fields.view.reason = ending.reason;
        fields.view.updated = false;
        if (fields.view.persistent)
            fields.view.live.reset();  // a transient domain ends with its definition
        return std::exchange(fields.console, nullptr);
    });
    log::info("domain '{}' stopped; its CPUs and memory are the host's again", domain.subject());
    context_.domains.remove_if_dead(job.shared(),
                                    [&] { push(domain, VIR_DOMAIN_EVENT_STOPPED, ending.detail); });
}

void Lifecycle::restart(const Job& job) {
    Domain& domain = job.domain();
    const auto definition = domain.view().live;
    const auto failed = [&](const Error& error) {
        return Error(
            error.code(),
            fmt::format("cannot start domain '{}' again: {}", definition->name, error.what()),
            error.error_number());
    };
    backend::State state = backend::State::created;
    bool stopped = false;
    try {
        const image::Kernel kernel = open_boot_files(context_, *definition);
        InitramfsStep initramfs(context_, *definition, kernel);
        static_cast<void>(initramfs.get());  // what runs is stopped only for one that can start
        domain.running->asked_while_paused.reset();
        give_back_unused_memory(context_, domain);
        context_.backend.stop(domain.uuid());
        stopped = true;
        keep_memory(context_, job);
        note_live(domain);
        note_agent(domain, false);
        forget_kernel_log(domain);
        domain.running->console->detach();
        context_.backend.load(domain.uuid(), kernel.fd, initramfs.get(), definition->cmdline);
        context_.backend.start(domain.uuid());
        state = attach_console(domain.uuid(), *domain.running->console, nullptr);
    } catch (const Error& error) {
        if (stopped)
            stop(job, ending_for(VIR_DOMAIN_SHUTOFF_FAILED));
        throw failed(error);
    }
    domain.set_state(VIR_DOMAIN_RUNNING, VIR_DOMAIN_RUNNING_BOOTED);
    note_live(domain);
    listen(job.shared(), state);
}

backend::State Lifecycle::adopt(const Job& job, const Survivor& survivor,
                                const backend::Status& status) {
    Domain& domain = job.domain();
    auto running = std::make_unique<Running>();
    running->autodestroy = survivor.autodestroy;
    running->grant = context_.pool.adopt(domain.uuid(), holding_of(status));

    ConsoleOptions options = console_options(context_, *survivor.definition);
    const auto record = read_console_record(options.record_path).value_or(ConsoleRecord{});
    options.record = record;
    for (ConsoleLogFile& log : options.logs)
        log.append = true;  // it is still the same run
    running->console = adopt_console(options);
    running->watch = watch(job.shared());
    const LiveDetails details{survivor.id, survivor.cpus, survivor.known_cpus,
                              running->console->tty(), nodeset(running->grant.memory())};
    domain.running = std::move(running);
    activate(domain, survivor.definition, details);
    domain.update([&](DomainFields& fields) { fields.agent = has_reported(status.state); });
    if (status.state == backend::State::loaded)
        return status.state;  // it was started paused
    try {
        return attach_console(domain.uuid(), *domain.running->console, &record);
    } catch (const Error& error) {
        log::error("domain '{}': {}", domain.subject(), error.what());
        return status.state;
    }
}

// A log that cannot be opened is no reason to give up a running domain.
std::shared_ptr<ConsoleHub> Lifecycle::adopt_console(ConsoleOptions options) {
    try {
        return std::make_shared<ConsoleHub>(context_.loop, options);
    } catch (const Error& error) {
        log::error("domain '{}' goes on without a console log: {}", options.domain_name,
                   error.what());
        options.logs.clear();
        return std::make_shared<ConsoleHub>(context_.loop, options);
    }
}

backend::Status Lifecycle::status(const std::shared_ptr<Domain>& domain) {
    require_active(domain->view());
    backend::Status status = context_.backend.status(domain->uuid());
    // Asking has silenced the watch, so what it would have told of is answered from here.
    const bool paused_itself =
        status.state == backend::State::paused && domain->view().state == VIR_DOMAIN_RUNNING;
    if (has_ended(status.state) || paused_itself || domain->awaits_answer ||
        has_reported(status.state) != domain->agent())
        answer_soon(domain);
    return status;
}

}  // namespace mk::domain
