// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Two kinds of bytes.
#include "rpc/channel.h"

#include <sys/socket.h>

#include <cerrno>

namespace mk::rpc {
namespace {

// What a call on a socket returned, in our words; an error of the socket is its end.
std::optional<std::size_t> moved(ssize_t count) {
    if (count < 0 && (errno == EAGAIN || errno == EINTR))
        return std::nullopt;
    return count < 0 ? 0 : static_cast<std::size_t>(count);
}

std::optional<std::size_t> moved(gssize count, GError* error) {
    const GErrorPtr owned(error);
    if (g_error_matches(error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK) != FALSE)
        return std::nullopt;
    return count < 0 ? 0 : static_cast<std::size_t>(count);
}

GPollableInputStream* input_of(GIOStream* stream) {
    return G_POLLABLE_INPUT_STREAM(g_io_stream_get_input_stream(stream));
}

GPollableOutputStream* output_of(GIOStream* stream) {
    return G_POLLABLE_OUTPUT_STREAM(g_io_stream_get_output_stream(stream));
}

}  // namespace

// Passed descriptors are not asked for: without a control buffer the kernel closes them.
std::optional<std::size_t> Channel::read(std::span<char> into) {
    if (!tls_)
        return moved(recv(socket_.get(), into.data(), into.size(), MSG_DONTWAIT));
    GError* error = nullptr;
    const gssize count = g_pollable_input_stream_read_nonblocking(input_of(tls_.get()), into.data(),
                                                                  into.size(), nullptr, &error);
    return moved(count, error);
}

std::optional<std::size_t> Channel::write(std::string_view bytes) {
    if (!tls_)
        return moved(send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT));
    GError* error = nullptr;
    const gssize count = g_pollable_output_stream_write_nonblocking(
        output_of(tls_.get()), bytes.data(), bytes.size(), nullptr, &error);
    return moved(count, error);
}

EventSource Channel::readable(std::function<void()> function) const {
    return tls_ ? EventSource::readable(input_of(tls_.get()), std::move(function))
                : EventSource::watch(socket_.get(), G_IO_IN, std::move(function));
}

EventSource Channel::writable(std::function<void()> function) const {
    return tls_ ? EventSource::writable(output_of(tls_.get()), std::move(function))
                : EventSource::watch(socket_.get(), G_IO_OUT, std::move(function));
}

// One half of a TCP connection may end alone; of ours none does.
EventSource Channel::hung_up(std::function<void()> function) const {
    return tls_ ? EventSource::peer_closed(g_socket_get_fd(tls_socket_.get()), std::move(function))
                : EventSource::watch(socket_.get(), G_IO_HUP, std::move(function));
}

// The last reference to a TLS stream says goodbye to the peer and waits until that is written:
// for ever, if the peer does not read. A socket that is closed before it spares us that.
void Channel::close() noexcept {
    if (tls_socket_)
        g_socket_close(tls_socket_.get(), nullptr);
    tls_.reset();
    tls_socket_.reset();
    socket_.reset();
}

}  // namespace mk::rpc
