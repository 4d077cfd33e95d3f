// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A domain's definition as plain data: what <domain> says, element by element. Read by
// parse.cpp, printed by format.cpp, checked by validate.cpp. Knows no running partition except
// through LiveDetails, which only the printer uses.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "util/cpu_set.h"
#include "util/uuid.h"

namespace mk::domain {

// <on_poweroff>, <on_reboot>, <on_crash>
enum class Action {
    destroy,
    restart,
    preserve,
    rename_restart,
    coredump_destroy,
    coredump_restart
};

// <watchdog action=>: what follows when the heartbeat of the app kernel is lost.
enum class WatchdogAction { reset, poweroff, pause, dump, inject_nmi, none };

// The one console an app kernel has: hvc0. <serial> and the first <console> are the same
// device, as libvirt has it for hvm domains.
struct Console {
    bool serial_element = false;  // the definition has <serial>, print it too
    bool virtio_target = false;   // <target type='virtio'>, else 'serial'; both mean hvc0
    std::optional<std::string> log_file;
    bool log_append = false;           // without it the file is emptied at each start
    std::optional<std::string> alias;  // user aliases, "ua-…"
    bool operator==(const Console&) const = default;
};

// One child of <metadata>. A definition has at most one for each namespace.
struct MetadataElement {
    std::string uri;
    std::string xml;  // as it is printed inside <metadata>, without the first line's indent
    bool operator==(const MetadataElement&) const = default;
};

// <memory model='dimm'>: memory that can come and go while the domain runs.
struct MemoryDevice {
    std::uint64_t size_kib = 0;
    std::optional<unsigned> slot;      // one of Definition::memory_slots; given at a start
    std::uint64_t base_kib = 0;        // where it begins, of one that was added live; else 0
    std::optional<std::string> alias;  // user aliases, "ua-…"
    bool operator==(const MemoryDevice&) const = default;
};

// An element that is kept and printed, and from which nothing follows (Class::without_effect).
struct KeptElement {
    std::string path;  // "domain/devices/input"
    std::string xml;   // as it is printed inside <devices>, without the first line's indent
    bool operator==(const KeptElement&) const = default;
};

struct Definition {
    Uuid uuid;  // parse() makes one if the XML has none
    std::string name;
    std::string title;                      // empty: none
    std::string description;                // empty: none
    std::vector<MetadataElement> metadata;  // in the order of the document; see metadata.h

    std::uint64_t memory_kib = 0;          // memory devices included
    std::uint64_t current_memory_kib = 0;  // what it starts with; what it has, while it runs
    std::uint64_t max_memory_kib = 0;      // <maxMemory>; 0: none
    unsigned memory_slots = 0;             // <maxMemory slots=>
    std::vector<MemoryDevice> memory_devices;
    unsigned vcpus = 1;                    // at most
    CpuSet offline_vcpus;                  // of these, those that it starts, or runs, without
    bool individual_vcpus = false;         // <vcpus> says which, else <vcpu current=> how many
    CpuSet fixed_vcpus;                    // <vcpu hotpluggable='no'> of <vcpus>
    std::optional<CpuSet> cpuset;          // <vcpu cpuset=>
    std::map<unsigned, CpuSet> vcpu_pins;  // <cputune><vcpupin>

    std::string arch = "x86_64";
    std::string machine;  // empty: not said
    std::string kernel;
    std::string initrd;
    std::string cmdline;

    bool acpi = false;
    bool apic = false;
    bool clock_utc = false;             // the element was there; it is true anyway
    bool cpu_host_passthrough = false;  // likewise
    bool memballoon_none = false;       // likewise
    std::string emulator;               // likewise; empty: not said

    Action on_poweroff = Action::destroy;
    Action on_reboot = Action::restart;
    Action on_crash = Action::destroy;

    std::optional<Console> console;
    std::optional<WatchdogAction> watchdog;   // nullopt: no <watchdog>, as 'none'
    std::vector<KeptElement> without_effect;  // in the order of the document

    bool operator==(const Definition&) const = default;

    [[nodiscard]] unsigned current_vcpus() const noexcept {
        return vcpus - static_cast<unsigned>(offline_vcpus.size());
    }
    [[nodiscard]] std::vector<unsigned> online_vcpus() const;  // ascending
};

// What only a running domain has.
struct LiveDetails {
    int id = 0;
    std::vector<unsigned> cpus;  // entry i is the CPU of the i-th vCPU that is online
    CpuSet known_cpus;           // all that its app kernel can ever be given
    std::string tty;             // "/dev/pts/N"; empty: none
    std::string numa_nodeset;    // nodes its memory is on; empty: not known
    bool operator==(const LiveDetails&) const = default;
};

// What events and a live XML call it: "dimm0", or the user's.
[[nodiscard]] std::string alias_of(const MemoryDevice& device);

struct ParseOptions {
    bool validate_schema = false;
    std::string schema = "/usr/share/libvirt/schemas/multikerneldomain.rng";
};

// What only a live XML says (id, tty, chosen CPUs …) is read and dropped, as libvirt does, and
// the <vcpu cpuset> and <vcpupin> that its definition wanted are put back in their place.
// Throws Error: VIR_ERR_XML_ERROR malformed, or a value that makes no sense; VIR_ERR_NO_NAME;
// VIR_ERR_XML_INVALID_SCHEMA; VIR_ERR_OVERFLOW; VIR_ERR_CONFIG_UNSUPPORTED an element, attribute
// or value that is not honoured (it is named).
[[nodiscard]] Definition parse(std::string_view xml, const ParseOptions& options = {});

// What `virsh dominfo` says of it: one sentence for each kind of element without effect.
[[nodiscard]] std::vector<std::string> messages(const Definition& definition);

// `live` may be null. parse(format(d, any)) == d, and formats to the same bytes.
[[nodiscard]] std::string format(const Definition& definition, const LiveDetails* live = nullptr);

// What an app kernel can do at all, beyond what parse() checks; not whether this host has room
// now, and not whether it can start: a definition without <kernel> is allowed, as
// `virt-install --install` leaves one. Throws Error(VIR_ERR_CONFIG_UNSUPPORTED) or
// VIR_ERR_XML_ERROR.
void validate(const Definition& definition);

// The part of validate() about the name alone, for renames. Throws Error(VIR_ERR_XML_ERROR).
void validate_name(const std::string& name);

}  // namespace mk::domain
