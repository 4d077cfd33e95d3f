// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Domain events on their way to clients: registrations of one connection, and the messages for
// them. A client sees the events of its registrations in the order they happened, none before
// the reply that told it of the registration and none after the reply that ended it. Not for
// what makes events (domain/event.h).
#include <fmt/format.h>

#include <algorithm>

#include "api/access.h"
#include "api/encode.h"
#include "api/table.h"
#include "domain/dump.h"
#include "protocol/compat_libvirt.h"
#include "util/log.h"

namespace mk::api {

namespace {

// Every event can be asked for, also those that never happen here: clients ask for all of them.
// A number that libvirt has not given away yet is refused in its words, which clients expect.
constexpr int last_event = protocol::event_id_last;
// The calls of before libvirt 1.3 know no later event.
constexpr int last_legacy_event = VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED;
// More than any client registers; a bound for what a broken one costs.
constexpr std::size_t max_callbacks = 65536;

int event_id_of(const domain::Event& event) {
    struct Visitor {
        int operator()(const domain::LifecycleEvent&) { return VIR_DOMAIN_EVENT_ID_LIFECYCLE; }
        int operator()(const domain::RebootEvent&) { return VIR_DOMAIN_EVENT_ID_REBOOT; }
        int operator()(const domain::WatchdogEvent&) { return VIR_DOMAIN_EVENT_ID_WATCHDOG; }
        int operator()(const domain::MetadataChangeEvent&) {
            return VIR_DOMAIN_EVENT_ID_METADATA_CHANGE;
        }
        int operator()(const domain::JobCompletedEvent&) {
            return VIR_DOMAIN_EVENT_ID_JOB_COMPLETED;
        }
        int operator()(const domain::DeviceEvent& device) {
            switch (device.change) {
                case domain::DeviceChange::added:
                    return VIR_DOMAIN_EVENT_ID_DEVICE_ADDED;
                case domain::DeviceChange::removed:
                    return VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED;
                case domain::DeviceChange::removal_failed:
                    break;
            }
            return VIR_DOMAIN_EVENT_ID_DEVICE_REMOVAL_FAILED;
        }
        int operator()(const domain::BalloonEvent&) { return VIR_DOMAIN_EVENT_ID_BALLOON_CHANGE; }
        int operator()(const domain::ControlErrorEvent&) {
            return VIR_DOMAIN_EVENT_ID_CONTROL_ERROR;
        }
        int operator()(const domain::MemoryDeviceSizeEvent&) {
            return VIR_DOMAIN_EVENT_ID_MEMORY_DEVICE_SIZE_CHANGE;
        }
        int operator()(const domain::AgentEvent&) { return VIR_DOMAIN_EVENT_ID_AGENT_LIFECYCLE; }
        int operator()(const domain::VcpuRemovedEvent&) { return protocol::event_id_vcpu_removed; }
        int operator()(const domain::TunableEvent&) { return VIR_DOMAIN_EVENT_ID_TUNABLE; }
    };
    return std::visit(Visitor{}, event.what);
}

void fill(const domain::DomainIdentity& domain, const domain::LifecycleEvent& event,
          remote_domain_event_lifecycle_msg& out) {
    encode_domain(domain, out.dom);
    out.event = event.type;
    out.detail = event.detail;
}

// The message of one event for one registration; legacy messages carry no callback id.
class MessageOf {
  public:
    MessageOf(const domain::DomainIdentity& of, int callback_id, bool old)
        : domain_(of), callback_(callback_id), legacy_(old) {}

