// SPDX-License-Identifier: LGPL-2.1-or-later
//
// One client's calls on networks, storage, node devices, interfaces, secrets and network
// filters, passed as they are to the stock daemons that own them, with the caller's identity:
// calls, replies, streams and events. A daemon that is not there answers VIR_ERR_NO_SUPPORT, so
// that clients hide the feature; one that restarts is connected again, and what the client
// registered for is registered again. Not for the connection to one daemon (upstream.h).
//
// Loop thread only.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <string>

#include "relay/family.h"
#include "relay/upstream.h"
#include "rpc/forwarder.h"
#include "rpc/session.h"

namespace mk::relay {

struct Settings {
    std::string socket_dir = "/run/libvirt";
};

class Relay final : public rpc::Forwarder {
  public:
    Relay(const Settings& settings, const rpc::Session& session, rpc::ForwardLink link);
    ~Relay() override;

    void call(const protocol::Frame& frame) override;
    bool stream(const protocol::Frame& frame) override;
    [[nodiscard]] std::size_t backlog() const override;

  private:
    // Bytes of streams that the client has not taken; over this its daemon waits.
    static constexpr std::size_t outstanding_limit = 1U << 20;
    static constexpr unsigned reconnect_ms = 1000;

    struct Pending {
        virNetMessageHeader header{};  // of the client's call
        std::string arguments;         // of one that registers for events
        int callback = -1;             // ours, of one that (de)registers for events
        bool again = false;            // a registration that is repeated: no client waits for it
    };
    struct Registration {
        int procedure = 0;
        std::string arguments;
        int theirs = -1;  // the other daemon's number; -1: it is not registered there now
    };
    // What a client has with one daemon.
    struct Line {
        std::unique_ptr<Upstream> upstream;
        unsigned next_serial = first_serial;
        std::map<unsigned, Pending> calls;          // by their serial
        std::map<unsigned, Pending> streams;        // by their serial
        std::map<int, Registration> registrations;  // by our number
        std::size_t repeating = 0;  // registrations that its new daemon has not answered yet
        std::string held;           // frames of the client, until those are answered
        std::size_t outstanding = 0;
        EventSource reconnect;
    };

    Line& line(Family family) { return lines_.at(static_cast<std::size_t>(family)); }
    void connect(Family family);
    void pass_on(Family family, const virNetMessageHeader& header, const std::string& payload,
                 Pending pending);
    static void send(Line& line, std::string frame);
    void answer(const virNetMessageHeader& call, int status, const std::string& payload);
    void handle(Family family, const protocol::Frame& frame);
    void handle_reply(Line& line, const protocol::Frame& frame);
    [[nodiscard]] std::string note_registration(Line& line, const Pending& pending,
                                                const protocol::Frame& reply);
    void handle_stream(Line& line, const protocol::Frame& frame);
    void handle_event(Line& line, const protocol::Frame& frame);
    void lost(Family family, const std::string& error);
    void register_again(Family family);

    const Settings settings_;
    const rpc::Session& session_;
    const bool read_only_;
    const rpc::Identity identity_;
    const rpc::ForwardLink link_;
    std::array<Line, families> lines_;
    int next_callback_ = 0;
    std::shared_ptr<bool> alive_ =
        std::make_shared<bool>(true);  // seen by functions that run later
};

}  // namespace mk::relay
