// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What the machine's firmware says of it, as `virsh sysinfo` prints it. Not for what is true of
// the machine (host/topology.h): firmware says many things.
//
// Free function, thread-safe.
#pragma once

#include <string>

namespace mk::domain {

// <sysinfo type='smbios'> from "<sysfs>/class/dmi/id"; what is not there is left out. Throws
// Error(VIR_ERR_CONFIG_UNSUPPORTED) if the machine has no SMBIOS.
[[nodiscard]] std::string sysinfo_xml(const std::string& sysfs);

}  // namespace mk::domain
