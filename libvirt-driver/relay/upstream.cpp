// SPDX-License-Identifier: LGPL-2.1-or-later
//
// As virtproxyd does it (libvirt, src/remote/remote_daemon_dispatch.c): authenticate, open, then
// hand the caller's identity on.
#include "relay/upstream.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cerrno>
#include <system_error>
#include <utility>
#include <vector>

#include "protocol/remote.h"
#include "protocol/remote_codec.h"
#include "util/account.h"
#include "util/log.h"

namespace mk::relay {
namespace {

// What is said at the beginning has the numbers below first_serial.
constexpr unsigned serial_authenticate = 0;
constexpr unsigned serial_open = 1;
constexpr unsigned serial_identity = 2;
static_assert(serial_identity < first_serial);

Fd connect_to(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof(address.sun_path))
        throw Error(VIR_ERR_NO_SUPPORT, fmt::format("the path {} is too long", path));
    path.copy(address.sun_path, path.size());
    Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!fd)
        throw Error::from_errno("socket");
    if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0)
        return fd;
    const int error_number = errno;
    // EAGAIN: so many wait to be accepted that there is no room for another one
    throw Error(error_number == EAGAIN ? VIR_ERR_RESOURCE_BUSY : VIR_ERR_NO_SUPPORT,
                fmt::format("cannot connect to {}: {}", path,
                            std::generic_category().message(error_number)));
}

std::string call_frame(int procedure, unsigned serial, const std::string& payload) {
    return protocol::encode_frame({.prog = REMOTE_PROGRAM,
                                   .vers = REMOTE_PROTOCOL_VERSION,
                                   .proc = procedure,
                                   .type = VIR_NET_CALL,
                                   .serial = serial,
                                   .status = VIR_NET_OK},
                                  payload);
}

std::string open_call(const std::string& uri, bool read_only) {
    protocol::Xdr<remote_connect_open_args> args;
    args->name = protocol::make_optional_string(uri);
    args->flags = read_only ? VIR_CONNECT_RO : 0;
    return call_frame(REMOTE_PROC_CONNECT_OPEN, serial_open, args.encode());
}

// Whether a client that is root, as we are, need not say more about itself.
bool lets_root_in(const std::string& auth_list_reply) {
    const auto list = protocol::Xdr<remote_auth_list_ret>::decode(auth_list_reply);
    return list->types.types_len > 0 && list->types.types_val[0] == REMOTE_AUTH_NONE;
}

remote_typed_param_value& add(remote_connect_set_identity_args& args, const char* name, int type) {
    auto& param = args.params.params_val[args.params.params_len++];
    param.field = protocol::copy_string(name);
    param.value.type = type;
    return param.value;
}

void add_number(remote_connect_set_identity_args& args, const char* name, std::uint64_t number) {
    add(args, name, VIR_TYPED_PARAM_ULLONG).remote_typed_param_value_u.ul = number;
}

void add_text(remote_connect_set_identity_args& args, const char* name, const std::string& text) {
    if (!text.empty())
        add(args, name, VIR_TYPED_PARAM_STRING).remote_typed_param_value_u.s =
            protocol::copy_string(text);
}

// What virtproxyd says of its callers (virNetServerClientCreateIdentity), and nothing of what is
// not known. Access control asks polkit about the process, which is none without its start.
std::string identity_call(const rpc::Identity& identity) {
    protocol::Xdr<remote_connect_set_identity_args> args;
    args->params.params_val =
        protocol::make_array<remote_typed_param>(REMOTE_CONNECT_IDENTITY_PARAMS_MAX);
    if (identity.uid != static_cast<uid_t>(-1)) {
        add_text(*args, VIR_CONNECT_IDENTITY_USER_NAME, user_name(identity.uid).value_or(""));
        add_number(*args, VIR_CONNECT_IDENTITY_UNIX_USER_ID, identity.uid);
    }
    if (identity.gid != static_cast<gid_t>(-1)) {
        add_text(*args, VIR_CONNECT_IDENTITY_GROUP_NAME, group_name(identity.gid).value_or(""));
        add_number(*args, VIR_CONNECT_IDENTITY_UNIX_GROUP_ID, identity.gid);
    }
    if (identity.pid != 0)
        add(*args, VIR_CONNECT_IDENTITY_PROCESS_ID, VIR_TYPED_PARAM_LLONG)
            .remote_typed_param_value_u.l = identity.pid;
    if (identity.start_time != 0)
        add_number(*args, VIR_CONNECT_IDENTITY_PROCESS_TIME, identity.start_time);
    add_text(*args, VIR_CONNECT_IDENTITY_SASL_USER_NAME, identity.sasl_user_name);
    add_text(*args, VIR_CONNECT_IDENTITY_X509_DISTINGUISHED_NAME, identity.x509_dname);
    add_text(*args, VIR_CONNECT_IDENTITY_SELINUX_CONTEXT, identity.selinux_context);
    return call_frame(REMOTE_PROC_CONNECT_SET_IDENTITY, serial_identity, args.encode());
}

}  // namespace

