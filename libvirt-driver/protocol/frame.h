// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Frames: a length word, a header, a payload. Cuts the bytes of a connection into frames and
// puts frames together; knows errors, because every program sends the same. Not for what is in
// a payload (xdr.h).
//
// Externally synchronised.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "protocol/message.h"
#include "protocol/message_codec.h"
#include "protocol/xdr.h"
#include "util/error.h"

namespace mk::protocol {

struct Frame {
    virNetMessageHeader header{};
    std::string payload;
};

// Bytes of a frame on the wire without its payload.
inline constexpr std::size_t frame_overhead = VIR_NET_MESSAGE_LEN_MAX + VIR_NET_MESSAGE_HEADER_MAX;
// A frame with its length word is never longer than this.
inline constexpr std::size_t frame_limit = VIR_NET_MESSAGE_MAX + VIR_NET_MESSAGE_LEN_MAX;

// Throws Error(VIR_ERR_RPC) if it would be over frame_limit.
[[nodiscard]] std::string encode_frame(const virNetMessageHeader& header, std::string_view payload);

// The payload of a reply or stream packet with status VIR_NET_ERROR.
[[nodiscard]] std::string encode_error(const Error& error);

class FrameReader {
  public:
    void feed(std::string_view bytes) { buffer_ += bytes; }

    // The next whole frame; nullopt: more bytes are needed. The payload of a frame with passed
    // descriptors comes without their count, and the bytes that carried them are gone.
    // Throws Error(VIR_ERR_RPC) if this cannot be a frame: the connection is of no use any more.
    [[nodiscard]] std::optional<Frame> next();

  private:
    std::string buffer_;
    std::size_t start_ = 0;  // bytes of buffer_ that were returned already
};

}  // namespace mk::protocol
