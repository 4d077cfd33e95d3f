// SPDX-License-Identifier: LGPL-2.1-or-later
//
// One connection to a stock libvirt daemon, as a client of it: connects, says on whose behalf it
// speaks, then carries whole frames both ways. Not for whose frames they are (relay.h).
//
// Loop thread only; nothing blocks.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "protocol/frame.h"
#include "rpc/session.h"
#include "util/error.h"
#include "util/event_source.h"
#include "util/fd.h"

namespace mk::relay {

// Of a client's calls; those below are what is said at the beginning.
inline constexpr unsigned first_serial = 3;

class Upstream {
  public:
    struct Target {
        std::string socket;  // path
        std::string uri;     // "network:///system"
        bool read_only = false;
        rpc::Identity identity;  // the caller: the other daemon checks its rights, not ours
    };
    // The upstream may be destroyed by `lost`, by no other of these. `lost` is called from the
    // loop, maybe after the upstream was destroyed.
    struct Link {
        std::function<void(protocol::Frame)> frame;
        std::function<void()> drained;
        std::function<void(std::function<void()>)> in_background;  // what may block
        // It is of no use any more. `error`: what to tell those who wait, encoded.
        std::function<void(const std::string& error)> lost;
    };

    // Throws Error(VIR_ERR_NO_SUPPORT) if nobody listens there.
    Upstream(const Target& target, Link link);
    Upstream(const Upstream&) = delete;
    Upstream& operator=(const Upstream&) = delete;
    ~Upstream();

    // Queues a frame, which leaves once the other daemon has accepted us.
    void send(std::string frame);
    [[nodiscard]] std::size_t backlog() const noexcept { return backlog_; }
    // Whether to read what comes; while not, the other daemon waits.
    void set_reading(bool reading);

  private:
    enum class Step { authenticating, opening, identifying, ready };

    void receive();
    void handle(protocol::Frame frame);
    void greet(const protocol::Frame& reply);
    void say_for_whom();
    void say(Step step, std::string frame);
    void wait_to_write();
    void update_reading();
    void flush();
    void lose(const Error& error);
    void lose_with(const std::string& error);

    const Target target_;
    const Link link_;
    Fd socket_;
    Step step_ = Step::authenticating;
    bool reading_ = true;
    protocol::FrameReader reader_;
    EventSource readable_;
    EventSource writable_;
    std::deque<std::string> outgoing_;  // first what is said at the beginning
    std::deque<std::string> waiting_;   // until the other daemon has accepted us
    std::size_t written_ = 0;           // of the first of outgoing_
    std::size_t backlog_ = 0;           // bytes in both
    const std::shared_ptr<bool> alive_ =
        std::make_shared<bool>(true);  // seen by functions that run later
};

}  // namespace mk::relay
