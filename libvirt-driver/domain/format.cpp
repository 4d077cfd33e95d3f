// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Definition to <domain>, in the order and spelling of libvirt's virDomainDefFormat
// (src/conf/domain_conf.c), so that diffs against other drivers' XML stay small.
#include <fmt/core.h>

#include <algorithm>

#include "domain/definition.h"
#include "domain/document.h"
#include "domain/elements.h"
#include "util/xml.h"

namespace mk::domain {
namespace {

void text_element(std::string& out, int indent, std::string_view name, std::string_view text) {
    if (!text.empty()) {
        out += fmt::format("{:{}}<{}>{}</{}>\n", "", indent, name, xml_escape(text), name);
    }
}

void write_domain_tag(std::string& out, const LiveDetails* live) {
    out += "<domain type='multikernel'";
    if (live != nullptr) {
        out += fmt::format(" id='{}' xmlns:multikernel='{}'", live->id, multikernel_uri);
    }
    out += ">\n";
}

void write_metadata(std::string& out, const Definition& definition) {
    if (definition.metadata.empty()) {
        return;
    }
    out += "  <metadata>\n";
    for (const MetadataElement& element : definition.metadata) {
        out += fmt::format("    {}\n", element.xml);
    }
    out += "  </metadata>\n";
}

void write_individual_vcpus(std::string& out, const Definition& definition) {
    if (!definition.individual_vcpus) {
        return;
    }
    out += "  <vcpus>\n";
    for (unsigned id = 0; id < definition.vcpus; id++) {
        const bool fixed = id == 0 || definition.fixed_vcpus.contains(id);
        out +=
            fmt::format("    <vcpu id='{}' enabled='{}' hotpluggable='{}'/>\n", id,
                        definition.offline_vcpus.contains(id) ? "no" : "yes", fixed ? "no" : "yes");
    }
    out += "  </vcpus>\n";
}

void write_vcpu(std::string& out, const Definition& definition, const LiveDetails* live) {
    std::optional<CpuSet> cpuset = definition.cpuset;
    std::map<unsigned, CpuSet> pins = definition.vcpu_pins;
    if (live != nullptr) {
        cpuset.emplace();
        pins.clear();
        const std::vector<unsigned> online = definition.online_vcpus();
        for (std::size_t i = 0; i < std::min(online.size(), live->cpus.size()); i++) {
            cpuset->insert(live->cpus[i]);
            pins.emplace(online[i], CpuSet{live->cpus[i]});
        }
    }
    out += "  <vcpu placement='static'";
    if (cpuset && !cpuset->empty()) {
        out += fmt::format(" cpuset='{}'", cpuset->to_string());
    }
    if (!definition.offline_vcpus.empty()) {
        out += fmt::format(" current='{}'", definition.current_vcpus());
    }
    out += fmt::format(">{}</vcpu>\n", definition.vcpus);
    write_individual_vcpus(out, definition);
    if (pins.empty()) {
        return;
    }
    out += "  <cputune>\n";
    for (const auto& [vcpu, cpus] : pins) {
        out += fmt::format("    <vcpupin vcpu='{}' cpuset='{}'/>\n", vcpu, cpus.to_string());
    }
    out += "  </cputune>\n";
}

void write_os(std::string& out, const Definition& definition) {
    out += fmt::format("  <os>\n    <type arch='{}'", xml_escape_attribute(definition.arch));
    if (!definition.machine.empty()) {
        out += fmt::format(" machine='{}'", xml_escape_attribute(definition.machine));
    }
    out += ">hvm</type>\n";
    text_element(out, 4, "kernel", definition.kernel);
    text_element(out, 4, "initrd", definition.initrd);
    text_element(out, 4, "cmdline", definition.cmdline);
    out += "  </os>\n";
}

void write_true_anyway(std::string& out, const Definition& definition) {
    if (definition.acpi || definition.apic) {
        out += "  <features>\n";
        out += definition.acpi ? "    <acpi/>\n" : "";
        out += definition.apic ? "    <apic/>\n" : "";
        out += "  </features>\n";
    }
    out += definition.cpu_host_passthrough ? "  <cpu mode='host-passthrough'/>\n" : "";
    out += definition.clock_utc ? "  <clock offset='utc'/>\n" : "";
}

void write_actions(std::string& out, const Definition& definition) {
    out += fmt::format("  <on_poweroff>{}</on_poweroff>\n", to_string(definition.on_poweroff));
    out += fmt::format("  <on_reboot>{}</on_reboot>\n", to_string(definition.on_reboot));
    out += fmt::format("  <on_crash>{}</on_crash>\n", to_string(definition.on_crash));
}

// The children that <serial> and <console> share; `target` is the whole element.
void write_port(std::string& out, const Console& console, const LiveDetails* live,
                std::string_view target) {
    if (live != nullptr && !live->tty.empty()) {
        out += fmt::format("      <source path='{}'/>\n", xml_escape_attribute(live->tty));
    }
    if (console.log_file) {
        out +=
            fmt::format("      <log file='{}' append='{}'/>\n",
                        xml_escape_attribute(*console.log_file), console.log_append ? "on" : "off");
    }
    out += fmt::format("      {}\n", target);
    std::string alias = console.alias.value_or("");
    if (alias.empty() && live != nullptr) {
        alias = console.virtio_target ? "console0" : "serial0";  // src/qemu/qemu_alias.c
    }
    if (!alias.empty()) {
        out += fmt::format("      <alias name='{}'/>\n", xml_escape_attribute(alias));
    }
}

void write_console(std::string& out, const Console& console, const LiveDetails* live) {
    if (console.serial_element) {
        out += "    <serial type='pty'>\n";
        write_port(out, console, live, "<target port='0'/>");
        out += "    </serial>\n";
    }
    out += "    <console type='pty'";
    if (live != nullptr && !live->tty.empty()) {
        out += fmt::format(" tty='{}'", xml_escape_attribute(live->tty));
    }
    out += ">\n";
    write_port(out, console, live,
               console.virtio_target ? "<target type='virtio' port='0'/>"
                                     : "<target type='serial' port='0'/>");
    out += "    </console>\n";
}

void write_memory_devices(std::string& out, const Definition& definition, const LiveDetails* live) {
    for (const MemoryDevice& device : definition.memory_devices) {
        out += fmt::format(
            "    <memory model='dimm'>\n      <target>\n        <size unit='KiB'>{}</size>\n"
            "        <node>0</node>\n      </target>\n",
            device.size_kib);
        if (device.alias || live != nullptr) {
            out +=
                fmt::format("      <alias name='{}'/>\n", xml_escape_attribute(alias_of(device)));
        }
        if (device.slot) {
            out += fmt::format("      <address type='dimm' slot='{}'", *device.slot);
            if (device.base_kib != 0) {
                out += fmt::format(" base='0x{:x}'", device.base_kib * 1024);
            }
            out += "/>\n";
        }
        out += "    </memory>\n";
    }
}

void write_devices(std::string& out, const Definition& definition, const LiveDetails* live) {
    out += "  <devices>\n";
    text_element(out, 4, "emulator", definition.emulator);
    if (definition.console) {
        write_console(out, *definition.console, live);
    }
    if (definition.watchdog) {
        out += fmt::format("    <watchdog model='multikernel' action='{}'/>\n",
                           to_string(*definition.watchdog));
    }
    out += definition.memballoon_none ? "    <memballoon model='none'/>\n" : "";
    for (const KeptElement& kept : definition.without_effect) {
        out += fmt::format("    {}\n", kept.xml);
    }
    write_memory_devices(out, definition, live);
    out += "  </devices>\n";
}

}  // namespace

std::vector<unsigned> Definition::online_vcpus() const {
    std::vector<unsigned> online;
    for (unsigned id = 0; id < vcpus; id++) {
        if (!offline_vcpus.contains(id)) {
            online.push_back(id);
        }
    }
    return online;
}

std::string alias_of(const MemoryDevice& device) {
    return device.alias.value_or(fmt::format("dimm{}", device.slot.value_or(0)));
}

std::string format(const Definition& definition, const LiveDetails* live) {
    std::string out;
    write_domain_tag(out, live);
    text_element(out, 2, "name", definition.name);
    text_element(out, 2, "uuid", definition.uuid.to_string());
    text_element(out, 2, "title", definition.title);
    text_element(out, 2, "description", definition.description);
    write_metadata(out, definition);
    if (definition.max_memory_kib != 0) {
        out += fmt::format("  <maxMemory slots='{}' unit='KiB'>{}</maxMemory>\n",
                           definition.memory_slots, definition.max_memory_kib);
    }
    out += fmt::format("  <memory unit='KiB'>{}</memory>\n", definition.memory_kib);
    out += fmt::format("  <currentMemory unit='KiB'>{}</currentMemory>\n",
                       definition.current_memory_kib);
    write_vcpu(out, definition, live);
    write_os(out, definition);
    write_true_anyway(out, definition);
    write_actions(out, definition);
    write_devices(out, definition, live);
    if (live != nullptr) {
        out += format_chosen(definition, *live);
    }
    out += "</domain>\n";
    return out;
}

}  // namespace mk::domain
