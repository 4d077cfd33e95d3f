// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Listening TCP sockets, for a daemon that got none from systemd. Not for what comes through
// them; everything that does is under TLS.
#pragma once

#include <string>
#include <vector>

#include "util/fd.h"

namespace mk {

// One for each address that `host` has (empty: all of this computer's). `port` may be the name
// of a service. Throws Error(VIR_ERR_SYSTEM_ERROR).
[[nodiscard]] std::vector<Fd> listen_on_tcp(const std::string& host, const std::string& port);

}  // namespace mk
