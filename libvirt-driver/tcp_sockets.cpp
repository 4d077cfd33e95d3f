// SPDX-License-Identifier: LGPL-2.1-or-later
//
// TCP sockets.
#include "tcp_sockets.h"

#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>

#include "util/error.h"

namespace mk {
namespace {

using Addresses = std::unique_ptr<addrinfo, decltype(&freeaddrinfo)>;

Addresses find_addresses(const std::string& host, const std::string& port) {
    addrinfo wanted{};
    wanted.ai_family = AF_UNSPEC;
    wanted.ai_socktype = SOCK_STREAM;
    wanted.ai_flags = AI_PASSIVE;
    addrinfo* found = nullptr;
    const int error =
        getaddrinfo(host.empty() ? nullptr : host.c_str(), port.c_str(), &wanted, &found);
    if (error != 0)
        throw Error(VIR_ERR_SYSTEM_ERROR,
                    fmt::format("cannot listen on '{}' port '{}': {}", host, port,
                                error == EAI_SYSTEM ? strerror(errno) : gai_strerror(error)));
    return {found, freeaddrinfo};
}

// nullopt: this computer does not speak that family.
std::optional<Fd> listen_on(const addrinfo& address, const std::string& port) {
    Fd fd(socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd && errno == EAFNOSUPPORT)
        return std::nullopt;
    const int yes = 1;
    constexpr int backlog = 1000;  // libvirt's max_queued_clients
    if (!fd || setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) != 0 ||
        (address.ai_family == AF_INET6 &&
         setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof(yes)) != 0) ||
        bind(fd.get(), address.ai_addr, address.ai_addrlen) != 0 || listen(fd.get(), backlog) != 0)
        throw Error::from_errno(fmt::format("listen on TCP port {}", port));
    return fd;
}

}  // namespace

std::vector<Fd> listen_on_tcp(const std::string& host, const std::string& port) {
    const Addresses addresses = find_addresses(host, port);
    std::vector<Fd> sockets;
    for (const addrinfo* each = addresses.get(); each != nullptr; each = each->ai_next) {
        if (auto fd = listen_on(*each, port))
            sockets.push_back(std::move(*fd));
    }
    if (sockets.empty())
        throw Error(VIR_ERR_SYSTEM_ERROR, fmt::format("no address to listen on port {}", port));
    return sockets;
}

}  // namespace mk
