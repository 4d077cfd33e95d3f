// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Calls about a server: its workers, its limits, its certificates.
#include <libvirt/libvirt-admin.h>

#include "admin/call.h"
#include "admin/params.h"

namespace mk::admin {
namespace {

void get_threadpool(Call& call, const admin_server_get_threadpool_parameters_args& args,
                    admin_server_get_threadpool_parameters_ret& ret) {
    const auto status =
        on_loop([&] { return find_server(call, args.srv.name).workers().status(); });
    const std::vector<Param> params = {
        {VIR_THREADPOOL_WORKERS_MIN, status.limits.min},
        {VIR_THREADPOOL_WORKERS_MAX, status.limits.max},
        {VIR_THREADPOOL_WORKERS_CURRENT, status.workers},
        {VIR_THREADPOOL_WORKERS_FREE, status.free_workers},
        {VIR_THREADPOOL_WORKERS_PRIORITY, status.priority_workers},
        {VIR_THREADPOOL_JOB_QUEUE_DEPTH, static_cast<unsigned>(status.waiting)},
    };
    ret.params.params_val = make_params(params);
    ret.params.params_len = static_cast<unsigned>(params.size());
}

void set_threadpool(Call& call, const admin_server_set_threadpool_parameters_args& args) {
    const std::span params(args.params.params_val, args.params.params_len);
    check_params(params, {VIR_THREADPOOL_WORKERS_MIN, VIR_THREADPOOL_WORKERS_MAX,
                          VIR_THREADPOOL_WORKERS_PRIORITY});
    on_loop([&] {
        auto& workers = find_server(call, args.srv.name).workers();
        rpc::WorkerLimits limits = workers.status().limits;
        limits.min = param(params, VIR_THREADPOOL_WORKERS_MIN).value_or(limits.min);
        limits.max = param(params, VIR_THREADPOOL_WORKERS_MAX).value_or(limits.max);
        limits.priority = param(params, VIR_THREADPOOL_WORKERS_PRIORITY).value_or(limits.priority);
        workers.set_limits(limits);
    });
}

void get_client_limits(Call& call, const admin_server_get_client_limits_args& args,
                       admin_server_get_client_limits_ret& ret) {
    const auto params = on_loop([&]() -> std::vector<Param> {
        const auto& server = find_server(call, args.srv.name);
        const auto limits = server.client_limits();
        return {
            {VIR_SERVER_CLIENTS_MAX, limits.all},
            {VIR_SERVER_CLIENTS_CURRENT, static_cast<unsigned>(server.connected())},
            {VIR_SERVER_CLIENTS_UNAUTH_MAX, limits.anonymous},
            {VIR_SERVER_CLIENTS_UNAUTH_CURRENT, static_cast<unsigned>(server.anonymous_clients())}};
    });
    ret.params.params_val = make_params(params);
    ret.params.params_len = static_cast<unsigned>(params.size());
}

void set_client_limits(Call& call, const admin_server_set_client_limits_args& args) {
    const std::span params(args.params.params_val, args.params.params_len);
    check_params(params, {VIR_SERVER_CLIENTS_MAX, VIR_SERVER_CLIENTS_UNAUTH_MAX});
    on_loop([&] {
        auto& server = find_server(call, args.srv.name);
        auto limits = server.client_limits();
        limits.all = param(params, VIR_SERVER_CLIENTS_MAX).value_or(limits.all);
        limits.anonymous = param(params, VIR_SERVER_CLIENTS_UNAUTH_MAX).value_or(limits.anonymous);
        server.set_client_limits(limits);
    });
}

void update_tls_files(Call& call, const admin_server_update_tls_files_args& args) {
    auto* const server = on_loop([&] { return &find_server(call, args.srv.name); });
    server->update_tls();
}

const Row rows[] = {
    row<get_threadpool>(ADMIN_PROC_SERVER_GET_THREADPOOL_PARAMETERS,
                        "virAdmServerGetThreadPoolParameters"),
    row<set_threadpool>(ADMIN_PROC_SERVER_SET_THREADPOOL_PARAMETERS,
                        "virAdmServerSetThreadPoolParameters"),
    row<get_client_limits>(ADMIN_PROC_SERVER_GET_CLIENT_LIMITS, "virAdmServerGetClientLimits"),
    row<set_client_limits>(ADMIN_PROC_SERVER_SET_CLIENT_LIMITS, "virAdmServerSetClientLimits"),
    row<update_tls_files>(ADMIN_PROC_SERVER_UPDATE_TLS_FILES, "virAdmServerUpdateTlsFiles"),
};

}  // namespace

std::span<const Row> server_rows() {
    return rows;
}

}  // namespace mk::admin
