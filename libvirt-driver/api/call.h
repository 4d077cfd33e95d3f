// SPDX-License-Identifier: LGPL-2.1-or-later
//
// One call on its way through a handler: who calls, what it works on, and what is to happen
// once the reply is out. Every handler has one of these shapes; arguments and results are the
// generated structs of protocol/remote.x:
//
//   void f(Call&);  void f(Call&, const Args&);  void f(Call&, Ret&);
//   void f(Call&, const Args&, Ret&);
//   void f(Call&, const Args&, protocol::XdrString& ret);  long lists, which it encodes in pieces
//
// A handler throws mk::Error and the client gets that error. `Ret` comes zeroed and is freed
// after it was sent: whatever it points to was made by protocol::copy_string, make_array and
// make_one (protocol/xdr.h). Strings that the protocol calls "nonnull" must be set.
//
// Externally synchronised: one call, one worker. What a Connection holds is shared by the calls
// of one client, which run at the same time: see its mutex.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "api/connection.h"
#include "domain/driver.h"
#include "rpc/session.h"
#include "rpc/stream.h"

namespace mk::api {

struct Row;

struct Call {
    domain::Driver& driver;
    rpc::Session& session;
    Connection& connection;
    const Row& row;

    // Null: this is a worker, which may wait. Else it is the loop thread, which may not: a handler
    // that would have to makes it true and returns, and a worker calls it again.
    bool* left_to_worker = nullptr;
    // Run in order after the reply was queued, if the handler did not throw: what they send
    // arrives after the reply. They must not block and not throw.
    std::vector<std::function<void()>> after_reply;
    // Set it, and the call's stream opens right after its reply.
    std::optional<rpc::StreamEnd> stream;
};

}  // namespace mk::api
