// SPDX-License-Identifier: LGPL-2.1-or-later
//
// libvirt's admin program: what virt-admin asks of a daemon and its servers. Not for domains,
// and not for who may ask: root alone reaches the socket.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "rpc/server.h"
#include "rpc/session.h"

namespace mk::admin {

// What there is to administer. Servers and functions are used on the loop thread only; all must
// be there before the first client is, and until the server of the program has stopped.
struct Administered {
    std::vector<std::pair<std::string, rpc::Server*>> servers;
    // Ends the daemon after so long without clients and partitions; 0: never.
    std::function<void(unsigned timeout_s)> set_timeout;
    std::function<void()> shut_down;
};

[[nodiscard]] rpc::Program program(const Administered& administered);

}  // namespace mk::admin
