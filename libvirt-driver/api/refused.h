// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The procedures that nobody answers, and what a client is told instead. An action that has no
// meaning for a partition is VIR_ERR_OPERATION_UNSUPPORTED with a sentence that names the
// alternative. A query never is: clients take that code for a failure of the whole domain
// (virt-manager drops it from its list, `virsh undefine` stops). It is VIR_ERR_NO_SUPPORT, on
// which they hide the feature, or the qemu driver's code for what is not there. Not for queries
// that have a true and empty answer (absent.cpp).
//
// Thread-safe: constant.
#pragma once

#include <libvirt/virterror.h>

#include <span>

namespace mk::api {

struct Refusal {
    int procedure = 0;
    virErrorNumber code = VIR_ERR_NO_SUPPORT;
    // What the client reads. With VIR_ERR_NO_SUPPORT it reads the name of the procedure, as it
    // does of any driver, and this is for the support matrix.
    const char* reason = "";
};

// nullptr: the procedure has a handler, belongs to another daemon, or is not libvirt's.
[[nodiscard]] const Refusal* find_refusal(int procedure) noexcept;
[[nodiscard]] std::span<const Refusal> all_refusals() noexcept;

}  // namespace mk::api
