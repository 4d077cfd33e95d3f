// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Authentication, with libvirt's own actions of polkit, which every host has rules for.
#include "api/access.h"
#include "api/encode.h"
#include "api/table.h"
#include "protocol/frame.h"

namespace mk::api {
namespace {

access::Subject subject_of(const rpc::Identity& identity) {
    return {.uid = identity.uid, .pid = identity.pid, .start_time = identity.start_time};
}

std::string complete() {
    protocol::Xdr<remote_auth_polkit_ret> ret;
    ret->complete = 1;
    return ret.encode();
}

// Root needs none, also without polkit.
void auth_list(Call& call, remote_auth_list_ret& ret) {
    ret.types.types_val =
        protocol::make_one(call.session.authenticated() ? REMOTE_AUTH_NONE : REMOTE_AUTH_POLKIT);
    ret.types.types_len = 1;
}

void auth_polkit(Call&) {
    throw Error(VIR_ERR_AUTH_FAILED, "this connection does not need polkit");
}

const Row rows[] = {
    row<auth_list>(REMOTE_PROC_AUTH_LIST),
    row<auth_polkit>(REMOTE_PROC_AUTH_POLKIT),
};

}  // namespace

bool authenticates(int procedure) {
    return procedure >= REMOTE_PROC_AUTH_LIST && procedure <= REMOTE_PROC_AUTH_POLKIT;
}

bool ask_polkit(access::Polkit& polkit, rpc::Session& session, int procedure,
                std::function<void(rpc::Answer)> answer) {
    if (procedure != REMOTE_PROC_AUTH_POLKIT || session.authenticated())
        return false;
    const access::Question question{
        .subject = subject_of(session.peer()),
        .action = session.read_only() ? "org.libvirt.unix.monitor" : "org.libvirt.unix.manage",
        .interactive = true};
    // In the place of an older question, which is withdrawn.
    static_cast<Connection*>(session.state())->authentication = polkit.ask(
        question, [&session, answer = std::move(answer)](const access::Verdict& verdict) {
            if (verdict) {
                answer({.ok = false,
                        .payload = protocol::encode_error(*verdict),
                        .after_reply = {},
                        .stream = {}});
                return;
            }
            answer({.ok = true,
                    .payload = complete(),
                    .after_reply = {[&session] { session.authenticate(); }},
                    .stream = {}});
        });
    return true;
}

std::span<const Row> auth_rows() {
    return rows;
}

}  // namespace mk::api