    EventMessage operator()(const domain::LifecycleEvent& event) const {
        if (legacy_) {
            protocol::Xdr<remote_domain_event_lifecycle_msg> message;
            fill(domain_, event, *message);
            return {REMOTE_PROC_DOMAIN_EVENT_LIFECYCLE, message.encode()};
        }
        protocol::Xdr<remote_domain_event_callback_lifecycle_msg> message;
        message->callbackID = callback_;
        fill(domain_, event, message->msg);
        return {REMOTE_PROC_DOMAIN_EVENT_CALLBACK_LIFECYCLE, message.encode()};
    }
    EventMessage operator()(const domain::RebootEvent&) const {
        if (legacy_) {
            protocol::Xdr<remote_domain_event_reboot_msg> message;
            encode_domain(domain_, message->dom);
            return {REMOTE_PROC_DOMAIN_EVENT_REBOOT, message.encode()};
        }
        protocol::Xdr<remote_domain_event_callback_reboot_msg> message;
        message->callbackID = callback_;
        encode_domain(domain_, message->msg.dom);
        return {REMOTE_PROC_DOMAIN_EVENT_CALLBACK_REBOOT, message.encode()};
    }
    EventMessage operator()(const domain::WatchdogEvent& event) const {
        if (legacy_) {
            protocol::Xdr<remote_domain_event_watchdog_msg> message;
            encode_domain(domain_, message->dom);
            message->action = event.action;
            return {REMOTE_PROC_DOMAIN_EVENT_WATCHDOG, message.encode()};
        }
        protocol::Xdr<remote_domain_event_callback_watchdog_msg> message;
        message->callbackID = callback_;
        encode_domain(domain_, message->msg.dom);
        message->msg.action = event.action;
        return {REMOTE_PROC_DOMAIN_EVENT_CALLBACK_WATCHDOG, message.encode()};
    }
    EventMessage operator()(const domain::ControlErrorEvent&) const {
        if (legacy_) {
            protocol::Xdr<remote_domain_event_control_error_msg> message;
            encode_domain(domain_, message->dom);
            return {REMOTE_PROC_DOMAIN_EVENT_CONTROL_ERROR, message.encode()};
        }
        protocol::Xdr<remote_domain_event_callback_control_error_msg> message;
        message->callbackID = callback_;
        encode_domain(domain_, message->msg.dom);
        return {REMOTE_PROC_DOMAIN_EVENT_CALLBACK_CONTROL_ERROR, message.encode()};
    }
    // Newer than the legacy calls.
    EventMessage operator()(const domain::MetadataChangeEvent& event) const {
        protocol::Xdr<remote_domain_event_callback_metadata_change_msg> message;
        message->callbackID = callback_;
        encode_domain(domain_, message->dom);
        message->type = event.type;
        if (event.type == VIR_DOMAIN_METADATA_ELEMENT)
            message->nsuri = protocol::make_optional_string(event.uri);
        return {REMOTE_PROC_DOMAIN_EVENT_CALLBACK_METADATA_CHANGE, message.encode()};
    }
    EventMessage operator()(const domain::JobCompletedEvent& event) const {
        protocol::Xdr<remote_domain_event_callback_job_completed_msg> message;
        message->callbackID = callback_;
        encode_domain(domain_, message->dom);
        encode_params(job_params(*event.stats), message->params.params_val,
                      message->params.params_len);
        return {REMOTE_PROC_DOMAIN_EVENT_CALLBACK_JOB_COMPLETED, message.encode()};
    }
    EventMessage operator()(const domain::MemoryDeviceSizeEvent& event) const {
        protocol::Xdr<remote_domain_event_memory_device_size_change_msg> message;
        message->callbackID = callback_;
        encode_domain(domain_, message->dom);
        message->alias = protocol::copy_string(event.alias);
        message->size = event.size_kib;
        return {REMOTE_PROC_DOMAIN_EVENT_MEMORY_DEVICE_SIZE_CHANGE, message.encode()};
    }
    EventMessage operator()(const domain::AgentEvent& event) const {
        protocol::Xdr<remote_domain_event_callback_agent_lifecycle_msg> message;
        message->callbackID = callback_;
        encode_domain(domain_, message->dom);
        message->state = event.state;
        message->reason = VIR_CONNECT_DOMAIN_EVENT_AGENT_LIFECYCLE_REASON_CHANNEL;
        return {REMOTE_PROC_DOMAIN_EVENT_CALLBACK_AGENT_LIFECYCLE, message.encode()};
    }
    EventMessage operator()(const domain::VcpuRemovedEvent& event) const {
        protocol::Xdr<remote_domain_event_vcpu_removed_msg> message;
        message->callbackID = callback_;
        encode_domain(domain_, message->dom);
        message->vcpuid = event.vcpu;
        return {REMOTE_PROC_DOMAIN_EVENT_VCPU_REMOVED, message.encode()};
    }
    EventMessage operator()(const domain::TunableEvent& event) const {
        protocol::Xdr<remote_domain_event_callback_tunable_msg> message;
        message->callbackID = callback_;
        encode_domain(domain_, message->dom);
        encode_params({{event.name, event.value}}, message->params.params_val,
                      message->params.params_len);
        return {REMOTE_PROC_DOMAIN_EVENT_CALLBACK_TUNABLE, message.encode()};
    }
    EventMessage operator()(const domain::DeviceEvent& event) const {
        switch (event.change) {
            case domain::DeviceChange::added:
                return device<remote_domain_event_callback_device_added_msg>(
                    REMOTE_PROC_DOMAIN_EVENT_CALLBACK_DEVICE_ADDED, event.alias);
            case domain::DeviceChange::removed:
                return removed(event.alias);
            case domain::DeviceChange::removal_failed:
                break;
        }
        return device<remote_domain_event_callback_device_removal_failed_msg>(
            REMOTE_PROC_DOMAIN_EVENT_CALLBACK_DEVICE_REMOVAL_FAILED, event.alias);
    }
    EventMessage operator()(const domain::BalloonEvent& event) const {
        if (legacy_) {
            protocol::Xdr<remote_domain_event_balloon_change_msg> message;
            encode_domain(domain_, message->dom);
            message->actual = event.current_kib;
            return {REMOTE_PROC_DOMAIN_EVENT_BALLOON_CHANGE, message.encode()};
        }
        protocol::Xdr<remote_domain_event_callback_balloon_change_msg> message;
        message->callbackID = callback_;
        encode_domain(domain_, message->msg.dom);
        message->msg.actual = event.current_kib;
        return {REMOTE_PROC_DOMAIN_EVENT_CALLBACK_BALLOON_CHANGE, message.encode()};
    }

