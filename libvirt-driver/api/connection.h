// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What the api layer keeps for each client between CONNECT_OPEN and the end of its connection.
// Each family adds what it needs. Not for what is common to all clients.
#pragma once

#include <atomic>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "access/polkit.h"
#include "util/uuid.h"

namespace mk::api {

struct EventMessage {
    int procedure = 0;
    std::string payload;
};

// One registration for domain events (event.cpp).
struct EventCallback {
    int event_id = 0;
    std::optional<Uuid> domain = std::nullopt;  // nullopt: all
    bool legacy = false;     // by the calls of before libvirt 1.3: other messages, no id
    bool announced = false;  // the reply with its id is out: messages need not be held
    std::vector<EventMessage> held = {};
};

struct Connection {
    std::atomic<bool> opened = false;

    std::mutex mutex;  // guards the two below; not held while a frame is sent
    std::string uri;   // as the client gave it
    bool close_callback = false;

    access::Asked authentication;              // loop thread only
    access::Polkit* access_control = nullptr;  // null: whoever may connect may do everything

    std::once_flag subscribed;  // to the driver's events
    // Guards the two below. Held while messages are queued (which never blocks), so that they
    // leave in the order of the events and none follows a deregistration.
    std::mutex events_mutex;
    int next_callback = 0;
    std::map<int, EventCallback> callbacks;
};

}  // namespace mk::api
