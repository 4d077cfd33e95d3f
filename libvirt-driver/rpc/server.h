// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Listens on sockets that it is given, accepts up to a limit, and keeps the clients and the
// workers. Not for making sockets (the daemon does) and not for what a connection does.
//
// Loop thread only.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "rpc/client.h"
#include "rpc/session.h"
#include "rpc/tls.h"
#include "util/event_source.h"
#include "util/fd.h"

namespace mk::rpc {

class Server {
  public:
    Server(const Settings& settings, std::vector<Program> programs);
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;
    ~Server();  // stop()

    struct Access {
        bool read_only = false;
        // Peers other than root and this process's own user have to authenticate first.
        bool authenticate = false;
        // … or are turned away, whatever the file's mode is.
        bool trusted_only = false;
    };
    // Serves a listening unix socket.
    void listen(Fd socket, const Access& access);

    // Serves listening TCP sockets, all their bytes under TLS. Once, before the loop runs.
    // Throws Error as TlsCredentials.
    void listen_tls(std::vector<Fd> sockets, const TlsSettings& settings);
    // Reads the certificates again, for the handshakes that are still to come. Any thread; may
    // block. Throws Error, and changes nothing: VIR_ERR_INTERNAL_ERROR, as libvirt, if TLS is
    // not served; else as TlsCredentials.
    void update_tls();
    [[nodiscard]] bool serves_tls() const noexcept { return tls_settings_.has_value(); }

    // Runs `task` on a worker; it may block. stop() waits for it. Loop thread only.
    void run_in_background(std::function<void()> task);

    // Listens no more, ends all streams (a client has a moment to answer that), disconnects all
    // clients, waits for calls that run and for what is to happen after their clients. Runs the
    // loop meanwhile.
    void stop();

    [[nodiscard]] const std::vector<std::shared_ptr<Client>>& clients() const noexcept {
        return clients_;
    }
    // How many are connected; those in a TLS handshake are not among clients() yet.
    [[nodiscard]] std::size_t connected() const noexcept {
        return clients_.size() + handshakes_.size();
    }
    // Is anybody connected, or does a call or a task still run?
    [[nodiscard]] bool busy() const noexcept { return unfinished_ > 0; }
    // Those of them that are not authenticated and not waiting for their turn.
    [[nodiscard]] std::size_t anonymous_clients() const noexcept {
        return anonymous_.size() + handshakes_.size();
    }

    struct ClientLimits {
        unsigned all = 0;
        unsigned anonymous = 0;  // 0: any number
    };
    [[nodiscard]] ClientLimits client_limits() const noexcept;
    // Those that are there stay. Throws Error(VIR_ERR_INVALID_ARG): more anonymous ones than all.
    void set_client_limits(const ClientLimits& limits);

    [[nodiscard]] WorkerPool& workers() noexcept { return workers_; }

  private:
    struct Listener {
        Fd socket;
        Access access;
        bool tls = false;
        EventSource acceptable;
    };

    void end_streams();
    void update_listening();
    [[nodiscard]] bool has_room(const Listener& listener) const;
    void accept_from(const Listener& listener);
    void start_waiting();
    void disconnected(Client* client);
    void begin_handshake(Fd socket);
    void end_handshake(TlsHandshake* handshake, Identity identity, std::optional<TlsPeer> peer);

    WorkerPool workers_;
    Client::Shared shared_;
    std::vector<std::unique_ptr<Listener>> listeners_;
    std::optional<TlsSettings> tls_settings_;    // set before the loop runs
    std::shared_ptr<const TlsCredentials> tls_;  // of the newest files
    std::vector<std::unique_ptr<TlsHandshake>> handshakes_;
    std::vector<std::shared_ptr<Client>> clients_;  // connected
    std::set<const Client*> anonymous_;             // of those, served and not authenticated
    std::deque<std::weak_ptr<Client>> waiting_;     // until there are fewer anonymous ones
    std::uint64_t next_id_ = 1;
    std::size_t unfinished_ = 0;  // clients: connected, shaking hands, with calls that run; tasks
    EventSource accept_again_;    // after the process ran out of descriptors
    bool stopped_ = false;
};

}  // namespace mk::rpc
