// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A client that costs little, so that what is measured is the server: it speaks libvirt's protocol
// on a unix socket, one call at a time, and looks into no reply but a failed one. Not a client
// library.
//
// Externally synchronised.
#pragma once

#include <sys/socket.h>
#include <sys/un.h>

#include <chrono>
#include <cstring>
#include <optional>
#include <string>

#include "protocol/frame.h"
#include "protocol/remote.h"
#include "protocol/remote_codec.h"
#include "util/error.h"
#include "util/fd.h"

namespace mk::bench {

using Clock = std::chrono::steady_clock;

// The bytes of a call.
template <typename Args>
std::string call_frame(int procedure, protocol::Xdr<Args>& args) {
    return protocol::encode_frame({.prog = REMOTE_PROGRAM,
                                   .vers = REMOTE_PROTOCOL_VERSION,
                                   .proc = procedure,
                                   .type = VIR_NET_CALL,
                                   .serial = 0,
                                   .status = VIR_NET_OK},
                                  args.encode());
}

class Peer {
  public:
    explicit Peer(const std::string& path) : socket_(::socket(AF_UNIX, SOCK_STREAM, 0)) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        if (path.size() >= sizeof(address.sun_path))
            throw Error(VIR_ERR_INVALID_ARG, path);
        std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
        if (connect(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0)
            throw Error::from_errno(path);
    }

    [[nodiscard]] int fd() const { return socket_.get(); }

    void send(const std::string& frame) {
        if (::send(fd(), frame.data(), frame.size(), MSG_NOSIGNAL) !=
            static_cast<ssize_t>(frame.size()))
            throw Error::from_errno("cannot send");
    }

    // Reads what is there; the payload of a reply that is complete with it. Waits if nothing is
    // there. Throws Error: the connection ended, or the call failed.
    std::optional<std::string> receive() {
        char bytes[262144];
        const ssize_t count = recv(fd(), bytes, sizeof(bytes), 0);
        if (count <= 0)
            throw Error(VIR_ERR_RPC, "the server ended the connection");
        reader_.feed({bytes, static_cast<std::size_t>(count)});
        while (auto frame = reader_.next()) {
            if (frame->header.type != VIR_NET_REPLY)
                continue;
            if (frame->header.status != VIR_NET_OK)
                throw Error(VIR_ERR_RPC,
                            *protocol::Xdr<virNetMessageError>::decode(frame->payload)->message);
            return std::move(frame->payload);
        }
        return std::nullopt;
    }

    std::string call(const std::string& frame) {
        send(frame);
        while (true) {
            if (auto payload = receive())
                return std::move(*payload);
        }
    }

    void open(const std::string& uri) {
        protocol::Xdr<remote_connect_open_args> args;
        args->name = protocol::make_optional_string(uri);
        call(call_frame(REMOTE_PROC_CONNECT_OPEN, args));
    }

  private:
    Fd socket_;
    protocol::FrameReader reader_;
};

}  // namespace mk::bench
