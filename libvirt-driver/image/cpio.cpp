// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The newc format: Documentation/driver-api/early-userspace/buffer-format.rst of Linux.
#include "image/cpio.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>

#include "util/error.h"

namespace mk::image {
namespace {

constexpr std::size_t header_bytes = 110;
constexpr std::size_t magic_bytes = 6;
constexpr std::size_t field_bytes = 8;
constexpr std::size_t filesize_at = magic_bytes + 6 * field_bytes;
constexpr std::size_t namesize_at = magic_bytes + 11 * field_bytes;
constexpr std::size_t longest_name = 4096;  // PATH_MAX, with its zero
constexpr std::string_view trailer = "TRAILER!!!";

// What is left to the next multiple of 4.
std::uint64_t padding(std::uint64_t bytes) {
    return (4 - bytes % 4) % 4;
}

// Eight hexadecimal digits; false if they are none.
bool hexadecimal(std::string_view text, std::uint64_t& value) {
    const auto result = std::from_chars(text.data(), text.data() + text.size(), value, 16);
    return result.ec == std::errc() && result.ptr == text.data() + text.size();
}

}  // namespace

void CpioWalk::damaged(const char* what) const {
    throw Error(VIR_ERR_CONFIG_UNSUPPORTED, fmt::format("{} at byte {}", what, position_));
}

void CpioWalk::begin_header() noexcept {
    state_ = State::header;
    wanted_ = header_bytes;
    kept_.clear();
}

void CpioWalk::read_header() {
    const std::string_view header = kept_;
    if (header.starts_with("070707"))
        damaged("it is an old cpio archive (pack it with 'cpio -H newc')");
    if (!header.starts_with("070701") && !header.starts_with("070702"))
        damaged("no cpio header");
    std::uint64_t filesize = 0;
    std::uint64_t namesize = 0;
    if (!hexadecimal(header.substr(filesize_at, field_bytes), filesize) ||
        !hexadecimal(header.substr(namesize_at, field_bytes), namesize))
        damaged("a damaged cpio header");
    if (namesize == 0 || namesize > longest_name)
        damaged("a cpio entry with a bad name length");
    state_ = State::name;
    name_bytes_ = namesize;
    wanted_ = namesize + padding(header_bytes + namesize);
    body_bytes_ = filesize + padding(filesize);
    kept_.clear();
}

void CpioWalk::read_name() {
    if (kept_[name_bytes_ - 1] != '\0')
        damaged("a cpio entry whose name has no end");
    const bool last = std::string_view(kept_.c_str()) == trailer;
    if (last) {
        archives_++;
        state_ = State::between;
        return;
    }
    state_ = State::body;
    wanted_ = body_bytes_;
    if (wanted_ == 0)
        begin_header();
}

std::size_t CpioWalk::feed(std::span<const char> bytes) {
    std::size_t at = 0;
    while (at < bytes.size()) {
        if (state_ == State::between) {
            if (bytes[at] == '0' && position_ % 4 == 0) {
                begin_header();
            } else if (bytes[at] == '\0') {
                at++;
                position_++;
            } else {
                return at;
            }
            continue;
        }
        const auto some =
            static_cast<std::size_t>(std::min<std::uint64_t>(wanted_, bytes.size() - at));
        if (state_ != State::body)
            kept_.append(bytes.data() + at, some);
        at += some;
        position_ += some;
        wanted_ -= some;
        if (wanted_ != 0)
            continue;
        if (state_ == State::header)
            read_header();
        else if (state_ == State::name)
            read_name();
        else
            begin_header();
    }
    return at;
}

}  // namespace mk::image
