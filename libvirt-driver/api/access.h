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
#include "api/table.h"
#include "domain/event.h"

namespace mk::api {

// The procedures by which a client says who it is: whoever has not done so may call no others.
[[nodiscard]] bool authenticates(int procedure);

// rpc::Program::answers_later: AUTH_POLKIT waits for polkit, and polkit for a password.
[[nodiscard]] bool ask_polkit(access::Polkit& polkit, rpc::Session& session, int procedure,
                              std::function<void(rpc::Answer)> answer);

// Before a handler: has the caller the permissions of its procedure? As libvirt's polkit driver,
// but root is never asked for, which is what polkit would answer. Throws
// Error(VIR_ERR_ACCESS_DENIED), and VIR_ERR_DBUS_SERVICE if polkit cannot be asked.
void check_access(Call& call, const Checks::Arguments& arguments);

// The same by the handler, for the domain that it found, or is about to make.
void require_access(Call& call, const domain::DomainIdentity& domain);
void require_access(Call& call, const domain::DomainView& domain);
void require_access_to_xml(Call& call, std::string_view definition);

// Whether others can judge the caller: where access control is on, nothing is done for who is not
// known to the kernel, so nothing is passed on for them either. Does not block.
[[nodiscard]] bool is_known(const Connection& connection, const rpc::Session& session);
// Throws Error(VIR_ERR_ACCESS_DENIED) if not.
void require_known(const Connection& connection, const rpc::Session& session);

// Drops from a list what the caller may not see.
void keep_allowed(Call& call, std::vector<domain::DomainView>& domains);

// Hands `deliver` the events that the client may see, one at a time, in their order and with the
// number that they came with; later, and none once the session is closed, if polkit is asked.
// Does not block.
[[nodiscard]] std::function<void(const domain::Event&, int)> filter_events(
    Call& call, std::function<void(const domain::Event&, int)> deliver);

}  // namespace mk::api
