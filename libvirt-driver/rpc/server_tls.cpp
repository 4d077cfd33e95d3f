// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Clients that come by TLS: from the accepted socket to the client.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <ctime>

#include "rpc/server.h"
#include "util/address.h"
#include "util/error.h"
#include "util/log.h"

namespace mk::rpc {
namespace {

// libvirt's way to tell a client that its certificate is good
// (src/rpc/virnetserverclient.c, virNetServerClientCheckAccess).
constexpr const char* let_in = "\1";

}  // namespace

void Server::listen_tls(std::vector<Fd> sockets, const TlsSettings& settings) {
    tls_ = std::make_shared<const TlsCredentials>(settings);
    tls_settings_ = settings;
    for (Fd& socket : sockets) {
        log::info("serving TLS on {}", local_address(socket));
        listeners_.push_back(std::make_unique<Listener>(
            Listener{.socket = std::move(socket), .access = {}, .tls = true, .acceptable = {}}));
    }
    update_listening();
}

void Server::update_tls() {
    if (!tls_settings_)
        throw Error(VIR_ERR_INTERNAL_ERROR, "no tls service found, unable to update tls files");
    auto fresh = std::make_shared<const TlsCredentials>(*tls_settings_);
    post([this, fresh] { tls_ = fresh; });
    log::info("certificates for TLS read again");
}

void Server::begin_handshake(Fd socket) {
    const int yes = 1;  // answers are small and waited for
    static_cast<void>(setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes)));
    const Identity identity{.address = peer_address(socket)};
    handshakes_.push_back(std::make_unique<TlsHandshake>(
        std::move(socket),
        TlsHandshake::Limits{.peer = identity.address,
                             .timeout_ms = shared_.settings.anonymous_timeout_ms},
        tls_, [this, identity](TlsHandshake* handshake, std::optional<TlsPeer> peer) {
            end_handshake(handshake, identity, std::move(peer));
        }));
    ++unfinished_;
    update_listening();
}

void Server::end_handshake(TlsHandshake* handshake, Identity identity,
                           std::optional<TlsPeer> peer) {
    std::erase_if(handshakes_, [&](const auto& each) { return each.get() == handshake; });
    if (peer && !stopped_) {
        identity.x509_dname = std::move(peer->x509_dname);
        clients_.push_back(std::make_shared<Client>(
            std::move(peer->channel),
            Client::Peer{
                .id = next_id_++, .identity = identity, .connected_at = std::time(nullptr)},
            shared_));
        clients_.back()->start(let_in);
    } else {
        --unfinished_;
    }
    update_listening();
}

}  // namespace mk::rpc
