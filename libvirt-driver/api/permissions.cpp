// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The "@acl" and "@aclfilter" annotations of libvirt 11.3's src/remote/remote_protocol.x, each
// followed by the procedures that have it; for the one call that is newer, 456, what the library
// of 12.8 checks. A permission is object:name[:flags[:argument:value]]; flags "A|B" must all be in
// the call, of "!A|B" none may be. What cannot be understood, and a procedure in two places, does
// not compile.
#include "api/permissions.h"

#include <libvirt/libvirt.h>

#include <array>
#include <cstdint>
#include <initializer_list>

#include "api/procedures.h"

namespace mk::api {
namespace {

struct Group {
    std::string_view annotations;
    std::initializer_list<int> procedures;
};

// clang-format off
constexpr Group groups[] = {
    {"connect:detect_storage_pools", {75}},
    {"connect:getattr", {1, 3, 4, 59, 60, 110, 157, 360, 361}},
    {"connect:interface_transaction", {220, 221, 222}},
    {"connect:pm_control", {250}},
    {"connect:read",
     {5, 6, 7, 101, 102, 106, 122, 158, 162, 168, 203, 227, 228, 289, 293, 312, 314, 317,
      340, 369, 375, 381, 395, 403}},
    {"connect:search_domains filter=domain:getattr", {21, 25, 37, 51, 105, 167, 273, 316}},
    {"connect:search_domains filter=domain:read", {344}},
    {"connect:search_interfaces filter=interface:getattr", {126, 127, 137, 138, 284}},
    {"connect:search_networks filter=network:getattr", {36, 38, 50, 52, 283, 313}},
    {"connect:search_node_devices filter=node_device:getattr", {111, 112, 285, 374}},
    {"connect:search_nwfilter_bindings filter=nwfilter_binding:getattr", {401}},
    {"connect:search_nwfilters filter=nwfilter:getattr", {178, 179, 286}},
    {"connect:search_secrets filter=secret:getattr", {139, 140, 287, 380}},
    {"connect:search_storage_pools filter=storage_pool:getattr", {71, 72, 73, 74, 281, 368}},
    {"connect:write", {135, 136, 288, 342, 347, 393, 394, 419}},
    {"domain:block_read", {103}},
    {"domain:block_write", {240, 251, 266, 290, 345}},
    {"domain:checkpoint", {417}},
    {"domain:checkpoint domain:block_write", {421}},
    {"domain:checkpoint domain:fs_freeze:VIR_DOMAIN_CHECKPOINT_CREATE_QUIESCE", {411}},
    {"domain:core_dump", {53, 334}},
    {"domain:delete", {35, 231}},
    {"domain:fs_freeze", {335, 336, 349}},
    {"domain:fs_trim", {294}},
    {"domain:getattr", {22, 23, 24}},
    {"domain:hibernate", {55, 182, 184, 232, 440}},
    {"domain:init_control", {33}},
    {"domain:init_control domain:write:VIR_DOMAIN_REBOOT_GUEST_AGENT", {27}},
    {"domain:init_control domain:write:VIR_DOMAIN_SHUTDOWN_GUEST_AGENT", {258}},
    {"domain:inject_nmi", {210}},
    {"domain:mem_read", {104}},
    {"domain:migrate",
     {62, 63, 109, 166, 207, 213, 216, 217, 218, 242, 299, 300, 302, 305, 306, 307, 364,
      387}},
    {"domain:migrate domain:start domain:write", {61, 108, 148, 214, 215, 303, 304}},
    {"domain:open_device", {201, 296}},
    {"domain:open_graphics", {249, 343}},
    {"domain:pm_control", {261, 267}},
    {"domain:read",
     {15, 16, 17, 18, 19, 20, 56, 57, 58, 64, 65, 121, 150, 151, 159, 163, 183, 187, 188,
      189, 190, 191, 194, 198, 202, 206, 212, 223, 229, 230, 238, 243, 244, 246, 247, 253,
      255, 257, 262, 263, 265, 271, 272, 274, 275, 278, 280, 298, 351, 365, 396, 413, 414,
      415, 416, 422, 426, 449}},
    {"domain:read domain:read_secure:VIR_DOMAIN_CHECKPOINT_XML_SECURE", {412}},
    {"domain:read domain:read_secure:VIR_DOMAIN_SAVE_IMAGE_XML_SECURE", {388}},
    {"domain:read domain:read_secure:VIR_DOMAIN_SNAPSHOT_XML_SECURE", {186}},
    {"domain:read domain:read_secure:VIR_DOMAIN_XML_SECURE "
     "domain:read_secure:VIR_DOMAIN_XML_MIGRATABLE",
     {14}},
    {"domain:read domain:write::source:VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_AGENT", {353}},
    {"domain:read domain:write:VIR_DOMAIN_VCPU_GUEST", {200}},
    {"domain:reset", {245}},
    {"domain:screenshot", {211}},
    {"domain:send_input", {226}},
    {"domain:send_signal", {295}},
    {"domain:set_password", {357}},
    {"domain:set_time", {338}},
    {"domain:snapshot", {192, 193}},
    {"domain:snapshot domain:fs_freeze:VIR_DOMAIN_SNAPSHOT_CREATE_QUIESCE", {185}},
    {"domain:start", {9, 196, 310}},
    {"domain:start domain:write", {54, 233, 441}},
    {"domain:stop", {12, 234}},
    {"domain:suspend", {28, 34}},
    {"domain:write",
     {8, 13, 26, 29, 30, 31, 32, 164, 235, 237, 239, 277, 337, 366, 371, 372, 386, 390, 418,
      420, 424, 425, 427, 439, 442, 443, 448, 450, 456}},
    {"domain:write domain:hibernate", {236, 389}},
    {"domain:write domain:save", {11, 350, 358}},
    {"domain:write domain:save:!VIR_DOMAIN_AFFECT_CONFIG|VIR_DOMAIN_AFFECT_LIVE "
     "domain:save:VIR_DOMAIN_AFFECT_CONFIG",
     {160, 161, 174, 197, 204, 205, 219, 225, 252, 254, 256, 264, 279, 308, 352, 355, 356,
      384, 392, 402, 451, 452}},
    {"domain:write domain:save:!VIR_DOMAIN_AFFECT_CONFIG|VIR_DOMAIN_AFFECT_LIVE "
     "domain:save:VIR_DOMAIN_AFFECT_CONFIG domain:write:VIR_DOMAIN_VCPU_GUEST",
     {199}},
    {"domain:write domain:start", {10, 309}},
    {"interface:delete", {132}},
    {"interface:getattr", {128, 129}},
    {"interface:read", {130, 156}},
    {"interface:start", {133}},
    {"interface:stop", {134}},
    {"interface:write interface:save", {131}},
    {"network:delete", {49}},
    {"network:getattr", {46, 47}},
    {"network:read", {43, 44, 45, 152, 153, 341, 445}},
    {"network:search_ports filter=network_port:getattr", {404}},
    {"network:start", {39}},
    {"network:stop", {42}},
    {"network:write", {48}},
    {"network:write network:save", {41, 432}},
    {"network:write "
     "network:save:!VIR_NETWORK_UPDATE_AFFECT_CONFIG|VIR_NETWORK_UPDATE_AFFECT_LIVE "
     "network:save:VIR_NETWORK_UPDATE_AFFECT_CONFIG",
     {291, 444}},
    {"network:write network:start", {40, 437}},
    {"network_port:create", {406}},
    {"network_port:delete", {410}},
    {"network_port:getattr", {405}},
    {"network_port:read", {407, 409}},
    {"network_port:write", {408}},
    {"node_device:delete", {429}},
    {"node_device:detach", {118, 119, 120, 301}},
    {"node_device:getattr", {113, 297}},
    {"node_device:read", {114, 115, 116, 117, 433, 435, 436}},
    {"node_device:start", {430}},
    {"node_device:stop", {124}},
    {"node_device:write", {434}},
    {"node_device:write node_device:save", {428}},
    {"node_device:write "
     "node_device:save:!VIR_NODE_DEVICE_UPDATE_AFFECT_CONFIG|VIR_NODE_DEVICE_UPDATE_AFFECT_LIVE "
     "node_device:save:VIR_NODE_DEVICE_UPDATE_AFFECT_CONFIG",
     {447}},
    {"node_device:write node_device:start", {123}},
    {"", {2, 66, 67, 68, 69, 70, 149}},
    {"nwfilter:delete", {181}},
    {"nwfilter:getattr", {175, 176}},
    {"nwfilter:read", {177}},
    {"nwfilter:write nwfilter:save", {180, 431}},
    {"nwfilter_binding:create", {399}},
    {"nwfilter_binding:delete", {400}},
    {"nwfilter_binding:getattr", {397}},
    {"nwfilter_binding:read", {398}},
    {"secret:delete", {146}},
    {"secret:getattr", {141, 147}},
    {"secret:read", {143}},
    {"secret:read_secure", {145}},
    {"secret:write", {144}},
    {"secret:write secret:save", {142}},
    {"storage_pool:delete", {82}},
    {"storage_pool:format", {79, 81}},
    {"storage_pool:getattr", {84, 85, 86, 391}},
    {"storage_pool:read", {87, 88, 89, 154, 155}},
    {"storage_pool:refresh", {83}},
    {"storage_pool:search_storage_vols filter=storage_vol:getattr", {91, 92, 282}},
    {"storage_pool:start", {78}},
    {"storage_pool:start storage_pool:write", {76}},
    {"storage_pool:stop", {80}},
    {"storage_pool:write", {90}},
    {"storage_pool:write storage_pool:save", {77}},
    {"storage_vol:create", {93, 125}},
    {"storage_vol:data_read", {209}},
    {"storage_vol:data_write", {208}},
    {"storage_vol:delete", {94}},
    {"storage_vol:format", {165, 259}},
    {"storage_vol:getattr", {95, 96, 97}},
    {"storage_vol:read", {98, 99, 100, 378}},
    {"storage_vol:resize", {260}},
};
// clang-format on

struct Constant {
    std::string_view name;
    unsigned value;
};

constexpr Constant constants[] = {
    {"VIR_DOMAIN_AFFECT_CONFIG", VIR_DOMAIN_AFFECT_CONFIG},
    {"VIR_DOMAIN_AFFECT_LIVE", VIR_DOMAIN_AFFECT_LIVE},
    {"VIR_DOMAIN_CHECKPOINT_CREATE_QUIESCE", VIR_DOMAIN_CHECKPOINT_CREATE_QUIESCE},
    {"VIR_DOMAIN_CHECKPOINT_XML_SECURE", VIR_DOMAIN_CHECKPOINT_XML_SECURE},
    {"VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_AGENT", VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_AGENT},
    {"VIR_DOMAIN_REBOOT_GUEST_AGENT", VIR_DOMAIN_REBOOT_GUEST_AGENT},
    {"VIR_DOMAIN_SAVE_IMAGE_XML_SECURE", VIR_DOMAIN_SAVE_IMAGE_XML_SECURE},
    {"VIR_DOMAIN_SHUTDOWN_GUEST_AGENT", VIR_DOMAIN_SHUTDOWN_GUEST_AGENT},
    {"VIR_DOMAIN_SNAPSHOT_CREATE_QUIESCE", VIR_DOMAIN_SNAPSHOT_CREATE_QUIESCE},
    {"VIR_DOMAIN_SNAPSHOT_XML_SECURE", VIR_DOMAIN_SNAPSHOT_XML_SECURE},
    {"VIR_DOMAIN_VCPU_GUEST", VIR_DOMAIN_VCPU_GUEST},
    {"VIR_DOMAIN_XML_MIGRATABLE", VIR_DOMAIN_XML_MIGRATABLE},
    {"VIR_DOMAIN_XML_SECURE", VIR_DOMAIN_XML_SECURE},
    {"VIR_NETWORK_UPDATE_AFFECT_CONFIG", VIR_NETWORK_UPDATE_AFFECT_CONFIG},
    {"VIR_NETWORK_UPDATE_AFFECT_LIVE", VIR_NETWORK_UPDATE_AFFECT_LIVE},
    {"VIR_NODE_DEVICE_UPDATE_AFFECT_CONFIG", 2},  // newer than libvirt 9.0's headers
    {"VIR_NODE_DEVICE_UPDATE_AFFECT_LIVE", 1},
};

constexpr unsigned constant(std::string_view name) {
    for (const auto& each : constants) {
        if (each.name == name)
            return each.value;
    }
    throw "a flag that is not in the list";
}

// What stands before the first `separator`, taken off `text`.
constexpr std::string_view take(std::string_view& text, char separator) {
    const auto end = text.find(separator);
    const auto word = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    return word;
}

constexpr Permission parse(std::string_view text) {
    Permission permission{.object = take(text, ':'), .name = take(text, ':')};
    auto flags = take(text, ':');
    const bool must_not = flags.starts_with('!');
    if (must_not)
        flags.remove_prefix(1);
    while (!flags.empty())
        (must_not ? permission.without_flags : permission.with_flags) |= constant(take(flags, '|'));
    if (const auto argument = take(text, ':'); argument == "source")
        permission.with_source = constant(text);
    else if (!argument.empty() || permission.name.empty())
        throw "no such argument, or no name";
    return permission;
}

struct Parsed {
    std::array<Permission, 4> needed{};
    std::size_t count = 0;
    std::optional<Permission> filter;
};

constexpr Parsed parse(const Group& group) {
    constexpr std::string_view filter = "filter=";
    Parsed parsed;
    for (auto text = group.annotations; !text.empty();) {
        const auto word = take(text, ' ');
        if (word.starts_with(filter))
            parsed.filter = parse(word.substr(filter.size()));
        else
            parsed.needed.at(parsed.count++) = parse(word);
    }
    return parsed;
}

constexpr std::size_t no_group = std::size(groups);
constexpr std::size_t known_procedures = last_procedure + 1;  // and 0, which none has

constexpr auto parsed_groups = [] {
    std::array<Parsed, std::size(groups)> all{};
    for (std::size_t index = 0; index < all.size(); ++index)
        all[index] = parse(groups[index]);
    return all;
}();

constexpr auto group_of = [] {
    std::array<std::uint8_t, known_procedures> all{};
    all.fill(no_group);
    for (std::size_t index = 0; index < std::size(groups); ++index) {
        for (const int procedure : groups[index].procedures) {
            auto& group = all.at(static_cast<std::size_t>(procedure));
            if (group != no_group)
                throw "a procedure in two groups";
            group = static_cast<std::uint8_t>(index);
        }
    }
    return all;
}();

}  // namespace

Rule rule_of(int procedure) {
    if (procedure < 0 || procedure >= static_cast<int>(group_of.size()))
        return {};
    const std::size_t index = group_of[static_cast<std::size_t>(procedure)];
    if (index == no_group)
        return {};
    const Parsed& parsed = parsed_groups[index];
    return {.needed = std::span(parsed.needed).first(parsed.count),
            .filter = parsed.filter ? &*parsed.filter : nullptr};
}

}  // namespace mk::api
