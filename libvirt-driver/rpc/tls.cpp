// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Certificates and handshakes.
#include "rpc/tls.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <utility>

#include "util/error.h"
#include "util/log.h"

namespace mk::rpc {
namespace {

Error failed(const std::string& what, GError* error) {
    const GErrorPtr owned(error);
    return {VIR_ERR_SYSTEM_ERROR, fmt::format("{}: {}", what, error->message)};
}

// What is wrong with a certificate, the reason that helps most first.
std::string_view describe(unsigned faults) {
    if ((faults & G_TLS_CERTIFICATE_UNKNOWN_CA) != 0)
        return "no CA that we trust has signed it";
    if ((faults & G_TLS_CERTIFICATE_EXPIRED) != 0)
        return "it has expired";
    if ((faults & G_TLS_CERTIFICATE_NOT_ACTIVATED) != 0)
        return "it is not valid yet";
    if ((faults & G_TLS_CERTIFICATE_INSECURE) != 0)
        return "it uses an insecure algorithm";
    return "it cannot be verified";
}

// Whether to let the client in is decided after the handshake, where it can be logged.
gboolean accept_for_now(GTlsConnection*, GTlsCertificate*, GTlsCertificateFlags,
                        gpointer) noexcept {
    return TRUE;
}

std::string name_of(GTlsCertificate* certificate) {
    const std::unique_ptr<char, GFree> name(g_tls_certificate_get_subject_name(certificate));
    return name ? name.get() : "";
}

GObjectPtr<GIOStream> stream_of(GSocket* socket) {
    return GObjectPtr<GIOStream>(
        G_IO_STREAM(g_socket_connection_factory_create_connection(socket)));
}

// Takes the descriptor over.
GObjectPtr<GSocket> socket_of(Fd fd) {
    GError* error = nullptr;
    GObjectPtr<GSocket> socket(g_socket_new_from_fd(fd.get(), &error));
    if (!socket)
        throw failed("cannot use a socket", error);
    static_cast<void>(fd.release());
    return socket;
}

std::pair<GObjectPtr<GSocket>, GObjectPtr<GSocket>> socket_pair() {
    std::array<int, 2> ends{};
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0)
        throw Error::from_errno("make a pair of sockets");
    Fd one(ends[0]);
    Fd other(ends[1]);
    return {socket_of(std::move(one)), socket_of(std::move(other))};
}

Fd memory_file(std::string_view content) {
    Fd fd(memfd_create("ca", MFD_CLOEXEC));
    if (!fd)
        throw Error::from_errno("make a file in memory");
    write_all(fd.get(), std::as_bytes(std::span(content)));
    return fd;
}

// This thread's callbacks of asynchronous calls come to it, not to the loop, while it lives.
class OwnContext {
  public:
    OwnContext() : context_(g_main_context_new()) { g_main_context_push_thread_default(context_); }
    OwnContext(const OwnContext&) = delete;
    OwnContext& operator=(const OwnContext&) = delete;
    ~OwnContext() {
        g_main_context_pop_thread_default(context_);
        g_main_context_unref(context_);
    }
    [[nodiscard]] GMainContext* get() const noexcept { return context_; }

  private:
    GMainContext* const context_;
};

}  // namespace

// GIO reads the file of CAs again for every handshake (glib-networking 2.74); what has not been
// checked, or is just being replaced, is not to count. So it gets a copy.
TlsCredentials::TlsCredentials(TlsSettings settings)
    : settings_(std::move(settings)), ca_copy_(memory_file(read_file(settings_.ca_file))) {
    GError* error = nullptr;
    authorities_.reset(
        g_tls_file_database_new(fmt::format("/proc/self/fd/{}", ca_copy_.get()).c_str(), &error));
    if (!authorities_)
        throw failed(fmt::format("cannot use the CA certificate {}", settings_.ca_file), error);
    own_.reset(g_tls_certificate_new_from_files(settings_.cert_file.c_str(),
                                                settings_.key_file.c_str(), &error));
    if (!own_)
        throw failed(fmt::format("cannot use the server certificate {} with the key {}",
                                 settings_.cert_file, settings_.key_file),
                     error);
    try_own_key();
    if (settings_.check_own)
        check_own();
}

// Files may be half replaced. GIO does not say that a key is not the certificate's; a handshake
// with ourselves does.
void TlsCredentials::try_own_key() const {
    const OwnContext context;
    const auto [server_end, client_end] = socket_pair();
    const auto server = connection(server_end.get());
    GError* error = nullptr;
    GIOStream* made =
        g_tls_client_connection_new(stream_of(client_end.get()).get(), nullptr, &error);
    if (made == nullptr)
        throw failed("cannot begin TLS", error);
    const GObjectPtr<GTlsConnection> client(G_TLS_CONNECTION(made));
    g_signal_connect(client.get(), "accept-certificate", G_CALLBACK(accept_for_now), nullptr);
    const GObjectPtr<GCancellable> cancellable(g_cancellable_new());
    unsigned waiting = 0;
    GErrorPtr first;
    for (GTlsConnection* each : {server.get(), client.get()}) {
        ++waiting;
        g_tls_connection_handshake_async(
            each, G_PRIORITY_DEFAULT, cancellable.get(), async_result_callback,
            async_result_data([&, each](GAsyncResult* result) {
                --waiting;
                GError* fault = nullptr;
                if (g_tls_connection_handshake_finish(each, result, &fault) == FALSE) {
                    GErrorPtr owned(fault);
                    g_cancellable_cancel(cancellable.get());  // the other one may wait for ever
                    if (!first)
                        first = std::move(owned);
                }
            }));
    }
    while (waiting > 0)
        g_main_context_iteration(context.get(), TRUE);
    if (first)
        throw failed(fmt::format("cannot use the server certificate {} with the key {}",
                                 settings_.cert_file, settings_.key_file),
                     first.release());
}

