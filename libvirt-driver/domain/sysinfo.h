// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What the machine's firmware says of it, as `virsh sysinfo` prints it. Not for what is true of
// the machine (host/topology.h): firmware says many things.
//
// Free functions, thread-safe.
#pragma once

#include <string>
#include <string_view>

namespace mk::domain {

// <sysinfo type='smbios'> as dmidecode reads the tables. Waits for that program. Throws
// Error(VIR_ERR_CONFIG_UNSUPPORTED) if there is none, or no SMBIOS for it to read.
[[nodiscard]] std::string read_sysinfo();

// The same of what dmidecode has printed; empty if that says nothing. What is not said is left
// out.
[[nodiscard]] std::string sysinfo_xml(std::string_view printed);

}  // namespace mk::domain
