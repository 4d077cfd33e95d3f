// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Streams: one packet at a time towards the client, so that a slow one stalls only itself.
#include "rpc/stream.h"

#include <algorithm>
#include <utility>

#include "protocol/frame.h"

namespace mk::rpc {

Stream::Stream(StreamEnd end, Link link) : end_(std::move(end)), link_(std::move(link)) {
    listen();
}

void Stream::listen() {
    if (!at_end_ && !over_)
        readable_ = EventSource::watch(end_.poll_fd, G_IO_IN, [this] { pump(); });
}

// Sends what there is. The next packet is read when this one has left: the client has no other
// way to slow us down.
void Stream::pump() {
    std::optional<std::string> bytes;
    try {
        bytes = end_.read(VIR_NET_MESSAGE_LEGACY_PAYLOAD_MAX);
    } catch (const Error& error) {
        over_ = true;
        readable_.reset();
        retry_.reset();
        input_.clear();
        link_.send(VIR_NET_ERROR, protocol::encode_error(error), {});
        link_.failed();
        return;
    }
    if (bytes && bytes->empty())
        return;
    readable_.reset();
    at_end_ = !bytes;
    // An empty packet is the end; the client answers it with OK, and we that.
    link_.send(VIR_NET_CONTINUE, bytes.value_or(""), [this, alive = std::weak_ptr<bool>(alive_)] {
        if (!alive.expired())
            listen();
    });
}

bool Stream::packet(int status, std::string_view payload) {
    if (over_)
        return false;
    if (status == VIR_NET_CONTINUE) {
        input_ += payload;
        offer_input();
        return true;
    }
    // Its end, or its failure: both are confirmed in the same way, or the client waits for ever
    // (src/remote/remote_daemon_stream.c, daemonStreamHandleFinish and daemonStreamHandleAbort).
    // What an app kernel has not taken by then is lost: it may never take it, and the client is
    // not to wait for a hung one.
    if (status == VIR_NET_OK && !input_.empty())
        offer_input();
    over_ = true;
    readable_.reset();
    retry_.reset();
    link_.send(VIR_NET_OK, "", {});
    return false;
}

void Stream::end() {
    readable_.reset();
    if (!std::exchange(at_end_, true) && !over_)
        link_.send(VIR_NET_CONTINUE, "", {});
}

void Stream::offer_input() {
    // A StreamEnd cannot say when it has room again, and a full one is rare (an app kernel that
    // reads slower than somebody pastes), so it is asked from time to time.
    constexpr unsigned retry_ms = 20;
    const bool was_full = input_.size() > backlog_limit;
    if (!input_.empty())
        input_.erase(0, std::min(input_.size(), end_.write(input_)));
    if (input_.empty())
        retry_.reset();
    else if (!retry_)
        retry_ = EventSource::timer(retry_ms, [this] { offer_input(); });
    if (was_full && input_.size() <= backlog_limit)
        link_.drained();
}

}  // namespace mk::rpc
