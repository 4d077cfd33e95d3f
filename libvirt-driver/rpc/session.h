// SPDX-License-Identifier: LGPL-2.1-or-later
//
// All that a call may know of its caller: who it is, what it may do, and how to send it
// messages it did not ask for; and what a program (a set of calls) is to the server. Not for
// what a call does, and not for how bytes travel (client.h).
//
// Thread-safe. A Session lives until its on_close functions have returned, and those run when
// no call of this client is running any more: whoever keeps a reference until then is safe.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "rpc/forwarder.h"
#include "rpc/stream.h"

namespace mk::rpc {

// The peer of a unix socket, as SO_PEERCRED gave it when it connected; or of a TLS connection,
// which has a certificate and no user; or whoever a proxy says that it speaks for.
struct Identity {
    uid_t uid = static_cast<uid_t>(-1);
    gid_t gid = static_cast<gid_t>(-1);
    pid_t pid = 0;
    // Of the process, in clock ticks since boot: tells it from a later one with its number.
    // 0: not known.
    std::uint64_t start_time = 0;
    std::string x509_dname = {};       // empty: none
    std::string sasl_user_name = {};   // as a proxy says; empty: none
    std::string selinux_context = {};  // empty: none, or not known
    std::string address = {};  // "192.0.2.1:5000", "[2001:db8::1]:5000"; empty: a unix socket

    bool operator==(const Identity&) const = default;
};

// For the log: the process, or the address.
[[nodiscard]] std::string name_of(const Identity& identity);

class Session {
  public:
    // How a session reaches its connection; tests put in their own.
    struct Link {
        // Queues a whole frame, never blocks. A client whose queue is full is disconnected.
        std::function<void(std::string frame)> send;
        std::function<void()> start_keepalive;
        std::function<void()> close_after_reply;
        std::function<void()> authenticated = {};
    };

    // `authenticated`: it need not say anything more about who it is.
    Session(const Identity& identity, bool read_only, Link link, bool authenticated = true);
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;
    ~Session() = default;

    // Who is connected.
    [[nodiscard]] const Identity& peer() const noexcept { return peer_; }
    // On whose behalf: the peer, unless it is a proxy that said otherwise.
    [[nodiscard]] Identity identity() const;
    void set_identity(const Identity& identity);

    // Until then only calls that serve to authenticate are answered.
    [[nodiscard]] bool authenticated() const noexcept { return authenticated_; }
    void authenticate();

    // The socket it came by, or its CONNECT_OPEN, was read-only. There is no way back.
    [[nodiscard]] bool read_only() const noexcept { return read_only_; }
    void make_read_only() noexcept { read_only_ = true; }

    // Sends a MESSAGE of the remote program: serial 0, status OK. `payload` is the encoded
    // argument struct (protocol::encode). Messages arrive in the order of the calls of this
    // function. A message that must not overtake a reply is sent from Call::after_reply().
    void send_message(int procedure, const std::string& payload);

    // The client understands pings: probe it when it is silent.
    void start_keepalive();
    // Ends the connection once what is queued, and the reply to the running call, is sent.
    void close_after_reply();

    // Runs once after the client has gone and none of its calls runs, on a worker: may block.
    // At once, on this thread, if that was already over.
    void on_close(std::function<void()> function);
    // For the server alone: runs the on_close functions, latest first.
    void closed() noexcept;

    // What the api layer keeps for each client. Set once, before the first call.
    void attach(std::shared_ptr<void> state) { state_ = std::move(state); }
    [[nodiscard]] void* state() const noexcept { return state_.get(); }

  private:
    const Identity peer_;
    std::atomic<bool> read_only_;
    std::atomic<bool> authenticated_;
    const Link link_;
    std::shared_ptr<void> state_;
    mutable std::mutex mutex_;
    Identity identity_;                            // mutex_
    std::vector<std::function<void()>> on_close_;  // mutex_
    bool closed_ = false;                          // mutex_
};

// What a program made of a call. The reply is queued, then `after_reply` runs, then `stream`
// opens with the call's number.
struct Answer {
    bool ok = true;
    std::string payload;  // an encoded result; an encoded error if not ok
    std::vector<std::function<void()>> after_reply;
    std::optional<StreamEnd> stream;
};

// A set of calls under one number. `call` is called by workers, several at a time; the others by
// the loop thread. None throws.
struct Program {
    unsigned number = 0;
    unsigned version = 0;
    // Prepares a new client's session, on the loop thread, before any call.
    std::function<void(Session&)> greet;
    // True if the call is known to be short: the workers kept for such calls may run it too.
    std::function<bool(int procedure)> is_short;
    // On the loop thread, which saves the way to a worker and back: the answer, if nothing is to be
    // waited for, not even a disk or a kernel; else nullopt, and a worker calls. May be absent.
    std::function<std::optional<Answer>(Session&, int procedure, std::string_view arguments)>
        answer_at_once;
    std::function<Answer(Session&, int procedure, std::string_view arguments)> call;
    // True if a client that is not authenticated may call it. Absent: nothing.
    std::function<bool(int procedure)> authenticates;
    // On the loop thread: false, or the answer depends on somebody else, for whom no worker is to
    // wait. Then `answer` is to be called once, on the loop thread; when the client, and with it
    // the session, has gone, it does nothing. May be absent.
    std::function<bool(Session&, int procedure, std::function<void(Answer)> answer)> answers_later;
    // On the loop thread: true if this call, allowed and in order, is another server's. Both
    // may be absent.
    std::function<bool(const Session&, int procedure)> forwards;
    std::function<std::unique_ptr<Forwarder>(const Session&, ForwardLink)> make_forwarder;
};

}  // namespace mk::rpc
