// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Calls of one client that another server answers: what a connection (client.h) needs of
// whoever passes them on. Not for how that is done (relay/).
//
// Loop thread only; nothing here may block.
#pragma once

#include <cstddef>
#include <functional>
#include <string>

#include "protocol/frame.h"

namespace mk::rpc {

// How a forwarder reaches its client.
struct ForwardLink {
    // Queues the whole frame that answers a call of forward().
    std::function<void(std::string frame)> reply;
    // Queues a stream packet; `sent` runs when its last byte was written.
    std::function<void(std::string frame, std::function<void()> sent)> stream;
    // Queues a message nobody asked for; a client that does not read is disconnected.
    std::function<void(std::string frame)> message;
    // backlog() fell: the client may be read again.
    std::function<void()> drained;
    // Runs something that may block, on a worker.
    std::function<void(std::function<void()> task)> in_background;
};

class Forwarder {
  public:
    Forwarder() = default;
    Forwarder(const Forwarder&) = delete;
    Forwarder& operator=(const Forwarder&) = delete;
    virtual ~Forwarder() = default;

    // Over this a client is not read any further.
    static constexpr std::size_t backlog_limit = 256U << 10;

    // A call. Exactly one ForwardLink::reply() follows, also if the server is not there.
    virtual void call(const protocol::Frame& frame) = 0;
    // A stream packet (or hole) of the client. False: it belongs to no call of ours.
    virtual bool stream(const protocol::Frame& frame) = 0;
    // Bytes that wait to be passed on.
    [[nodiscard]] virtual std::size_t backlog() const = 0;
};

}  // namespace mk::rpc
