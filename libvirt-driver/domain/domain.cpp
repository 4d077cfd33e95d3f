// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A domain's fields and its job.
#include "domain/domain.h"

#include <fmt/format.h>

#include <utility>

#include "domain/caller.h"
#include "util/error.h"

namespace mk::domain {

Domain::Domain(const std::shared_ptr<const Definition>& definition,
               std::chrono::milliseconds job_patience)
    : uuid_(definition->uuid), job_patience_(job_patience) {
    fields_.view.uuid = definition->uuid;
    fields_.view.name = definition->name;
    fields_.view.live = definition;
    fields_.view.reason = VIR_DOMAIN_SHUTOFF_UNKNOWN;
}

std::string Domain::name() const {
    const std::scoped_lock lock(mutex_);
    return fields_.view.name;
}

int Domain::id() const {
    const std::scoped_lock lock(mutex_);
    return fields_.view.id;
}

bool Domain::agent() const {
    const std::scoped_lock lock(mutex_);
    return fields_.agent;
}

DomainView Domain::view() const {
    const std::scoped_lock lock(mutex_);
    return fields_.view;
}

DomainFields Domain::fields() const {
    const std::scoped_lock lock(mutex_);
    return fields_;
}

DomainIdentity Domain::identity() const {
    const std::scoped_lock lock(mutex_);
    return {fields_.view.name, uuid_, fields_.view.id};
}

void Domain::set_state(virDomainState state, int reason) {
    const std::scoped_lock lock(mutex_);
    fields_.view.state = state;
    fields_.view.reason = reason;
}

namespace {

// As libvirt names a client's call, which is how operators know it.
std::string holder(const std::string& what) {
    const std::string_view function = Caller::function();
    return function.empty() ? what : fmt::format("remoteDispatch{}", function.substr(3));
}

}  // namespace

Job::Job(const std::shared_ptr<Domain>& domain, const std::string& what)
    : Job(domain, what, domain->job_patience()) {}

Job::Job(std::shared_ptr<Domain> domain, const std::string& what,
         std::chrono::milliseconds patience)
    : domain_(std::move(domain)) {
    std::unique_lock lock(domain_->mutex_);
    const bool got =
        domain_->job_ends_.wait_for(lock, patience, [this] { return domain_->job_.empty(); });
    if (!got)
        throw Error(
            VIR_ERR_OPERATION_TIMEOUT,
            fmt::format("cannot acquire state change lock (held by monitor={})", domain_->job_));
    if (domain_->fields_.removed) {
        domain_->job_ends_.notify_one();  // whoever waits finds it gone too
        throw Error(VIR_ERR_NO_DOMAIN,
                    fmt::format("no domain with matching uuid '{}' ({})",
                                domain_->uuid_.to_string(), domain_->fields_.view.name));
    }
    domain_->job_ = holder(what);
}

Job::~Job() {
    {
        const std::scoped_lock lock(domain_->mutex_);
        domain_->job_.clear();
    }
    domain_->job_ends_.notify_one();
}

void require_active(const DomainView& view) {
    if (!view.active())
        throw Error(VIR_ERR_OPERATION_INVALID, "domain is not running");
}

Affect resolve(const DomainView& view, Affect affect) {
    if (!affect.live && !affect.config)
        (view.active() ? affect.live : affect.config) = true;
    if (affect.live)
        require_active(view);
    if (affect.config && !view.persistent)
        throw Error(VIR_ERR_OPERATION_INVALID,
                    "transient domains do not have any persistent config");
    return affect;
}

void note_difference(DomainView& view) {
    view.updated = view.active() && view.persistent && *view.live != *view.persistent_definition;
}

}  // namespace mk::domain
