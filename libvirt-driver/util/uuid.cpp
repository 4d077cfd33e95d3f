// SPDX-License-Identifier: LGPL-2.1-or-later
//
// UUIDs: parse, print, make.
#include "util/uuid.h"

#include <sys/random.h>

#include <algorithm>

#include "util/error.h"

namespace mk {
namespace {

constexpr std::string_view hex = "0123456789abcdef";

int digit(char c) {
    if (c >= 'A' && c <= 'F')
        c = static_cast<char>(c - 'A' + 'a');
    const auto at = hex.find(c);
    return at == std::string_view::npos ? -1 : static_cast<int>(at);
}

}  // namespace

Uuid::Uuid(std::span<const std::uint8_t, size> bytes) noexcept {
    std::copy(bytes.begin(), bytes.end(), bytes_.begin());
}

Uuid Uuid::random() {
    Uuid uuid;
    if (::getrandom(uuid.bytes_.data(), size, 0) != static_cast<ssize_t>(size))
        throw Error::from_errno("getrandom");
    uuid.bytes_[6] = static_cast<std::uint8_t>((uuid.bytes_[6] & 0x0f) | 0x40);  // RFC 4122, 4.4
    uuid.bytes_[8] = static_cast<std::uint8_t>((uuid.bytes_[8] & 0x3f) | 0x80);
    return uuid;
}

std::optional<Uuid> Uuid::parse(std::string_view text) noexcept {
    Uuid uuid;
    std::size_t digits = 0;
    for (const char c : text) {
        if ((c == '-' || c == ' ') && digits % 2 == 0)
            continue;
        const int value = digit(c);
        if (value < 0 || digits == 2 * size)
            return std::nullopt;
        auto& byte = uuid.bytes_[digits / 2];
        byte = static_cast<std::uint8_t>(byte << 4 | value);
        digits++;
    }
    if (digits != 2 * size)
        return std::nullopt;
    return uuid;
}

std::string Uuid::to_string() const {
    std::string text;
    for (std::size_t i = 0; i < size; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            text += '-';
        text += hex[bytes_[i] >> 4];
        text += hex[bytes_[i] & 15];
    }
    return text;
}

bool Uuid::valid() const noexcept {
    return std::any_of(bytes_.begin(), bytes_.end(),
                       [this](std::uint8_t byte) { return byte != bytes_[0]; });
}

}  // namespace mk
