// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Look-up and naming; the sentences are those of libvirt's virdomainobjlist.c and qemu_driver.c.
#include "domain/domain_list.h"

#include <fmt/format.h>

#include <algorithm>

#include "util/error.h"

namespace mk::domain {

std::shared_ptr<Domain> DomainList::find(const Uuid& uuid) const {
    const std::scoped_lock lock(mutex_);
    if (const auto found = by_uuid_.find(uuid); found != by_uuid_.end())
        return found->second;
    throw Error(VIR_ERR_NO_DOMAIN,
                fmt::format("no domain with matching uuid '{}'", uuid.to_string()));
}

std::shared_ptr<Domain> DomainList::find_by_name(const std::string& name) const {
    const std::scoped_lock lock(mutex_);
    if (auto domain = named(name))
        return domain;
    throw Error(VIR_ERR_NO_DOMAIN, fmt::format("no domain with matching name '{}'", name));
}

std::shared_ptr<Domain> DomainList::find_by_id(int id) const {
    const std::scoped_lock lock(mutex_);
    for (const auto& [uuid, domain] : by_uuid_) {
        if (id >= 0 && domain->id() == id)
            return domain;
    }
    throw Error(VIR_ERR_NO_DOMAIN, fmt::format("no domain with matching id {}", id));
}

std::vector<std::shared_ptr<Domain>> DomainList::all() const {
    const std::scoped_lock lock(mutex_);
    std::vector<std::shared_ptr<Domain>> domains;
    domains.reserve(by_name_.size());
    for (const auto& [name, domain] : by_name_)
        domains.push_back(domain);
    return domains;
}

std::shared_ptr<Domain> DomainList::named(const std::string& name) const {
    const auto found = by_name_.find(name);
    return found != by_name_.end() ? found->second : nullptr;
}

DomainList::Added DomainList::find_or_add(const std::shared_ptr<const Definition>& definition) {
    const Uuid& uuid = definition->uuid;
    const std::string& name = definition->name;
    const std::scoped_lock lock(mutex_);
    if (const auto found = by_uuid_.find(uuid); found != by_uuid_.end()) {
        if (found->second->name() != name)
            throw Error(VIR_ERR_OPERATION_FAILED,
                        fmt::format("domain '{}' is already defined with uuid {}",
                                    found->second->name(), uuid.to_string()));
        return {found->second, false};
    }
    if (const auto other = named(name))
        throw Error(VIR_ERR_OPERATION_FAILED, fmt::format("domain '{}' already exists with uuid {}",
                                                          name, other->uuid().to_string()));
    if (coming_names_.count(name) != 0)
        throw Error(VIR_ERR_OPERATION_FAILED,
                    fmt::format("a domain is being renamed to '{}' right now", name));
    auto domain = std::make_shared<Domain>(definition, job_patience_);
    by_uuid_.emplace(uuid, domain);
    by_name_.emplace(name, domain);
    return {std::move(domain), true};
}

void DomainList::remove_if_dead(const std::shared_ptr<Domain>& domain,
                                const std::function<void()>& tell) {
    const std::scoped_lock lock(mutex_);
    const bool dead = domain->update([](DomainFields& fields) {
        fields.removed = !fields.view.active() && !fields.view.persistent && !fields.starting;
        return fields.removed;
    });
    // Once: another one may have its name by now.
    if (const auto found = by_uuid_.find(domain->uuid());
        dead && found != by_uuid_.end() && found->second == domain) {
        by_uuid_.erase(found);
        by_name_.erase(domain->name());
    }
    if (tell)
        tell();
}

void DomainList::begin_rename(const std::string& name) {
    const std::scoped_lock lock(mutex_);
    if (named(name) || !coming_names_.insert(name).second)
        throw Error(VIR_ERR_OPERATION_INVALID,
                    fmt::format("domain with name '{}' already exists", name));
}

void DomainList::finish_rename(Domain& domain, const std::string& name) {
    const std::scoped_lock lock(mutex_);
    if (auto moved = by_name_.extract(domain.name())) {
        moved.key() = name;
        by_name_.insert(std::move(moved));
    }
    domain.update([&](DomainFields& fields) { fields.view.name = name; });
    coming_names_.erase(name);
}

void DomainList::cancel_rename(const std::string& name) {
    const std::scoped_lock lock(mutex_);
    coming_names_.erase(name);
}

int DomainList::next_id() {
    const std::scoped_lock lock(mutex_);
    return ++last_id_;
}

void DomainList::reserve_id(int id) {
    const std::scoped_lock lock(mutex_);
    last_id_ = std::max(last_id_, id);
}

}  // namespace mk::domain
