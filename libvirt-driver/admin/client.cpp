// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Calls about the clients of a server.
#include <fmt/format.h>
#include <libvirt/libvirt-admin.h>

#include <algorithm>
#include <memory>

#include "admin/call.h"
#include "admin/params.h"
#include "util/account.h"

namespace mk::admin {
namespace {

// Loop thread only. Throws Error: VIR_ERR_NO_SERVER, VIR_ERR_NO_CLIENT.
std::shared_ptr<rpc::Client> find_client(const Call& call, const char* server, std::uint64_t id) {
    const auto& clients = find_server(call, server).clients();
    const auto found =
        std::ranges::find(clients, id, [](const auto& client) { return client->peer().id; });
    if (found == clients.end())
        throw Error(VIR_ERR_NO_CLIENT, fmt::format("No client with matching ID '{}'", id));
    return *found;
}

admin_nonnull_client wire_client(const char* server, const rpc::Client::Peer& peer) {
    admin_nonnull_client wire{};
    wire.srv.name = protocol::copy_string(server);
    wire.id = peer.id;
    wire.timestamp = peer.connected_at;
    wire.transport = peer.identity.address.empty() ? VIR_CLIENT_TRANS_UNIX : VIR_CLIENT_TRANS_TLS;
    return wire;
}

void list_clients(Call& call, const admin_server_list_clients_args& args,
                  admin_server_list_clients_ret& ret) {
    std::vector<rpc::Client::Peer> peers;
    on_loop([&] {
        for (const auto& client : find_server(call, args.srv.name).clients())
            peers.push_back(client->peer());
    });
    if (peers.size() > ADMIN_CLIENT_LIST_MAX)
        throw Error(VIR_ERR_RPC, fmt::format("Too many clients '{}' for limit '{}'", peers.size(),
                                             ADMIN_CLIENT_LIST_MAX));
    ret.ret = static_cast<unsigned>(peers.size());
    if (args.need_results == 0)
        return;
    ret.clients.clients_val = protocol::make_array<admin_nonnull_client>(peers.size());
    ret.clients.clients_len = ret.ret;
    for (std::size_t i = 0; i < peers.size(); ++i)
        ret.clients.clients_val[i] = wire_client(args.srv.name, peers[i]);
}

void lookup_client(Call& call, const admin_server_lookup_client_args& args,
                   admin_server_lookup_client_ret& ret) {
    const auto peer = on_loop([&] { return find_client(call, args.srv.name, args.id)->peer(); });
    ret.clnt = wire_client(args.srv.name, peer);
}

std::vector<Param> unix_identity(const rpc::Identity& identity) {
    std::vector<Param> params = {{VIR_CLIENT_INFO_UNIX_USER_ID, static_cast<int>(identity.uid)}};
    if (const auto name = user_name(identity.uid))
        params.push_back({VIR_CLIENT_INFO_UNIX_USER_NAME, *name});
    params.push_back({VIR_CLIENT_INFO_UNIX_GROUP_ID, static_cast<int>(identity.gid)});
    if (const auto name = group_name(identity.gid))
        params.push_back({VIR_CLIENT_INFO_UNIX_GROUP_NAME, *name});
    params.push_back({VIR_CLIENT_INFO_UNIX_PROCESS_ID, static_cast<int>(identity.pid)});
    if (!identity.selinux_context.empty())
        params.push_back({VIR_CLIENT_INFO_SELINUX_CONTEXT, identity.selinux_context});
    return params;
}

std::vector<Param> tls_identity(const rpc::Identity& identity) {
    std::vector<Param> params = {{VIR_CLIENT_INFO_SOCKET_ADDR, identity.address}};
    if (!identity.x509_dname.empty())
        params.push_back({VIR_CLIENT_INFO_X509_DISTINGUISHED_NAME, identity.x509_dname});
    return params;
}

void get_info(Call& call, const admin_client_get_info_args& args, admin_client_get_info_ret& ret) {
    bool read_only = false;
    const auto identity = on_loop([&] {
        const auto client = find_client(call, args.clnt.srv.name, args.clnt.id);
        read_only = client->read_only();
        return client->peer().identity;
    });
    std::vector<Param> params =
        identity.address.empty() ? unix_identity(identity) : tls_identity(identity);
    params.push_back({VIR_CLIENT_INFO_READONLY, read_only});
    ret.params.params_val = make_params(params);
    ret.params.params_len = static_cast<unsigned>(params.size());
}

// At once, whatever the client does; only one that closes itself gets its reply first.
void close_client(Call& call, const admin_client_close_args& args) {
    on_loop([&] {
        const auto client = find_client(call, args.clnt.srv.name, args.clnt.id);
        if (client->has(call.session))
            call.session.close_after_reply();
        else
            client->disconnect();
    });
}

const Row rows[] = {
    row<list_clients>(ADMIN_PROC_SERVER_LIST_CLIENTS, "virAdmServerListClients"),
    row<lookup_client>(ADMIN_PROC_SERVER_LOOKUP_CLIENT, "virAdmServerLookupClient"),
    row<get_info>(ADMIN_PROC_CLIENT_GET_INFO, "virAdmClientGetInfo"),
    row<close_client>(ADMIN_PROC_CLIENT_CLOSE, "virAdmClientClose"),
};

}  // namespace

std::span<const Row> client_rows() {
    return rows;
}

}  // namespace mk::admin
