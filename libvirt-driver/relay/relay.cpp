// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Only serials change on the way, and the numbers of event registrations, which have to outlive
// the daemon that gave them.
#include "relay/relay.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "protocol/remote.h"
#include "util/log.h"

namespace mk::relay {
namespace {

// The daemon of a family, or the one that has them all (which is what Debian ships).
std::string socket_of(const Settings& settings, Family family, bool read_only) {
    const char* suffix = read_only ? "-ro" : "";
    std::string own =
        fmt::format("{}/virt{}d-sock{}", settings.socket_dir, name_of(family), suffix);
    if (::access(own.c_str(), F_OK) == 0)
        return own;
    return fmt::format("{}/libvirt-sock{}", settings.socket_dir, suffix);
}

// The number at the start of a registration's reply, of a deregistration and of an event.
constexpr std::size_t number_bytes = 4;

int number_in(std::string_view payload) {
    if (payload.size() < number_bytes)
        return -1;
    std::uint32_t number = 0;
    for (std::size_t i = 0; i < number_bytes; i++)
        number = number << 8U | static_cast<unsigned char>(payload[i]);
    return static_cast<int>(number);
}

std::string with_number(std::string_view payload, int number) {
    std::string changed(payload);
    for (std::size_t i = 0; i < number_bytes; i++)
        changed.at(i) = static_cast<char>(static_cast<std::uint32_t>(number) >> (24U - 8U * i));
    return changed;
}

}  // namespace

Relay::Relay(const Settings& settings, const rpc::Session& session, rpc::ForwardLink link)
    : settings_(settings),
      session_(session),
      read_only_(session.read_only()),
      identity_(session.identity()),
      link_(std::move(link)) {}

Relay::~Relay() {
    *alive_ = false;
}

std::size_t Relay::backlog() const {
    std::size_t sum = 0;
    for (const Line& line : lines_)
        sum += (line.upstream ? line.upstream->backlog() : 0) + line.held.size();
    return sum;
}

void Relay::connect(Family family) {
    Upstream::Link link{
        .frame = [this, family](const protocol::Frame& frame) { handle(family, frame); },
        .drained = link_.drained,
        .in_background = link_.in_background,
        .lost =
            [this, family, alive = alive_](const std::string& error) {
                if (*alive)
                    lost(family, error);
            }};
    line(family).upstream = std::make_unique<Upstream>(
        Upstream::Target{socket_of(settings_, family, read_only_),
                         fmt::format("{}:///system", name_of(family)), read_only_, identity_},
        std::move(link));
    line(family).reconnect.reset();
    register_again(family);
}

void Relay::pass_on(Family family, const virNetMessageHeader& header, const std::string& payload,
                    Pending pending) {
    Line& way = line(family);
    virNetMessageHeader theirs = header;
    theirs.serial = way.next_serial++;
    std::string frame = protocol::encode_frame(theirs, payload);
    const bool again = pending.again;
    way.calls.emplace(theirs.serial, std::move(pending));
    if (again)
        way.upstream->send(std::move(frame));
    else
        send(way, std::move(frame));
}

// libvirtd does several calls of one client at the same time: a call that makes an event could
// overtake the registration for it.
void Relay::send(Line& line, std::string frame) {
    if (line.repeating > 0)
        line.held += frame;
    else
        line.upstream->send(std::move(frame));
}

void Relay::call(const protocol::Frame& frame) {
    const auto& header = frame.header;
    try {
        const auto family = family_of(header.proc);
        if (!family || header.type != VIR_NET_CALL)
            throw Error(VIR_ERR_NO_SUPPORT, "descriptors cannot be passed");
        // What is connected was told of another one, whose rights may have been greater.
        if (session_.identity() != identity_)
            throw Error(VIR_ERR_OPERATION_INVALID,
                        "the identity was set after the first call that was passed on");
        if (!line(*family).upstream)
            connect(*family);
        Pending pending{.header = header, .arguments = {}};
        std::string payload = frame.payload;
        if (registers_events(header.proc))
            pending.arguments = payload;
        if (deregisters_events(header.proc)) {
            pending.callback = number_in(payload);
            const auto found = line(*family).registrations.find(pending.callback);
            if (found == line(*family).registrations.end())
                throw Error(VIR_ERR_INVALID_ARG, fmt::format("{} event callback {} not registered",
                                                             object_of(*family), pending.callback));
            if (found->second.theirs < 0) {  // lost with its daemon, and not there again yet
                line(*family).registrations.erase(found);
                return answer(header, VIR_NET_OK, "");
            }
            payload = with_number(payload, found->second.theirs);
        }
        pass_on(*family, header, payload, std::move(pending));
    } catch (const Error& error) {
        answer(header, VIR_NET_ERROR, protocol::encode_error(error));
    }
}

bool Relay::stream(const protocol::Frame& frame) {
    for (Line& way : lines_) {
        for (const auto* known : {&way.streams, &way.calls}) {
            const auto found = std::ranges::find_if(*known, [&frame](const auto& entry) {
                const auto& header = entry.second.header;
                return !entry.second.again && header.serial == frame.header.serial &&
                       header.proc == frame.header.proc && opens_stream(header.proc);
            });
            if (found == known->end())
                continue;
            virNetMessageHeader theirs = frame.header;
            theirs.serial = found->first;
            send(way, protocol::encode_frame(theirs, frame.payload));
            return true;
        }
    }
    return false;
}

void Relay::answer(const virNetMessageHeader& call, int status, const std::string& payload) {
    virNetMessageHeader header = call;
    header.type = VIR_NET_REPLY;
    header.status = status;
    link_.reply(protocol::encode_frame(header, payload));
}

void Relay::handle(Family family, const protocol::Frame& frame) {
    Line& way = line(family);
    switch (frame.header.type) {
        case VIR_NET_REPLY:
            handle_reply(way, frame);
            break;
        case VIR_NET_STREAM:
        case VIR_NET_STREAM_HOLE:
            handle_stream(way, frame);
            break;
        case VIR_NET_MESSAGE:
            handle_event(way, frame);
            break;
        default:  // descriptors, which no call of these families returns
            break;
    }
}

void Relay::handle_reply(Line& line, const protocol::Frame& frame) {
    const auto found = line.calls.find(frame.header.serial);
    if (found == line.calls.end())
        return;
    const Pending pending = std::move(found->second);
    line.calls.erase(found);
    std::string payload = frame.payload;
    const bool ok = frame.header.status == VIR_NET_OK;
    if (ok && registers_events(frame.header.proc))
        payload = note_registration(line, pending, frame);
    if (ok && deregisters_events(frame.header.proc))
        line.registrations.erase(pending.callback);
    if (pending.again) {
        if (!ok)
            line.registrations.erase(pending.callback);  // what it was about is gone
        if (--line.repeating == 0 && !line.held.empty())
            line.upstream->send(std::exchange(line.held, {}));
        return;
    }
    if (ok && opens_stream(frame.header.proc))
        line.streams.emplace(frame.header.serial, pending);
    answer(pending.header, frame.header.status, payload);
}

// Returns the reply with our number in the place of theirs.
std::string Relay::note_registration(Line& line, const Pending& pending,
                                     const protocol::Frame& reply) {
    const int theirs = number_in(reply.payload);
    if (pending.again) {
        const auto found = line.registrations.find(pending.callback);
        if (found != line.registrations.end())  // else given up meanwhile: nobody is told
            found->second.theirs = theirs;
        return {};
    }
    if (theirs < 0)
        return reply.payload;
    const int callback = next_callback_++;
    line.registrations[callback] = {pending.header.proc, pending.arguments, theirs};
    return with_number(reply.payload, callback);
}

void Relay::handle_stream(Line& line, const protocol::Frame& frame) {
    const auto found = line.streams.find(frame.header.serial);
    if (found == line.streams.end())
        return;
    virNetMessageHeader ours = frame.header;
    ours.serial = found->second.header.serial;
    if (frame.header.status != VIR_NET_CONTINUE)
        line.streams.erase(found);
    line.outstanding += frame.payload.size();
    if (line.outstanding > outstanding_limit)
        line.upstream->set_reading(false);
    link_.stream(protocol::encode_frame(ours, frame.payload),
                 [&line, alive = alive_, bytes = frame.payload.size()] {
                     if (!*alive)
                         return;
                     line.outstanding -= bytes;
                     if (line.upstream && line.outstanding <= outstanding_limit / 2)
                         line.upstream->set_reading(true);
                 });
}

void Relay::handle_event(Line& line, const protocol::Frame& frame) {
    const int theirs = number_in(frame.payload);
    const auto found = std::ranges::find_if(line.registrations, [theirs](const auto& entry) {
        return theirs >= 0 && entry.second.theirs == theirs;
    });
    if (found != line.registrations.end())
        link_.message(
            protocol::encode_frame(frame.header, with_number(frame.payload, found->first)));
}

void Relay::lost(Family family, const std::string& error) {
    Line& way = line(family);
    log::info("the connection to the {} daemon is over", name_of(family));
    way.upstream.reset();
    way.repeating = 0;
    way.held.clear();
    for (auto& [callback, registration] : way.registrations)
        registration.theirs = -1;
    for (const auto& [serial, pending] : std::exchange(way.calls, {})) {
        if (!pending.again)
            answer(pending.header, VIR_NET_ERROR, error);
    }
    for (const auto& [serial, pending] : std::exchange(way.streams, {})) {
        virNetMessageHeader header = pending.header;
        header.type = VIR_NET_STREAM;
        header.status = VIR_NET_ERROR;
        link_.stream(protocol::encode_frame(header, error), {});
    }
    link_.drained();  // of what a client has sent nothing waits any more: it is read again
    if (!way.registrations.empty())
        way.reconnect = EventSource::timer(reconnect_ms, [this, family] {
            try {
                connect(family);
            } catch (const Error& not_yet) {
                log::debug("{}", not_yet.what());
            }
        });
}

void Relay::register_again(Family family) {
    Line& way = line(family);
    way.repeating = way.registrations.size();
    for (const auto& [callback, registration] : way.registrations) {
        const virNetMessageHeader header{.prog = REMOTE_PROGRAM,
                                         .vers = REMOTE_PROTOCOL_VERSION,
                                         .proc = registration.procedure,
                                         .type = VIR_NET_CALL,
                                         .serial = 0,
                                         .status = VIR_NET_OK};
        pass_on(family, header, registration.arguments,
                {.header = header,
                 .arguments = registration.arguments,
                 .callback = callback,
                 .again = true});
    }
}

}  // namespace mk::relay
