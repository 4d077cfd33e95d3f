// SPDX-License-Identifier: LGPL-2.1-or-later
//
// As libvirt does it (src/util/virsysinfo.c): its elements and entries, in its order, from the
// same program, which knows the names of some 300 processor families and sockets.
#include "domain/sysinfo.h"

#include <fmt/core.h>
#include <glib.h>

#include <algorithm>
#include <span>
#include <utility>
#include <vector>

#include "util/error.h"
#include "util/log.h"
#include "util/xml.h"

namespace mk::domain {
namespace {

// A structure of the tables: its title, and then a line for each of its values.
struct Section {
    std::string_view title;
    std::vector<std::pair<std::string_view, std::string_view>> values;

    // Empty: it does not say.
    [[nodiscard]] std::string_view value(std::string_view key) const {
        const auto found = std::find_if(values.begin(), values.end(),
                                        [key](const auto& pair) { return pair.first == key; });
        return found == values.end() ? std::string_view() : found->second;
    }
};

struct Entry {
    std::string_view name;
    std::string_view key;
};

constexpr Entry bios[] = {{"vendor", "Vendor"},
                          {"version", "Version"},
                          {"date", "Release Date"},
                          {"release", "BIOS Revision"}};
constexpr Entry system_entries[] = {{"manufacturer", "Manufacturer"},
                                    {"product", "Product Name"},
                                    {"version", "Version"},
                                    {"serial", "Serial Number"},
                                    {"uuid", "UUID"},
                                    {"sku", "SKU Number"},
                                    {"family", "Family"}};
constexpr Entry base_board[] = {
    {"manufacturer", "Manufacturer"}, {"product", "Product Name"},
    {"version", "Version"},           {"serial", "Serial Number"},
    {"asset", "Asset Tag"},           {"location", "Location In Chassis"}};
constexpr Entry chassis[] = {{"manufacturer", "Manufacturer"},
                             {"version", "Version"},
                             {"serial", "Serial Number"},
                             {"asset", "Asset Tag"},
                             {"sku", "SKU Number"}};
constexpr Entry processor[] = {{"socket_destination", "Socket Designation"},
                               {"type", "Type"},
                               {"family", "Family"},
                               {"manufacturer", "Manufacturer"},
                               {"signature", "Signature"},
                               {"version", "Version"},
                               {"external_clock", "External Clock"},
                               {"max_speed", "Max Speed"},
                               {"status", "Status"},
                               {"serial_number", "Serial Number"},
                               {"part_number", "Part Number"}};
constexpr Entry memory_device[] = {{"size", "Size"},
                                   {"form_factor", "Form Factor"},
                                   {"locator", "Locator"},
                                   {"bank_locator", "Bank Locator"},
                                   {"type", "Type"},
                                   {"type_detail", "Type Detail"},
                                   {"speed", "Speed"},
                                   {"manufacturer", "Manufacturer"},
                                   {"serial_number", "Serial Number"},
                                   {"part_number", "Part Number"}};

struct Group {
    std::string_view element;
    std::string_view title;
    std::span<const Entry> entries;
    bool several = false;  // else the first one counts
};

constexpr Group groups[] = {{"bios", "BIOS Information", bios},
                            {"system", "System Information", system_entries},
                            {"baseBoard", "Base Board Information", base_board, true},
                            {"chassis", "Chassis Information", chassis},
                            {"processor", "Processor Information", processor, true},
                            {"memory_device", "Memory Device", memory_device, true}};

std::vector<Section> sections_of(std::string_view printed) {
    std::vector<Section> sections;
    while (!printed.empty()) {
        const std::string_view line = printed.substr(0, printed.find('\n'));
        printed.remove_prefix(std::min(line.size() + 1, printed.size()));
        if (!line.empty() && line.front() != '\t') {
            sections.push_back({.title = line, .values = {}});
            continue;
        }
        const std::size_t colon = line.find(": ");
        // Two tabs: one of several things that belong to the line before.
        if (sections.empty() || colon == std::string_view::npos || line.substr(0, 2) == "\t\t")
            continue;
        std::string_view value = line.substr(colon + 2);
        value.remove_suffix(value.size() - (value.find_last_not_of(" \t\r") + 1));
        if (!value.empty() && xml_can_say(value))  // it is the firmware's word
            sections.back().values.emplace_back(line.substr(1, colon - 1), value);
    }
    return sections;
}

std::string element(std::string_view name, const std::string& inside) {
    return inside.empty() ? "" : fmt::format("  <{}>\n{}  </{}>\n", name, inside, name);
}

std::string element_of(const Group& group, const Section& section) {
    if (section.value("Size") == "No Module Installed")
        return "";
    std::string inside;
    for (const Entry& entry : group.entries) {
        if (const auto value = section.value(entry.key); !value.empty())
            inside +=
                fmt::format("    <entry name='{}'>{}</entry>\n", entry.name, xml_escape(value));
    }
    return element(group.element, inside);
}

// The machine maker's own: "String 1", "String 2", …
std::string oem_strings(const std::vector<Section>& sections) {
    std::string inside;
    for (const Section& section : sections) {
        if (section.title != "OEM Strings")
            continue;
        for (const auto& [key, value] : section.values)
            inside += fmt::format("    <entry>{}</entry>\n", xml_escape(value));
    }
    return element("oemStrings", inside);
}

// What it printed; empty if it cannot be run or failed.
std::string run_dmidecode() {
    const char* const words[] = {"dmidecode", "-q", "-t", "0,1,2,3,4,11,17", nullptr};
    char* output = nullptr;
    GError* error = nullptr;
    int status = 0;
    const auto flags = static_cast<GSpawnFlags>(G_SPAWN_SEARCH_PATH | G_SPAWN_STDERR_TO_DEV_NULL);
    std::string printed;
    if (g_spawn_sync("/", const_cast<char**>(words), nullptr, flags, nullptr, nullptr, &output,
                     nullptr, &status, &error) != 0 &&
        g_spawn_check_wait_status(status, &error) != 0)
        printed = output;
    if (error != nullptr)
        log::debug("dmidecode: {}", error->message);
    g_clear_error(&error);
    g_free(output);
    return printed;
}

}  // namespace

std::string sysinfo_xml(std::string_view printed) {
    const std::vector<Section> sections = sections_of(printed);
    std::string inside;
    for (const Group& group : groups) {
        for (const Section& section : sections) {
            if (section.title != group.title)
                continue;
            inside += element_of(group, section);
            if (!group.several)
                break;
        }
    }
    inside += oem_strings(sections);
    return inside.empty() ? "" : fmt::format("<sysinfo type='smbios'>\n{}</sysinfo>\n", inside);
}

std::string read_sysinfo() {
    std::string xml = sysinfo_xml(run_dmidecode());
    if (xml.empty())
        throw Error(VIR_ERR_CONFIG_UNSUPPORTED, "Host SMBIOS information is not available");
    return xml;
}

}  // namespace mk::domain
