// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Disks of a domain. A definition has none yet, so each call about a named one ends as the qemu
// driver's ends for a name that is not there: with the same checks before it, in its words.
#include <fmt/format.h>

#include <limits>

#include "api/encode.h"
#include "api/params.h"
#include "api/table.h"

namespace mk::api {

namespace {

[[noreturn]] void no_path(std::string_view path) {
    throw Error(VIR_ERR_INVALID_ARG, fmt::format("invalid path: {}", path));
}

[[noreturn]] void no_disk(std::string_view disk) {
    throw Error(VIR_ERR_INVALID_ARG,
                fmt::format("disk '{}' was not found in the domain config", disk));
}

void require_not_empty(std::string_view text, std::string_view name, std::string_view function) {
    if (text.empty())
        throw Error(VIR_ERR_INVALID_ARG,
                    fmt::format("string {} in {} must not be empty", name, function));
}

// An empty path means the sum of all disks, which is nothing; libvirt's -1 says "not known".
void domain_block_stats(Call& call, const remote_domain_block_stats_args& args,
                        remote_domain_block_stats_ret& ret) {
    require_active(find(call, args.dom));
    if (std::string_view(args.path) != "")
        no_path(args.path);
    ret.errs = -1;
}

void domain_block_stats_flags(Call& call, const remote_domain_block_stats_flags_args& args,
                              remote_domain_block_stats_flags_ret& ret) {
    check_room(args.nparams, REMOTE_DOMAIN_BLOCK_STATS_PARAMETERS_MAX, "virDomainBlockStatsFlags");
    require_active(find(call, args.dom));
    if (std::string_view(args.path) != "")
        no_path(args.path);
    std::vector<Param> sums;
    for (const char* field :
         {VIR_DOMAIN_BLOCK_STATS_WRITE_BYTES, VIR_DOMAIN_BLOCK_STATS_WRITE_REQ,
          VIR_DOMAIN_BLOCK_STATS_READ_BYTES, VIR_DOMAIN_BLOCK_STATS_READ_REQ,
          VIR_DOMAIN_BLOCK_STATS_FLUSH_REQ, VIR_DOMAIN_BLOCK_STATS_WRITE_TOTAL_TIMES,
          VIR_DOMAIN_BLOCK_STATS_READ_TOTAL_TIMES, VIR_DOMAIN_BLOCK_STATS_FLUSH_TOTAL_TIMES})
        sums.push_back({field, 0LL});
    encode_two_step(sums, args.nparams, ret);
}

void domain_get_block_info(Call& call, const remote_domain_get_block_info_args& args,
                           remote_domain_get_block_info_ret&) {
    require_not_empty(args.path, "disk", "virDomainGetBlockInfo");
    (void)find(call, args.dom);
    throw Error(VIR_ERR_INVALID_ARG,
                fmt::format("invalid path {} not assigned to domain", args.path));
}

void domain_block_peek(Call& call, const remote_domain_block_peek_args& args,
                       remote_domain_block_peek_ret&) {
    if (args.size > REMOTE_DOMAIN_BLOCK_PEEK_BUFFER_MAX)
        throw Error(VIR_ERR_INTERNAL_ERROR, "size > maximum buffer size");
    require_not_empty(args.path, "disk", "virDomainBlockPeek");
    (void)find(call, args.dom);
    no_disk(args.path);
}

void domain_block_resize(Call& call, const remote_domain_block_resize_args& args) {
    constexpr std::uint64_t most_kib = std::numeric_limits<std::uint64_t>::max() / 1024;
    if ((args.flags & VIR_DOMAIN_BLOCK_RESIZE_BYTES) == 0 && args.size > most_kib)
        throw Error(VIR_ERR_OVERFLOW, fmt::format("size must be less than {}", most_kib));
    require_active(find(call, args.dom));
    no_disk(args.disk);
}

void domain_get_block_job_info(Call& call, const remote_domain_get_block_job_info_args& args,
                               remote_domain_get_block_job_info_ret&) {
    require_not_empty(args.path, "disk", "virDomainGetBlockJobInfo");
    require_active(find(call, args.dom));
    throw Error(VIR_ERR_INVALID_ARG, fmt::format("disk '{}' not found in domain", args.path));
}

void domain_set_block_threshold(Call& call, const remote_domain_set_block_threshold_args& args) {
    require_active(find(call, args.dom));
    throw Error(VIR_ERR_INVALID_ARG, fmt::format("failed to find disk '{}'", args.dev));
}

constexpr int ullong = VIR_TYPED_PARAM_ULLONG;
constexpr ParamRule io_tune_rules[] = {
    {VIR_DOMAIN_BLOCK_IOTUNE_TOTAL_BYTES_SEC, ullong},
    {VIR_DOMAIN_BLOCK_IOTUNE_READ_BYTES_SEC, ullong},
    {VIR_DOMAIN_BLOCK_IOTUNE_WRITE_BYTES_SEC, ullong},
    {VIR_DOMAIN_BLOCK_IOTUNE_TOTAL_IOPS_SEC, ullong},
    {VIR_DOMAIN_BLOCK_IOTUNE_READ_IOPS_SEC, ullong},
    {VIR_DOMAIN_BLOCK_IOTUNE_WRITE_IOPS_SEC, ullong},
    {VIR_DOMAIN_BLOCK_IOTUNE_TOTAL_BYTES_SEC_MAX, ullong},
    {VIR_DOMAIN_BLOCK_IOTUNE_READ_BYTES_SEC_MAX, ullong},
    {VIR_DOMAIN_BLOCK_IOTUNE_WRITE_BYTES_SEC_MAX, ullong},
    {VIR_DOMAIN_BLOCK_IOTUNE_TOTAL_IOPS_SEC_MAX, ullong},
    {VIR_DOMAIN_BLOCK_IOTUNE_READ_IOPS_SEC_MAX, ullong},
    {VIR_DOMAIN_BLOCK_IOTUNE_WRITE_IOPS_SEC_MAX, ullong},
    {VIR_DOMAIN_BLOCK_IOTUNE_SIZE_IOPS_SEC, ullong},
    {VIR_DOMAIN_BLOCK_IOTUNE_GROUP_NAME, VIR_TYPED_PARAM_STRING},
    {VIR_DOMAIN_BLOCK_IOTUNE_TOTAL_BYTES_SEC_MAX_LENGTH, ullong},
    {VIR_DOMAIN_BLOCK_IOTUNE_READ_BYTES_SEC_MAX_LENGTH, ullong},
    {VIR_DOMAIN_BLOCK_IOTUNE_WRITE_BYTES_SEC_MAX_LENGTH, ullong},
    {VIR_DOMAIN_BLOCK_IOTUNE_TOTAL_IOPS_SEC_MAX_LENGTH, ullong},
    {VIR_DOMAIN_BLOCK_IOTUNE_READ_IOPS_SEC_MAX_LENGTH, ullong},
    {VIR_DOMAIN_BLOCK_IOTUNE_WRITE_IOPS_SEC_MAX_LENGTH, ullong},
};

void domain_set_block_io_tune(Call& call, const remote_domain_set_block_io_tune_args& args) {
    (void)decode_params(args.params.params_val, args.params.params_len, io_tune_rules);
    require_affected(find(call, args.dom), args.flags);
    no_disk(args.disk);
}

void domain_get_block_io_tune(Call& call, const remote_domain_get_block_io_tune_args& args,
                              remote_domain_get_block_io_tune_ret& ret) {
    check_room(args.nparams, REMOTE_DOMAIN_BLOCK_IO_TUNE_PARAMETERS_MAX, "virDomainGetBlockIoTune");
    (void)affected(find(call, args.dom), args.flags);
    if (args.nparams == 0) {
        ret.nparams = static_cast<int>(std::size(io_tune_rules));
        return;
    }
    require_not_null(args.disk, "disk", "virDomainGetBlockIoTune");
    no_disk(*args.disk);
}

constexpr unsigned affect_flags = VIR_DOMAIN_AFFECT_LIVE | VIR_DOMAIN_AFFECT_CONFIG;

const Row rows[] = {
    row<domain_block_stats>(REMOTE_PROC_DOMAIN_BLOCK_STATS),
    row<domain_block_stats_flags>(REMOTE_PROC_DOMAIN_BLOCK_STATS_FLAGS, typed_params_flag),
    row<domain_get_block_info>(REMOTE_PROC_DOMAIN_GET_BLOCK_INFO),
    row<domain_block_peek>(REMOTE_PROC_DOMAIN_BLOCK_PEEK),
    row<domain_block_resize>(REMOTE_PROC_DOMAIN_BLOCK_RESIZE, VIR_DOMAIN_BLOCK_RESIZE_BYTES),
    row<domain_get_block_job_info>(REMOTE_PROC_DOMAIN_GET_BLOCK_JOB_INFO,
                                   VIR_DOMAIN_BLOCK_JOB_INFO_BANDWIDTH_BYTES),
    row<domain_set_block_threshold>(REMOTE_PROC_DOMAIN_SET_BLOCK_THRESHOLD),
    row<domain_set_block_io_tune>(REMOTE_PROC_DOMAIN_SET_BLOCK_IO_TUNE, affect_flags),
    row<domain_get_block_io_tune>(REMOTE_PROC_DOMAIN_GET_BLOCK_IO_TUNE,
                                  affect_flags | typed_params_flag),
};

}  // namespace

std::span<const Row> block_rows() {
    return rows;
}

}  // namespace mk::api
