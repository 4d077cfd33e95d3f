// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The table errno -> libvirt's error code, as uapi/linux/multikernel.h and backend.h define it.
#include "backend/module_error.h"

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <system_error>

#include "uapi/linux/multikernel.h"
#include "util/log.h"

namespace mk::backend {
namespace {

virErrorNumber code_for(Call call, int error_number) {
    switch (error_number) {
        case EINVAL:
            return VIR_ERR_INVALID_ARG;
        case EBUSY:
            return call == Call::take ? VIR_ERR_RESOURCE_BUSY : VIR_ERR_OPERATION_INVALID;
        case ENOSPC:
        case EAGAIN:
            return VIR_ERR_RESOURCE_BUSY;
        case ECANCELED:
        case EINTR:
            return VIR_ERR_OPERATION_ABORTED;
        case ENOENT:
        case ENODEV:
            return VIR_ERR_NO_DOMAIN;
        case EPERM:
        case EEXIST:
        case ENOMEM:
        case ENOEXEC:
        case ETXTBSY:
        case EIO:
            return VIR_ERR_OPERATION_FAILED;
        default:
            return VIR_ERR_SYSTEM_ERROR;
    }
}

struct Sentence {
    unsigned bit;
    std::string_view text;
};

constexpr std::array<Sentence, 5> sentences = {{
    {MK_BLOCKER_IPI_BROADCAST,
     "the host kernel was booted without no_ipi_broadcast=1: add it to its command line and "
     "reboot"},
    {MK_BLOCKER_X2APIC,
     "the host runs in x2APIC mode: add nox2apic to its kernel command line and reboot"},
    {MK_BLOCKER_LOCKDOWN,
     "the host kernel wants signed kernels and signatures are not verified yet: "
     "boot without lockdown (Secure Boot off)"},
    {MK_BLOCKER_LOW_MEMORY, "the host has no free RAM below 1 MiB to start CPUs from"},
    {MK_BLOCKER_CPU, "the processor has no usable time stamp counter or APIC, or encrypts memory"},
}};

}  // namespace

Error module_error(Call call, std::string_view what, int error_number, std::string_view message) {
    const virErrorNumber code = code_for(call, error_number);
    if (!message.empty())
        return {code, log::escape(message), error_number};
    return {code, fmt::format("{}: {}", what, std::generic_category().message(error_number)),
            error_number};
}

std::vector<std::string> blocker_sentences(unsigned blockers) {
    std::vector<std::string> list;
    for (const Sentence& sentence : sentences) {
        if ((blockers & sentence.bit) != 0)
            list.emplace_back(sentence.text);
        blockers &= ~sentence.bit;
    }
    if (blockers != 0)
        list.push_back(fmt::format(
            "the module names a reason that this daemon does not know ({:#x})", blockers));
    return list;
}

}  // namespace mk::backend
