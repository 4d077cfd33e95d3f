// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Queries about what a partition does not have: snapshots, checkpoints, managed save images,
// schedulers, disks. They answer the empty truth, because clients take an error here for
// a failure of the whole domain (virt-manager drops it from its list, `virsh undefine` stops).
// Not for actions on such things: lifecycle.cpp refuses those.
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

// No scheduler is above a partition.
void domain_get_scheduler_type(Call& call, const remote_domain_get_scheduler_type_args& args,
                               remote_domain_get_scheduler_type_ret& ret) {
    (void)find(call, args.dom);
    ret.type = protocol::copy_string("none");
    ret.nparams = 0;
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

constexpr unsigned message_flags = VIR_DOMAIN_MESSAGE_DEPRECATION | VIR_DOMAIN_MESSAGE_TAINTING;

const Row rows[] = {
    row<nothing<remote_domain_has_managed_save_image_args,
                remote_domain_has_managed_save_image_ret>>(
        REMOTE_PROC_DOMAIN_HAS_MANAGED_SAVE_IMAGE),
    row<nothing<remote_domain_snapshot_num_args, remote_domain_snapshot_num_ret>>(
        REMOTE_PROC_DOMAIN_SNAPSHOT_NUM, snapshot_flags),
    row<nothing<remote_domain_snapshot_list_names_args, remote_domain_snapshot_list_names_ret>>(
        REMOTE_PROC_DOMAIN_SNAPSHOT_LIST_NAMES, snapshot_flags),
    row<nothing<remote_domain_list_all_snapshots_args, remote_domain_list_all_snapshots_ret>>(
        REMOTE_PROC_DOMAIN_LIST_ALL_SNAPSHOTS, snapshot_flags),
    row<nothing<remote_domain_has_current_snapshot_args, remote_domain_has_current_snapshot_ret>>(
        REMOTE_PROC_DOMAIN_HAS_CURRENT_SNAPSHOT),
    row<nothing<remote_domain_list_all_checkpoints_args, remote_domain_list_all_checkpoints_ret>>(
        REMOTE_PROC_DOMAIN_LIST_ALL_CHECKPOINTS, checkpoint_flags),
    row<nothing<remote_domain_get_messages_args, remote_domain_get_messages_ret>>(
        REMOTE_PROC_DOMAIN_GET_MESSAGES, message_flags),
    row<nothing<remote_domain_get_scheduler_parameters_args,
                remote_domain_get_scheduler_parameters_ret>>(
        REMOTE_PROC_DOMAIN_GET_SCHEDULER_PARAMETERS),
    row<nothing<remote_domain_get_scheduler_parameters_flags_args,
                remote_domain_get_scheduler_parameters_flags_ret>>(
        REMOTE_PROC_DOMAIN_GET_SCHEDULER_PARAMETERS_FLAGS, param_flags),
    row<nothing<remote_domain_get_memory_parameters_args, remote_domain_get_memory_parameters_ret>>(
        REMOTE_PROC_DOMAIN_GET_MEMORY_PARAMETERS, param_flags),
    row<nothing<remote_domain_get_blkio_parameters_args, remote_domain_get_blkio_parameters_ret>>(
        REMOTE_PROC_DOMAIN_GET_BLKIO_PARAMETERS, param_flags),
    row<nothing<remote_domain_get_numa_parameters_args, remote_domain_get_numa_parameters_ret>>(
        REMOTE_PROC_DOMAIN_GET_NUMA_PARAMETERS, param_flags),
    row<nothing<remote_domain_get_perf_events_args, remote_domain_get_perf_events_ret>>(
        REMOTE_PROC_DOMAIN_GET_PERF_EVENTS, param_flags),
    row<nothing<remote_domain_get_disk_errors_args, remote_domain_get_disk_errors_ret>>(
        REMOTE_PROC_DOMAIN_GET_DISK_ERRORS),
    row<nothing<remote_domain_get_iothread_info_args, remote_domain_get_iothread_info_ret>>(
        REMOTE_PROC_DOMAIN_GET_IOTHREAD_INFO, param_flags),
    row<domain_get_control_info>(REMOTE_PROC_DOMAIN_GET_CONTROL_INFO),
    row<domain_get_scheduler_type>(REMOTE_PROC_DOMAIN_GET_SCHEDULER_TYPE),
};

}  // namespace

std::span<const Row> absent_rows() {
    return rows;
}

}  // namespace mk::api
