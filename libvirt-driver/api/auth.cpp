// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Authentication, with libvirt's own actions of polkit, which every host has rules for.
#include <fmt/format.h>
#include <unistd.h>

#include <limits>
#include <map>
#include <set>

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

// A client names itself by anything but what the kernel told of it: only who can be anybody may.
void require_trusted(const rpc::Session& session) {
    const uid_t peer = session.peer().uid;
    if (peer != 0 && peer != geteuid())
        throw Error(VIR_ERR_ACCESS_DENIED, "only root may say for whom it speaks");
}

template <typename T>
T in_range(std::string_view name, unsigned long long value) {
    if (value > static_cast<unsigned long long>(std::numeric_limits<T>::max()))
        throw Error(VIR_ERR_INVALID_ARG, fmt::format("{} of {} is out of range", name, value));
    return static_cast<T>(value);
}

void read_number(std::string_view name, unsigned long long value, rpc::Identity& identity) {
    if (name == VIR_CONNECT_IDENTITY_UNIX_USER_ID)
        identity.uid = in_range<uid_t>(name, value);
    else if (name == VIR_CONNECT_IDENTITY_UNIX_GROUP_ID)
        identity.gid = in_range<gid_t>(name, value);
    else if (name == VIR_CONNECT_IDENTITY_PROCESS_ID)
        identity.pid = in_range<pid_t>(name, value);
    else
        identity.start_time = value;
}

// The names of user and group are those that this host has for the numbers.
void read_text(std::string_view name, const char* text, rpc::Identity& identity) {
    if (name == VIR_CONNECT_IDENTITY_SASL_USER_NAME)
        identity.sasl_user_name = text;
    else if (name == VIR_CONNECT_IDENTITY_X509_DISTINGUISHED_NAME)
        identity.x509_dname = text;
    else if (name == VIR_CONNECT_IDENTITY_SELINUX_CONTEXT)
        identity.selinux_context = text;
}

// What may be asked of the parameters of virConnectSetIdentity, and the type each must have.
int type_of(std::string_view name) {
    static const std::map<std::string_view, int> types = {
        {VIR_CONNECT_IDENTITY_USER_NAME, VIR_TYPED_PARAM_STRING},
        {VIR_CONNECT_IDENTITY_UNIX_USER_ID, VIR_TYPED_PARAM_ULLONG},
        {VIR_CONNECT_IDENTITY_GROUP_NAME, VIR_TYPED_PARAM_STRING},
        {VIR_CONNECT_IDENTITY_UNIX_GROUP_ID, VIR_TYPED_PARAM_ULLONG},
        {VIR_CONNECT_IDENTITY_PROCESS_ID, VIR_TYPED_PARAM_LLONG},
        {VIR_CONNECT_IDENTITY_PROCESS_TIME, VIR_TYPED_PARAM_ULLONG},
        {VIR_CONNECT_IDENTITY_SASL_USER_NAME, VIR_TYPED_PARAM_STRING},
        {VIR_CONNECT_IDENTITY_X509_DISTINGUISHED_NAME, VIR_TYPED_PARAM_STRING},
        {VIR_CONNECT_IDENTITY_SELINUX_CONTEXT, VIR_TYPED_PARAM_STRING},
    };
    const auto found = types.find(name);
    if (found == types.end())
        throw Error(VIR_ERR_INVALID_ARG, fmt::format("parameter '{}' not supported", name));
    return found->second;
}

void connect_set_identity(Call& call, const remote_connect_set_identity_args& args) {
    require_trusted(call.session);
    rpc::Identity identity;
    std::set<std::string_view> seen;
    for (unsigned i = 0; i < args.params.params_len; ++i) {
        const auto& param = args.params.params_val[i];
        const std::string_view name = param.field;
        if (param.value.type != type_of(name))
            throw Error(VIR_ERR_INVALID_ARG, fmt::format("invalid type for parameter '{}'", name));
        if (!seen.insert(name).second)
            throw Error(VIR_ERR_INVALID_ARG, fmt::format("parameter '{}' occurs twice", name));
        const auto& value = param.value.remote_typed_param_value_u;
        if (param.value.type == VIR_TYPED_PARAM_ULLONG)
            read_number(name, value.ul, identity);
        else if (param.value.type == VIR_TYPED_PARAM_LLONG)
            read_number(name, static_cast<unsigned long long>(value.l), identity);
        else
            read_text(name, value.s, identity);
    }
    call.session.set_identity(identity);
}

const Row rows[] = {
    row<connect_set_identity>(REMOTE_PROC_CONNECT_SET_IDENTITY),
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
