// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What holds between the values of a definition, and limits that no schema can say. Not whether
// this host has room: that is the pool's, when a domain starts.
#include <fmt/core.h>

#include <algorithm>

#include "domain/definition.h"
#include "domain/elements.h"
#include "domain/store.h"
#include "util/error.h"
#include "util/xml.h"

namespace mk::domain {
namespace {

// A kernel that unpacks an initramfs and has no room left panics with a riddle.
constexpr std::uint64_t min_memory_kib = 64U << 10;
// x86-64 has at most 52 bits of physical address (Intel SDM vol. 3, 4.1.4).
constexpr std::uint64_t max_memory_kib = 1ULL << 42;
// A file name has 255 bytes (NAME_MAX); ".xml" and rotated ".log" files need some.
constexpr std::size_t max_file_name = 240;

void require_absolute(std::string_view path, std::string_view element) {
    if (!path.empty() && path[0] != '/') {
        throw Error(VIR_ERR_XML_ERROR,
                    fmt::format("{} '{}' is not an absolute path", element, path));
    }
}

void check_cpus(const Definition& definition) {
    if (definition.vcpus == 0 || definition.vcpus > CpuSet::limit) {
        throw Error(VIR_ERR_XML_ERROR, fmt::format("{} vCPUs are outside of 1 to {}",
                                                   definition.vcpus, CpuSet::limit));
    }
    if (definition.offline_vcpus.contains(0)) {
        throw Error(VIR_ERR_CONFIG_UNSUPPORTED,
                    "vcpu 0 can't be offline");  // qemuDomainValidateVcpuInfo
    }
    if (definition.cpuset && definition.cpuset->size() < definition.vcpus) {
        throw Error(VIR_ERR_CONFIG_UNSUPPORTED,
                    fmt::format("cpuset '{}' has {} CPUs for {} vCPUs; each vCPU needs its own",
                                definition.cpuset->to_string(), definition.cpuset->size(),
                                definition.vcpus));
    }
    for (const auto& [vcpu, cpus] : definition.vcpu_pins) {
        if (vcpu >= definition.vcpus) {
            throw Error(VIR_ERR_CONFIG_UNSUPPORTED,
                        fmt::format("vcpupin is for vCPU {}, but the domain has {}", vcpu,
                                    definition.vcpus));
        }
        if (definition.cpuset && !definition.cpuset->intersects(cpus)) {
            throw Error(VIR_ERR_CONFIG_UNSUPPORTED,
                        fmt::format("vCPU {} is pinned to '{}', outside of cpuset '{}'", vcpu,
                                    cpus.to_string(), definition.cpuset->to_string()));
        }
        for (const auto& [other, other_cpus] : definition.vcpu_pins) {
            if (other < vcpu && cpus.size() == 1 && cpus == other_cpus) {
                throw Error(VIR_ERR_CONFIG_UNSUPPORTED,
                            fmt::format("vCPUs {} and {} are both pinned to CPU {}; each vCPU "
                                        "needs its own",
                                        other, vcpu, cpus.to_string()));
            }
        }
    }
}

void check_memory(const Definition& definition) {
    if (definition.memory_kib < min_memory_kib || definition.memory_kib > max_memory_kib) {
        throw Error(VIR_ERR_CONFIG_UNSUPPORTED,
                    fmt::format("memory of {} KiB is outside of {} to {} KiB",
                                definition.memory_kib, min_memory_kib, max_memory_kib));
    }
    if (definition.current_memory_kib < min_memory_kib) {
        throw Error(VIR_ERR_CONFIG_UNSUPPORTED,
                    fmt::format("{} KiB of memory are too few to start with: {} at least",
                                definition.current_memory_kib, min_memory_kib));
    }
}

void check_memory_devices(const Definition& definition) {
    if (definition.memory_devices.empty()) {
        return;
    }
    std::uint64_t left_kib = definition.memory_kib;
    for (const MemoryDevice& device : definition.memory_devices) {
        if (device.size_kib > left_kib) {  // virDomainDefPostParseMemory
            throw Error(VIR_ERR_XML_ERROR,
                        "Total size of memory devices exceeds the total memory size");
        }
        left_kib -= device.size_kib;
    }
    // The words of src/qemu/qemu_domain.c, qemuDomainDefValidateMemoryHotplug.
    if (definition.max_memory_kib == 0) {
        throw Error(VIR_ERR_CONFIG_UNSUPPORTED,
                    "cannot use/hotplug a memory device when domain 'maxMemory' is not defined");
    }
    if (definition.memory_devices.size() > definition.memory_slots) {
        throw Error(VIR_ERR_CONFIG_UNSUPPORTED,
                    fmt::format("memory device count '{}' exceeds slots count '{}'",
                                definition.memory_devices.size(), definition.memory_slots));
    }
    CpuSet slots;
    for (const MemoryDevice& device : definition.memory_devices) {
        if (!device.slot) {
            continue;
        }
        if (*device.slot >= definition.memory_slots || slots.contains(*device.slot)) {
            throw Error(VIR_ERR_CONFIG_UNSUPPORTED,
                        fmt::format("memory device slot '{}' {}", *device.slot,
                                    slots.contains(*device.slot)
                                        ? "already being used by another memory device"
                                        : "exceeds slots count"));
        }
        slots.insert(*device.slot);
    }
}

void check_action(std::string_view element, Action action) {
    if (action == Action::rename_restart) {
        refuse_value(element, "rename-restart",
                     "a domain keeps its name; use 'restart' or 'preserve'");
    }
    const bool dumps = action == Action::coredump_destroy || action == Action::coredump_restart;
    if (dumps && element != "domain/on_crash") {
        refuse_value(element,
                     action == Action::coredump_destroy ? "coredump-destroy" : "coredump-restart",
                     "only a crash is dumped; use <on_crash>");
    }
}

// It must fit into one string on the wire and be read back from its file, live details included.
void check_size(const Definition& definition) {
    constexpr std::size_t limit = XmlDoc::max_bytes - (64U << 10);
    const std::size_t size = format(definition).size();
    if (size > limit) {
        throw Error(VIR_ERR_CONFIG_UNSUPPORTED,
                    fmt::format("the definition of domain '{}' has {} bytes when it is printed, "
                                "{} is the limit",
                                file_name(definition.name), size, limit));
    }
}

}  // namespace

void validate_name(const std::string& name) {
    if (name.empty()) {
        throw Error(VIR_ERR_XML_ERROR, "a domain's name cannot be empty");
    }
    if (name.find('/') != std::string::npos) {
        throw Error(VIR_ERR_XML_ERROR, fmt::format("name {} cannot contain '/'", name));
    }
    if (!xml_can_say(name)) {
        throw Error(VIR_ERR_XML_ERROR, fmt::format("name {} is not UTF-8 text", file_name(name)));
    }
    const auto control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
    if (std::any_of(name.begin(), name.end(), control)) {
        throw Error(VIR_ERR_XML_ERROR,
                    fmt::format("name {} cannot contain control characters", file_name(name)));
    }
    if (file_name(name).size() > max_file_name) {
        throw Error(VIR_ERR_XML_ERROR,
                    fmt::format("a name of {} bytes is too long for a file, {} is the limit",
                                file_name(name).size(), max_file_name));
    }
}

void validate(const Definition& definition) {
    validate_name(definition.name);
    check_memory(definition);
    check_memory_devices(definition);
    check_cpus(definition);
    check_action("domain/on_poweroff", definition.on_poweroff);
    check_action("domain/on_reboot", definition.on_reboot);
    check_action("domain/on_crash", definition.on_crash);
    require_absolute(definition.kernel, "domain/os/kernel");
    require_absolute(definition.initrd, "domain/os/initrd");
    if (definition.console && definition.console->log_file) {
        require_absolute(*definition.console->log_file, "domain/devices/console/log@file");
    }
    check_size(definition);
}

}  // namespace mk::domain
