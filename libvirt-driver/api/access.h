// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Who may do what: how a client says who it is, and whether it has the permissions that a call
// needs (permissions.h). Not for read-only connections, whose rules hold always (procedures.h).
//
// Thread-safe.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "access/polkit.h"
#include "api/call.h"
#include "protocol/remote.h"

namespace mk::api {

// The procedures by which a client says who it is: whoever has not done so may call no others.
[[nodiscard]] bool authenticates(int procedure);

// rpc::Program::answers_later: AUTH_POLKIT waits for polkit, and polkit for a password.
[[nodiscard]] bool ask_polkit(access::Polkit& polkit, rpc::Session& session, int procedure,
                              std::function<void(rpc::Answer)> answer);

}  // namespace mk::api
