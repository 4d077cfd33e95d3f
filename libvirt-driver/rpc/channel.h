// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The bytes of one connection, whether they travel as they are or under TLS: read and written
// without waiting, and watched. Not for what the bytes mean (client.h), and not for how TLS
// begins (tls.h).
//
// Loop thread only.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string_view>

#include "util/event_source.h"
#include "util/fd.h"
#include "util/gobject.h"

namespace mk::rpc {

class Channel {
  public:
    // A connected socket.
    explicit Channel(Fd socket) : socket_(std::move(socket)) {}
    // TLS over `socket`, after its handshake.
    Channel(GObjectPtr<GIOStream> tls, GObjectPtr<GSocket> socket)
        : tls_(std::move(tls)), tls_socket_(std::move(socket)) {}
    Channel(Channel&&) = default;
    Channel& operator=(Channel&&) = delete;
    Channel(const Channel&) = delete;
    Channel& operator=(const Channel&) = delete;
    ~Channel() { close(); }

    // How many bytes came or went: 0 if the connection is over, nullopt if it would have to
    // wait. What would have had to wait must be written again, from the same place in memory,
    // before anything else.
    [[nodiscard]] std::optional<std::size_t> read(std::span<char> into);
    [[nodiscard]] std::optional<std::size_t> write(std::string_view bytes);

    // Whoever reads takes all there is, 16 KiB (what a TLS record holds) or more at a time.
    [[nodiscard]] EventSource readable(std::function<void()> function) const;
    [[nodiscard]] EventSource writable(std::function<void()> function) const;
    // The peer has gone, though nobody reads.
    [[nodiscard]] EventSource hung_up(std::function<void()> function) const;

    // Without a goodbye, as libvirt's daemons.
    void close() noexcept;

  private:
    Fd socket_;
    GObjectPtr<GIOStream> tls_;  // in the place of socket_
    GObjectPtr<GSocket> tls_socket_;
};

}  // namespace mk::rpc
