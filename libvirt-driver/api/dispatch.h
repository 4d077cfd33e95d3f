// SPDX-License-Identifier: LGPL-2.1-or-later
//
// From a procedure number and bytes to a handler and back: what is asked of every call before
// and after its handler. Not for what a call does.
#pragma once

#include "access/polkit.h"
#include "domain/driver.h"
#include "relay/relay.h"
#include "rpc/session.h"

namespace mk::api {

// libvirt's remote program over `driver`; what belongs to other daemons is passed on to them.
// `driver` and `polkit` must outlive every session. `access_control`: polkit is also asked what
// each client may do.
[[nodiscard]] rpc::Program remote_program(domain::Driver& driver, access::Polkit& polkit,
                                          bool access_control, const relay::Settings& relay);

// One call of it. Never throws: errors become answers.
[[nodiscard]] rpc::Answer dispatch(domain::Driver& driver, rpc::Session& session, int procedure,
                                   std::string_view arguments) noexcept;

}  // namespace mk::api
