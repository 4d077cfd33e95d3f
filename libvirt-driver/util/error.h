// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The one error of this program: a libvirt error code, the whole sentence a user reads, and
// errno where the kernel gave one. Thrown where the failure is found, caught by the call
// dispatcher (it becomes remote_error), by loop callbacks and by main. Not for "not there":
// that is std::optional.
#pragma once

#include <libvirt/virterror.h>

#include <stdexcept>
#include <string>
#include <string_view>

namespace mk {

class Error : public std::runtime_error {
  public:
    // `message` is what the user reads, without libvirt's prefix for `code` ("Domain not
    // found: "), which full_message() adds.
    Error(virErrorNumber code, const std::string& message, int error_number = 0);

    // VIR_ERR_SYSTEM_ERROR "<what>: <strerror>", as libvirt's virReportSystemError.
    [[nodiscard]] static Error from_errno(std::string_view what);
    [[nodiscard]] static Error from_errno(std::string_view what, int error_number);

    [[nodiscard]] virErrorNumber code() const noexcept { return code_; }
    // errno, or 0; travels as int1 of virError.
    [[nodiscard]] int error_number() const noexcept { return error_number_; }
    // What travels on the wire: libvirt's prefix for the code, then what().
    [[nodiscard]] std::string full_message() const;

  private:
    virErrorNumber code_;
    int error_number_;
};

// libvirt's text for a code with "%s" for the detail, e.g. "Domain not found: %s"
// (src/util/virerror.c, virErrorMsg); "%s" alone for codes without a prefix.
[[nodiscard]] std::string_view error_format(virErrorNumber code) noexcept;

}  // namespace mk
