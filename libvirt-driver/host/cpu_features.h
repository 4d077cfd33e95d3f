// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What this machine's CPUs can do, in libvirt's words: the CPUID bits that libvirt's list of
// features names, looked up in the CPU itself. App kernels see exactly these CPUs.
//
// Free functions, thread-safe.
#pragma once

#include <set>
#include <string>

namespace mk::host {

struct CpuFeatures {
    std::string vendor;           // libvirt's name, "Intel"; empty: it has none
    std::set<std::string> known;  // all that libvirt has a name for
    std::set<std::string> here;   // of these, what this CPU has
};

// Throws Error(VIR_ERR_SYSTEM_ERROR) if libvirt's files are not there.
[[nodiscard]] CpuFeatures read_cpu_features(const std::string& map = "/usr/share/libvirt/cpu_map");

}  // namespace mk::host
