// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Sessions: messages out, and what is to happen when the client has gone.
#include "rpc/session.h"

#include "protocol/frame.h"
#include "protocol/remote.h"
#include "util/log.h"

namespace mk::rpc {

std::string name_of(const Identity& identity) {
    return identity.address.empty() ? std::to_string(identity.pid) : identity.address;
}

Session::Session(const Identity& identity, bool read_only, Link link, bool authenticated)
    : peer_(identity),
      read_only_(read_only),
      authenticated_(authenticated),
      link_(std::move(link)),
      identity_(identity) {}

Identity Session::identity() const {
    const std::lock_guard lock(mutex_);
    return identity_;
}

void Session::set_identity(const Identity& identity) {
    const std::lock_guard lock(mutex_);
    identity_ = identity;
}

void Session::authenticate() {
    if (!authenticated_.exchange(true) && link_.authenticated)
        link_.authenticated();
}

void Session::send_message(int procedure, const std::string& payload) {
    const virNetMessageHeader header{.prog = REMOTE_PROGRAM,
                                     .vers = REMOTE_PROTOCOL_VERSION,
                                     .proc = procedure,
                                     .type = VIR_NET_MESSAGE,
                                     .serial = 0,
                                     .status = VIR_NET_OK};
    link_.send(protocol::encode_frame(header, payload));
}

void Session::start_keepalive() {
    link_.start_keepalive();
}

void Session::close_after_reply() {
    link_.close_after_reply();
}

void Session::on_close(std::function<void()> function) {
    {
        const std::lock_guard lock(mutex_);
        if (!closed_) {
            on_close_.push_back(std::move(function));
            return;
        }
    }
    function();
}

void Session::closed() noexcept {
    std::vector<std::function<void()>> functions;
    {
        const std::lock_guard lock(mutex_);
        closed_ = true;
        functions.swap(on_close_);
    }
    for (auto function = functions.rbegin(); function != functions.rend(); ++function) {
        try {
            (*function)();
        } catch (const std::exception& error) {
            log::warning("cleaning up after a client: {}", error.what());
        }
    }
}

}  // namespace mk::rpc
