// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Numbers, sizes, vCPUs and memory. Messages are those of libvirt's src/conf/domain_conf.c and
// domain_postparse.c where it has the same check.
#include "domain/values.h"

#include <fmt/core.h>

#include <limits>

#include "domain/elements.h"
#include "util/error.h"
#include "util/xml.h"

namespace mk::domain {
namespace {

// Bytes in one unit of libvirt's scaled integers; src/util/virutil.c, virScaleInteger.
std::uint64_t unit_bytes(std::string_view unit) {
    constexpr std::string_view letters = "kmgtpe";
    const auto lower = [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    };
    std::string small;
    for (const char c : unit) {
        small += lower(c);
    }
    if (small == "b" || small == "byte" || small == "bytes") {
        return 1;
    }
    const auto power = small.empty() ? letters.npos : letters.find(small[0]);
    const std::string_view rest = std::string_view(small).substr(small.empty() ? 0 : 1);
    if (power == letters.npos || (!rest.empty() && rest != "ib" && rest != "b")) {
        throw Error(VIR_ERR_INVALID_ARG, fmt::format("unknown suffix '{}'", unit));
    }
    std::uint64_t bytes = 1;
    for (std::size_t i = 0; i <= power; i++) {
        bytes *= rest == "b" ? 1000 : 1024;
    }
    return bytes;
}

bool yes_or_no(const xmlNode* node, const char* name, const std::string& text) {
    if (text != "yes" && text != "no") {
        bad_value(fmt::format("domain/vcpus/{}@{}", xml_name(node), name), text);
    }
    return text == "yes";
}

// <vcpus>, which wins over <vcpu current=>.
void read_individual(const xmlNode* list, Definition& out) {
    out.individual_vcpus = true;
    out.offline_vcpus = {};
    CpuSet seen;
    for (const xmlNode* vcpu : xml_children(list)) {
        const auto id_text = xml_attribute(vcpu, "id");
        const auto enabled = xml_attribute(vcpu, "enabled");
        if (!id_text || !enabled) {
            throw Error(VIR_ERR_XML_ERROR,
                        fmt::format("missing {} in domain/vcpus/vcpu", id_text ? "enabled" : "id"));
        }
        const auto id = number<unsigned>(*id_text, "domain/vcpus/vcpu@id");
        if (id >= out.vcpus) {
            throw Error(VIR_ERR_XML_ERROR,
                        fmt::format("vcpu id '{}' is out of range of maximum vcpu count", id));
        }
        if (seen.contains(id)) {
            throw Error(VIR_ERR_XML_ERROR, fmt::format("vcpu id '{}' is there twice", id));
        }
        seen.insert(id);
        if (!yes_or_no(vcpu, "enabled", *enabled)) {
            out.offline_vcpus.insert(id);
        }
        const auto pluggable = xml_attribute(vcpu, "hotpluggable");
        if (pluggable && !yes_or_no(vcpu, "hotpluggable", *pluggable) && id != 0) {
            out.fixed_vcpus.insert(id);
        }
    }
    for (unsigned id = 0; id < out.vcpus; id++) {
        if (!seen.contains(id)) {
            out.offline_vcpus.insert(id);  // as libvirt: a list is complete
        }
    }
}

// As libvirt, a definition knows the slot of each of its memory devices.
void assign_slots(Definition& out) {
    CpuSet used;
    for (const MemoryDevice& device : out.memory_devices) {
        if (device.slot) {
            used.insert(*device.slot);
        }
    }
    for (MemoryDevice& device : out.memory_devices) {
        for (unsigned slot = 0; !device.slot && slot < out.memory_slots; slot++) {
            if (!used.contains(slot)) {
                used.insert(slot);
                device.slot = slot;
            }
        }
    }
}

}  // namespace

[[noreturn]] void bad_value(std::string_view path, std::string_view value) {
    // libvirt's words, src/conf/domain_conf.c
    throw Error(VIR_ERR_XML_ERROR,
                fmt::format("Invalid value '{}' for element or attribute '{}'", value, path));
}

CpuSet cpu_set(std::string_view text, std::string_view path) {
    CpuSet set = CpuSet::parse(text);
    if (set.empty()) {
        // libvirt's words, virDomainVcpuParse
        throw Error(VIR_ERR_CONFIG_UNSUPPORTED,
                    fmt::format("Invalid value of 'cpuset' in {}: {}", path, text));
    }
    return set;
}

std::uint64_t memory_kib(const xmlNode* node, std::string_view path) {
    const auto count = number<std::uint64_t>(xml_text(node), path);
    const std::string unit = xml_attribute(node, "unit").value_or("KiB");
    const std::uint64_t scale = unit_bytes(unit);
    constexpr auto limit = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
    if (count > limit / scale) {
        throw Error(VIR_ERR_OVERFLOW, fmt::format("value too large: {}{}", count, unit));
    }
    const std::uint64_t bytes = count * scale;
    return bytes / 1024 + (bytes % 1024 != 0 ? 1 : 0);
}

void read_vcpus(const xmlNode* root, Definition& out) {
    const xmlNode* vcpu = xml_child(root, "vcpu");
    if (vcpu != nullptr) {
        out.vcpus = number<unsigned>(xml_text(vcpu), "domain/vcpu");
        const std::string placement = xml_attribute(vcpu, "placement").value_or("static");
        if (placement != "static" && placement != "auto") {
            bad_value("domain/vcpu@placement", placement);
        }
        if (const auto text = xml_attribute(vcpu, "cpuset")) {
            if (placement == "auto") {
                refuse_value("domain/vcpu@placement", placement, "with a cpuset it is 'static'");
            }
            out.cpuset = cpu_set(*text, "domain/vcpu");
        }
    }
    if (out.vcpus > CpuSet::limit) {
        throw Error(VIR_ERR_XML_ERROR,
                    fmt::format("{} vCPUs are outside of 1 to {}", out.vcpus, CpuSet::limit));
    }
    const auto current = vcpu != nullptr ? xml_attribute(vcpu, "current") : std::nullopt;
    const auto online = current ? number<unsigned>(*current, "domain/vcpu@current") : out.vcpus;
    if (online > out.vcpus) {
        throw Error(VIR_ERR_CONFIG_UNSUPPORTED,
                    fmt::format("maximum vCPU count must not be less than current vCPU count "
                                "({} < {})",
                                out.vcpus, online));
    }
    for (unsigned id = online; id < out.vcpus; id++) {
        out.offline_vcpus.insert(id);
    }
    if (const xmlNode* list = xml_child(root, "vcpus")) {
        read_individual(list, out);
    }
}

void read_memory(const xmlNode* root, Definition& out) {
    const xmlNode* memory = xml_child(root, "memory");
    if (memory == nullptr) {
        throw Error(VIR_ERR_XML_ERROR, "Memory size must be specified via <memory>");
    }
    out.memory_kib = memory_kib(memory, "domain/memory");
    const xmlNode* current = xml_child(root, "currentMemory");
    const auto current_kib = current != nullptr ? memory_kib(current, "domain/currentMemory") : 0;
    // As libvirt: more than there is, and none, mean all of it.
    out.current_memory_kib =
        current_kib == 0 || current_kib > out.memory_kib ? out.memory_kib : current_kib;
    const xmlNode* most = xml_child(root, "maxMemory");
    if (most == nullptr) {
        return;
    }
    out.max_memory_kib = memory_kib(most, "domain/maxMemory");
    const auto slots = xml_attribute(most, "slots");
    out.memory_slots = slots ? number<unsigned>(*slots, "domain/maxMemory@slots") : 0;
    if (out.max_memory_kib == 0 || out.memory_slots == 0) {
        throw Error(VIR_ERR_XML_ERROR,
                    "both maximum memory size and memory slot count must be specified");
    }
    if (out.max_memory_kib < out.memory_kib) {
        throw Error(VIR_ERR_XML_ERROR,
                    "maximum memory size must be equal or greater than the actual memory size");
    }
    assign_slots(out);
}

MemoryDevice read_memory_device(const xmlNode* node) {
    const std::string path = "domain/devices/memory";
    const auto model = xml_attribute(node, "model");
    if (!model) {
        throw Error(VIR_ERR_XML_ERROR, "missing memory device model");
    }
    if (*model != "dimm") {
        refuse_value(path + "@model", *model, "an app kernel's memory is plain RAM: use 'dimm'");
    }
    const xmlNode* target = xml_child(node, "target");
    const xmlNode* size = target != nullptr ? xml_child(target, "size") : nullptr;
    if (size == nullptr) {
        throw Error(VIR_ERR_XML_ERROR, "missing <size> in <target> of a memory device");
    }
    MemoryDevice device;
    device.size_kib = memory_kib(size, path + "/target/size");
    if (device.size_kib == 0) {
        bad_value(path + "/target/size", "0");
    }
    const xmlNode* cell = xml_child(target, "node");
    if (cell != nullptr && number<unsigned>(xml_text(cell), path + "/target/node") != 0) {
        refuse_value(path + "/target/node", xml_text(cell), "an app kernel has one NUMA node, 0");
    }
    if (const xmlNode* address = xml_child(node, "address")) {
        const std::string type = xml_attribute(address, "type").value_or("");
        if (type != "dimm") {
            refuse_value(path + "/address@type", type, "only 'dimm' is");
        }
        if (const auto slot = xml_attribute(address, "slot")) {
            device.slot = number<unsigned>(*slot, path + "/address@slot");
        }
        const std::string base = xml_attribute(address, "base").value_or("");
        std::uint64_t bytes = 0;
        if (base.starts_with("0x")) {
            const char* end = base.data() + base.size();
            const auto [stop, status] = std::from_chars(base.data() + 2, end, bytes, 16);
            if (status != std::errc() || stop != end) {
                bad_value(path + "/address@base", base);
            }
        }
        device.base_kib = bytes / 1024;
    }
    if (const xmlNode* alias = xml_child(node, "alias")) {
        const auto name = xml_attribute(alias, "name");
        if (name && name->starts_with("ua-")) {
            device.alias = name;
        }
    }
    return device;
}

MemoryDevice parse_memory_device(std::string_view xml) {
    const XmlDoc doc = XmlDoc::parse(xml, "(device_definition)");
    const xmlNode* root = doc.root();
    if (xml_name(root) != "memory") {
        refuse_value("device", xml_name(root), "only <memory model='dimm'> can be");
    }
    check_device(root);
    return read_memory_device(root);
}

}  // namespace mk::domain
