// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The host's memory in pages: what is free of each size, its pools of huge pages, and samepage
// merging, which libvirt calls the node's memory parameters.
#include <fmt/format.h>

#include <algorithm>

#include "api/encode.h"
#include "api/params.h"
#include "api/table.h"

namespace mk::api {

namespace {

void require_not_zero(unsigned value, std::string_view name, std::string_view function) {
    if (value == 0)
        throw Error(VIR_ERR_INVALID_ARG, fmt::format("{} in {} must not be zero", name, function));
}

void node_get_free_pages(Call& call, const remote_node_get_free_pages_args& args,
                         remote_node_get_free_pages_ret& ret) {
    const std::uint64_t most = std::uint64_t{args.pages.pages_len} * args.cellCount;
    if (most > REMOTE_NODE_MAX_CELLS)
        throw Error(VIR_ERR_INTERNAL_ERROR, "the result won't fit into REMOTE_NODE_MAX_CELLS");
    require_not_zero(args.pages.pages_len, "npages", "virNodeGetFreePages");
    require_not_zero(args.cellCount, "cellCount", "virNodeGetFreePages");
    const auto counts =
        call.driver.free_pages({args.pages.pages_val, args.pages.pages_val + args.pages.pages_len},
                               args.startCell, args.cellCount);
    using Count = std::remove_pointer_t<decltype(ret.counts.counts_val)>;
    ret.counts.counts_val = protocol::make_array<Count>(counts.size());
    ret.counts.counts_len = static_cast<unsigned>(counts.size());
    std::copy(counts.begin(), counts.end(), ret.counts.counts_val);
}

void node_alloc_pages(Call& call, const remote_node_alloc_pages_args& args,
                      remote_node_alloc_pages_ret& ret) {
    if (args.pageSizes.pageSizes_len != args.pageCounts.pageCounts_len)
        throw Error(VIR_ERR_INVALID_ARG, "as many page counts as page sizes are needed");
    require_not_zero(args.pageSizes.pageSizes_len, "npages", "virNodeAllocPages");
    require_not_zero(args.cellCount, "cellCount", "virNodeAllocPages");
    std::vector<domain::Driver::PageCount> wanted;
    for (unsigned i = 0; i < args.pageSizes.pageSizes_len; i++)
        wanted.push_back({args.pageSizes.pageSizes_val[i], args.pageCounts.pageCounts_val[i]});
    const bool add = (args.flags & VIR_NODE_ALLOC_PAGES_SET) == 0;
    ret.ret =
        static_cast<int>(call.driver.allocate_pages(wanted, args.startCell, args.cellCount, add));
}

// Which of the kernel's files are counts that only it changes; they are wider.
bool is_counter(std::string_view file) {
    return file != "pages_to_scan" && file != "sleep_millisecs" && file != "merge_across_nodes";
}

void node_get_memory_parameters(Call& call, const remote_node_get_memory_parameters_args& args,
                                remote_node_get_memory_parameters_ret& ret) {
    check_room(args.nparams, REMOTE_NODE_MEMORY_PARAMETERS_MAX, "virNodeGetMemoryParameters");
    std::vector<Param> params;
    for (const auto& [file, value] : call.driver.samepage_values()) {
        std::string field = fmt::format("shm_{}", file);
        if (is_counter(file))
            params.push_back({std::move(field), static_cast<unsigned long long>(value)});
        else
            params.push_back({std::move(field), static_cast<unsigned>(value)});
    }
    encode_two_step(std::move(params), args.nparams, ret);
}

constexpr ParamRule samepage_rules[] = {
    {VIR_NODE_MEMORY_SHARED_PAGES_TO_SCAN, VIR_TYPED_PARAM_UINT},
    {VIR_NODE_MEMORY_SHARED_SLEEP_MILLISECS, VIR_TYPED_PARAM_UINT},
    {VIR_NODE_MEMORY_SHARED_MERGE_ACROSS_NODES, VIR_TYPED_PARAM_UINT},
};

void node_set_memory_parameters(Call& call, const remote_node_set_memory_parameters_args& args) {
    std::vector<host::SamepageValue> values;
    for (const Param& param :
         decode_params(args.params.params_val, args.params.params_len, samepage_rules)) {
        for (const std::string_view file : host::samepage_files) {
            if (param.field == fmt::format("shm_{}", file))
                values.push_back({file, std::get<unsigned>(param.value)});
        }
    }
    call.driver.set_samepage_values(values);
}

const Row rows[] = {
    row<node_get_free_pages>(REMOTE_PROC_NODE_GET_FREE_PAGES),
    row<node_alloc_pages>(REMOTE_PROC_NODE_ALLOC_PAGES, VIR_NODE_ALLOC_PAGES_SET),
    row<node_get_memory_parameters>(REMOTE_PROC_NODE_GET_MEMORY_PARAMETERS, typed_params_flag),
    row<node_set_memory_parameters>(REMOTE_PROC_NODE_SET_MEMORY_PARAMETERS),
};

}  // namespace

std::span<const Row> pages_rows() {
    return rows;
}

}  // namespace mk::api
