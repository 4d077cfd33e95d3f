// SPDX-License-Identifier: LGPL-2.1-or-later
//
// One call of the admin program on its way through a handler. Handlers have the shapes of
// api/call.h and run on workers; what they do with a server they do on the loop thread.
#pragma once

#include <span>
#include <string_view>

#include "admin/on_loop.h"
#include "admin/program.h"
#include "protocol/admin.h"
#include "protocol/admin_codec.h"
#include "protocol/xdr.h"

namespace mk::admin {

struct Row;

struct Call {
    const Administered& administered;
    rpc::Session& session;
    const Row& row;
};

struct Row {
    int procedure = 0;
    const char* name = nullptr;  // the library's function
    protocol::Marshalled (*handler)(Call&, std::string_view arguments) = nullptr;
    unsigned allowed_flags = 0;
};

// Throws Error(VIR_ERR_INVALID_ARG).
void check_flags(const Call& call, unsigned flags);

struct Checks {
    static void before(const Call&) {}
    template <typename Args>
    static void before(const Call& call, const Args& args) {
        if constexpr (requires { static_cast<unsigned>(args.flags); })
            check_flags(call, static_cast<unsigned>(args.flags));
    }
};

template <auto function>
constexpr Row row(int procedure, const char* name, unsigned allowed_flags = 0) {
    return {procedure, name, &protocol::marshal<function, Call, Checks>, allowed_flags};
}

// Loop thread only. Throws Error(VIR_ERR_NO_SERVER).
[[nodiscard]] rpc::Server& find_server(const Call& call, std::string_view name);

std::span<const Row> daemon_rows();
std::span<const Row> server_rows();
std::span<const Row> client_rows();

}  // namespace mk::admin
