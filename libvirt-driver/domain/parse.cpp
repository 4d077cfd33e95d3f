// SPDX-License-Identifier: LGPL-2.1-or-later
//
// <domain> to Definition. The table of elements has refused every element and attribute that is
// not honoured before anything here looks at a value, so what is not read here is live only.
#include <fmt/core.h>

#include <algorithm>

#include "domain/definition.h"
#include "domain/document.h"
#include "domain/elements.h"
#include "domain/values.h"
#include "util/error.h"
#include "util/xml.h"

namespace mk::domain {
namespace {

constexpr std::string_view one_port = "an app kernel has one port; use one <console>";

std::string child_text(const xmlNode* parent, const char* name) {
    const xmlNode* child = xml_child(parent, name);
    return child != nullptr ? xml_text(child) : std::string();
}

void read_identity(const xmlNode* root, Definition& out) {
    out.name = child_text(root, "name");
    if (out.name.empty()) {
        throw Error(VIR_ERR_NO_NAME, "missing name information");
    }
    if (const xmlNode* node = xml_child(root, "uuid")) {
        const auto uuid = Uuid::parse(xml_text(node));
        if (!uuid || !uuid->valid()) {
            throw Error(VIR_ERR_XML_ERROR, "malformed uuid element");
        }
        out.uuid = *uuid;
    } else {
        out.uuid = Uuid::random();
    }
    out.title = child_text(root, "title");
    if (out.title.find('\n') != std::string::npos) {
        throw Error(VIR_ERR_XML_ERROR, "Domain title can't contain newlines");
    }
    out.description = child_text(root, "description");
}

void read_metadata(const xmlNode* root, Definition& out) {
    const xmlNode* metadata = xml_child(root, "metadata");
    if (metadata == nullptr) {
        return;
    }
    for (const xmlNode* child : xml_children(metadata)) {
        const std::string uri(xml_uri(child));
        if (uri.empty()) {
            throw Error(VIR_ERR_XML_ERROR,
                        fmt::format("element <{}> in <metadata> has no XML namespace; give it "
                                    "one of its own",
                                    xml_name(child)));
        }
        for (const MetadataElement& other : out.metadata) {
            if (other.uri == uri) {
                throw Error(VIR_ERR_XML_ERROR,
                            fmt::format("two elements in <metadata> have the namespace '{}'; only "
                                        "one can",
                                        uri));
            }
        }
        out.metadata.push_back({uri, xml_print(XmlDoc::copy_of(child).root(), 2)});
    }
}

void read_cputune(const xmlNode* root, Definition& out) {
    const xmlNode* tune = xml_child(root, "cputune");
    if (tune == nullptr) {
        return;
    }
    for (const xmlNode* pin : xml_children(tune)) {
        const auto vcpu = xml_attribute(pin, "vcpu");
        const auto cpus = xml_attribute(pin, "cpuset");
        if (!vcpu || !cpus) {
            throw Error(VIR_ERR_XML_ERROR,
                        fmt::format("missing {} for vcpupin", vcpu ? "cpuset" : "vcpu id"));
        }
        const auto id = number<unsigned>(*vcpu, "domain/cputune/vcpupin@vcpu");
        if (!out.vcpu_pins.emplace(id, cpu_set(*cpus, "domain/cputune/vcpupin")).second) {
            throw Error(VIR_ERR_XML_ERROR, fmt::format("duplicate vcpupin for vcpu '{}'", id));
        }
    }
}

void read_os(const xmlNode* root, Definition& out) {
    const xmlNode* os = xml_child(root, "os");
    const xmlNode* type = os != nullptr ? xml_child(os, "type") : nullptr;
    const std::string name = type != nullptr ? xml_text(type) : std::string();
    if (name.empty()) {
        throw Error(VIR_ERR_XML_ERROR, "an os <type> must be specified");
    }
    if (name != "hvm") {
        refuse_value("domain/os/type", name, "only 'hvm' is");
    }
    out.arch = xml_attribute(type, "arch").value_or("x86_64");
    if (out.arch != "x86_64") {
        refuse_value("domain/os/type@arch", out.arch, "app kernels are 'x86_64', as the host is");
    }
    out.machine = xml_attribute(type, "machine").value_or("");
    if (!out.machine.empty() && out.machine != "multikernel") {
        refuse_value("domain/os/type@machine", out.machine,
                     "no machine is emulated; remove the attribute");
    }
    out.kernel = child_text(os, "kernel");
    out.initrd = child_text(os, "initrd");
    out.cmdline = child_text(os, "cmdline");
}

void read_actions(const xmlNode* root, Definition& out) {
    const auto read = [root](const char* element, Action& action) {
        const xmlNode* node = xml_child(root, element);
        if (node == nullptr) {
            return;
        }
        const std::string text = xml_text(node);
        const auto named = action_from(text);
        if (!named) {
            throw Error(VIR_ERR_CONFIG_UNSUPPORTED,
                        fmt::format("unknown {} action: {}", element, text));
        }
        action = *named;
    };
    read("on_poweroff", out.on_poweroff);
    read("on_reboot", out.on_reboot);
    read("on_crash", out.on_crash);
}

// What is true of every partition: kept, so that it is printed again.
void read_true_anyway(const xmlNode* root, Definition& out) {
    if (const xmlNode* features = xml_child(root, "features")) {
        out.acpi = xml_child(features, "acpi") != nullptr;
        out.apic = xml_child(features, "apic") != nullptr;
    }
    if (const xmlNode* cpu = xml_child(root, "cpu")) {
        const std::string mode = xml_attribute(cpu, "mode").value_or("custom");
        if (mode != "host-passthrough") {
            refuse_value("domain/cpu@mode", mode, "only 'host-passthrough' is");
        }
        out.cpu_host_passthrough = true;
    }
    if (const xmlNode* clock = xml_child(root, "clock")) {
        const std::string offset = xml_attribute(clock, "offset").value_or("utc");
        if (offset != "utc") {
            refuse_value("domain/clock@offset", offset, "only 'utc' is");
        }
        out.clock_utc = true;
    }
}

void read_log(const xmlNode* log, const std::string& path, Console& out) {
    out.log_file = xml_attribute(log, "file");
    if (!out.log_file || out.log_file->empty()) {
        throw Error(VIR_ERR_XML_ERROR, fmt::format("missing file in {}", path));
    }
    const std::string append = xml_attribute(log, "append").value_or("off");
    if (append != "on" && append != "off") {
        bad_value(path + "@append", append);
    }
    out.log_append = append == "on";
}

// What <serial> and <console> both have.
Console read_port(const xmlNode* port, const std::string& path) {
    Console out;
    const std::string type = xml_attribute(port, "type").value_or("pty");
    if (type != "pty") {
        refuse_value(path + "@type", type, "only 'pty' is, with <log> for a file");
    }
    if (const xmlNode* log = xml_child(port, "log")) {
        read_log(log, path + "/log", out);
    }
    if (const xmlNode* target = xml_child(port, "target")) {
        const std::string number_text = xml_attribute(target, "port").value_or("0");
        if (number<unsigned>(number_text, path + "/target@port") != 0) {
            refuse_value(path + "/target@port", number_text, one_port);
        }
        const std::string device = xml_attribute(target, "type").value_or("serial");
        if (device != "serial" && device != "virtio") {
            refuse_value(path + "/target@type", device, "'serial' and 'virtio' are");
        }
        out.virtio_target = device == "virtio";
    }
    if (const xmlNode* alias = xml_child(port, "alias")) {
        const auto name = xml_attribute(alias, "name");
        if (name && name->starts_with("ua-")) {  // others are the driver's: formatdomain, alias
            out.alias = name;
        }
    }
    return out;
}

xmlNode* only_port(const xmlNode* devices, std::string_view name) {
    xmlNode* found = nullptr;
    for (xmlNode* child : xml_children(devices)) {
        if (xml_name(child) == name && found != nullptr) {
            throw Error(
                VIR_ERR_CONFIG_UNSUPPORTED,
                fmt::format("a second domain/devices/{} is not supported: {}", name, one_port));
        }
        found = xml_name(child) == name ? child : found;
    }
    return found;
}

// <serial> and <console> describe one port: what only one of them says holds for both.
Console merge(const Console& serial, const Console& console) {
    Console out = serial;
    out.serial_element = true;
    if (console.virtio_target) {
        refuse_value("domain/devices/console/target@type", "virtio",
                     "with <serial> it would be a second port; an app kernel has one");
    }
    const bool log_clash =
        serial.log_file && console.log_file &&
        (serial.log_file != console.log_file || serial.log_append != console.log_append);
    if (log_clash || (serial.alias && console.alias && serial.alias != console.alias)) {
        throw Error(VIR_ERR_CONFIG_UNSUPPORTED,
                    "<serial> and <console> are one port and say different things of it");
    }
    if (!out.log_file) {
        out.log_file = console.log_file;
        out.log_append = console.log_append;
    }
    if (!out.alias) {
        out.alias = console.alias;
    }
    return out;
}

void read_watchdog(const xmlNode* devices, Definition& out) {
    const xmlNode* watchdog = xml_child(devices, "watchdog");
    if (watchdog == nullptr) {
        return;
    }
    const auto all = xml_children(devices);
    if (std::count_if(all.begin(), all.end(),
                      [](const xmlNode* node) { return xml_name(node) == "watchdog"; }) > 1) {
        throw Error(VIR_ERR_CONFIG_UNSUPPORTED,
                    "a second domain/devices/watchdog is not supported: an app kernel has one "
                    "heartbeat");
    }
    const std::string model = xml_attribute(watchdog, "model").value_or("");
    if (model != "multikernel") {
        refuse_value("domain/devices/watchdog@model", model,
                     "the heartbeat of an app kernel is 'multikernel'");
    }
    const std::string action = xml_attribute(watchdog, "action").value_or("reset");
    out.watchdog = watchdog_action_from(action);
    if (!out.watchdog) {
        refuse_value("domain/devices/watchdog@action", action,
                     "'reset', 'poweroff', 'pause', 'dump', 'inject-nmi' and 'none' are");
    }
}

void read_devices(const xmlNode* root, Definition& out) {
    const xmlNode* devices = xml_child(root, "devices");
    if (devices == nullptr) {
        return;
    }
    out.emulator = child_text(devices, "emulator");
    if (const xmlNode* balloon = xml_child(devices, "memballoon")) {
        const std::string model = xml_attribute(balloon, "model").value_or("");
        if (model != "none") {
            refuse_value("domain/devices/memballoon@model", model,
                         "an app kernel has a balloon of its own; remove it, or say 'none'");
        }
        out.memballoon_none = true;
    }
    for (const xmlNode* child : xml_children(devices)) {
        if (xml_name(child) == "memory") {
            out.memory_devices.push_back(read_memory_device(child));
        }
        const std::string path = fmt::format("domain/devices/{}", xml_name(child));
        const Element* element = find_element(path);
        if (element != nullptr && element->cls == Class::without_effect) {
            const XmlDoc alone = XmlDoc::copy_of(child);
            out.without_effect.push_back({path, xml_print(alone.root(), 2)});
        }
    }
    read_watchdog(devices, out);
    const xmlNode* serial = only_port(devices, "serial");
    const xmlNode* console = only_port(devices, "console");
    if (serial != nullptr) {
        const Console port = read_port(serial, "domain/devices/serial");
        out.console = merge(
            port, console != nullptr ? read_port(console, "domain/devices/console") : Console{});
    } else if (console != nullptr) {
        out.console = read_port(console, "domain/devices/console");
    }
}

}  // namespace

Definition parse(std::string_view xml, const ParseOptions& options) {
    const XmlDoc doc = XmlDoc::parse(xml, "(domain_definition)");
    if (options.validate_schema) {
        doc.validate(options.schema);
    }
    Definition definition = parse_node(doc.root());
    for (MemoryDevice& device : definition.memory_devices) {
        device.base_kib = 0;  // of a domain that runs, or ran
    }
    return definition;
}

Definition parse_node(const xmlNode* root) {
    if (xml_name(root) != "domain" || !xml_uri(root).empty()) {
        throw Error(VIR_ERR_XML_ERROR,
                    fmt::format("expecting root element of 'domain', not '{}'", xml_name(root)));
    }
    const auto type = xml_attribute(root, "type");
    if (!type) {
        throw Error(VIR_ERR_XML_ERROR, "missing domain type attribute");
    }
    if (*type != "multikernel") {
        refuse_value("domain@type", *type, "this driver runs 'multikernel' domains");
    }
    check_elements(root);
    Definition out;
    read_identity(root, out);
    read_metadata(root, out);
    read_vcpus(root, out);
    read_cputune(root, out);
    read_os(root, out);
    read_true_anyway(root, out);
    read_actions(root, out);
    read_devices(root, out);
    read_memory(root, out);
    restore_wanted(root, out);
    return out;
}

}  // namespace mk::domain
