// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Whether this machine's CPUs are what a <cpu> wants, as virConnectCompareCPU tells it. The rules
// are those of libvirt's x86 driver (src/cpu/cpu_x86.c, x86Compute).
//
// Free function, thread-safe.
#pragma once

#include <libvirt/libvirt.h>

#include <string>

namespace mk::host {

struct CpuComparison {
    virCPUCompareResult result = VIR_CPU_COMPARE_INCOMPATIBLE;
    std::string why;  // if incompatible
};

// `xml`: a <cpu> of a host or of a domain. Throws Error: VIR_ERR_XML_ERROR;
// VIR_ERR_XML_INVALID_SCHEMA if `validate`; VIR_ERR_INTERNAL_ERROR, as libvirt, for a model or
// feature that it does not know.
[[nodiscard]] CpuComparison compare_cpu(const std::string& xml, bool validate);

}  // namespace mk::host
