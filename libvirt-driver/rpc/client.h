// SPDX-License-Identifier: LGPL-2.1-or-later
//
// One connection: cuts what arrives into frames, hands calls to the workers, keeps the streams,
// answers pings, and writes what is queued. A client can be slow, silent, hostile or gone; only
// itself suffers. Not for accepting connections (server.h) or for what calls do.
//
// Loop thread only, except send_unasked(), which is what sessions use. Lives until the last of
// its calls has returned and its session was told.
#pragma once

#include <chrono>
#include <cstdint>
#include <ctime>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <tuple>
#include <vector>

#include "protocol/frame.h"
#include "rpc/channel.h"
#include "rpc/session.h"
#include "rpc/stream.h"
#include "rpc/worker_pool.h"
#include "util/event_source.h"

namespace mk::rpc {

// libvirt's defaults (src/remote/libvirtd.conf.in).
struct Settings {
    unsigned max_clients = 5000;
    unsigned max_anonymous_clients = 20;  // not authenticated yet; 0: any number
    unsigned max_client_requests = 5;     // calls of one client that run at the same time
    WorkerLimits workers;
    unsigned keepalive_interval_ms = 5000;
    unsigned keepalive_count = 5;
    // Ours: how long a client may take to authenticate, and to wait for its turn to do so.
    unsigned anonymous_timeout_ms = 60'000;
};

class Client : public std::enable_shared_from_this<Client> {
  public:
    // What all clients of a server share; outlives them.
    struct Shared {
        Settings settings;
        std::vector<Program> programs;
        WorkerPool& workers;
        std::function<void(Client*)> disconnected;  // its connection is over
        std::function<void()> finished;             // and everything else of it
        std::function<void(Client*)> authenticated;
    };

    // Unsent messages and pongs that a client may have; then it is disconnected.
    static constexpr std::size_t unasked_limit = 8U << 20;
    // Calls that wait for their turn; then its socket is not read until one has begun.
    static constexpr std::size_t waiting_limit = 32;
    static constexpr std::size_t waiting_bytes_limit = 1U << 20;
    // Bytes that it has not read yet; while there are more, none of its calls is begun.
    static constexpr std::size_t unread_limit = 1U << 20;

    struct Peer {
        std::uint64_t id = 0;  // of all the clients that its server ever had
        Identity identity;
        bool read_only = false;  // from the start
        bool authenticated = true;
        std::time_t connected_at = 0;
    };

    Client(Channel channel, const Peer& peer, const Shared& shared);
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;
    ~Client() = default;

    [[nodiscard]] const Peer& peer() const noexcept { return peer_; }
    [[nodiscard]] bool read_only() const noexcept { return session_.read_only(); }
    [[nodiscard]] bool has(const Session& session) const noexcept { return &session == &session_; }
    // Serves it. Until then it only waits for its turn.
    // `greeting`: what it is sent before anything else, no frame.
    void start(std::string greeting = {});
    [[nodiscard]] bool disconnected() const noexcept { return disconnected_; }
    [[nodiscard]] bool authenticated() const noexcept { return session_.authenticated(); }
    // Ends the connection now; what is queued is lost. Calls that run go on to their end.
    void disconnect();
    // Tells the client that its streams are at their end. True: it has answered, and nothing is
    // queued for it.
    [[nodiscard]] bool end_streams();

  private:
    using StreamKey = std::tuple<unsigned, int, unsigned>;  // program, procedure, serial
    struct Packet {
        std::string bytes;
        bool unasked = false;
        std::function<void()> sent;
    };

    void receive();
    void handle_frames();
    void handle(protocol::Frame frame);
    void handle_keepalive(const protocol::Frame& frame);
    void handle_call(protocol::Frame frame);
    void handle_stream(const protocol::Frame& frame);
    [[nodiscard]] bool may_read() const;
    void update_reading();

    void begin_calls();
    void begin_call(const protocol::Frame& frame);
    [[nodiscard]] bool answers_later(const Program& program, const virNetMessageHeader& call);
    void run(const Program& program, const protocol::Frame& frame);
    void reply(const virNetMessageHeader& call, Answer answer);
    void reply_error(const virNetMessageHeader& call, const std::string& text);
    void open_stream(const virNetMessageHeader& call, StreamEnd end);
    void forward(const Program& program, const protocol::Frame& frame);

    void answered();
    void enqueue(Packet packet);
    void send_unasked(std::string frame);
    void flush();
    // What `function` enqueues is written when it returns, not at the loop's next turn.
    template <typename Function>
    void flush_after(const Function& function) {
        flush_follows_ = true;
        function();
        flush_follows_ = false;
        flush();
    }
    [[nodiscard]] bool write_some(Packet& packet);
    [[nodiscard]] bool may_answer();
    void wait_to_write();
    void close_if_done();
    void begin_keepalive();
    void probe();
    void finish_if_done();

    Channel channel_;
    const Peer peer_;
    const Shared& shared_;
    Session session_;
    protocol::FrameReader reader_;
    EventSource readable_;
    EventSource hung_up_;  // while readable_ is not watched
    EventSource writable_;
    EventSource stalled_;  // while writable_ is watched
    EventSource keepalive_;
    EventSource deadline_;  // until it is authenticated
    std::chrono::steady_clock::time_point last_heard_;
    std::chrono::steady_clock::time_point last_written_;
    unsigned pings_unanswered_ = 0;
    std::map<StreamKey, std::unique_ptr<Stream>> streams_;
    std::shared_ptr<Forwarder> forwarder_;  // from the first call that needs it
    std::deque<protocol::Frame> waiting_;
    unsigned unanswered_ = 0;  // calls begun whose reply was not written yet
    unsigned running_ = 0;     // calls that workers have
    std::size_t written_ = 0;  // bytes of the first packet that were written
    bool disconnected_ = false;
    bool closing_ = false;  // to be disconnected when all is answered
    bool finished_ = false;
    bool flush_follows_ = false;

    std::mutex mutex_;
    std::deque<Packet> outgoing_;    // mutex_; only the loop thread removes
    std::size_t unread_bytes_ = 0;   // mutex_; of all packets
    std::size_t unasked_bytes_ = 0;  // mutex_; of those that nobody called for
    bool flush_posted_ = false;      // mutex_
    bool overflowed_ = false;        // mutex_
};

}  // namespace mk::rpc
