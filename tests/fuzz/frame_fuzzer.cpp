// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The frame parser: whatever arrives, and however it is cut, the same frames come out of it, and
// they are what was sent.
#include <vector>

#include "fuzzer.h"
#include "protocol/frame.h"

namespace {

using mk::protocol::Frame;

// The frames of `bytes`, fed `step` at a time; false at the end if the connection is over.
std::pair<std::vector<Frame>, bool> frames(std::string_view bytes, std::size_t step) {
    mk::protocol::FrameReader reader;
    std::vector<Frame> all;
    try {
        for (std::size_t at = 0; at < bytes.size(); at += step) {
            reader.feed(bytes.substr(at, step));
            while (auto frame = reader.next())
                all.push_back(std::move(*frame));
        }
    } catch (const mk::Error&) {
        return {std::move(all), false};
    }
    return {std::move(all), true};
}

bool same(const Frame& a, const Frame& b) {
    return mk::protocol::encode_frame(a.header, a.payload) ==
           mk::protocol::encode_frame(b.header, b.payload);
}

bool passes_descriptors(const Frame& frame) {
    return frame.header.type == VIR_NET_CALL_WITH_FDS ||
           frame.header.type == VIR_NET_REPLY_WITH_FDS;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view bytes = mk::fuzz::as_text(data, size);
    const auto whole = frames(bytes, std::max<std::size_t>(bytes.size(), 1));
    const auto cut = frames(bytes, size % 64 + 1);
    mk::fuzz::require(whole.second == cut.second && whole.first.size() == cut.first.size(),
                      "other frames when they are cut");
    std::string again;
    bool plain = true;  // or the bytes of passed descriptors are between
    for (std::size_t i = 0; i < whole.first.size(); ++i) {
        const Frame& frame = whole.first[i];
        mk::fuzz::require(same(frame, cut.first[i]), "another frame when it is cut");
        plain = plain && !passes_descriptors(frame);
        again += mk::protocol::encode_frame(frame.header, frame.payload);
    }
    mk::fuzz::require(!plain || bytes.starts_with(again), "not what was sent");
    return 0;
}
