// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Domain events, in the order the state changes happened: one queue for all of them. The api
// layer subscribes once and fans out to clients.
//
// Thread-safe. Sinks are called from one thread, one at a time, without any lock held, and must
// not block.
#pragma once

#include <libvirt/libvirt.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <variant>

#include "util/uuid.h"

namespace mk::domain {

struct DomainIdentity {
    std::string name;
    Uuid uuid;
    int id = -1;  // -1: inactive
};

struct LifecycleEvent {
    virDomainEventType type;
    int detail;  // virDomainEvent<Type>DetailType
};
struct RebootEvent {};
// What the host holds of it cannot be controlled any more.
struct ControlErrorEvent {};
struct WatchdogEvent {
    virDomainEventWatchdogAction action;
};
struct MetadataChangeEvent {
    virDomainMetadataType type;
    std::string uri;  // of an element; empty otherwise
};
struct JobStats;  // dump.h
struct JobCompletedEvent {
    std::shared_ptr<const JobStats> stats;
};
enum class DeviceChange { added, removed, removal_failed };
struct DeviceEvent {
    DeviceChange change;
    std::string alias;
};
struct BalloonEvent {
    std::uint64_t current_kib;
};
struct MemoryDeviceSizeEvent {
    std::string alias;
    std::uint64_t size_kib;
};
// The app module, which answers what an agent in a virtual machine answers, has come or gone.
struct AgentEvent {
    virConnectDomainEventAgentLifecycleState state;
};
struct VcpuRemovedEvent {
    unsigned vcpu;
};
struct TunableEvent {
    std::string name;  // VIR_DOMAIN_TUNABLE_*
    std::string value;
};

struct Event {
    DomainIdentity domain;
    std::variant<LifecycleEvent, RebootEvent, ControlErrorEvent, WatchdogEvent, MetadataChangeEvent,
                 JobCompletedEvent, DeviceEvent, BalloonEvent, MemoryDeviceSizeEvent, AgentEvent,
                 VcpuRemovedEvent, TunableEvent>
        what;
};

using EventSink = std::function<void(const Event&)>;

class EventQueue {
  public:
    EventQueue();
    EventQueue(const EventQueue&) = delete;
    EventQueue& operator=(const EventQueue&) = delete;
    ~EventQueue();

    // Returns a number for remove_sink(). After remove_sink() returned the sink is not called.
    [[nodiscard]] int add_sink(EventSink sink);
    void remove_sink(int number);
    void push(Event event);
    // Blocks until everything pushed before the call was delivered.
    void drain();

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace mk::domain
