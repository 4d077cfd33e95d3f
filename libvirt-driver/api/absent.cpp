// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Queries about what a partition does not have: snapshots, checkpoints, managed save images,
// disk errors, I/O threads. They answer the empty truth, because clients take an error here for
// a failure of the whole domain (virt-manager drops it from its list, `virsh undefine` stops).
// Not for actions on such things: refused.cpp has those.
#include <fmt/format.h>

#include "api/encode.h"
#include "api/table.h"

namespace mk::api {

namespace {

// The domain must exist; the reply stays as it came: zero, and empty lists.
template <typename Args, typename Ret>
void nothing(Call& call, const Args& args, Ret&) {
    (void)find(call, args.dom);
}

static_assert(VIR_DOMAIN_CONTROL_OK == 0);

// The state of the daemon's channel to the domain: calls never wait for an app kernel.
void domain_get_control_info(Call& call, const remote_domain_get_control_info_args& args,
                             remote_domain_get_control_info_ret& ret) {
    require_active(find(call, args.dom));
    ret.state = VIR_DOMAIN_CONTROL_OK;
}

void domain_snapshot_lookup_by_name(Call& call,
                                    const remote_domain_snapshot_lookup_by_name_args& args,
                                    remote_domain_snapshot_lookup_by_name_ret&) {
    (void)find(call, args.dom);
    throw Error(VIR_ERR_NO_DOMAIN_SNAPSHOT,
                fmt::format("no domain snapshot with matching name '{}'", args.name));
}

void domain_snapshot_current(Call& call, const remote_domain_snapshot_current_args& args,
                             remote_domain_snapshot_current_ret&) {
    (void)find(call, args.dom);
    throw Error(VIR_ERR_NO_DOMAIN_SNAPSHOT, "the domain does not have a current snapshot");
}

void domain_checkpoint_lookup_by_name(Call& call,
                                      const remote_domain_checkpoint_lookup_by_name_args& args,
                                      remote_domain_checkpoint_lookup_by_name_ret&) {
    (void)find(call, args.dom);
    throw Error(VIR_ERR_NO_DOMAIN_CHECKPOINT,
                fmt::format("no domain checkpoint with matching name '{}'", args.name));
}

constexpr unsigned param_flags =
    VIR_DOMAIN_AFFECT_LIVE | VIR_DOMAIN_AFFECT_CONFIG | typed_params_flag;
constexpr unsigned snapshot_flags =
    VIR_DOMAIN_SNAPSHOT_LIST_ROOTS | VIR_DOMAIN_SNAPSHOT_LIST_METADATA |
    VIR_DOMAIN_SNAPSHOT_LIST_LEAVES | VIR_DOMAIN_SNAPSHOT_LIST_NO_LEAVES |
    VIR_DOMAIN_SNAPSHOT_LIST_NO_METADATA | VIR_DOMAIN_SNAPSHOT_LIST_INACTIVE |
    VIR_DOMAIN_SNAPSHOT_LIST_ACTIVE | VIR_DOMAIN_SNAPSHOT_LIST_DISK_ONLY |
    VIR_DOMAIN_SNAPSHOT_LIST_INTERNAL | VIR_DOMAIN_SNAPSHOT_LIST_EXTERNAL |
    VIR_DOMAIN_SNAPSHOT_LIST_TOPOLOGICAL;
constexpr unsigned checkpoint_flags =
    VIR_DOMAIN_CHECKPOINT_LIST_ROOTS | VIR_DOMAIN_CHECKPOINT_LIST_LEAVES |
    VIR_DOMAIN_CHECKPOINT_LIST_NO_LEAVES | VIR_DOMAIN_CHECKPOINT_LIST_TOPOLOGICAL;

template <typename Args, typename Ret>
constexpr Row empty_row(int procedure, unsigned allowed_flags = 0) {
    Row made = row<nothing<Args, Ret>>(procedure, allowed_flags);
    made.empty = true;
    return made;
}

const Row rows[] = {
    empty_row<remote_domain_has_managed_save_image_args, remote_domain_has_managed_save_image_ret>(
        REMOTE_PROC_DOMAIN_HAS_MANAGED_SAVE_IMAGE),
    empty_row<remote_domain_snapshot_num_args, remote_domain_snapshot_num_ret>(
        REMOTE_PROC_DOMAIN_SNAPSHOT_NUM, snapshot_flags),
    empty_row<remote_domain_snapshot_list_names_args, remote_domain_snapshot_list_names_ret>(
        REMOTE_PROC_DOMAIN_SNAPSHOT_LIST_NAMES, snapshot_flags),
    empty_row<remote_domain_list_all_snapshots_args, remote_domain_list_all_snapshots_ret>(
        REMOTE_PROC_DOMAIN_LIST_ALL_SNAPSHOTS, snapshot_flags),
    empty_row<remote_domain_has_current_snapshot_args, remote_domain_has_current_snapshot_ret>(
        REMOTE_PROC_DOMAIN_HAS_CURRENT_SNAPSHOT),
    empty_row<remote_domain_list_all_checkpoints_args, remote_domain_list_all_checkpoints_ret>(
        REMOTE_PROC_DOMAIN_LIST_ALL_CHECKPOINTS, checkpoint_flags),
    empty_row<remote_domain_get_disk_errors_args, remote_domain_get_disk_errors_ret>(
        REMOTE_PROC_DOMAIN_GET_DISK_ERRORS),
    empty_row<remote_domain_get_iothread_info_args, remote_domain_get_iothread_info_ret>(
        REMOTE_PROC_DOMAIN_GET_IOTHREAD_INFO, param_flags),
    empty_row<remote_domain_get_security_label_list_args,
              remote_domain_get_security_label_list_ret>(
        REMOTE_PROC_DOMAIN_GET_SECURITY_LABEL_LIST),
    empty_row<remote_domain_get_launch_security_info_args,
              remote_domain_get_launch_security_info_ret>(
        REMOTE_PROC_DOMAIN_GET_LAUNCH_SECURITY_INFO, typed_params_flag),
    row<domain_snapshot_lookup_by_name>(REMOTE_PROC_DOMAIN_SNAPSHOT_LOOKUP_BY_NAME),
    row<domain_snapshot_current>(REMOTE_PROC_DOMAIN_SNAPSHOT_CURRENT),
    row<domain_checkpoint_lookup_by_name>(REMOTE_PROC_DOMAIN_CHECKPOINT_LOOKUP_BY_NAME),
    row<domain_get_control_info>(REMOTE_PROC_DOMAIN_GET_CONTROL_INFO),
};

}  // namespace

std::span<const Row> absent_rows() {
    return rows;
}

}  // namespace mk::api
