// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What libvirt knows of its own procedures, handled here or not: the public function behind
// each, whether a read-only connection may call it, whether it is known to be short.
//
// Thread-safe: constant.
#pragma once

#include <optional>
#include <string_view>

namespace mk::api {

struct Procedure {
    std::string_view name;  // "virDomainCreate"
    bool read_only_allowed = false;
    bool is_short = false;
};

// Of libvirt 12.8. Its procedures have the numbers from 1 to this one.
inline constexpr int last_procedure = 456;

// nullopt: no client can call it (not libvirt's, newer than we know, or a server's message).
[[nodiscard]] std::optional<Procedure> find_procedure(int number) noexcept;

}  // namespace mk::api
