// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The permissions that libvirt asks for each of its procedures, handled here or not, where
// access control is on. Not for who has them (access/) and not for the rules of read-only
// connections, which hold always (procedures.h).
//
// Thread-safe: constant.
#pragma once

#include <optional>
#include <span>
#include <string_view>

namespace mk::api {

// One permission of one kind of object, in the words of libvirt's protocol file. Polkit's action
// is "org.libvirt.api.<object>.<name>", with '-' for each '_'.
struct Permission {
    std::string_view object;  // "domain"
    std::string_view name;    // "read_secure"
    // Needed only by a call whose `flags` have all of the first, none of the second.
    unsigned with_flags = 0;
    unsigned without_flags = 0;
    // Needed only by a call whose `source` is this one (virDomainInterfaceAddresses).
    std::optional<unsigned> with_source = std::nullopt;

    [[nodiscard]] constexpr bool applies(unsigned flags, unsigned source) const noexcept {
        return (flags & with_flags) == with_flags && (flags & without_flags) == 0 &&
               (!with_source || *with_source == source);
    }
};

struct Rule {
    // All that apply are needed. None: whoever may connect may call it.
    std::span<const Permission> needed;
    // What the caller must have of each object that a list, or an event, tells of; the others
    // are left out. nullptr: it is no list.
    const Permission* filter = nullptr;
};

// The empty rule for what no client can call.
[[nodiscard]] Rule rule_of(int procedure);

}  // namespace mk::api
