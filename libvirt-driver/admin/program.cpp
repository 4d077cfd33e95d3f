// SPDX-License-Identifier: LGPL-2.1-or-later
//
// From a procedure number to a handler and back.
#include "admin/program.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <new>

#include "admin/call.h"
#include "protocol/frame.h"
#include "util/log.h"

namespace mk::admin {
namespace {

const Row* find_row(int procedure) {
    for (const auto rows : {daemon_rows(), server_rows(), client_rows()}) {
        const auto found = std::ranges::find(rows, procedure, &Row::procedure);
        if (found != rows.end())
            return &*found;
    }
    return nullptr;
}

rpc::Answer failed(const Error& error) {
    return {.ok = false, .payload = protocol::encode_error(error), .after_reply = {}, .stream = {}};
}

rpc::Answer answer_call(const Administered& administered, rpc::Session& session, int procedure,
                        std::string_view arguments) {
    const Row* row = find_row(procedure);
    if (row == nullptr)
        throw Error(VIR_ERR_RPC, fmt::format("unknown procedure: {}", procedure));
    Call call{.administered = administered, .session = session, .row = *row};
    return {.ok = true,
            .payload = row->handler(call, arguments).bytes,
            .after_reply = {},
            .stream = {}};
}

}  // namespace

void check_flags(const Call& call, unsigned flags) {
    if ((flags & ~call.row.allowed_flags) != 0)
        throw Error(VIR_ERR_INVALID_ARG,
                    fmt::format("unsupported flags (0x{:x}) in function {}",
                                flags & ~call.row.allowed_flags, call.row.name));
}

rpc::Server& find_server(const Call& call, std::string_view name) {
    const auto& servers = call.administered.servers;
    const auto found = std::ranges::find(
        servers, name, [](const auto& each) { return std::string_view(each.first); });
    if (found == servers.end())
        throw Error(VIR_ERR_NO_SERVER, fmt::format("No server named '{}'", log::escape(name)));
    return *found->second;
}

rpc::Program program(const Administered& administered) {
    rpc::Program program;
    program.number = ADMIN_PROGRAM;
    program.version = ADMIN_PROTOCOL_VERSION;
    program.call = [&administered](rpc::Session& session, int procedure,
                                   std::string_view arguments) noexcept -> rpc::Answer {
        try {
            return answer_call(administered, session, procedure, arguments);
        } catch (const Error& error) {
            log::debug("procedure {} of client {}: {}", procedure, session.peer().pid,
                       log::escape(error.full_message()));
            return failed(error);
        } catch (const std::bad_alloc&) {
            std::abort();  // as the remote program does
        } catch (const std::exception& error) {
            log::error("procedure {}: {}", procedure, error.what());
            return failed(Error(VIR_ERR_INTERNAL_ERROR, error.what()));
        }
    };
    return program;
}

}  // namespace mk::admin
