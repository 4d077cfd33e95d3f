// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What the host's audit trail is told of domains: starts, stops, and what a running one gets or
// loses, in the records and fields of libvirt's drivers (https://libvirt.org/auditlog.html).
//
// Free functions, thread-safe. Never throw.
#pragma once

#include <libvirt/libvirt.h>

#include <cstdint>
#include <string>

#include "domain/definition.h"
#include "util/audit.h"
#include "util/log.h"

namespace mk::domain {

// `definition` was started, or a start of it failed. `tty`: of its console; empty: none.
void audit_start(Audit& audit, const Definition& definition, const std::string& tty,
                 bool success) noexcept;
void audit_stop(Audit& audit, const log::Subject& domain, virDomainShutoffReason reason) noexcept;

// Of a running domain. `before` and `after`: online vCPUs; KiB that its app kernel has.
enum class AuditResource { vcpu, mem };
struct AuditChange {
    AuditResource resource;
    std::uint64_t before;
    std::uint64_t after;
    bool success = true;  // else `after` is what was wanted
};
void audit_change(Audit& audit, const log::Subject& domain, const AuditChange& change) noexcept;

}  // namespace mk::domain
