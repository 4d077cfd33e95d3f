// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Core dumps and the jobs that they are, and looks into memory.
#include "domain/dump.h"

#include <fmt/format.h>

#include <algorithm>

#include "api/encode.h"
#include "api/table.h"

namespace mk::api {

namespace {

std::optional<dump::Compression> compression_of(unsigned format) {
    switch (format) {
        case VIR_DOMAIN_CORE_DUMP_FORMAT_RAW:
            return std::nullopt;  // with --memory-only: ELF, as qemu
        case VIR_DOMAIN_CORE_DUMP_FORMAT_KDUMP_ZLIB:
            return dump::Compression::zlib;
        case VIR_DOMAIN_CORE_DUMP_FORMAT_KDUMP_LZO:
            return dump::Compression::lzo;
        case VIR_DOMAIN_CORE_DUMP_FORMAT_KDUMP_SNAPPY:
            return dump::Compression::snappy;
        case VIR_DOMAIN_CORE_DUMP_FORMAT_WIN_DMP:
            throw Error(VIR_ERR_OPERATION_UNSUPPORTED, "an app kernel is no Windows; use 'elf'");
        default:
            throw Error(VIR_ERR_INVALID_ARG, fmt::format("unknown dumpformat '{}'", format));
    }
}

void core_dump(Call& call, const remote_nonnull_domain& dom, const char* to, unsigned format,
               unsigned flags) {
    const domain::DomainView view = find(call, dom);
    require_active(view);
    domain::DumpRequest request;
    request.compression = compression_of(format);
    if ((flags & VIR_DUMP_MEMORY_ONLY) == 0)
        throw Error(VIR_ERR_OPERATION_UNSUPPORTED,
                    "a dump that holds the state of devices as well cannot be made: a partition's "
                    "are real hardware; use --memory-only");
    request.path = to;
    request.live = (flags & VIR_DUMP_LIVE) != 0;
    request.crash = (flags & VIR_DUMP_CRASH) != 0;
    request.reset = (flags & VIR_DUMP_RESET) != 0;
    request.bypass_cache = (flags & VIR_DUMP_BYPASS_CACHE) != 0;
    call.driver.core_dump(view.uuid, request);
}

void domain_core_dump(Call& call, const remote_domain_core_dump_args& args) {
    core_dump(call, args.dom, args.to, VIR_DOMAIN_CORE_DUMP_FORMAT_RAW, args.flags);
}

void domain_core_dump_with_format(Call& call,
                                  const remote_domain_core_dump_with_format_args& args) {
    core_dump(call, args.dom, args.to, args.dumpformat, args.flags);
}

void domain_get_job_info(Call& call, const remote_domain_get_job_info_args& args,
                         remote_domain_get_job_info_ret& ret) {
    const domain::JobStats stats = call.driver.job_stats(find(call, args.dom).uuid);
    ret.type = stats.type;
    ret.timeElapsed = stats.elapsed_ms;
    ret.dataTotal = ret.memTotal = stats.total_bytes;
    ret.dataProcessed = ret.memProcessed = stats.done_bytes;
    ret.dataRemaining = ret.memRemaining = stats.total_bytes - stats.done_bytes;
}

void domain_get_job_stats(Call& call, const remote_domain_get_job_stats_args& args,
                          remote_domain_get_job_stats_ret& ret) {
    const Uuid uuid = find(call, args.dom).uuid;
    const bool keep = (args.flags & VIR_DOMAIN_JOB_STATS_KEEP_COMPLETED) != 0;
    const domain::JobStats stats = (args.flags & VIR_DOMAIN_JOB_STATS_COMPLETED) != 0
                                       ? call.driver.completed_job_stats(uuid, keep)
                                       : call.driver.job_stats(uuid);
    ret.type = stats.type;
    if (stats.type != VIR_DOMAIN_JOB_NONE)
        encode_params(job_params(stats), ret.params.params_val, ret.params.params_len);
}

void domain_abort_job(Call& call, const remote_domain_abort_job_args& args) {
    call.driver.abort_job(find(call, args.dom).uuid);
}

void domain_abort_job_flags(Call& call, const remote_domain_abort_job_flags_args& args) {
    call.driver.abort_job(find(call, args.dom).uuid);
}

constexpr unsigned dump_flags =
    VIR_DUMP_CRASH | VIR_DUMP_LIVE | VIR_DUMP_BYPASS_CACHE | VIR_DUMP_RESET | VIR_DUMP_MEMORY_ONLY;
constexpr unsigned job_flags = VIR_DOMAIN_JOB_STATS_COMPLETED | VIR_DOMAIN_JOB_STATS_KEEP_COMPLETED;

void domain_memory_peek(Call& call, const remote_domain_memory_peek_args& args,
                        remote_domain_memory_peek_ret& ret) {
    if (args.size > REMOTE_DOMAIN_MEMORY_PEEK_BUFFER_MAX)
        throw Error(VIR_ERR_INTERNAL_ERROR, "size > maximum buffer size");
    if (args.flags != VIR_MEMORY_VIRTUAL && args.flags != VIR_MEMORY_PHYSICAL)
        throw Error(VIR_ERR_INVALID_ARG,
                    "flags parameter must be VIR_MEMORY_VIRTUAL or VIR_MEMORY_PHYSICAL");
    const std::string bytes = call.driver.memory_peek(find(call, args.dom).uuid, args.offset,
                                                      args.size, args.flags == VIR_MEMORY_PHYSICAL);
    ret.buffer.buffer_val = protocol::make_array<char>(bytes.size());
    ret.buffer.buffer_len = static_cast<unsigned>(bytes.size());
    std::copy(bytes.begin(), bytes.end(), ret.buffer.buffer_val);
}

const Row rows[] = {
    row<domain_memory_peek>(REMOTE_PROC_DOMAIN_MEMORY_PEEK,
                            VIR_MEMORY_VIRTUAL | VIR_MEMORY_PHYSICAL),
    row<domain_core_dump>(REMOTE_PROC_DOMAIN_CORE_DUMP, dump_flags),
    row<domain_core_dump_with_format>(REMOTE_PROC_DOMAIN_CORE_DUMP_WITH_FORMAT, dump_flags),
    row<domain_get_job_info>(REMOTE_PROC_DOMAIN_GET_JOB_INFO),
    row<domain_get_job_stats>(REMOTE_PROC_DOMAIN_GET_JOB_STATS, job_flags),
    row<domain_abort_job>(REMOTE_PROC_DOMAIN_ABORT_JOB),
    row<domain_abort_job_flags>(REMOTE_PROC_DOMAIN_ABORT_JOB_FLAGS),
};

}  // namespace

std::vector<Param> job_params(const domain::JobStats& stats) {
    using Count = unsigned long long;
    std::vector<Param> params = {
        {VIR_DOMAIN_JOB_OPERATION, static_cast<int>(stats.operation)},
        {VIR_DOMAIN_JOB_TIME_ELAPSED, Count{stats.elapsed_ms}},
        {VIR_DOMAIN_JOB_DATA_TOTAL, Count{stats.total_bytes}},
        {VIR_DOMAIN_JOB_DATA_PROCESSED, Count{stats.done_bytes}},
        {VIR_DOMAIN_JOB_DATA_REMAINING, Count{stats.total_bytes - stats.done_bytes}},
        {VIR_DOMAIN_JOB_MEMORY_TOTAL, Count{stats.total_bytes}},
        {VIR_DOMAIN_JOB_MEMORY_PROCESSED, Count{stats.done_bytes}},
        {VIR_DOMAIN_JOB_MEMORY_REMAINING, Count{stats.total_bytes - stats.done_bytes}},
    };
    if (stats.type != VIR_DOMAIN_JOB_UNBOUNDED)
        params.push_back({VIR_DOMAIN_JOB_SUCCESS, stats.type == VIR_DOMAIN_JOB_COMPLETED});
    if (!stats.error.empty())
        params.push_back({VIR_DOMAIN_JOB_ERRMSG, stats.error});
    return params;
}

std::span<const Row> dump_rows() {
    return rows;
}

}  // namespace mk::api
