// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Comparing definitions, live records and partitions, one partition at a time.
#include "domain/reconcile.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <exception>
#include <map>
#include <optional>
#include <utility>

#include "domain/audit.h"
#include "domain/settle.h"
#include "domain/steps.h"
#include "domain/store_files.h"
#include "util/error.h"
#include "util/log.h"

namespace mk::domain {
namespace {

using DefinitionPtr = std::shared_ptr<const Definition>;
using backend::State;

void report(const std::vector<LoadProblem>& problems) {
    for (const LoadProblem& problem : problems)
        log::error("{}: {}", problem.path, problem.what);
}

void load_definitions(const Context& context) {
    LoadedDomains loaded = context.store.load();
    report(loaded.problems);
    for (StoredDomain& stored : loaded.domains) {
        const auto definition = std::make_shared<const Definition>(std::move(stored.definition));
        const auto added = context.domains.find_or_add(definition);
        added.domain->update([&](DomainFields& fields) {
            fields.view.persistent = true;
            fields.view.persistent_definition = definition;
            fields.view.live.reset();
            fields.view.autostart = stored.autostart;
            fields.view.autostart_once = stored.autostart_once;
        });
    }
}

// nullopt: the kernel could not be asked. No module is an answer: then no partition exists.
std::optional<std::vector<Uuid>> list_partitions(backend::Backend& backend) {
    try {
        return backend.list();
    } catch (const Error& error) {
        if (error.error_number() == ENOENT)
            return std::vector<Uuid>{};
        log::error("running partitions, if any, cannot be found: {}", error.what());
        return std::nullopt;
    }
}

// What is known of a partition whose record is lost.
Definition guess(const Uuid& uuid, const backend::Status& status) {
    Definition definition;
    definition.uuid = uuid;
    definition.name = status.name;
    definition.memory_kib = status.memory_kib;
    definition.current_memory_kib = status.memory_kib;
    definition.vcpus = static_cast<unsigned>(std::max<std::size_t>(1, status.cpus.size()));
    try {
        validate_name(definition.name);
    } catch (const Error&) {
        definition.name = uuid.to_string();
    }
    return definition;
}

class Reconciler {
  public:
    Reconciler(const Context& context, Lifecycle& lifecycle)
        : context_(context), lifecycle_(lifecycle) {
        LoadedRecords loaded = context.store.load_live();
        report(loaded.problems);
        for (LiveRecord& record : loaded.records)
            records_.emplace(record.definition.uuid, std::move(record));
        for (const auto& [uuid, record] : records_)
            context.domains.reserve_id(record.details.id);
    }

    void adopt(const Uuid& uuid);
    // Records whose partition is gone.
    void bury_the_rest();

  private:
    void give_back(const Uuid& uuid, const backend::Status& status);
    [[nodiscard]] std::shared_ptr<Domain> domain_for(const Uuid& uuid,
                                                     const backend::Status& status,
                                                     const LiveRecord* record,
                                                     DefinitionPtr& definition);
    void take_over(const Job& job, const Lifecycle::Survivor& survivor,
                   const backend::Status& status, const LiveRecord* record);
    void end_dump(const Job& job) noexcept;
    void forget(const LiveRecord& record) noexcept;

