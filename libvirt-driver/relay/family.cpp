// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The numbers, as src/remote/remote_protocol.x of libvirt 12.8 has them.
#include "relay/family.h"

#include <algorithm>

namespace mk::relay {
namespace {

struct Range {
    int first;
    int last;
    Family family;
};

// In ascending order.
// clang-format off
constexpr std::array ranges = std::to_array<Range>({
    {36, 36, Family::network},
    {38, 50, Family::network},
    {52, 52, Family::network},
    {71, 100, Family::storage},
    {111, 117, Family::nodedev},
    {123, 124, Family::nodedev},
    {125, 125, Family::storage},
    {126, 134, Family::interface},
    {137, 138, Family::interface},
    {139, 147, Family::secret},
    {152, 153, Family::network},
    {154, 155, Family::storage},
    {156, 156, Family::interface},
    {165, 165, Family::storage},
    {175, 181, Family::nwfilter},
    {208, 209, Family::storage},
    {220, 222, Family::interface},
    {259, 260, Family::storage},
    {281, 282, Family::storage},
    {283, 283, Family::network},
    {284, 284, Family::interface},
    {285, 285, Family::nodedev},
    {286, 286, Family::nwfilter},
    {287, 287, Family::secret},
    {291, 291, Family::network},
    {297, 297, Family::nodedev},
    {313, 314, Family::network},
    {341, 341, Family::network},
    {368, 369, Family::storage},
    {374, 375, Family::nodedev},
    {378, 378, Family::storage},
    {380, 381, Family::secret},
    {391, 391, Family::storage},
    {397, 401, Family::nwfilter},
    {403, 403, Family::storage},
    {404, 410, Family::network},
    {428, 430, Family::nodedev},
    {431, 431, Family::nwfilter},
    {432, 432, Family::network},
    {433, 436, Family::nodedev},
    {437, 437, Family::network},
    {444, 445, Family::network},
    {447, 447, Family::nodedev},
});
// clang-format on

static_assert(std::ranges::is_sorted(ranges, {}, &Range::first));

enum Procedure {
    storage_vol_upload = 208,
    storage_vol_download = 209,
    network_event_register = 313,
    network_event_deregister = 314,
    storage_pool_event_register = 368,
    storage_pool_event_deregister = 369,
    node_device_event_register = 374,
    node_device_event_deregister = 375,
    secret_event_register = 380,
    secret_event_deregister = 381,
};

}  // namespace

std::string_view name_of(Family family) {
    constexpr std::array<std::string_view, families> names = {"network",   "storage", "nodedev",
                                                              "interface", "secret",  "nwfilter"};
    return names.at(static_cast<std::size_t>(family));
}

std::string_view object_of(Family family) {
    constexpr std::array<std::string_view, families> names = {
        "network", "storage pool", "node device", "interface", "secret", "network filter"};
    return names.at(static_cast<std::size_t>(family));
}

std::optional<Family> family_of(int procedure) noexcept {
    const auto* const found = std::ranges::lower_bound(ranges, procedure, {}, &Range::last);
    if (found == ranges.end() || procedure < found->first)
        return std::nullopt;
    return found->family;
}

bool registers_events(int procedure) noexcept {
    return procedure == network_event_register || procedure == storage_pool_event_register ||
           procedure == node_device_event_register || procedure == secret_event_register;
}

bool deregisters_events(int procedure) noexcept {
    return procedure == network_event_deregister || procedure == storage_pool_event_deregister ||
           procedure == node_device_event_deregister || procedure == secret_event_deregister;
}

bool opens_stream(int procedure) noexcept {
    return procedure == storage_vol_upload || procedure == storage_vol_download;
}

}  // namespace mk::relay
