// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The table of handlers, put together once.
#include "api/table.h"

#include <fmt/format.h>

#include <array>
#include <map>
#include <stdexcept>
#include <vector>

#include "api/access.h"
#include "api/procedures.h"

namespace mk::api {
namespace {

struct Table {
    std::map<int, const Row*> by_procedure;
    std::vector<const Row*> rows;  // by number

    Table() {
        const auto families = {auth_rows(),      connect_rows(), lookup_rows(),  describe_rows(),
                               lifecycle_rows(), pause_rows(),   dump_rows(),    vcpu_rows(),
                               memory_rows(),    plug_rows(),    console_rows(), stats_rows(),
                               event_rows(),     guest_rows(),   node_rows(),    tune_rows(),
                               cpu_rows(),       native_rows(),  pages_rows(),   block_rows(),
                               interface_rows(), absent_rows()};
        for (const auto& family : families) {
            for (const Row& row : family) {
                if (!by_procedure.emplace(row.procedure, &row).second)
                    throw std::logic_error(fmt::format("procedure {} twice", row.procedure));
            }
        }
        for (const auto& [number, row] : by_procedure)
            rows.push_back(row);
    }
};

const Table& table() {
    static const Table made;
    return made;
}

}  // namespace

void Checks::check(Call& call, const Arguments& arguments) {
    const unsigned wrong = arguments.flags & ~call.row.allowed_flags;
    if (wrong == 0) {
        check_access(call, arguments);
        return;
    }
    const auto procedure = find_procedure(call.row.procedure);
    throw Error(VIR_ERR_INVALID_ARG, fmt::format("unsupported flags (0x{:x}) in function {}", wrong,
                                                 procedure ? procedure->name : "?"));
}

const Row* find_row(int procedure) {
    const auto found = table().by_procedure.find(procedure);
    return found == table().by_procedure.end() ? nullptr : found->second;
}

std::span<const Row* const> all_rows() {
    return table().rows;
}

}  // namespace mk::api