void TlsCredentials::check_own() const {
    const unsigned faults = g_tls_database_verify_chain(
        authorities_.get(), own_.get(), G_TLS_DATABASE_PURPOSE_AUTHENTICATE_SERVER, nullptr,
        nullptr, G_TLS_DATABASE_VERIFY_NONE, nullptr, nullptr);
    if (faults != 0)
        throw Error(VIR_ERR_SYSTEM_ERROR,
                    fmt::format("the server certificate {} failed validation against {}: {}",
                                settings_.cert_file, settings_.ca_file, describe(faults)));
}

GObjectPtr<GTlsConnection> TlsCredentials::connection(GSocket* socket) const {
    GError* error = nullptr;
    GIOStream* made = g_tls_server_connection_new(stream_of(socket).get(), own_.get(), &error);
    if (made == nullptr)
        throw failed("cannot begin TLS", error);
    GObjectPtr<GTlsConnection> connection(G_TLS_CONNECTION(made));
    g_tls_connection_set_database(connection.get(), authorities_.get());
    g_object_set(connection.get(), "authentication-mode", G_TLS_AUTHENTICATION_REQUESTED, nullptr);
    g_signal_connect(connection.get(), "accept-certificate", G_CALLBACK(accept_for_now), nullptr);
    return connection;
}

std::string TlsCredentials::check(GTlsConnection* connection) const {
    GTlsCertificate* certificate = g_tls_connection_get_peer_certificate(connection);
    try {
        check_client(certificate, g_tls_connection_get_peer_certificate_errors(connection));
    } catch (const Error& error) {
        if (settings_.check_clients)
            throw;
        log::warning("let in all the same, as tls_no_verify_certificate says: {}", error.what());
        return {};
    }
    return name_of(certificate);
}

void TlsCredentials::check_client(GTlsCertificate* certificate, GTlsCertificateFlags faults) const {
    if (certificate == nullptr)
        throw Error(VIR_ERR_AUTH_FAILED, "the client has no certificate");
    const std::string name = name_of(certificate);
    if (faults != 0)
        throw Error(VIR_ERR_AUTH_FAILED,
                    fmt::format("certificate of '{}': {}", log::escape(name), describe(faults)));
    const auto& allowed = settings_.allowed_dns;
    if (allowed && std::ranges::none_of(*allowed, [&](const std::string& pattern) {
            return g_pattern_match_simple(pattern.c_str(), name.c_str()) != FALSE;
        }))
        throw Error(VIR_ERR_AUTH_FAILED,
                    fmt::format("'{}' is not in tls_allowed_dn_list", log::escape(name)));
}

TlsHandshake::TlsHandshake(Fd socket, Limits limits,
                           std::shared_ptr<const TlsCredentials> credentials, Done done)
    : limits_(std::move(limits)), credentials_(std::move(credentials)), done_(std::move(done)) {
    socket_ = socket_of(std::move(socket));
    connection_ = credentials_->connection(socket_.get());
    cancellable_.reset(g_cancellable_new());
    if (limits_.timeout_ms > 0)
        too_late_ = EventSource::timer(limits_.timeout_ms, [this] {
            log::warning("client {} did not finish its TLS handshake in time", limits_.peer);
            cancel();
        });
    g_tls_connection_handshake_async(connection_.get(), G_PRIORITY_DEFAULT, cancellable_.get(),
                                     async_result_callback,
                                     async_result_data([this](GAsyncResult* result) {
                                         const Done done = std::move(done_);
                                         done(this, finish(result));
                                     }));
}

void TlsHandshake::cancel() noexcept {
    g_cancellable_cancel(cancellable_.get());
}

std::optional<TlsPeer> TlsHandshake::finish(GAsyncResult* result) {
    too_late_.reset();
    GError* error = nullptr;
    if (g_tls_connection_handshake_finish(connection_.get(), result, &error) == FALSE) {
        const GErrorPtr owned(error);
        log::debug("client {}: no TLS handshake: {}", limits_.peer, error->message);
        return std::nullopt;
    }
    try {
        std::string name = credentials_->check(connection_.get());
        GObjectPtr<GIOStream> stream(G_IO_STREAM(connection_.release()));
        return TlsPeer{Channel(std::move(stream), std::move(socket_)), std::move(name)};
    } catch (const Error& refusal) {
        log::warning("client {} was turned away: {}", limits_.peer, refusal.what());
        g_socket_close(socket_.get(), nullptr);  // before the stream can say goodbye
        return std::nullopt;
    }
}

}  // namespace mk::rpc
