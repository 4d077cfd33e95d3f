// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Addresses.
#include "util/address.h"

#include <fmt/format.h>
#include <netdb.h>
#include <sys/socket.h>

#include <array>

#include "util/error.h"

namespace mk {
namespace {

std::string address(const Fd& socket, decltype(&getsockname) ask) {
    sockaddr_storage storage{};
    auto* const bytes = reinterpret_cast<sockaddr*>(&storage);
    socklen_t size = sizeof(storage);
    if (ask(socket.get(), bytes, &size) != 0)
        throw Error::from_errno("cannot tell the address of a socket");
    std::array<char, NI_MAXHOST> host{};
    std::array<char, NI_MAXSERV> port{};
    const int error = getnameinfo(bytes, size, host.data(), host.size(), port.data(), port.size(),
                                  NI_NUMERICHOST | NI_NUMERICSERV);
    if (error != 0)
        throw Error(VIR_ERR_SYSTEM_ERROR,
                    fmt::format("cannot tell the address of a socket: {}", gai_strerror(error)));
    if (storage.ss_family == AF_INET6)
        return fmt::format("[{}]:{}", host.data(), port.data());
    return fmt::format("{}:{}", host.data(), port.data());
}

}  // namespace

std::string local_address(const Fd& socket) {
    return address(socket, getsockname);
}

std::string peer_address(const Fd& socket) {
    return address(socket, getpeername);
}

}  // namespace mk
