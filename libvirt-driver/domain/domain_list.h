// SPDX-License-Identifier: LGPL-2.1-or-later
//
// All domains of this host: look-up by UUID, name and id, and the rules of naming: no two
// domains share a name or a UUID. Knows neither files nor partitions.
//
// Thread-safe. Lock order: DomainList before Domain.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "domain/domain.h"

namespace mk::domain {

class DomainList {
  public:
    // `job_patience` is that of each domain (domain.h).
    explicit DomainList(std::chrono::milliseconds job_patience) : job_patience_(job_patience) {}

    // Throw Error(VIR_ERR_NO_DOMAIN) in libvirt's words.
    [[nodiscard]] std::shared_ptr<Domain> find(const Uuid& uuid) const;
    [[nodiscard]] std::shared_ptr<Domain> find_by_name(const std::string& name) const;
    [[nodiscard]] std::shared_ptr<Domain> find_by_id(int id) const;
    // Sorted by name.
    [[nodiscard]] std::vector<std::shared_ptr<Domain>> all() const;

    struct Added {
        std::shared_ptr<Domain> domain;
        bool is_new = false;
    };
    // The domain with the UUID and name of `definition`, made if there is none: not active, and
    // `definition` is what it shows until it has another. Throws
    // Error(VIR_ERR_OPERATION_FAILED) if only one of the two matches.
    Added find_or_add(const std::shared_ptr<const Definition>& definition);
    // Only if it is neither active nor persistent nor being started. `tell` runs in any case and
    // before anybody can add the domain anew, so that news of its end comes before news of that.
    void remove_if_dead(const std::shared_ptr<Domain>& domain,
                        const std::function<void()>& tell = {});
    // A domain that is being renamed has both names until one of the other two is called, so
    // that nobody takes either while files move. Throws Error(VIR_ERR_OPERATION_INVALID) if
    // another has `name`.
    void begin_rename(const std::string& name);
    void finish_rename(Domain& domain, const std::string& name);
    void cancel_rename(const std::string& name);

    // Ids rise from 1 and are not used twice, so that a stale one finds nothing.
    [[nodiscard]] int next_id();
    // Later ids are above `id`, which a running domain has.
    void reserve_id(int id);

  private:
    [[nodiscard]] std::shared_ptr<Domain> named(const std::string& name) const;

    const std::chrono::milliseconds job_patience_;
    mutable std::mutex mutex_;
    std::map<Uuid, std::shared_ptr<Domain>> by_uuid_;         // mutex_
    std::map<std::string, std::shared_ptr<Domain>> by_name_;  // mutex_: the same
    std::set<std::string> coming_names_;  // mutex_: of domains that are being renamed
    int last_id_ = 0;                     // mutex_
};

}  // namespace mk::domain