Upstream::Upstream(const Target& target, Link link)
    : target_(target), link_(std::move(link)), socket_(connect_to(target.socket)) {
    // Not sent at once: whoever makes this does not know it yet.
    say(Step::authenticating, call_frame(REMOTE_PROC_AUTH_LIST, serial_authenticate, ""));
    update_reading();
}

Upstream::~Upstream() {
    *alive_ = false;
}

void Upstream::say(Step step, std::string frame) {
    step_ = step;
    backlog_ += frame.size();
    outgoing_.push_back(std::move(frame));
    wait_to_write();
}

void Upstream::wait_to_write() {
    if (!writable_)
        writable_ = EventSource::watch(socket_.get(), G_IO_OUT, [this] { flush(); });
}

void Upstream::send(std::string frame) {
    backlog_ += frame.size();
    if (!socket_)
        return;  // it is on its way that there is nobody
    (step_ == Step::ready ? outgoing_ : waiting_).push_back(std::move(frame));
    if (step_ == Step::ready)
        wait_to_write();
}

void Upstream::set_reading(bool reading) {
    reading_ = reading;
    update_reading();
}

void Upstream::update_reading() {
    if (!reading_)
        readable_.reset();
    else if (!readable_ && socket_)
        readable_ = EventSource::watch(socket_.get(), G_IO_IN, [this] { receive(); });
}

void Upstream::receive() {
    std::array<char, 65536> bytes{};
    const ssize_t count = ::recv(socket_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT);
    if (count < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (count <= 0)
        return lose(Error(VIR_ERR_OPERATION_FAILED,
                          fmt::format("the daemon at {} ended the connection", target_.socket)));
    reader_.feed({bytes.data(), static_cast<std::size_t>(count)});
    try {
        while (auto frame = reader_.next()) {
            handle(std::move(*frame));
            if (!socket_)
                return;
        }
    } catch (const Error& error) {
        lose(error);
    }
}

void Upstream::handle(protocol::Frame frame) {
    if (frame.header.prog == KEEPALIVE_PROGRAM) {
        if (frame.header.proc != KEEPALIVE_PROC_PING)
            return;
        frame.header.proc = KEEPALIVE_PROC_PONG;
        say(step_, protocol::encode_frame(frame.header, ""));
    } else if (step_ != Step::ready) {
        greet(frame);
    } else {
        link_.frame(std::move(frame));
    }
}

// The answers to what is said at the beginning.
void Upstream::greet(const protocol::Frame& reply) {
    if (reply.header.type != VIR_NET_REPLY)
        return;
    const bool refused = reply.header.status != VIR_NET_OK;
    // A daemon that cannot be told who asks would do it with our rights, which are root's.
    if (refused && (step_ != Step::identifying || target_.identity.uid != 0))
        return lose_with(reply.payload);
    switch (step_) {
        case Step::authenticating:
            if (!lets_root_in(reply.payload))
                return lose(Error(VIR_ERR_AUTH_FAILED,
                                  fmt::format("the daemon at {} wants more than to be called by "
                                              "root",
                                              target_.socket)));
            return say(Step::opening, open_call(target_.uri, target_.read_only));
        case Step::opening:
            return say_for_whom();
        case Step::identifying:
        case Step::ready:
            break;
    }
    step_ = Step::ready;
    for (auto& frame : std::exchange(waiting_, {}))
        outgoing_.push_back(std::move(frame));
    wait_to_write();
}

// The names of user and group come from a name service, which may take its time.
void Upstream::say_for_whom() {
    link_.in_background([this, alive = alive_, identity = target_.identity] {
        const auto call = std::make_shared<std::string>(identity_call(identity));
        post([this, alive, call] {
            if (*alive && socket_)
                say(Step::identifying, std::move(*call));
        });
    });
}

void Upstream::flush() {
    while (!outgoing_.empty()) {
        const std::string& first = outgoing_.front();
        const ssize_t count = ::send(socket_.get(), first.data() + written_,
                                     first.size() - written_, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0 && errno == EAGAIN)
            break;
        if (count < 0)
            return lose(
                Error(VIR_ERR_OPERATION_FAILED,
                      fmt::format("the daemon at {} ended the connection", target_.socket)));
        written_ += static_cast<std::size_t>(count);
        backlog_ -= static_cast<std::size_t>(count);
        if (written_ == first.size()) {
            outgoing_.pop_front();
            written_ = 0;
        }
    }
    if (outgoing_.empty())
        writable_.reset();
    link_.drained();
}

void Upstream::lose(const Error& error) {
    lose_with(protocol::encode_error(error));
}

void Upstream::lose_with(const std::string& error) {
    readable_.reset();
    writable_.reset();
    socket_.reset();
    post([lost = link_.lost, error] { lost(error); });
}

}  // namespace mk::relay
