// SPDX-License-Identifier: LGPL-2.1-or-later
//
// How a TLS connection begins, with GIO's TLS: our certificate, the handshake, and whether the
// client's certificate is one that we let in. Not for what comes afterwards (channel.h).
//
// libvirt's rules (src/rpc/virnettlscontext.c), except that a client may show a certificate
// of a CA: whoever has that one's key can make himself any other.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "rpc/channel.h"
#include "util/event_source.h"
#include "util/fd.h"
#include "util/gobject.h"

namespace mk::rpc {

struct TlsSettings {
    std::string ca_file = "/etc/pki/CA/cacert.pem";
    std::string cert_file = "/etc/pki/libvirt/servercert.pem";
    std::string key_file = "/etc/pki/libvirt/private/serverkey.pem";
    bool check_own = true;      // refuse a certificate of ours that no client would accept
    bool check_clients = true;  // turn away whoever has no good certificate
    // Patterns with * and ?; nullopt: every certificate that the CA has signed.
    std::optional<std::vector<std::string>> allowed_dns;
};

// What was read from the files, once. Immutable; thread-safe.
class TlsCredentials {
  public:
    // May block. Throws Error(VIR_ERR_SYSTEM_ERROR), naming the file that cannot be used.
    explicit TlsCredentials(TlsSettings settings);

    [[nodiscard]] const TlsSettings& settings() const noexcept { return settings_; }
    // A server's side of a handshake that is still to come. Throws Error(VIR_ERR_SYSTEM_ERROR).
    [[nodiscard]] GObjectPtr<GTlsConnection> connection(GSocket* socket) const;
    // The distinguished name of the client, as gnutls and so libvirt write it, after the
    // handshake. Empty if it has none and needs none. Throws Error(VIR_ERR_AUTH_FAILED).
    [[nodiscard]] std::string check(GTlsConnection* connection) const;

  private:
    void try_own_key() const;
    void check_own() const;
    void check_client(GTlsCertificate* certificate, GTlsCertificateFlags faults) const;

    TlsSettings settings_;
    Fd ca_copy_;
    GObjectPtr<GTlsDatabase> authorities_;
    GObjectPtr<GTlsCertificate> own_;
};

// One client that is let in.
struct TlsPeer {
    Channel channel;
    std::string x509_dname;
};

// The handshake with one client. GIO has a thread of its pool wait for that client. Loop thread
// only.
class TlsHandshake {
  public:
    // nullopt: it failed, or was cancelled, or the client may not come in; that is in the log.
    using Done = std::function<void(TlsHandshake*, std::optional<TlsPeer>)>;
    struct Limits {
        std::string peer;         // the client's name for the log
        unsigned timeout_ms = 0;  // 0: none
    };

    // Begins. `done` is called once, later; it may destroy this, and nothing else may before.
    // Throws Error(VIR_ERR_SYSTEM_ERROR).
    TlsHandshake(Fd socket, Limits limits, std::shared_ptr<const TlsCredentials> credentials,
                 Done done);
    TlsHandshake(const TlsHandshake&) = delete;
    TlsHandshake& operator=(const TlsHandshake&) = delete;
    ~TlsHandshake() = default;

    void cancel() noexcept;

  private:
    [[nodiscard]] std::optional<TlsPeer> finish(GAsyncResult* result);

    const Limits limits_;
    const std::shared_ptr<const TlsCredentials> credentials_;
    Done done_;
    GObjectPtr<GSocket> socket_;
    GObjectPtr<GTlsConnection> connection_;
    GObjectPtr<GCancellable> cancellable_;
    EventSource too_late_;
};

}  // namespace mk::rpc
