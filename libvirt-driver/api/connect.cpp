// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The connection itself: open, close, what this driver and this machine are. How busy the
// machine is is in node.cpp.
#include <fmt/format.h>
#include <netdb.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "api/encode.h"
#include "api/table.h"
#include "api/uri.h"

namespace mk::api {
namespace {

// virDrvFeature, src/libvirt_internal.h; wire numbers, not in an installed header.
enum Feature {
    feature_migration_p2p = 4,
    feature_migration_v3 = 6,
    feature_typed_param_string = 9,
    feature_program_keepalive = 10,
    feature_migration_offline = 12,
    feature_migration_params = 13,
    feature_remote_event_callback = 14,
    feature_remote_close_callback = 15,
    feature_network_update_order = 16,
};

// What the client library has in the same word for itself: that it wants a user's own daemon, and
// may start one (src/remote/remote_sockets.h).
constexpr unsigned open_user = 2;  // also VIR_CONNECT_NO_ALIASES
constexpr unsigned open_autostart = 4;
constexpr unsigned open_flags = VIR_CONNECT_RO | open_user | open_autostart;

void connect_open(Call& call, const remote_connect_open_args& args) {
    const std::string uri = string_or_empty(args.name);
    const std::lock_guard lock(call.connection.mutex);
    if (call.connection.opened)
        throw Error(VIR_ERR_INTERNAL_ERROR, "connection already open");
    check_uri(uri);
    if ((args.flags & VIR_CONNECT_RO) != 0)
        call.session.make_read_only();
    call.connection.uri = uri;
    call.connection.opened = true;
}

void connect_close(Call& call) {
    call.session.close_after_reply();
}

void connect_get_type(Call&, remote_connect_get_type_ret& ret) {
    ret.type = protocol::copy_string("multikernel");
}

// libvirt's form: major * 1,000,000 + minor * 1,000 + release.
unsigned long own_version() {
    unsigned long number = 0;
    std::string_view text = MK_VERSION;
    for (int part = 0; part < 3; ++part) {
        unsigned value = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
        number = number * 1000 + value;
        text.remove_prefix(static_cast<std::size_t>(end - text.data()));
        if (!text.empty())
            text.remove_prefix(1);
    }
    return number;
}

void connect_get_version(Call&, remote_connect_get_version_ret& ret) {
    ret.hv_ver = own_version();
}

// Clients gate features on it: it is the level of libvirt's protocol that we speak.
void connect_get_lib_version(Call&, remote_connect_get_lib_version_ret& ret) {
    ret.lib_ver = LIBVIR_VERSION_NUMBER;
}

// As virGetHostname: the node's full name if it can be known, and never "localhost" in place of
// a name it has.
std::string hostname() {
    std::array<char, 256> name{};
    if (gethostname(name.data(), name.size() - 1) != 0)
        throw Error::from_errno("failed to determine host name");
    std::string node = name.data();
    if (node.starts_with("localhost") || node.find('.') != std::string::npos)
        return node;
    addrinfo hints{};
    hints.ai_flags = AI_CANONNAME;
    hints.ai_family = AF_UNSPEC;
    addrinfo* found = nullptr;
    if (getaddrinfo(node.c_str(), nullptr, &hints, &found) != 0)
        return node;
    const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owned(found, freeaddrinfo);
    const std::string full = found->ai_canonname != nullptr ? found->ai_canonname : "";
    return full.empty() || full.starts_with("localhost") ? node : full;
}

void connect_get_hostname(Call&, remote_connect_get_hostname_ret& ret) {
    ret.hostname = protocol::copy_string(hostname());
}

void connect_get_uri(Call& call, remote_connect_get_uri_ret& ret) {
    const std::lock_guard lock(call.connection.mutex);
    ret.uri = protocol::copy_string(call.connection.uri);
}

// A unix socket: nobody can listen in (libvirt's remoteConnectIsSecure says the same).
void connect_is_secure(Call&, remote_connect_is_secure_ret& ret) {
    ret.secure = 1;
}

void connect_supports_feature(Call& call, const remote_connect_supports_feature_args& args,
                              remote_connect_supports_feature_ret& ret) {
    switch (args.feature) {
        case feature_program_keepalive:
            call.after_reply.emplace_back([&session = call.session] { session.start_keepalive(); });
            ret.supported = 1;
            break;
        case feature_typed_param_string:
        case feature_remote_event_callback:
        case feature_remote_close_callback:
        case feature_network_update_order:  // of each libvirtd since 7.2, which gets the call
        // With a no the client ends there, in words that do not help its user; with a yes it asks
        // for the migration, and the refusal says what to do instead.
        case feature_migration_p2p:
        case feature_migration_v3:
        case feature_migration_offline:
        case feature_migration_params:
            ret.supported = 1;
            break;
        default:
            ret.supported = 0;
    }
}

void register_close_callback(Call& call) {
    const std::lock_guard lock(call.connection.mutex);
    if (std::exchange(call.connection.close_callback, true))
        throw Error(VIR_ERR_OPERATION_INVALID, "A close callback is already registered");
}

void unregister_close_callback(Call& call) {
    const std::lock_guard lock(call.connection.mutex);
    if (!std::exchange(call.connection.close_callback, false))
        throw Error(VIR_ERR_OPERATION_INVALID, "A close callback is not registered");
}

void connect_get_max_vcpus(Call& call, const remote_connect_get_max_vcpus_args& args,
                           remote_connect_get_max_vcpus_ret& ret) {
    const std::string type = string_or_empty(args.type);
    if (!type.empty() && type != "multikernel")
        throw Error(VIR_ERR_INVALID_ARG, fmt::format("unknown type '{}'", type));
    ret.max_vcpus = static_cast<int>(call.driver.max_vcpus());
}

void connect_get_capabilities(Call& call, remote_connect_get_capabilities_ret& ret) {
    ret.capabilities = protocol::copy_string(call.driver.capabilities());
}

void connect_get_domain_capabilities(Call& call,
                                     const remote_connect_get_domain_capabilities_args& args,
                                     remote_connect_get_domain_capabilities_ret& ret) {
    ret.capabilities = protocol::copy_string(
        call.driver.domain_capabilities({.emulator = string_or_empty(args.emulatorbin),
                                         .arch = string_or_empty(args.arch),
                                         .machine = string_or_empty(args.machine),
                                         .virt_type = string_or_empty(args.virttype)}));
}

void node_get_info(Call& call, remote_node_get_info_ret& ret) {
    const virNodeInfo info = call.driver.node_info();
    std::copy(std::begin(info.model), std::end(info.model), std::begin(ret.model));
    ret.memory = info.memory;
    ret.cpus = static_cast<int>(info.cpus);
    ret.mhz = static_cast<int>(info.mhz);
    ret.nodes = static_cast<int>(info.nodes);
    ret.sockets = static_cast<int>(info.sockets);
    ret.cores = static_cast<int>(info.cores);
    ret.threads = static_cast<int>(info.threads);
}

// The map is of the online CPUs; its width, the answer, of the present ones.
void node_get_cpu_map(Call& call, const remote_node_get_cpu_map_args& args,
                      remote_node_get_cpu_map_ret& ret) {
    const auto map = call.driver.cpu_map();
    ret.ret = static_cast<int>(map.count);
    if (args.need_online != 0)
        ret.online = static_cast<unsigned>(map.online.size());
    if (args.need_map == 0)
        return;
    const auto bytes = map.online.to_bitmap(VIR_CPU_MAPLEN(map.count));
    ret.cpumap.cpumap_val = protocol::make_array<char>(bytes.size());
    ret.cpumap.cpumap_len = static_cast<unsigned>(bytes.size());
    std::copy(bytes.begin(), bytes.end(), ret.cpumap.cpumap_val);
}

const Row rows[] = {
    row<connect_open>(REMOTE_PROC_CONNECT_OPEN, open_flags),
    row<connect_close>(REMOTE_PROC_CONNECT_CLOSE),
    row<connect_get_type>(REMOTE_PROC_CONNECT_GET_TYPE),
    row<connect_get_version>(REMOTE_PROC_CONNECT_GET_VERSION),
    row<connect_get_lib_version>(REMOTE_PROC_CONNECT_GET_LIB_VERSION),
    row<connect_get_hostname>(REMOTE_PROC_CONNECT_GET_HOSTNAME),
    row<connect_get_uri>(REMOTE_PROC_CONNECT_GET_URI),
    row<connect_is_secure>(REMOTE_PROC_CONNECT_IS_SECURE),
    row<connect_supports_feature>(REMOTE_PROC_CONNECT_SUPPORTS_FEATURE),
    row<register_close_callback>(REMOTE_PROC_CONNECT_REGISTER_CLOSE_CALLBACK),
    row<unregister_close_callback>(REMOTE_PROC_CONNECT_UNREGISTER_CLOSE_CALLBACK),
    row<connect_get_max_vcpus>(REMOTE_PROC_CONNECT_GET_MAX_VCPUS),
    row<connect_get_capabilities>(REMOTE_PROC_CONNECT_GET_CAPABILITIES),
    row<connect_get_domain_capabilities>(REMOTE_PROC_CONNECT_GET_DOMAIN_CAPABILITIES),
    row<node_get_info>(REMOTE_PROC_NODE_GET_INFO),
    row<node_get_cpu_map>(REMOTE_PROC_NODE_GET_CPU_MAP),
};

}  // namespace

std::span<const Row> connect_rows() {
    return rows;
}

}  // namespace mk::api
