// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The fields of audit records, in libvirt's order.
#include "domain/audit.h"

#include <fmt/format.h>

#include <exception>
#include <string_view>

namespace mk::domain {
namespace {

using Record = Audit::Record;

// What each record begins with; `what` is "op=start" or "resrc=mem".
std::string begin(std::string_view what, std::string_view reason, const log::Subject& domain) {
    return fmt::format("virt=multikernel {} reason={} {} uuid={}", what, reason,
                       audit_field("vm", domain.name), domain.uuid.to_string());
}

// Runs `write`: a record that is lost must not be what a start fails over.
template <typename Write>
void try_to(const log::Subject& domain, const Write& write) noexcept {
    try {
        write();
    } catch (const std::exception& error) {
        log::warning("domain '{}': an audit record could not be written: {}", domain, error.what());
    }
}

// There is no process: 0, as libvirt has it for a domain that does not run.
void send_control(Audit& audit, std::string_view operation, std::string_view reason,
                  const log::Subject& domain, bool success) {
    audit.send(Record::control, success, begin(operation, reason, domain) + " vm-pid=0", domain);
}

void send_resource(Audit& audit, std::string_view reason, const log::Subject& domain,
                   const AuditChange& change) {
    const std::string_view name = change.resource == AuditResource::vcpu ? "vcpu" : "mem";
    audit.send(Record::resource, change.success,
               begin(fmt::format("resrc={}", name), reason, domain) +
                   fmt::format(" old-{0}={1} new-{0}={2}", name, change.before, change.after),
               domain);
}

std::string_view word_of(virDomainShutoffReason reason) {
    switch (reason) {
        case VIR_DOMAIN_SHUTOFF_SHUTDOWN:
            return "shutdown";
        case VIR_DOMAIN_SHUTOFF_DESTROYED:
            return "destroyed";
        case VIR_DOMAIN_SHUTOFF_CRASHED:
            return "crashed";
        default:
            return "failed";
    }
}

}  // namespace

// Unlike libvirt's, the records of what it got say of a failed start that it got nothing.
void audit_start(Audit& audit, const Definition& definition, const std::string& tty,
                 bool success) noexcept {
    const log::Subject domain{definition.name, definition.uuid};
    try_to(domain, [&] {
        if (!tty.empty())
            audit.send(Record::resource, success,
                       begin("resrc=chardev", "start", domain) + " " +
                           audit_field("old-chardev", "?") + " " + audit_field("new-chardev", tty),
                       domain);
        send_resource(audit, "start", domain,
                      {AuditResource::mem, 0, definition.current_memory_kib, success});
        send_resource(audit, "start", domain,
                      {AuditResource::vcpu, 0, definition.current_vcpus(), success});
        send_control(audit, "op=start", "booted", domain, success);
    });
}

void audit_stop(Audit& audit, const log::Subject& domain, virDomainShutoffReason reason) noexcept {
    try_to(domain, [&] { send_control(audit, "op=stop", word_of(reason), domain, true); });
}

void audit_change(Audit& audit, const log::Subject& domain, const AuditChange& change) noexcept {
    try_to(domain, [&] { send_resource(audit, "update", domain, change); });
}

}  // namespace mk::domain
