// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The order of the checks is libvirtd's: does the procedure exist, may this client call it, is
// its connection open, can its arguments be read (src/rpc/virnetserverprogram.c).
#include "api/dispatch.h"

#include <fmt/format.h>

#include <cstdlib>
#include <exception>
#include <new>

#include "api/access.h"
#include "api/procedures.h"
#include "api/refused.h"
#include "api/table.h"
#include "domain/caller.h"
#include "protocol/frame.h"
#include "relay/family.h"
#include "util/log.h"

namespace mk::api {
namespace {

bool needs_open(int procedure) {
    if (authenticates(procedure))
        return false;
    switch (procedure) {
        case REMOTE_PROC_CONNECT_OPEN:
        case REMOTE_PROC_CONNECT_CLOSE:
        case REMOTE_PROC_CONNECT_SUPPORTS_FEATURE:
            return false;
        default:
            return true;
    }
}

[[noreturn]] void refuse(int number, const Procedure& procedure) {
    const Refusal* refusal = find_refusal(number);
    if (refusal == nullptr || refusal->code == VIR_ERR_NO_SUPPORT)
        throw Error(VIR_ERR_NO_SUPPORT, std::string(procedure.name));
    throw Error(refusal->code, refusal->reason);
}

struct Request {
    int number;
    std::string_view arguments;
    bool* left_to_worker = nullptr;  // Call's
};

rpc::Answer answer_call(domain::Driver& driver, rpc::Session& session, const Request& request) {
    const int number = request.number;
    const auto procedure = find_procedure(number);
    // Clients look for these very words: they take them for "not supported".
    if (!procedure)
        throw Error(VIR_ERR_RPC, fmt::format("unknown procedure: {}", number));
    if (session.read_only() && !procedure->read_only_allowed)
        throw Error(VIR_ERR_OPERATION_DENIED,
                    fmt::format("read only access prevents {}", procedure->name));
    auto& connection = *static_cast<Connection*>(session.state());
    if (needs_open(number) && !connection.opened)
        throw Error(VIR_ERR_INTERNAL_ERROR, "hypervisor connection not open");
    if (relay::family_of(number))
        require_known(connection, session);
    const Row* row = find_row(number);
    if (row == nullptr)
        refuse(number, *procedure);
    const domain::Caller caller(procedure->name);
    Call call{.driver = driver,
              .session = session,
              .connection = connection,
              .row = *row,
              .left_to_worker = request.left_to_worker,
              .after_reply = {},
              .stream = {}};
    protocol::Marshalled result = row->handler(call, request.arguments);
    return {.ok = true,
            .payload = std::move(result.bytes),
            .after_reply = std::move(call.after_reply),
            .stream = std::move(call.stream)};
}

// Whether another daemon answers; what is not allowed is dispatch()'s to refuse. Permissions are
// that daemon's to check, as with virtqemud: it has the object, and a client may call one by the
// name of another.
bool forwards(const rpc::Session& session, int number) {
    const auto procedure = find_procedure(number);
    const auto& connection = *static_cast<const Connection*>(session.state());
    return procedure && relay::family_of(number) &&
           (procedure->read_only_allowed || !session.read_only()) && connection.opened &&
           is_known(connection, session);
}

// Look-ups in what the daemon has in memory, under locks that nobody keeps; one that depends on the
// domain leaves the rest to a worker. Others may have to wait: for a disk, for the kernel, for a
// job.
bool is_instant(int number) {
    switch (number) {
        case REMOTE_PROC_CONNECT_SUPPORTS_FEATURE:
        case REMOTE_PROC_CONNECT_GET_TYPE:
        case REMOTE_PROC_CONNECT_GET_VERSION:
        case REMOTE_PROC_CONNECT_GET_LIB_VERSION:
        case REMOTE_PROC_CONNECT_IS_SECURE:
        case REMOTE_PROC_CONNECT_NUM_OF_DOMAINS:
        case REMOTE_PROC_CONNECT_NUM_OF_DEFINED_DOMAINS:
        case REMOTE_PROC_DOMAIN_LOOKUP_BY_ID:
        case REMOTE_PROC_DOMAIN_LOOKUP_BY_NAME:
        case REMOTE_PROC_DOMAIN_LOOKUP_BY_UUID:
        case REMOTE_PROC_DOMAIN_GET_AUTOSTART:
        case REMOTE_PROC_DOMAIN_GET_INFO:
        case REMOTE_PROC_DOMAIN_GET_OS_TYPE:
        case REMOTE_PROC_DOMAIN_GET_STATE:
        case REMOTE_PROC_DOMAIN_HAS_MANAGED_SAVE_IMAGE:
        case REMOTE_PROC_DOMAIN_IS_ACTIVE:
        case REMOTE_PROC_DOMAIN_IS_PERSISTENT:
        case REMOTE_PROC_DOMAIN_IS_UPDATED:
        case REMOTE_PROC_DOMAIN_SNAPSHOT_NUM:
            return true;
        default:
            return false;
    }
}

rpc::Answer failed(const Error& error) {
    return {.ok = false, .payload = protocol::encode_error(error), .after_reply = {}, .stream = {}};
}

// Without memory even for an error there is nothing left to do but to end. The
// partitions run on.
rpc::Answer answer(domain::Driver& driver, rpc::Session& session, const Request& request) noexcept {
    try {
        return answer_call(driver, session, request);
    } catch (const Error& error) {
        log::debug("procedure {} of client {}: {}", request.number, name_of(session.peer()),
                   log::escape(error.full_message()));
        return failed(error);
    } catch (const std::bad_alloc&) {
        std::abort();
    } catch (const std::exception& error) {
        log::error("procedure {}: {}", request.number, error.what());
        return failed(Error(VIR_ERR_INTERNAL_ERROR, error.what()));
    }
}

std::optional<rpc::Answer> answer_at_once(domain::Driver& driver, rpc::Session& session, int number,
                                          std::string_view arguments) {
    if (!is_instant(number))
        return std::nullopt;
    bool left_to_worker = false;
    rpc::Answer made =
        answer(driver, session,
               {.number = number, .arguments = arguments, .left_to_worker = &left_to_worker});
    return left_to_worker ? std::nullopt : std::optional(std::move(made));
}

}  // namespace

rpc::Answer dispatch(domain::Driver& driver, rpc::Session& session, int procedure,
                     std::string_view arguments) noexcept {
    return answer(driver, session, {.number = procedure, .arguments = arguments});
}

rpc::Program remote_program(domain::Driver& driver, access::Polkit& polkit, bool access_control,
                            const relay::Settings& relay) {
    return {.number = REMOTE_PROGRAM,
            .version = REMOTE_PROTOCOL_VERSION,
            .greet =
                [control = access_control ? &polkit : nullptr](rpc::Session& session) {
                    const auto connection = std::make_shared<Connection>();
                    connection->access_control = control;
                    session.attach(connection);
                },
            .is_short =
                [](int number) {
                    const auto procedure = find_procedure(number);
                    // Those that do not exist are answered at once. Statistics are for libvirt's
                    // drivers to ask a monitor for; ours come from shared pages.
                    return !procedure || procedure->is_short ||
                           number == REMOTE_PROC_CONNECT_GET_ALL_DOMAIN_STATS;
                },
            .answer_at_once =
                [&driver, access_control](rpc::Session& session, int procedure,
                                          std::string_view arguments) {
                    // Who asks polkit waits for it.
                    return access_control ? std::nullopt
                                          : answer_at_once(driver, session, procedure, arguments);
                },
            .call =
                [&driver](rpc::Session& session, int procedure, std::string_view arguments) {
                    return dispatch(driver, session, procedure, arguments);
                },
            .authenticates = authenticates,
            .answers_later =
                [&polkit](rpc::Session& session, int procedure,
                          std::function<void(rpc::Answer)> answer) {
                    return ask_polkit(polkit, session, procedure, std::move(answer));
                },
            .forwards = forwards,
            .make_forwarder =
                [relay](const rpc::Session& session, rpc::ForwardLink link) {
                    return std::make_unique<relay::Relay>(relay, session, std::move(link));
                }};
}

}  // namespace mk::api
