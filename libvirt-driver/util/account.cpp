// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Look-ups in passwd and group.
#include "util/account.h"

#include <grp.h>
#include <pwd.h>

#include <array>

namespace mk {
namespace {

constexpr std::size_t name_space = 65536;

}  // namespace

std::optional<std::string> user_name(uid_t uid) {
    std::array<char, name_space> space{};
    passwd entry{};
    passwd* found = nullptr;
    if (getpwuid_r(uid, &entry, space.data(), space.size(), &found) != 0 || found == nullptr)
        return std::nullopt;
    return found->pw_name;
}

std::optional<std::string> group_name(gid_t gid) {
    std::array<char, name_space> space{};
    group entry{};
    group* found = nullptr;
    if (getgrgid_r(gid, &entry, space.data(), space.size(), &found) != 0 || found == nullptr)
        return std::nullopt;
    return found->gr_name;
}

}  // namespace mk
