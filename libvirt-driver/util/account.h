// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The names of users and groups of this host. Not for what they may do.
//
// Thread-safe. May read files or ask a name service.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

namespace mk {

// nullopt: there is none, or it cannot be looked up.
[[nodiscard]] std::optional<std::string> user_name(uid_t uid);
[[nodiscard]] std::optional<std::string> group_name(gid_t gid);

}  // namespace mk
