// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The list of what we support: procedure -> handler, permission, allowed flags, since. Each
// family of calls has a file with its handlers and a span of rows; table.cpp puts the spans
// together; refused.h answers for the procedures that have none. Not for what calls do.
//
//   static const Row rows[] = {
//       row<domain_create>(REMOTE_PROC_DOMAIN_CREATE),
//       row<domain_create_with_flags>(REMOTE_PROC_DOMAIN_CREATE_WITH_FLAGS, VIR_DOMAIN_START_…),
//   };
//   std::span<const Row> lifecycle_rows() { return rows; }
//
// The library's name of a procedure, whether a read-only client may call it and whether it goes
// to the workers kept for short calls are libvirt's and come from procedures.h.
//
// Thread-safe: constant after start.
#pragma once

#include <span>

#include "api/call.h"
#include "protocol/remote.h"
#include "protocol/remote_codec.h"
#include "protocol/xdr.h"

namespace mk::api {

using Handler = protocol::Marshalled (*)(Call&, std::string_view arguments);

struct Row {
    int procedure = 0;
    Handler handler = nullptr;
    // Bits that the `flags` word of the arguments may have; any other is VIR_ERR_INVALID_ARG
    // "unsupported flags (0x…) in function virDomainX" before the handler runs.
    unsigned allowed_flags = 0;
    const char* since = "0.1.0";
    // The answer is always 0, or an empty list: nothing of the kind exists here.
    bool empty = false;
    // Which domain it is about only the handler can tell: it calls require_access() (access.h).
    bool finds_domain = false;
};

// What is asked of every call whose handler is there; used by row().
struct Checks {
    // Of the arguments, what permissions depend on.
    struct Arguments {
        unsigned flags = 0;
        unsigned source = 0;
        const remote_nonnull_domain* domain = nullptr;
    };

    static void before(Call& call) { check(call, {}); }
    template <typename Args>
    static void before(Call& call, const Args& args) {
        Arguments known;
        if constexpr (requires { static_cast<unsigned>(args.flags); })
            known.flags = static_cast<unsigned>(args.flags);
        if constexpr (requires { static_cast<unsigned>(args.source); })
            known.source = static_cast<unsigned>(args.source);
        if constexpr (std::is_same_v<decltype(domain_of(args)), const remote_nonnull_domain*>)
            known.domain = domain_of(args);
        check(call, known);
    }

  private:
    template <typename Args>
    static auto domain_of(const Args& args) {
        if constexpr (requires { &args.dom == static_cast<const remote_nonnull_domain*>(nullptr); })
            return static_cast<const remote_nonnull_domain*>(&args.dom);
        else
            return nullptr;
    }
    // Throws Error: VIR_ERR_INVALID_ARG a flag that is not allowed; VIR_ERR_ACCESS_DENIED.
    static void check(Call& call, const Arguments& arguments);
};

// The row of `procedure` whose handler is `function`, in one of the shapes of call.h.
template <auto function>
constexpr Row row(int procedure, unsigned allowed_flags = 0, const char* since = "0.1.0") {
    return {procedure, &protocol::marshal<function, Call, Checks>, allowed_flags, since};
}
constexpr Row finds_domain(Row row) {
    row.finds_domain = true;
    return row;
}

// Typed parameter getters: clients since libvirt 0.9.7 say that they take strings.
inline constexpr unsigned typed_params_flag = 4;  // VIR_TYPED_PARAM_STRING_OKAY

// nullptr: we have no handler (see refused.h, relay/family.h).
[[nodiscard]] const Row* find_row(int procedure);
[[nodiscard]] std::span<const Row* const> all_rows();

std::span<const Row> auth_rows();
std::span<const Row> connect_rows();
std::span<const Row> lookup_rows();
std::span<const Row> describe_rows();
std::span<const Row> lifecycle_rows();
std::span<const Row> pause_rows();
std::span<const Row> dump_rows();
std::span<const Row> vcpu_rows();
std::span<const Row> memory_rows();
std::span<const Row> plug_rows();
std::span<const Row> console_rows();
std::span<const Row> stats_rows();
std::span<const Row> event_rows();
std::span<const Row> guest_rows();
std::span<const Row> node_rows();
std::span<const Row> cpu_rows();
std::span<const Row> native_rows();
std::span<const Row> pages_rows();
std::span<const Row> tune_rows();
std::span<const Row> block_rows();
std::span<const Row> interface_rows();
std::span<const Row> absent_rows();

}  // namespace mk::api
