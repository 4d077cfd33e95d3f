// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The server: accepting and counting.
#include "rpc/server.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <sstream>

#include "util/error.h"
#include "util/log.h"

namespace mk::rpc {
namespace {

// Field 22 of /proc/PID/stat (proc(5)); the name in front of it may hold anything, also ')'.
std::uint64_t process_start_time(pid_t pid) {
    constexpr int fields_before = 19;  // behind the name
    try {
        const auto text = read_file_if_exists(fmt::format("/proc/{}/stat", pid));
        std::istringstream fields(text ? text->substr(text->rfind(')') + 1) : "");
        std::string field;
        for (int i = 0; i < fields_before; ++i)
            fields >> field;
        std::uint64_t ticks = 0;
        return fields >> ticks ? ticks : 0;
    } catch (const Error&) {  // it has just ended
        return 0;
    }
}

// As getpeercon(3) would say; empty where no such module is.
std::string security_context_of(const Fd& socket) {
    std::array<char, 4096> text{};
    socklen_t size = text.size() - 1;
    if (getsockopt(socket.get(), SOL_SOCKET, SO_PEERSEC, text.data(), &size) != 0)
        return {};
    return text.data();
}

Identity peer_of(const Fd& socket) {
    ucred peer{};
    socklen_t size = sizeof(peer);
    if (getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
        throw Error::from_errno("cannot tell who connects");
    return {.uid = peer.uid,
            .gid = peer.gid,
            .pid = peer.pid,
            .start_time = process_start_time(peer.pid),
            .selinux_context = security_context_of(socket)};
}

}  // namespace

Server::Server(const Settings& settings, std::vector<Program> programs)
    : workers_(settings.workers),
      shared_{.settings = settings,
              .programs = std::move(programs),
              .workers = workers_,
              .disconnected = [this](Client* client) { disconnected(client); },
              .finished = [this] { --unfinished_; },
              .authenticated =
                  [this](Client* client) {
                      if (anonymous_.erase(client) > 0)
                          start_waiting();
                      update_listening();
                  }} {}

Server::~Server() {
    stop();
}

void Server::listen(Fd socket, const Access& access) {
    listeners_.push_back(std::make_unique<Listener>(
        Listener{.socket = std::move(socket), .access = access, .acceptable = {}}));
    update_listening();
}

// A full server leaves new clients in the sockets' queues, as libvirt does.
bool Server::has_room(const Listener& listener) const {
    const Settings& limits = shared_.settings;
    return !stopped_ && !accept_again_ && connected() < limits.max_clients &&
           (!listener.tls || limits.max_anonymous_clients == 0 ||
            anonymous_clients() < limits.max_anonymous_clients);
}

void Server::update_listening() {
    for (auto& listener : listeners_) {
        if (!has_room(*listener))
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
    if (listener.tls) {
        begin_handshake(std::move(socket));
        return;
    }
    const Identity peer = peer_of(socket);
    const bool trusted = peer.uid == 0 || peer.uid == geteuid();
    if (!trusted && listener.access.trusted_only) {
        log::warning("user {} (process {}) was turned away: this socket is for root", peer.uid,
                     peer.pid);
        return;
    }
    ++unfinished_;
    clients_.push_back(std::make_shared<Client>(
        Channel(std::move(socket)),
        Client::Peer{.id = next_id_++,
                     .identity = peer,
                     .read_only = listener.access.read_only,
                     .authenticated = trusted || !listener.access.authenticate,
                     .connected_at = std::time(nullptr)},
        shared_));
    waiting_.push_back(clients_.back());
    start_waiting();
    update_listening();
}

// libvirt stops accepting when too many are not authenticated, which keeps root out, too. Here
// only those wait.
void Server::start_waiting() {
    const std::size_t most = shared_.settings.max_anonymous_clients;
    std::erase_if(waiting_, [&](const auto& weak) {
        const auto client = weak.lock();
        if (!client || client->disconnected())
            return true;
        if (!client->authenticated()) {
            if (most > 0 && anonymous_.size() >= most)
                return false;
            anonymous_.insert(client.get());
        }
        client->start();
        return true;
    });
}

void Server::disconnected(Client* client) {
    if (anonymous_.erase(client) > 0)
        start_waiting();
    std::erase_if(clients_, [&](const auto& each) { return each.get() == client; });
    update_listening();
}

Server::ClientLimits Server::client_limits() const noexcept {
    return {.all = shared_.settings.max_clients,
            .anonymous = shared_.settings.max_anonymous_clients};
}

void Server::set_client_limits(const ClientLimits& limits) {
    if (limits.anonymous > limits.all)
        throw Error(VIR_ERR_INVALID_ARG,
                    "the number of clients that wait for authentication cannot be larger than that "
                    "of all clients");
    shared_.settings.max_clients = limits.all;
    shared_.settings.max_anonymous_clients = limits.anonymous;
    start_waiting();
    update_listening();
}

void Server::run_in_background(std::function<void()> task) {
    ++unfinished_;
    workers_.submit(false, [this, task = std::move(task)] {
        try {
            task();
        } catch (const std::exception& error) {
            log::error("{}", error.what());
        }
        post([this] { --unfinished_; });
    });
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
    for (const auto& handshake : handshakes_)
        handshake->cancel();
    end_streams();
    while (!clients_.empty())
        clients_.back()->disconnect();
    while (unfinished_ > 0)
        g_main_context_iteration(nullptr, TRUE);
}

}  // namespace mk::rpc
