// SPDX-License-Identifier: LGPL-2.1-or-later
//
// One row for each procedure without a handler. A sentence says why, and what to do instead.
#include "api/refused.h"

#include <algorithm>
#include <array>

#include "protocol/remote.h"

namespace mk::api {
namespace {

constexpr char no_save[] =
    "the state of a partition cannot be saved: its memory holds the state of real hardware; "
    "shut it down instead";
constexpr char no_snapshot[] =
    "a partition has no snapshots: its memory holds the state of real hardware; "
    "'virsh dumpxml' keeps its definition";
constexpr char no_checkpoint[] =
    "a partition has no checkpoints and no backups: the host does not see what it writes; "
    "back up from inside the app kernel";
constexpr char no_migration[] =
    "a partition cannot move to another host: its memory holds the state of real hardware; "
    "shut it down and define it there";
constexpr char no_block_job[] =
    "a partition has no disk images that the host could copy, merge or limit; "
    "do it where the image is, with the domain shut off";
constexpr char no_screen[] = "a partition has no screen; 'virsh console' shows what it prints";
constexpr char no_iothread[] =
    "a partition has no I/O threads: no process of the host runs for it; give it more vCPUs";
constexpr char no_agent[] =
    "an app kernel has no guest agent; log in to it with 'virsh console' or ssh and do it there";
constexpr char no_encryption[] =
    "the memory of a partition is not encrypted; it starts without a launch secret";
constexpr char no_host_device[] =
    "host devices cannot be given to a partition, so their host drivers stay";
constexpr char no_files[] = "file descriptors cannot be passed to a partition";
constexpr char no_sasl[] = "SASL is not offered";

constexpr char no_managed_save_image[] = "domain does not have managed save image";
constexpr char no_snapshot_here[] = "a partition has no snapshots";
constexpr char no_checkpoint_here[] = "a partition has no checkpoints";

constexpr Refusal action(int procedure, const char* reason) {
    return {procedure, VIR_ERR_OPERATION_UNSUPPORTED, reason};
}
constexpr Refusal query(int procedure, const char* reason) {
    return {procedure, VIR_ERR_NO_SUPPORT, reason};
}

constexpr std::array refusals = std::to_array<Refusal>({
    {REMOTE_PROC_AUTH_SASL_INIT, VIR_ERR_AUTH_FAILED, no_sasl},
    {REMOTE_PROC_AUTH_SASL_START, VIR_ERR_AUTH_FAILED, no_sasl},
    {REMOTE_PROC_AUTH_SASL_STEP, VIR_ERR_AUTH_FAILED, no_sasl},

    action(REMOTE_PROC_DOMAIN_SAVE, no_save),
    action(REMOTE_PROC_DOMAIN_SAVE_FLAGS, no_save),
    action(REMOTE_PROC_DOMAIN_SAVE_PARAMS, no_save),
    action(REMOTE_PROC_DOMAIN_RESTORE, no_save),
    action(REMOTE_PROC_DOMAIN_RESTORE_FLAGS, no_save),
    action(REMOTE_PROC_DOMAIN_RESTORE_PARAMS, no_save),
    action(REMOTE_PROC_DOMAIN_SAVE_IMAGE_DEFINE_XML, no_save),
    query(REMOTE_PROC_DOMAIN_SAVE_IMAGE_GET_XML_DESC, no_save),
    action(REMOTE_PROC_DOMAIN_MANAGED_SAVE, no_save),
    action(REMOTE_PROC_DOMAIN_MANAGED_SAVE_DEFINE_XML, no_save),
    {REMOTE_PROC_DOMAIN_MANAGED_SAVE_REMOVE, VIR_ERR_OPERATION_INVALID, no_managed_save_image},
    {REMOTE_PROC_DOMAIN_MANAGED_SAVE_GET_XML_DESC, VIR_ERR_OPERATION_INVALID,
     no_managed_save_image},

    action(REMOTE_PROC_DOMAIN_SNAPSHOT_CREATE_XML, no_snapshot),
    {REMOTE_PROC_DOMAIN_SNAPSHOT_GET_XML_DESC, VIR_ERR_NO_DOMAIN_SNAPSHOT, no_snapshot_here},
    {REMOTE_PROC_DOMAIN_SNAPSHOT_GET_PARENT, VIR_ERR_NO_DOMAIN_SNAPSHOT, no_snapshot_here},
    {REMOTE_PROC_DOMAIN_SNAPSHOT_NUM_CHILDREN, VIR_ERR_NO_DOMAIN_SNAPSHOT, no_snapshot_here},
    {REMOTE_PROC_DOMAIN_SNAPSHOT_LIST_CHILDREN_NAMES, VIR_ERR_NO_DOMAIN_SNAPSHOT, no_snapshot_here},
    {REMOTE_PROC_DOMAIN_SNAPSHOT_LIST_ALL_CHILDREN, VIR_ERR_NO_DOMAIN_SNAPSHOT, no_snapshot_here},
    {REMOTE_PROC_DOMAIN_SNAPSHOT_IS_CURRENT, VIR_ERR_NO_DOMAIN_SNAPSHOT, no_snapshot_here},
    {REMOTE_PROC_DOMAIN_SNAPSHOT_HAS_METADATA, VIR_ERR_NO_DOMAIN_SNAPSHOT, no_snapshot_here},
    {REMOTE_PROC_DOMAIN_REVERT_TO_SNAPSHOT, VIR_ERR_NO_DOMAIN_SNAPSHOT, no_snapshot_here},
    {REMOTE_PROC_DOMAIN_SNAPSHOT_DELETE, VIR_ERR_NO_DOMAIN_SNAPSHOT, no_snapshot_here},

    action(REMOTE_PROC_DOMAIN_CHECKPOINT_CREATE_XML, no_checkpoint),
    {REMOTE_PROC_DOMAIN_CHECKPOINT_GET_XML_DESC, VIR_ERR_NO_DOMAIN_CHECKPOINT, no_checkpoint_here},
    {REMOTE_PROC_DOMAIN_CHECKPOINT_GET_PARENT, VIR_ERR_NO_DOMAIN_CHECKPOINT, no_checkpoint_here},
    {REMOTE_PROC_DOMAIN_CHECKPOINT_LIST_ALL_CHILDREN, VIR_ERR_NO_DOMAIN_CHECKPOINT,
     no_checkpoint_here},
    {REMOTE_PROC_DOMAIN_CHECKPOINT_DELETE, VIR_ERR_NO_DOMAIN_CHECKPOINT, no_checkpoint_here},
    action(REMOTE_PROC_DOMAIN_BACKUP_BEGIN, no_checkpoint),
    {REMOTE_PROC_DOMAIN_BACKUP_GET_XML_DESC, VIR_ERR_NO_DOMAIN_BACKUP,
     "no domain backup job present"},

    action(REMOTE_PROC_DOMAIN_MIGRATE_PREPARE, no_migration),
    action(REMOTE_PROC_DOMAIN_MIGRATE_PERFORM, no_migration),
    action(REMOTE_PROC_DOMAIN_MIGRATE_FINISH, no_migration),
    action(REMOTE_PROC_DOMAIN_MIGRATE_PREPARE2, no_migration),
    action(REMOTE_PROC_DOMAIN_MIGRATE_FINISH2, no_migration),
    action(REMOTE_PROC_DOMAIN_MIGRATE_PREPARE_TUNNEL, no_migration),
    action(REMOTE_PROC_DOMAIN_MIGRATE_BEGIN3, no_migration),
    action(REMOTE_PROC_DOMAIN_MIGRATE_PREPARE3, no_migration),
    action(REMOTE_PROC_DOMAIN_MIGRATE_PREPARE_TUNNEL3, no_migration),
    action(REMOTE_PROC_DOMAIN_MIGRATE_PERFORM3, no_migration),
    action(REMOTE_PROC_DOMAIN_MIGRATE_FINISH3, no_migration),
    action(REMOTE_PROC_DOMAIN_MIGRATE_CONFIRM3, no_migration),
    action(REMOTE_PROC_DOMAIN_MIGRATE_BEGIN3_PARAMS, no_migration),
    action(REMOTE_PROC_DOMAIN_MIGRATE_PREPARE3_PARAMS, no_migration),
    action(REMOTE_PROC_DOMAIN_MIGRATE_PREPARE_TUNNEL3_PARAMS, no_migration),
    action(REMOTE_PROC_DOMAIN_MIGRATE_PERFORM3_PARAMS, no_migration),
    action(REMOTE_PROC_DOMAIN_MIGRATE_FINISH3_PARAMS, no_migration),
    action(REMOTE_PROC_DOMAIN_MIGRATE_CONFIRM3_PARAMS, no_migration),
    action(REMOTE_PROC_DOMAIN_MIGRATE_START_POST_COPY, no_migration),
    action(REMOTE_PROC_DOMAIN_MIGRATE_SET_MAX_DOWNTIME, no_migration),
    action(REMOTE_PROC_DOMAIN_MIGRATE_SET_MAX_SPEED, no_migration),
    action(REMOTE_PROC_DOMAIN_MIGRATE_SET_COMPRESSION_CACHE, no_migration),
    query(REMOTE_PROC_DOMAIN_MIGRATE_GET_MAX_DOWNTIME, no_migration),
    query(REMOTE_PROC_DOMAIN_MIGRATE_GET_MAX_SPEED, no_migration),
    query(REMOTE_PROC_DOMAIN_MIGRATE_GET_COMPRESSION_CACHE, no_migration),

    action(REMOTE_PROC_DOMAIN_BLOCK_PULL, no_block_job),
    action(REMOTE_PROC_DOMAIN_BLOCK_REBASE, no_block_job),
    action(REMOTE_PROC_DOMAIN_BLOCK_COPY, no_block_job),
    action(REMOTE_PROC_DOMAIN_BLOCK_COMMIT, no_block_job),
    action(REMOTE_PROC_DOMAIN_BLOCK_JOB_ABORT, no_block_job),
    action(REMOTE_PROC_DOMAIN_BLOCK_JOB_SET_SPEED, no_block_job),
    action(REMOTE_PROC_DOMAIN_SET_THROTTLE_GROUP, no_block_job),
    action(REMOTE_PROC_DOMAIN_DEL_THROTTLE_GROUP, no_block_job),

    action(REMOTE_PROC_DOMAIN_SCREENSHOT, no_screen),
    action(REMOTE_PROC_DOMAIN_OPEN_GRAPHICS, no_screen),
    action(REMOTE_PROC_DOMAIN_OPEN_GRAPHICS_FD, no_screen),
    action(REMOTE_PROC_DOMAIN_GRAPHICS_RELOAD, no_screen),
    action(REMOTE_PROC_DOMAIN_OPEN_CHANNEL, "a partition has no channels; use 'virsh console'"),

    action(REMOTE_PROC_DOMAIN_ADD_IOTHREAD, no_iothread),
    action(REMOTE_PROC_DOMAIN_DEL_IOTHREAD, no_iothread),
    action(REMOTE_PROC_DOMAIN_PIN_IOTHREAD, no_iothread),
    action(REMOTE_PROC_DOMAIN_SET_IOTHREAD_PARAMS, no_iothread),
    action(REMOTE_PROC_DOMAIN_PIN_EMULATOR,
           "there is no emulator process whose threads could be pinned: what the host does for a "
           "domain runs on the CPUs that the host has left"),

    action(REMOTE_PROC_DOMAIN_FSFREEZE, no_agent),
    action(REMOTE_PROC_DOMAIN_FSTHAW, no_agent),
    action(REMOTE_PROC_DOMAIN_FSTRIM, no_agent),
    action(REMOTE_PROC_DOMAIN_SET_USER_PASSWORD, no_agent),
    action(REMOTE_PROC_DOMAIN_AUTHORIZED_SSH_KEYS_SET, no_agent),
    action(REMOTE_PROC_DOMAIN_AGENT_SET_RESPONSE_TIMEOUT, no_agent),
    action(REMOTE_PROC_DOMAIN_SEND_PROCESS_SIGNAL, no_agent),
    query(REMOTE_PROC_DOMAIN_AUTHORIZED_SSH_KEYS_GET, no_agent),
    query(REMOTE_PROC_DOMAIN_GET_FSINFO, no_agent),
    action(REMOTE_PROC_DOMAIN_SET_TIME,
           "the clock of an app kernel cannot be set from outside; set it there, for example with "
           "NTP"),
    action(REMOTE_PROC_DOMAIN_PM_SUSPEND_FOR_DURATION,
           "an app kernel cannot sleep: the hardware under it is the host's; 'virsh suspend' stops "
           "its CPUs"),
    action(REMOTE_PROC_DOMAIN_PM_WAKEUP,
           "an app kernel never sleeps; 'virsh resume' goes on with one that 'virsh suspend' "
           "stopped"),

    action(REMOTE_PROC_DOMAIN_SET_MEMORY_STATS_PERIOD,
           "app kernels report their memory once a second; the period cannot be changed"),
    action(REMOTE_PROC_DOMAIN_START_DIRTY_RATE_CALC,
           "the host does not see what an app kernel writes; its own statistics are in "
           "'virsh dommemstat'"),
    action(REMOTE_PROC_DOMAIN_ANNOUNCE_INTERFACE,
           "the host cannot send packets in the name of an app kernel; let that announce its "
           "address, for example with arping"),
    action(REMOTE_PROC_NODE_DEVICE_DETTACH, no_host_device),
    action(REMOTE_PROC_NODE_DEVICE_DETACH_FLAGS, no_host_device),
    action(REMOTE_PROC_NODE_DEVICE_RE_ATTACH, no_host_device),
    action(REMOTE_PROC_NODE_DEVICE_RESET, no_host_device),
    action(REMOTE_PROC_NODE_SUSPEND_FOR_DURATION,
           "this host does not sleep through libvirt: its partitions would stop with it; shut them "
           "down and use systemctl"),

    // The connection says that it takes no file descriptors.
    query(REMOTE_PROC_DOMAIN_CREATE_WITH_FILES, no_files),
    query(REMOTE_PROC_DOMAIN_CREATE_XML_WITH_FILES, no_files),
    query(REMOTE_PROC_DOMAIN_FD_ASSOCIATE, no_files),

    query(REMOTE_PROC_DOMAIN_GET_SECURITY_LABEL, "no process of the host runs for a partition"),
    query(REMOTE_PROC_NODE_GET_SEV_INFO, no_encryption),
    action(REMOTE_PROC_DOMAIN_SET_LAUNCH_SECURITY_STATE, no_encryption),
});

}  // namespace

const Refusal* find_refusal(int procedure) noexcept {
    const auto* const found = std::ranges::find(refusals, procedure, &Refusal::procedure);
    return found == refusals.end() ? nullptr : &*found;
}

std::span<const Refusal> all_refusals() noexcept {
    return refusals;
}

}  // namespace mk::api
