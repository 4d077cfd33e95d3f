// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The ends of a TCP socket as people write them: "192.0.2.1:5000", "[2001:db8::1]:5000".
#pragma once

#include <string>

#include "util/fd.h"

namespace mk {

// Throw Error(VIR_ERR_SYSTEM_ERROR).
[[nodiscard]] std::string local_address(const Fd& socket);
[[nodiscard]] std::string peer_address(const Fd& socket);

}  // namespace mk
