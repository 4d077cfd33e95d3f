// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The driver: definitions. What is persistent, what is live, and what a domain is called; the
// sentences are those of libvirt's qemu_driver.c and domain_conf.c.
#include <fmt/format.h>

#include <utility>

#include "domain/driver_impl.h"
#include "domain/metadata.h"
#include "util/error.h"
#include "util/log.h"

namespace mk::domain {
namespace {

using DefinitionPtr = std::shared_ptr<const Definition>;

DefinitionPtr read_definition(const std::string& xml, bool validate_schema, const Paths& paths) {
    ParseOptions options;
    options.validate_schema = validate_schema;
    if (!paths.schema.empty())
        options.schema = paths.schema;
    auto definition = std::make_shared<Definition>(parse(xml, options));
    validate(*definition);
    for (const std::string& message : messages(*definition))
        log::warning("domain '{}': {}", definition->name, message);
    return definition;
}

}  // namespace

std::unique_ptr<Job> Driver::Impl::job_for(const DefinitionPtr& definition,
                                           const std::string& what) {
    for (;;) {
        const auto added = domains.find_or_add(definition);
        try {
            return std::make_unique<Job>(added.domain, what);
        } catch (const Error& error) {
            if (error.code() != VIR_ERR_NO_DOMAIN)  // undefined meanwhile: then anew
                throw;
        }
    }
}

DomainView Driver::define(const std::string& xml, bool validate) {
    const DefinitionPtr definition = read_definition(xml, validate, impl_->paths);
    const auto job = impl_->job_for(definition, "define");
    Domain& domain = job->domain();
    try {
        impl_->store.save(*definition);
    } catch (const Error&) {
        impl_->domains.remove_if_dead(job->shared());
        throw;
    }
    const bool existed = domain.update([&](DomainFields& fields) {
        const bool was_persistent = std::exchange(fields.view.persistent, true);
        fields.view.persistent_definition = definition;
        if (!fields.view.active())
            fields.view.live.reset();
        note_difference(fields.view);
        return was_persistent;
    });
    if (domain.running)
        impl_->lifecycle.note_live(domain);
    impl_->lifecycle.push(
        domain, VIR_DOMAIN_EVENT_DEFINED,
        existed ? VIR_DOMAIN_EVENT_DEFINED_UPDATED : VIR_DOMAIN_EVENT_DEFINED_ADDED);
    return domain.view();
}

void Driver::undefine(const Uuid& uuid) {
    const Job job(impl_->domains.find(uuid), "undefine");
    Domain& domain = job.domain();
    if (!domain.view().persistent)
        throw Error(VIR_ERR_OPERATION_INVALID, "cannot undefine transient domain");
    impl_->store.remove(domain.name());
    domain.update([](DomainFields& fields) {
        fields.view.persistent = false;
        fields.view.autostart = false;
        fields.view.autostart_once = false;
        fields.view.updated = false;
        // What it showed last stays readable for whoever still holds a view of it.
        if (!fields.view.active())
            fields.view.live = fields.view.persistent_definition;
        fields.view.persistent_definition.reset();
    });
    if (domain.running)
        impl_->lifecycle.note_live(domain);
    impl_->domains.remove_if_dead(job.shared(), [&] {
        impl_->lifecycle.push(domain, VIR_DOMAIN_EVENT_UNDEFINED,
                              VIR_DOMAIN_EVENT_UNDEFINED_REMOVED);
    });
}

DomainView Driver::create_xml(const std::string& xml, bool validate, const StartOptions& options) {
    const DefinitionPtr definition = read_definition(xml, validate, impl_->paths);
    const auto job = impl_->job_for(definition, "create");
    Domain& domain = job->domain();
    if (domain.view().active())
        throw Error(VIR_ERR_OPERATION_INVALID,
                    fmt::format("domain '{}' is already active", definition->name));
    try {
        impl_->lifecycle.start(*job, definition, options);
    } catch (const Error&) {
        impl_->domains.remove_if_dead(job->shared());
        throw;
    }
    domain.update([](DomainFields& fields) { note_difference(fields.view); });
    return domain.view();
}

void Driver::rename(const Uuid& uuid, const std::string& new_name) {
    const Job job(impl_->domains.find(uuid), "rename");
    Domain& domain = job.domain();
    const DomainView view = domain.view();
    if (view.active())
        throw Error(VIR_ERR_OPERATION_INVALID, "cannot rename active domain");
    if (new_name == view.name)
        throw Error(VIR_ERR_OPERATION_INVALID, "Can't rename domain to itself");
    validate_name(new_name);
    auto renamed = std::make_shared<Definition>(*view.persistent_definition);
    renamed->name = new_name;
    impl_->domains.begin_rename(new_name);
    try {
        impl_->store.rename(view.name, *renamed);
    } catch (const Error&) {
        impl_->domains.cancel_rename(new_name);
        throw;
    }
    domain.update([&](DomainFields& fields) { fields.view.persistent_definition = renamed; });
    impl_->domains.finish_rename(domain, new_name);
    impl_->events.push(
        {{view.name, uuid, -1},
         LifecycleEvent{VIR_DOMAIN_EVENT_UNDEFINED, VIR_DOMAIN_EVENT_UNDEFINED_RENAMED}});
    impl_->lifecycle.push(domain, VIR_DOMAIN_EVENT_DEFINED, VIR_DOMAIN_EVENT_DEFINED_RENAMED);
}

void Driver::Impl::set_autostart(const Uuid& uuid, bool on, Autostart which) {
    const Job job(domains.find(uuid), "autostart");
    Domain& domain = job.domain();
    const DomainView view = domain.view();
    if (!view.persistent)
        throw Error(VIR_ERR_OPERATION_INVALID, "cannot set autostart for transient domain");
    const auto field =
        which == Autostart::once ? &DomainView::autostart_once : &DomainView::autostart;
    if (view.*field == on)
        return;
    store.set_autostart(view.name, on, which);
    domain.update([&](DomainFields& fields) { fields.view.*field = on; });
}

void Driver::set_autostart(const Uuid& uuid, bool on) {
    impl_->set_autostart(uuid, on, Autostart::always);
}

void Driver::set_autostart_once(const Uuid& uuid, bool on) {
    impl_->set_autostart(uuid, on, Autostart::once);
}

void Driver::Impl::change_definitions(Domain& domain, const Affect& wanted,
                                      const std::function<void(Definition&)>& change) {
    const DomainView view = domain.view();
    const Affect affect = resolve(view, wanted);
    const auto changed = [&change](const DefinitionPtr& definition) {
        auto copy = std::make_shared<Definition>(*definition);
        change(*copy);
        validate(*copy);
        return copy;
    };
    const DefinitionPtr live = affect.live ? changed(view.live) : view.live;
    const DefinitionPtr config =
        affect.config ? changed(view.persistent_definition) : view.persistent_definition;
    if (affect.config)
        store.save(*config);
    domain.update([&](DomainFields& fields) {
        fields.view.live = live;
        fields.view.persistent_definition = config;
        note_difference(fields.view);
    });
    if (affect.live)
        lifecycle.note_live(domain);
}

void Driver::set_lifecycle_action(const Uuid& uuid, virDomainLifecycle event, Action action,
                                  const Affect& affect) {
    const Job job(impl_->domains.find(uuid), "lifecycle action");
    impl_->change_definitions(job.domain(), affect, [&](Definition& definition) {
        (event == VIR_DOMAIN_LIFECYCLE_POWEROFF ? definition.on_poweroff
         : event == VIR_DOMAIN_LIFECYCLE_REBOOT ? definition.on_reboot
                                                : definition.on_crash) = action;
    });
}

void Driver::set_metadata(const Uuid& uuid, const MetadataChange& change) {
    const Job job(impl_->domains.find(uuid), "metadata");
    Domain& domain = job.domain();
    const MetadataValue value{change.type, change.value, change.key, change.uri};
    impl_->change_definitions(domain, change.affect, [&value](Definition& definition) {
        domain::set_metadata(definition, value);
    });
    const bool element = change.type == VIR_DOMAIN_METADATA_ELEMENT;
    impl_->events.push(
        {domain.identity(), MetadataChangeEvent{change.type, element ? change.uri : ""}});
}

std::string Driver::metadata(const Uuid& uuid, virDomainMetadataType type, const std::string& uri,
                             const Affect& affect) const {
    const DomainView view = impl_->domains.find(uuid)->view();
    const Affect which = resolve(view, affect);
    return domain::metadata(which.live ? *view.live : *view.persistent_definition, type, uri);
}

}  // namespace mk::domain
