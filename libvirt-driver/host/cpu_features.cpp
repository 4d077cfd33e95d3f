// SPDX-License-Identifier: LGPL-2.1-or-later
//
// x86_features.xml and x86_vendors.xml of libvirt (libvirt0 on Debian).
#include "host/cpu_features.h"

#include <cpuid.h>
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <cstdint>
#include <cstring>

#include "util/error.h"
#include "util/fd.h"
#include "util/xml.h"

namespace mk::host {

namespace {

// "0x80000001"; absent: 0.
std::uint32_t hex(const xmlNode* node, const char* attribute) {
    const std::string text = xml_attribute(node, attribute).value_or("0x0");
    std::uint32_t value = 0;
    if (text.starts_with("0x"))
        std::from_chars(text.data() + 2, text.data() + text.size(), value, 16);
    return value;
}

bool has_cpuid_bits(const xmlNode* bits) {
    std::array<std::uint32_t, 4> now{};
    if (__get_cpuid_count(hex(bits, "eax_in"), hex(bits, "ecx_in"), &now[0], &now[1], &now[2],
                          &now[3]) == 0)
        return false;
    constexpr std::array names{"eax", "ebx", "ecx", "edx"};
    for (std::size_t i = 0; i < now.size(); i++) {
        const std::uint32_t wanted = hex(bits, names[i]);
        if ((now[i] & wanted) != wanted)
            return false;
    }
    return true;
}

// The module "msr" need not be loaded: then what the register says is not known, and not there.
bool has_msr_bits(const xmlNode* bits) {
    const auto fd = open_if_exists("/dev/cpu/0/msr", O_RDONLY);
    std::uint64_t now = 0;
    const std::uint64_t wanted = std::uint64_t{hex(bits, "edx")} << 32 | hex(bits, "eax");
    return fd && ::pread(fd->get(), &now, sizeof(now), hex(bits, "index")) == sizeof(now) &&
           (now & wanted) == wanted;
}

bool has(const xmlNode* feature) {
    bool any = false;
    for (const xmlNode* bits : xml_children(feature)) {
        const bool cpuid = xml_name(bits) == "cpuid";
        if (!cpuid && xml_name(bits) != "msr")
            continue;
        if (!(cpuid ? has_cpuid_bits(bits) : has_msr_bits(bits)))
            return false;
        any = true;
    }
    return any;
}

std::string read_vendor(const std::string& map) {
    std::array<std::uint32_t, 3> words{};  // ebx, edx, ecx spell it
    std::uint32_t most = 0;
    if (__get_cpuid(0, &most, &words[0], &words[2], &words[1]) == 0)
        return {};
    std::string text(sizeof(words), '\0');
    std::memcpy(text.data(), words.data(), sizeof(words));
    const XmlDoc doc = XmlDoc::parse(read_file(map + "/x86_vendors.xml"), "x86_vendors.xml");
    for (const xmlNode* vendor : xml_children(doc.root()))
        if (xml_attribute(vendor, "string") == text)
            return xml_attribute(vendor, "name").value_or("");
    return {};
}

}  // namespace

CpuFeatures read_cpu_features(const std::string& map) {
    CpuFeatures features;
    features.vendor = read_vendor(map);
    const XmlDoc doc = XmlDoc::parse(read_file(map + "/x86_features.xml"), "x86_features.xml");
    for (const xmlNode* feature : xml_children(doc.root())) {
        const auto name = xml_attribute(feature, "name");
        if (xml_name(feature) != "feature" || !name)
            continue;
        features.known.insert(*name);
        if (has(feature))
            features.here.insert(*name);
    }
    return features;
}

}  // namespace mk::host
