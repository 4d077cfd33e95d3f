// SPDX-License-Identifier: LGPL-2.1-or-later
//
// This machine: how busy it is and what a new partition could still get. What it is made of is
// in connect.cpp.
#include <fmt/format.h>

#include <utility>

#include "api/encode.h"
#include "api/table.h"
#include "host/usage.h"
#include "protocol/compat_libvirt.h"

namespace mk::api {

namespace {

using Fields = std::vector<std::pair<const char*, std::uint64_t>>;

// Both calls ask twice: with nparams 0 for the number of fields, then for exactly that many.
template <typename Ret>
void encode_fields(const Fields& fields, int wanted, std::string_view function, Ret& ret) {
    ret.nparams = static_cast<int>(fields.size());
    if (wanted == 0)
        return;
    if (wanted != ret.nparams) {
        throw Error(VIR_ERR_INVALID_ARG,
                    fmt::format("nparams in {} must be equal to {}", function, ret.nparams));
    }
    using Field = std::remove_pointer_t<decltype(ret.params.params_val)>;
    ret.params.params_val = protocol::make_array<Field>(fields.size());
    ret.params.params_len = static_cast<unsigned>(fields.size());
    for (std::size_t i = 0; i < fields.size(); i++) {
        ret.params.params_val[i].field = protocol::copy_string(fields[i].first);
        ret.params.params_val[i].value = fields[i].second;
    }
    ret.nparams = 0;  // libvirt's dispatcher sets it in the first answer only
}

void node_get_cpu_stats(Call& call, const remote_node_get_cpu_stats_args& args,
                        remote_node_get_cpu_stats_ret& ret) {
    std::optional<unsigned> cpu;
    if (args.cpuNum != VIR_NODE_CPU_STATS_ALL_CPUS) {
        require_not_negative(args.cpuNum, "cpuNum", "virNodeGetCPUStats");
        cpu = static_cast<unsigned>(args.cpuNum);
    }
    const auto times = call.driver.cpu_times(cpu);
    if (!times)
        throw Error(VIR_ERR_INVALID_ARG, "Invalid cpuNum in virNodeGetCPUStats");
    encode_fields({{VIR_NODE_CPU_STATS_KERNEL, times->kernel},
                   {VIR_NODE_CPU_STATS_USER, times->user},
                   {VIR_NODE_CPU_STATS_IDLE, times->idle},
                   {VIR_NODE_CPU_STATS_IOWAIT, times->iowait}},
                  args.nparams, "virNodeGetCPUStats", ret);
}

void node_get_memory_stats(Call&, const remote_node_get_memory_stats_args& args,
                           remote_node_get_memory_stats_ret& ret) {
    std::optional<host::MemoryUsage> usage;
    if (args.cellNum == VIR_NODE_MEMORY_STATS_ALL_CELLS) {
        usage = host::memory_usage();
    } else {
        require_not_negative(args.cellNum, "cellNum", "virNodeGetMemoryStats");
        usage = host::node_memory_usage(static_cast<unsigned>(args.cellNum));
    }
    if (!usage) {
        throw Error(VIR_ERR_INVALID_ARG,
                    fmt::format("cellNum in virNodeGetMemoryStats: no NUMA node {}", args.cellNum));
    }
    Fields fields = {{VIR_NODE_MEMORY_STATS_TOTAL, usage->total_kib},
                     {VIR_NODE_MEMORY_STATS_FREE, usage->free_kib}};
    if (usage->buffers_kib)
        fields.emplace_back(VIR_NODE_MEMORY_STATS_BUFFERS, *usage->buffers_kib);
    if (usage->cached_kib)
        fields.emplace_back(VIR_NODE_MEMORY_STATS_CACHED, *usage->cached_kib);
    if (usage->available_kib)
        fields.emplace_back(protocol::memory_stats_available, *usage->available_kib);
    encode_fields(fields, args.nparams, "virNodeGetMemoryStats", ret);
}

constexpr std::uint64_t bytes_per_kib = 1024;  // libvirt counts free memory of a node in bytes

void node_get_free_memory(Call& call, remote_node_get_free_memory_ret& ret) {
    ret.freeMem = call.driver.free_memory_kib() * bytes_per_kib;
}

void node_get_cells_free_memory(Call& call, const remote_node_get_cells_free_memory_args& args,
                                remote_node_get_cells_free_memory_ret& ret) {
    constexpr char function[] = "virNodeGetCellsFreeMemory";
    if (args.maxcells > REMOTE_NODE_MAX_CELLS)
        throw Error(VIR_ERR_INTERNAL_ERROR, "maxcells > REMOTE_NODE_MAX_CELLS");
    require_not_negative(args.startCell, "startCell", function);
    require_positive(args.maxcells, "maxCells", function);
    const auto cells = call.driver.cells_free_kib(args.startCell, args.maxcells);
    ret.cells.cells_val =
        protocol::make_array<std::remove_pointer_t<decltype(ret.cells.cells_val)>>(cells.size());
    ret.cells.cells_len = static_cast<unsigned>(cells.size());
    for (std::size_t i = 0; i < cells.size(); i++) {
        ret.cells.cells_val[i] = cells[i] * bytes_per_kib;
    }
}

// No security driver: libvirt says that with empty strings.
void node_get_security_model(Call&, remote_node_get_security_model_ret& ret) {
    ret.model = {.model_len = 1, .model_val = protocol::copy_string("")};
    ret.doi = {.doi_len = 1, .doi_val = protocol::copy_string("")};
}

void connect_get_sysinfo(Call& call, const remote_connect_get_sysinfo_args&,
                         remote_connect_get_sysinfo_ret& ret) {
    ret.sysinfo = protocol::copy_string(call.driver.sysinfo());
}

const Row rows[] = {
    row<connect_get_sysinfo>(REMOTE_PROC_CONNECT_GET_SYSINFO),
    row<node_get_cpu_stats>(REMOTE_PROC_NODE_GET_CPU_STATS),
    row<node_get_memory_stats>(REMOTE_PROC_NODE_GET_MEMORY_STATS),
    row<node_get_free_memory>(REMOTE_PROC_NODE_GET_FREE_MEMORY),
    row<node_get_cells_free_memory>(REMOTE_PROC_NODE_GET_CELLS_FREE_MEMORY),
    row<node_get_security_model>(REMOTE_PROC_NODE_GET_SECURITY_MODEL),
};

}  // namespace

std::span<const Row> node_rows() {
    return rows;
}

}  // namespace mk::api
