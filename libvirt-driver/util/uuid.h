// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A UUID as libvirt uses it: 16 raw bytes, printed in lower case with dashes.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace mk {

class Uuid {
  public:
    static constexpr std::size_t size = 16;

    constexpr Uuid() noexcept = default;  // all zero: no valid identity
    explicit Uuid(std::span<const std::uint8_t, size> bytes) noexcept;

    // Version 4, from the kernel's random numbers. Throws Error(VIR_ERR_SYSTEM_ERROR).
    [[nodiscard]] static Uuid random();
    // Accepts what virUUIDParse does: 32 hex digits, dashes and spaces anywhere between.
    [[nodiscard]] static std::optional<Uuid> parse(std::string_view text) noexcept;

    [[nodiscard]] std::string to_string() const;
    [[nodiscard]] const std::array<std::uint8_t, size>& bytes() const noexcept { return bytes_; }
    // False for all-zero and all-equal bytes, as virUUIDIsValid.
    [[nodiscard]] bool valid() const noexcept;

    auto operator<=>(const Uuid&) const = default;

  private:
    std::array<std::uint8_t, size> bytes_{};
};

}  // namespace mk