  private:
    const domain::DomainIdentity& domain_;
    const int callback_;
    const bool legacy_;

    template <typename Message>
    [[nodiscard]] EventMessage device(int procedure, const std::string& alias) const {
        protocol::Xdr<Message> message;
        message->callbackID = callback_;
        encode_domain(domain_, message->dom);
        message->devAlias = protocol::copy_string(alias);
        return {procedure, message.encode()};
    }
    [[nodiscard]] EventMessage removed(const std::string& alias) const {
        if (legacy_) {
            protocol::Xdr<remote_domain_event_device_removed_msg> message;
            encode_domain(domain_, message->dom);
            message->devAlias = protocol::copy_string(alias);
            return {REMOTE_PROC_DOMAIN_EVENT_DEVICE_REMOVED, message.encode()};
        }
        protocol::Xdr<remote_domain_event_callback_device_removed_msg> message;
        message->callbackID = callback_;
        encode_domain(domain_, message->msg.dom);
        message->msg.devAlias = protocol::copy_string(alias);
        return {REMOTE_PROC_DOMAIN_EVENT_CALLBACK_DEVICE_REMOVED, message.encode()};
    }
};

bool wants(const EventCallback& callback, const domain::Event& event) {
    return callback.event_id == event_id_of(event) &&
           (!callback.domain || *callback.domain == event.domain.uuid);
}

// To the registrations of before the number `before`: the later ones came after the event.
void deliver(Connection& connection, rpc::Session& session, const domain::Event& event,
             int before) {
    const std::scoped_lock lock(connection.events_mutex);
    for (auto& [id, callback] : connection.callbacks) {
        if (id >= before || !wants(callback, event))
            continue;
        auto message = std::visit(MessageOf(event.domain, id, callback.legacy), event.what);
        if (callback.announced)
            session.send_message(message.procedure, message.payload);
        else
            callback.held.push_back(std::move(message));
    }
}

// The number of the next registration; nullopt: none is for this event.
std::optional<int> registrations_for(Connection& connection, const domain::Event& event) {
    const std::scoped_lock lock(connection.events_mutex);
    const bool any = std::ranges::any_of(
        connection.callbacks, [&event](const auto& entry) { return wants(entry.second, event); });
    return any ? std::optional(connection.next_callback) : std::nullopt;
}

// The first registration of a connection joins the driver's event queue.
void subscribe(Call& call) {
    std::call_once(call.connection.subscribed, [&call] {
        domain::EventQueue& events = call.driver.events();
        Connection& connection = call.connection;
        rpc::Session& session = call.session;
        const auto filter =
            filter_events(call, [&connection, &session](const domain::Event& event, int before) {
                try {
                    deliver(connection, session, event, before);
                } catch (const std::exception& error) {
                    log::error("cannot send an event to a client: {}", error.what());
                }
            });
        const int sink = events.add_sink([&connection, filter](const domain::Event& event) {
            if (const auto before = registrations_for(connection, event))
                filter(event, *before);
        });
        // Afterwards nothing refers to the session any more.
        session.on_close([&events, sink] { events.remove_sink(sink); });
    });
}

// The reply is out: what happened in the meantime, then everything as it happens.
void announce(Connection& connection, rpc::Session& session, int id) {
    const std::scoped_lock lock(connection.events_mutex);
    const auto callback = connection.callbacks.find(id);
    if (callback == connection.callbacks.end())
        return;
    callback->second.announced = true;
    for (const auto& message : callback->second.held) {
        session.send_message(message.procedure, message.payload);
    }
    callback->second.held.clear();
}

int add_callback(Call& call, EventCallback callback) {
    subscribe(call);
    const std::scoped_lock lock(call.connection.events_mutex);
    if (call.connection.callbacks.size() >= max_callbacks) {
        throw Error(VIR_ERR_OPERATION_FAILED,
                    fmt::format("a client can register for events {} times", max_callbacks));
    }
    const int id = call.connection.next_callback++;
    call.connection.callbacks.emplace(id, std::move(callback));
    call.after_reply.emplace_back([&connection = call.connection, &session = call.session, id] {
        announce(connection, session, id);
    });
    return id;
}

void check_event_id(int id, int last) {
    if (id < 0 || id > last)
        throw Error(VIR_ERR_INTERNAL_ERROR, fmt::format("unsupported event ID {}", id));
}

void connect_domain_event_callback_register_any(
    Call& call, const remote_connect_domain_event_callback_register_any_args& args,
    remote_connect_domain_event_callback_register_any_ret& ret) {
    check_event_id(args.eventID, last_event);
    EventCallback callback{.event_id = args.eventID};
    if (args.dom != nullptr)
        callback.domain = uuid_of(*args.dom);
    ret.callbackID = add_callback(call, std::move(callback));
}

void connect_domain_event_callback_deregister_any(
    Call& call, const remote_connect_domain_event_callback_deregister_any_args& args) {
    const std::scoped_lock lock(call.connection.events_mutex);
    if (call.connection.callbacks.erase(args.callbackID) == 0) {
        throw Error(VIR_ERR_INTERNAL_ERROR,
                    fmt::format("domain event callback {} not registered", args.callbackID));
    }
}

void remove_legacy_callback(Call& call, int event_id) {
    const std::scoped_lock lock(call.connection.events_mutex);
    auto& callbacks = call.connection.callbacks;
    for (auto it = callbacks.begin(); it != callbacks.end(); ++it) {
        if (it->second.legacy && it->second.event_id == event_id) {
            callbacks.erase(it);
            return;
        }
    }
    throw Error(VIR_ERR_INTERNAL_ERROR, fmt::format("domain event {} not registered", event_id));
}

void connect_domain_event_register(Call& call, remote_connect_domain_event_register_ret& ret) {
    add_callback(call, {.event_id = VIR_DOMAIN_EVENT_ID_LIFECYCLE, .legacy = true});
    ret.cb_registered = 1;
}

void connect_domain_event_deregister(Call& call, remote_connect_domain_event_deregister_ret& ret) {
    remove_legacy_callback(call, VIR_DOMAIN_EVENT_ID_LIFECYCLE);
    ret.cb_registered = 0;
}

void connect_domain_event_register_any(Call& call,
                                       const remote_connect_domain_event_register_any_args& args) {
    check_event_id(args.eventID, last_legacy_event);
    add_callback(call, {.event_id = args.eventID, .legacy = true});
}

void connect_domain_event_deregister_any(
    Call& call, const remote_connect_domain_event_deregister_any_args& args) {
    check_event_id(args.eventID, last_legacy_event);
    remove_legacy_callback(call, args.eventID);
}

const Row rows[] = {
    row<connect_domain_event_callback_register_any>(
        REMOTE_PROC_CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY),
    row<connect_domain_event_callback_deregister_any>(
        REMOTE_PROC_CONNECT_DOMAIN_EVENT_CALLBACK_DEREGISTER_ANY),
    row<connect_domain_event_register>(REMOTE_PROC_CONNECT_DOMAIN_EVENT_REGISTER),
    row<connect_domain_event_deregister>(REMOTE_PROC_CONNECT_DOMAIN_EVENT_DEREGISTER),
    row<connect_domain_event_register_any>(REMOTE_PROC_CONNECT_DOMAIN_EVENT_REGISTER_ANY),
    row<connect_domain_event_deregister_any>(REMOTE_PROC_CONNECT_DOMAIN_EVENT_DEREGISTER_ANY),
};

}  // namespace

std::span<const Row> event_rows() {
    return rows;
}

}  // namespace mk::api
