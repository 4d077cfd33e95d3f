// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Frames in and out. Everything a client can write about lengths is checked here.
#include "protocol/frame.h"

#include <fmt/format.h>

namespace mk::protocol {
namespace {

std::uint32_t word_at(std::string_view bytes, std::size_t offset) {
    std::uint32_t word = 0;
    for (std::size_t i = 0; i < 4; ++i)
        word = (word << 8) | static_cast<unsigned char>(bytes[offset + i]);
    return word;
}

std::string word(std::uint32_t value) {
    return {static_cast<char>(value >> 24), static_cast<char>(value >> 16),
            static_cast<char>(value >> 8), static_cast<char>(value)};
}

bool passes_fds(const virNetMessageHeader& header) {
    return header.type == VIR_NET_CALL_WITH_FDS || header.type == VIR_NET_REPLY_WITH_FDS;
}

// src/util/virerror.h, virErrorDomain: who found it. Clients start an agent, or ask again, for
// those of polkit. All others are about domains; there is no number for this driver.
int domain_of(const Error& error) {
    switch (error.code()) {
        case VIR_ERR_RPC:
            return VIR_FROM_RPC;
        case VIR_ERR_AUTH_FAILED:
        case VIR_ERR_AUTH_CANCELLED:
        case VIR_ERR_AUTH_UNAVAILABLE:
            return VIR_FROM_POLKIT;
        case VIR_ERR_ACCESS_DENIED:
            return VIR_FROM_ACCESS;
        default:
            return VIR_FROM_DOMAIN;
    }
}

// A message may quote what a client sent; a string over VIR_NET_MESSAGE_STRING_MAX cannot travel.
std::string clipped(std::string_view text) {
    constexpr std::size_t limit = 1U << 16;
    return std::string(text.substr(0, limit)) + (text.size() > limit ? "…" : "");
}

}  // namespace

std::string encode_frame(const virNetMessageHeader& header, std::string_view payload) {
    if (payload.size() > frame_limit - frame_overhead)
        throw Error(VIR_ERR_RPC, fmt::format("a message of {} bytes is over the limit of {}",
                                             payload.size() + frame_overhead, frame_limit));
    std::string frame;
    frame.reserve(frame_overhead + payload.size());
    frame += word(static_cast<std::uint32_t>(frame_overhead + payload.size()));
    frame += word(header.prog);
    frame += word(header.vers);
    frame += word(static_cast<std::uint32_t>(header.proc));
    frame += word(static_cast<std::uint32_t>(header.type));
    frame += word(header.serial);
    frame += word(static_cast<std::uint32_t>(header.status));
    frame += payload;
    return frame;
}

std::string encode_error(const Error& error) {
    Xdr<virNetMessageError> wire;
    wire->code = error.code();
    wire->domain = domain_of(error);
    wire->level = VIR_ERR_ERROR;
    wire->message = make_optional_string(clipped(error.full_message()));
    // libvirt's virReportError puts the code's format and the detail here.
    wire->str1 = make_optional_string(error_format(error.code()));
    wire->str2 = make_optional_string(clipped(error.what()));
    wire->int1 = error.error_number() != 0 ? error.error_number() : -1;
    wire->int2 = -1;
    return wire.encode();
}

std::optional<Frame> FrameReader::next() {
    const std::string_view rest = std::string_view(buffer_).substr(start_);
    if (rest.size() < VIR_NET_MESSAGE_LEN_MAX) {
        buffer_.erase(0, std::exchange(start_, 0));
        return std::nullopt;
    }
    const std::size_t length = word_at(rest, 0);
    if (length < frame_overhead || length > frame_limit)
        throw Error(VIR_ERR_RPC, fmt::format("a frame of {} bytes", length));
    Frame frame;
    std::size_t whole = length;
    if (rest.size() >= frame_overhead) {
        frame.header = {.prog = word_at(rest, 4),
                        .vers = word_at(rest, 8),
                        .proc = static_cast<int>(word_at(rest, 12)),
                        .type = static_cast<int>(word_at(rest, 16)),
                        .serial = word_at(rest, 20),
                        .status = static_cast<int>(word_at(rest, 24))};
    }
    std::size_t payload_at = frame_overhead;
    if (rest.size() >= length && passes_fds(frame.header)) {
        payload_at += 4;
        if (length < payload_at || word_at(rest, frame_overhead) > VIR_NET_MESSAGE_NUM_FDS_MAX)
            throw Error(VIR_ERR_RPC, "a wrong number of passed descriptors");
        whole += word_at(rest, frame_overhead);  // each comes with one byte of its own
    }
    if (rest.size() < whole) {
        buffer_.erase(0, std::exchange(start_, 0));
        return std::nullopt;
    }
    frame.payload = rest.substr(payload_at, length - payload_at);
    start_ += whole;
    return frame;
}

}  // namespace mk::protocol
