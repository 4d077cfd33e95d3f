// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Audit records by way of libaudit, which adds who sends them and their result.
#include "util/audit.h"

#include <libaudit.h>

#include <cerrno>
#include <cstdlib>
#include <memory>
#include <new>

#include "util/error.h"

namespace mk {
namespace {

// What socket(2) says of a kernel that was built or booted without it.
bool is_missing(int error_number) {
    return error_number == EINVAL || error_number == EPROTONOSUPPORT ||
           error_number == EAFNOSUPPORT;
}

Fd open_audit(AuditSettings::Level level) {
    if (level == AuditSettings::Level::off)
        return {};
    const int fd = audit_open();
    if (fd >= 0)
        return Fd(fd);
    const int error_number = errno;
    const Error error = is_missing(error_number)
                            ? Error(VIR_ERR_CONFIG_UNSUPPORTED,
                                    "audit_level is 2, and the kernel does not support auditing")
                            : Error::from_errno("open the audit socket", error_number);
    if (level == AuditSettings::Level::required)
        throw error;
    if (is_missing(error_number))
        log::info("the kernel does not support auditing: no audit records are written");
    else
        log::error("no audit records are written: {}", error.full_message());
    return {};
}

}  // namespace

Audit::Audit(const AuditSettings& settings)
    : fd_(open_audit(settings.level)), logging_(settings.logging) {}

void Audit::send(Record record, bool success, const std::string& text,
                 const log::Subject& subject) {
    if (logging_) {
        const auto level = success ? log::Level::info : log::Level::warning;
        const log::Place here{__FILE__, __LINE__, __func__};
        if (log::is_wanted(level, here))
            log::write(level, here, (success ? "success=yes " : "success=no ") + text, &subject);
    }
    if (!fd_)
        return;
    const int type = record == Record::control ? AUDIT_VIRT_CONTROL : AUDIT_VIRT_RESOURCE;
    const std::scoped_lock lock(mutex_);
    // Without an audit system behind it, in a container or without the right to write, libaudit
    // says nothing.
    if (audit_log_user_message(fd_.get(), type, text.c_str(), nullptr, nullptr, nullptr,
                               success ? 1 : 0) < 0)
        log::warning("domain '{}': audit record '{}' could not be written: {}", subject, text,
                     Error::from_errno("audit").what());
}

std::string audit_field(const std::string& name, const std::string& value) {
    const std::unique_ptr<char, decltype(&std::free)> field(
        audit_encode_nv_string(name.c_str(), value.c_str(), 0), &std::free);
    if (!field)
        throw std::bad_alloc();
    return field.get();
}

}  // namespace mk
