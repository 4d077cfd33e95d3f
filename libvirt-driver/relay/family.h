// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Which calls are not ours: networks, storage, node devices, interfaces, secrets and network
// filters belong to stock daemons. Not for how their calls get there (relay.h).
//
// Thread-safe: constant.
#pragma once

#include <array>
#include <optional>
#include <string_view>

namespace mk::relay {

enum class Family { network, storage, nodedev, interface, secret, nwfilter };
inline constexpr std::size_t families = 6;

// "network", as in its daemon's name, its URI and its socket.
[[nodiscard]] std::string_view name_of(Family family);
// What messages call one of its objects.
[[nodiscard]] std::string_view object_of(Family family);

// nullopt: not a procedure of another daemon. After src/rpc/gendispatch.pl: by the type of the
// arguments, else by the name. NODE_DEVICE_DETTACH, _DETACH_FLAGS, _RE_ATTACH and _RESET are not
// here: they carry a plain name and belong to the hypervisor driver.
[[nodiscard]] std::optional<Family> family_of(int procedure) noexcept;

// Calls that register for events and their opposites: both replies and messages carry a number
// that the other daemon chose.
[[nodiscard]] bool registers_events(int procedure) noexcept;
[[nodiscard]] bool deregisters_events(int procedure) noexcept;
// STORAGE_VOL_UPLOAD, STORAGE_VOL_DOWNLOAD.
[[nodiscard]] bool opens_stream(int procedure) noexcept;

}  // namespace mk::relay
