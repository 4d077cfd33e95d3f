// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The server: accepting and counting.
#include "rpc/server.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "util/error.h"
#include "util/log.h"

namespace mk::rpc {
namespace {

Identity peer_of(const Fd& socket) {
    ucred peer{};
    socklen_t size = sizeof(peer);
    if (getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
        throw Error::from_errno("cannot tell who connects");
    return {.uid = peer.uid, .gid = peer.gid, .pid = peer.pid};
}

}  // namespace

Server::Server(const Settings& settings, std::vector<Program> programs)
    : workers_(settings.workers),
      shared_{.settings = settings,
              .programs = std::move(programs),
              .workers = workers_,
              .disconnected =
                  [this](Client* client) {
                      std::erase_if(clients_,
                                    [&](const auto& each) { return each.get() == client; });
                      update_listening();
                  },
              .finished = [this] { --unfinished_; }} {}

Server::~Server() {
    stop();
}

void Server::listen(Fd socket, bool read_only) {
    listeners_.push_back(std::make_unique<Listener>(
        Listener{.socket = std::move(socket), .read_only = read_only, .acceptable = {}}));
    update_listening();
}

// A full server leaves new clients in the sockets' queues, as libvirt does.
void Server::update_listening() {
    const bool room = !stopped_ && !accept_again_ && clients_.size() < shared_.settings.max_clients;
    for (auto& listener : listeners_) {
        if (!room)
            listener->acceptable.reset();
        else if (!listener->acceptable)
            listener->acceptable =
                EventSource::watch(listener->socket.get(), G_IO_IN,
                                   [this, from = listener.get()] { accept_from(*from); });
    }
}

void Server::accept_from(const Listener& listener) {
    constexpr unsigned again_ms = 1000;
    Fd socket(accept4(listener.socket.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!socket) {
        if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
            log::error("{}", Error::from_errno("cannot accept a client").what());
            accept_again_ = EventSource::timer(again_ms, [this] {
                accept_again_.reset();
                update_listening();
            });
            update_listening();
        }
        return;
    }
    const Identity peer = peer_of(socket);
    if (peer.uid != 0 && peer.uid != geteuid()) {
        log::warning("user {} (process {}) was turned away: only root may connect", peer.uid,
                     peer.pid);
        return;
    }
    ++unfinished_;
    clients_.push_back(
        std::make_shared<Client>(Channel(std::move(socket)), peer, listener.read_only, shared_));
    clients_.back()->start();
    update_listening();
}

void Server::run_in_background(std::function<void()> task) {
    workers_.submit(false, std::move(task));
}

// A console ends as it does when its domain stops, not with a broken connection.
void Server::end_streams() {
    constexpr unsigned patience_ms = 2000;
    bool late = false;
    const auto limit = EventSource::timer(patience_ms, [&late] { late = true; });
    const auto ended = [](const auto& client) { return client->end_streams(); };
    while (!late && std::ranges::count_if(clients_, ended) != std::ssize(clients_))
        g_main_context_iteration(nullptr, TRUE);
}

void Server::stop() {
    if (std::exchange(stopped_, true))
        return;
    update_listening();
    end_streams();
    while (!clients_.empty())
        clients_.back()->disconnect();
    while (unfinished_ > 0)
        g_main_context_iteration(nullptr, TRUE);
}

}  // namespace mk::rpc
