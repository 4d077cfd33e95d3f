// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The server's side of a libvirt stream: bytes both ways between a client and something that
// can be polled, a console for one (src/remote/remote_daemon_stream.c is the model). A stream
// belongs to the call that opened it and ends with its client. Not for what the bytes mean.
//
// Loop thread only, and so are all functions of a StreamEnd; none of them may block.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "util/event_source.h"

namespace mk::rpc {

// What a handler gives to Call::open_stream().
struct StreamEnd {
    // Polls readable when read() would return bytes or the end. Stays open as long as `owner`.
    int poll_fd = -1;
    // Up to `limit` bytes; empty: nothing now; nullopt: the end, the client is told so.
    // Throws mk::Error: the client's stream fails with it.
    std::function<std::optional<std::string>(std::size_t limit)> read;
    // Takes what it has room for and returns how much that was. What is left is offered again
    // a little later; the client is not read any further once too much has piled up.
    std::function<std::size_t(std::string_view bytes)> write;
    // Kept alive until the stream is over, then let go: a console session, for example.
    std::shared_ptr<void> owner;
};

class Stream {
  public:
    // How a stream reaches its connection.
    struct Link {
        // Queues a packet with this status; `sent` runs when the last byte of it was written.
        std::function<void(int status, std::string payload, std::function<void()> sent)> send;
        // The stream's backlog fell below backlog_limit again.
        std::function<void()> drained;
        // The stream failed on our side and the client was told: to be destroyed, later.
        std::function<void()> failed;
    };
    // Input that its end has not taken yet; over this the connection is not read.
    static constexpr std::size_t backlog_limit = 256U << 10;

    Stream(StreamEnd end, Link link);
    Stream(const Stream&) = delete;
    Stream& operator=(const Stream&) = delete;
    ~Stream() = default;

    // A packet came from the client. False: the stream is over, to be destroyed.
    [[nodiscard]] bool packet(int status, std::string_view payload);
    // Tells the client that no more comes, behind what is on its way. It answers, see packet().
    void end();
    [[nodiscard]] std::size_t backlog() const noexcept { return input_.size(); }

  private:
    void listen();
    void pump();
    void offer_input();

    StreamEnd end_;
    const Link link_;
    EventSource readable_;  // absent while a packet is on its way
    EventSource retry_;     // while input_ waits
    std::string input_;
    bool at_end_ = false;  // the client was told that no more comes
    bool over_ = false;    // nothing is sent any more
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // seen by `sent` functions
};

}  // namespace mk::rpc