    const Context& context_;
    Lifecycle& lifecycle_;
    std::map<Uuid, LiveRecord> records_;
};

void Reconciler::adopt(const Uuid& uuid) {
    const backend::Status status = context_.backend.status(uuid);
    const auto found = records_.find(uuid);
    const std::optional<LiveRecord> record =
        found == records_.end() ? std::nullopt : std::optional(found->second);
    const bool ran = status.boots > 0 || status.state == State::lost;
    const bool started_paused =
        status.state == State::loaded && record && record->state == VIR_DOMAIN_PAUSED;
    if (!ran && !started_paused) {
        give_back(uuid, status);
        return;
    }
    if (found != records_.end())
        records_.erase(found);
    DefinitionPtr definition;
    const auto domain = domain_for(uuid, status, record ? &*record : nullptr, definition);
    const Job job(domain, "adopt");
    try {
        const int id = record ? record->details.id : context_.domains.next_id();
        Lifecycle::Survivor survivor{definition, id, record && record->autodestroy};
        survivor.cpus = record ? record->details.cpus : status.cpus;
        if (record)
            survivor.known_cpus = record->details.known_cpus;
        // Not on record, or not yet in the version that wrote it: those that it has, at least.
        for (const unsigned cpu : status.cpus)
            survivor.known_cpus.insert(cpu);
        take_over(job, survivor, status, record ? &*record : nullptr);
    } catch (const Error&) {
        if (!domain->running)
            context_.domains.remove_if_dead(domain);
        throw;
    }
}

// A daemon died within a start: nobody was told that the domain runs, and it never did.
void Reconciler::give_back(const Uuid& uuid, const backend::Status& status) {
    log::warning("domain '{}' was being started when the daemon ended: what it took is given back",
                 status.name);
    context_.backend.destroy(uuid);
    const auto found = records_.find(uuid);
    if (found == records_.end())
        return;
    forget(found->second);
    records_.erase(found);
}

std::shared_ptr<Domain> Reconciler::domain_for(const Uuid& uuid, const backend::Status& status,
                                               const LiveRecord* record,
                                               DefinitionPtr& definition) {
    for (const auto& domain : context_.domains.all()) {
        if (domain->uuid() != uuid)
            continue;
        definition = record != nullptr ? std::make_shared<const Definition>(record->definition)
                                       : domain->view().persistent_definition;
        return domain;
    }
    Definition wanted = record != nullptr ? record->definition : guess(uuid, status);
    log::warning("domain '{}' has no definition on disk: it goes on as a transient one",
                 log::Subject{wanted.name, wanted.uuid});
    try {
        definition = std::make_shared<const Definition>(wanted);
        return context_.domains.find_or_add(definition).domain;
    } catch (const Error& error) {  // its name has another owner by now
        log::warning("{}", error.what());
        wanted.name = uuid.to_string();
        definition = std::make_shared<const Definition>(wanted);
        return context_.domains.find_or_add(definition).domain;
    }
}

void Reconciler::take_over(const Job& job, const Lifecycle::Survivor& survivor,
                           const backend::Status& status, const LiveRecord* record) {
    Domain& domain = job.domain();
    const State state = lifecycle_.adopt(job, survivor, status);
    if (record != nullptr && record->state == VIR_DOMAIN_SHUTOFF) {
        log::info("domain '{}' was being stopped when the daemon ended", domain.subject());
        lifecycle_.stop(job, ending_for(record->reason));
        return;
    }
    log::info("domain '{}' was found running and is looked after again", domain.subject());
    const bool paused = state == State::paused;
    const bool answered =
        record != nullptr && record->state != VIR_DOMAIN_RUNNING && (has_ended(state) || paused);
    if (answered && paused) {
        domain.set_state(VIR_DOMAIN_PAUSED, record->reason);
        domain.running->asked_while_paused = record->asked_while_paused;
        if (record->reason == VIR_DOMAIN_PAUSED_DUMP)
            end_dump(job);
    } else if (answered) {  // the earlier daemon has; `preserve` left it so
        domain.running->ended_boot = status.boots;
        domain.set_state(static_cast<virDomainState>(record->state), record->reason);
    }
    if (survivor.autodestroy) {
        log::info("domain '{}' ends with the connection that started it", domain.subject());
        lifecycle_.stop(job, ending_for(VIR_DOMAIN_SHUTOFF_DESTROYED));
        return;
    }
    static_cast<void>(settle(context_, job, status));
    lifecycle_.note_live(domain);
    lifecycle_.listen(job.shared(), state);
}

// It was held for a dump that nobody writes any more.
void Reconciler::end_dump(const Job& job) noexcept {
    try {
        lifecycle_.resume(job);
    } catch (const std::exception& error) {
        log::error("domain '{}' stays paused: {}", job.domain().subject(), error.what());
    }
}

void Reconciler::forget(const LiveRecord& record) noexcept {
    try {
        context_.store.remove_live(record.definition.name);
        (void)std::remove(console_options(context_, record.definition).record_path.c_str());
    } catch (const std::exception& error) {
        log::error("{}", error.what());
    }
}

void Reconciler::bury_the_rest() {
    for (const auto& [uuid, record] : records_) {
        log::warning("domain '{}' ran when the daemon ended; its partition is gone",
                     log::Subject{record.definition.name, record.definition.uuid});
        // It may have been stopped, and only the record was still there.
        const bool stopped = record.state == VIR_DOMAIN_SHUTOFF;
        const Ending ending =
            ending_for(stopped ? record.reason : static_cast<int>(VIR_DOMAIN_SHUTOFF_CRASHED));
        audit_stop(context_.audit, {record.definition.name, uuid}, ending.reason);
        forget(record);
        for (const auto& domain : context_.domains.all()) {
            if (domain->uuid() == uuid)
                domain->set_state(VIR_DOMAIN_SHUTOFF, ending.reason);
        }
        context_.events.push({{record.definition.name, uuid, -1},
                              LifecycleEvent{VIR_DOMAIN_EVENT_STOPPED, ending.detail}});
    }
}

// Console records that a daemon has left which died within a start or a stop.
void remove_console_records(const Context& context) {
    constexpr std::string_view suffix = ".console";
    for (const std::string& entry : store_files::entries(context.paths.state_dir, "", suffix)) {
        const auto uuid = Uuid::parse(entry.substr(0, entry.size() - suffix.size()));
        const auto domains = context.domains.all();
        const bool runs = std::any_of(domains.begin(), domains.end(), [&](const auto& domain) {
            return domain->uuid() == uuid && domain->running;
        });
        if (!runs)
            store_files::try_remove(context.paths.state_dir + "/" + entry);
    }
}

}  // namespace

void reconcile(const Context& context, Lifecycle& lifecycle) {
    load_definitions(context);
    Reconciler reconciler(context, lifecycle);
    const auto partitions = list_partitions(context.backend);
    if (!partitions)
        return;  // whoever cannot look must not conclude that nothing is there
    for (const Uuid& uuid : *partitions) {
        try {
            reconciler.adopt(uuid);
        } catch (const Error& error) {
            log::error("partition {} is left alone: {}", uuid.to_string(), error.what());
        }
    }
    reconciler.bury_the_rest();
    remove_console_records(context);
}

}  // namespace mk::domain
