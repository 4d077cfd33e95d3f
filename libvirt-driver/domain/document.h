// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What the readers and writers of XML in this folder share: a <domain> inside another document,
// the words for actions, and what a live XML says of chosen CPUs. Nobody else needs it.
//
// Pure functions; externally synchronised.
#pragma once

#include <libxml/tree.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "domain/definition.h"

namespace mk::domain {

// parse() for a <domain> that was parsed already. Throws as parse().
[[nodiscard]] Definition parse_node(const xmlNode* domain);

[[nodiscard]] std::optional<Action> action_from(std::string_view word) noexcept;
[[nodiscard]] std::string_view to_string(Action action) noexcept;
[[nodiscard]] std::optional<WatchdogAction> watchdog_action_from(std::string_view word) noexcept;
[[nodiscard]] std::string_view to_string(WatchdogAction action) noexcept;

// "2,4,3": CPUs in the order of the vCPUs, so no CpuSet.
[[nodiscard]] std::string print_cpus(const std::vector<unsigned>& cpus);
// Throws Error(VIR_ERR_XML_ERROR).
[[nodiscard]] std::vector<unsigned> read_cpus(std::string_view text);

// A running domain prints the CPUs it has where the definition says which it may have
// (<vcpu cpuset>, <vcpupin>), as libvirt does with what it chose. <multikernel:chosen> keeps both
// apart: it repeats the choice, and carries what the definition wanted. The element, with its
// indent and newline:
[[nodiscard]] std::string format_chosen(const Definition& definition, const LiveDetails& live);
// Puts what was wanted back into `out`, which was read from `domain`. If <vcpu> and <cputune> no
// longer say what was chosen, somebody edited them: then they stay.
void restore_wanted(const xmlNode* domain, Definition& out);

}  // namespace mk::domain
