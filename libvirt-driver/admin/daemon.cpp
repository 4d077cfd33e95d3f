// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Calls about the daemon as a whole: its servers, its log, its end.
#include <libvirt/libvirt.h>

#include "admin/call.h"
#include "util/log.h"
#include "util/log_settings.h"

namespace mk::admin {
namespace {

constexpr unsigned shutdown_preserve = 1;  // VIR_DAEMON_SHUTDOWN_PRESERVE; partitions always are

void connect_open(Call&, const admin_connect_open_args&) {}

void connect_close(Call& call) {
    call.session.close_after_reply();
}

void get_lib_version(Call&, admin_connect_get_lib_version_ret& ret) {
    ret.libVer = LIBVIR_VERSION_NUMBER;
}

void list_servers(Call& call, const admin_connect_list_servers_args& args,
                  admin_connect_list_servers_ret& ret) {
    const auto& servers = call.administered.servers;
    ret.ret = static_cast<unsigned>(servers.size());
    if (args.need_results == 0)
        return;
    ret.servers.servers_val = protocol::make_array<admin_nonnull_server>(servers.size());
    ret.servers.servers_len = ret.ret;
    for (std::size_t i = 0; i < servers.size(); ++i)
        ret.servers.servers_val[i].name = protocol::copy_string(servers[i].first);
}

void lookup_server(Call& call, const admin_connect_lookup_server_args& args,
                   admin_connect_lookup_server_ret& ret) {
    (void)find_server(call, args.name);
    ret.srv.name = protocol::copy_string(args.name);
}

void get_logging_outputs(Call&, const admin_connect_get_logging_outputs_args&,
                         admin_connect_get_logging_outputs_ret& ret) {
    const auto outputs = log::outputs();
    ret.outputs = protocol::copy_string(log::to_text(outputs));
    ret.noutputs = static_cast<unsigned>(outputs.size());
}

void get_logging_filters(Call&, const admin_connect_get_logging_filters_args&,
                         admin_connect_get_logging_filters_ret& ret) {
    const auto filters = log::filters();
    ret.nfilters = static_cast<unsigned>(filters.size());
    if (!filters.empty())
        ret.filters = protocol::make_optional_string(log::to_text(filters));
}

void set_logging_outputs(Call&, const admin_connect_set_logging_outputs_args& args) {
    const char* text = args.outputs != nullptr ? *args.outputs : "";
    log::set_outputs(log::parse_outputs(text));
    log::info("log outputs: {}", log::to_text(log::outputs()));
}

void set_logging_filters(Call&, const admin_connect_set_logging_filters_args& args) {
    const char* text = args.filters != nullptr ? *args.filters : "";
    log::set_filters(log::parse_filters(text));
    log::info("log filters: {}", log::to_text(log::filters()));
}

void set_daemon_timeout(Call& call, const admin_connect_set_daemon_timeout_args& args) {
    on_loop([&] { call.administered.set_timeout(args.timeout); });
}

void daemon_shutdown(Call& call, const admin_connect_daemon_shutdown_args&) {
    log::info("client {} shuts the daemon down", call.session.peer().pid);
    on_loop([&] { call.administered.shut_down(); });
}

const Row rows[] = {
    row<connect_open>(ADMIN_PROC_CONNECT_OPEN, "virAdmConnectOpen"),
    row<connect_close>(ADMIN_PROC_CONNECT_CLOSE, "virAdmConnectClose"),
    row<get_lib_version>(ADMIN_PROC_CONNECT_GET_LIB_VERSION, "virAdmConnectGetLibVersion"),
    row<list_servers>(ADMIN_PROC_CONNECT_LIST_SERVERS, "virAdmConnectListServers"),
    row<lookup_server>(ADMIN_PROC_CONNECT_LOOKUP_SERVER, "virAdmConnectLookupServer"),
    row<get_logging_outputs>(ADMIN_PROC_CONNECT_GET_LOGGING_OUTPUTS,
                             "virAdmConnectGetLoggingOutputs"),
    row<get_logging_filters>(ADMIN_PROC_CONNECT_GET_LOGGING_FILTERS,
                             "virAdmConnectGetLoggingFilters"),
    row<set_logging_outputs>(ADMIN_PROC_CONNECT_SET_LOGGING_OUTPUTS,
                             "virAdmConnectSetLoggingOutputs"),
    row<set_logging_filters>(ADMIN_PROC_CONNECT_SET_LOGGING_FILTERS,
                             "virAdmConnectSetLoggingFilters"),
    row<set_daemon_timeout>(ADMIN_PROC_CONNECT_SET_DAEMON_TIMEOUT, "virAdmConnectSetDaemonTimeout"),
    row<daemon_shutdown>(ADMIN_PROC_CONNECT_DAEMON_SHUTDOWN, "virAdmConnectDaemonShutdown",
                         shutdown_preserve),
};

}  // namespace

std::span<const Row> daemon_rows() {
    return rows;
}

}  // namespace mk::admin
