// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The driver: look-ups and changes of state. Each function finds the domain, takes its job,
// checks the state in libvirt's words, and hands over to the lifecycle.
#include "domain/driver.h"

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <filesystem>
#include <utility>

#include "domain/driver_impl.h"
#include "domain/reconcile.h"
#include "domain/store_files.h"
#include "util/error.h"
#include "util/log.h"

namespace mk::domain {
namespace {

image::Places places_of(const Paths& paths) {
    image::Places places;
    places.loader = paths.image_dir + "/init";
    if (!paths.app_modules.empty())
        places.modules = paths.app_modules;
    return places;
}

void make_directory(const std::string& path) {
    std::error_code error;
    const bool made = std::filesystem::create_directories(path, error);
    if (!error && made)
        std::filesystem::permissions(path, std::filesystem::perms::owner_all, error);
    if (error)
        throw Error::from_errno("make directory " + path, error.value());
}

host::Pool::Options pool_options(const Paths& paths, backend::Backend& backend) {
    host::Pool::Options options;
    options.moment = [sysfs = paths.sysfs, procfs = paths.procfs] {
        return host::read_moment(sysfs, procfs);
    };
    try {
        options.memory_align_kib = backend.limits().memory_align_kib;
    } catch (const Error& error) {
        log::warning("partitions cannot run yet: {}", error.what());
    }
    return options;
}

}  // namespace

Driver::Impl::Impl(const Paths& wanted_paths, std::unique_ptr<backend::Backend> wanted_backend,
                   const Settings& settings)
    : paths(wanted_paths),
      host_uuid(settings.host_uuid),
      audit(settings.audit),
      places(places_of(wanted_paths)),
      backend(std::move(wanted_backend)),
      store(paths.config_dir, paths.state_dir),
      topology(host::remember_topology(paths.sysfs, paths.procfs, paths.state_dir + "/topology")),
      pool(topology, pool_options(paths, *backend)),
      lifecycle(context()) {
    make_directory(paths.log_dir);
    reconcile(context(), lifecycle);
}

Driver::Impl::~Impl() {
    workers.stop();
    idle_workers.stop();
    // Domains may be held by a session's objects for longer; what runs on the loop may not.
    for (const auto& domain : domains.all()) {
        if (!domain->running)
            continue;
        domain->running->watch.reset();
        domain->update([](DomainFields& fields) { fields.console.reset(); });
        domain->running.reset();
    }
}

Context Driver::Impl::context() {
    return {paths,   places, *backend, pool,         store, events,
            domains, loop,   workers,  idle_workers, audit};
}

Driver::Driver(const Paths& paths, std::unique_ptr<backend::Backend> backend,
               const Settings& settings)
    : impl_(std::make_unique<Impl>(paths, std::move(backend), settings)) {}

Driver::~Driver() = default;

EventQueue& Driver::events() {
    return impl_->events;
}

namespace {

bool wants_autostart(const DomainView& view) {
    return (view.autostart || view.autostart_once) && !view.active();
}

}  // namespace

std::vector<Uuid> Driver::take_autostart() noexcept {
    std::vector<Uuid> marked;
    try {
        if (impl_->store.should_autostart())
            for (const DomainView& view : list())
                if (wants_autostart(view))
                    marked.push_back(view.uuid);
    } catch (const std::exception& error) {
        log::error("autostart: {}", error.what());
    }
    return marked;
}

void Driver::autostart(const std::vector<Uuid>& marked) {
    for (const Uuid& uuid : marked) {
        if (impl_->autostart_ended)
            return;
        try {
            if (!wants_autostart(lookup(uuid)))
                continue;
            // First: a start that takes the host down is not tried again.
            set_autostart_once(uuid, false);
            start(uuid, {});
        } catch (const std::exception& error) {
            log::error("autostart: {}", error.what());
        }
    }
}

void Driver::end_autostart() noexcept {
    impl_->autostart_ended = true;
}

DomainView Driver::lookup(const Uuid& uuid) const {
    return impl_->domains.find(uuid)->view();
}

DomainView Driver::lookup_by_name(const std::string& name) const {
    return impl_->domains.find_by_name(name)->view();
}

DomainView Driver::lookup_by_id(int id) const {
    return impl_->domains.find_by_id(id)->view();
}

std::vector<DomainView> Driver::list() const {
    std::vector<DomainView> views;
    const auto domains = impl_->domains.all();
    views.reserve(domains.size());
    for (const auto& domain : domains)
        views.push_back(domain->view());
    return views;
}

void Driver::start(const Uuid& uuid, const StartOptions& options) {
    const Job job(impl_->domains.find(uuid), "start");
    const DomainView view = job.domain().view();
    if (view.active())
        throw Error(VIR_ERR_OPERATION_INVALID, "domain is already running");
    impl_->lifecycle.start(job, view.persistent_definition, options);
}

void Driver::shutdown(const Uuid& uuid) {
    const Job job(impl_->domains.find(uuid), "shutdown");
    impl_->lifecycle.request(job, backend::Request::poweroff);
}

void Driver::reboot(const Uuid& uuid) {
    const Job job(impl_->domains.find(uuid), "reboot");
    impl_->lifecycle.request(job, backend::Request::reboot);
}

void Driver::reset(const Uuid& uuid) {
    const Job job(impl_->domains.find(uuid), "reset");
    const DomainView view = job.domain().view();
    require_active(view);
    impl_->lifecycle.restart(job);
    if (view.state == VIR_DOMAIN_PAUSED)
        impl_->lifecycle.push(job.domain(), VIR_DOMAIN_EVENT_RESUMED,
                              VIR_DOMAIN_EVENT_RESUMED_UNPAUSED);
    impl_->events.push({job.domain().identity(), RebootEvent{}});
}

void Driver::destroy(const Uuid& uuid, bool remove_log) {
    const auto domain = impl_->domains.find(uuid);
    const auto job = impl_->lifecycle.job_to_stop(domain);
    if (!job)
        return;
    impl_->lifecycle.stop(*job, ending_for(VIR_DOMAIN_SHUTOFF_DESTROYED));
    if (remove_log)
        store_files::try_remove(console_log_path(impl_->paths, domain->name()));
}

std::unique_ptr<ConsoleSession> Driver::open_console(const Uuid& uuid, const std::string& device,
                                                     bool force) {
    const auto fields = impl_->domains.find(uuid)->fields();
    require_active(fields.view);
    const auto& console = fields.view.live->console;
    const bool known = device.empty() || device == "serial0" || device == "console0" ||
                       (console && console->alias == device);
    if (!known)
        throw Error(VIR_ERR_INVALID_ARG, fmt::format("cannot find character device {}", device));
    return fields.console->open(force);
}

backend::Status Driver::status(const Uuid& uuid) {
    return impl_->lifecycle.status(impl_->domains.find(uuid));
}

std::optional<backend::AppStats> Driver::stats(const Uuid& uuid) {
    require_active(impl_->domains.find(uuid)->view());
    return impl_->backend->stats(uuid);
}

}  // namespace mk::domain
