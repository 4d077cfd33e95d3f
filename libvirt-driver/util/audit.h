// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The host's audit trail (auditd(8)): records of what virtual machines, and so partitions, get and
// give back. Who sends which, and with which fields, is domain/audit.h; settings are libvirt's.
//
// Thread-safe. A record may wait for the kernel's queue of them: not for the loop thread.
#pragma once

#include <mutex>
#include <string>

#include "util/fd.h"
#include "util/log.h"

namespace mk {

struct AuditSettings {
    enum class Level { off, if_possible, required };

    Level level = Level::if_possible;
    bool logging = false;  // records are lines of our own log, too
};

class Audit {
  public:
    enum class Record { control, resource };

    // Throws Error if it is required and the kernel has none: VIR_ERR_CONFIG_UNSUPPORTED,
    // VIR_ERR_SYSTEM_ERROR.
    explicit Audit(const AuditSettings& settings);
    Audit(const Audit&) = delete;
    Audit& operator=(const Audit&) = delete;

    // `text` is fields and their values, "op=start …", of which audit_field() has made those
    // that somebody else chose. What cannot be written is named in the log: nothing fails over it.
    void send(Record record, bool success, const std::string& text, const log::Subject& subject);

  private:
    Fd fd_;  // -1: no records
    const bool logging_;
    std::mutex mutex_;  // libaudit counts its messages in one static variable
};

// `name="value"`, or `name=` and hexadecimal digits if the value has blanks, quotes or bytes that
// are no printable ASCII (auditd's rule for strings that are not to be trusted).
[[nodiscard]] std::string audit_field(const std::string& name, const std::string& value);

}  // namespace mk
