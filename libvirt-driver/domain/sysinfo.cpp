// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Elements and their order are those of libvirt's src/util/virsysinfo.c, as far as the kernel has
// decoded the tables. Libvirt runs dmidecode for processors and memory modules, too.
#include "domain/sysinfo.h"

#include <fmt/core.h>

#include <span>

#include "util/error.h"
#include "util/fd.h"
#include "util/xml.h"

namespace mk::domain {
namespace {

struct Entry {
    const char* name;
    const char* file;
};

constexpr Entry bios[] = {{"vendor", "bios_vendor"},
                          {"version", "bios_version"},
                          {"date", "bios_date"},
                          {"release", "bios_release"}};
constexpr Entry system_entries[] = {{"manufacturer", "sys_vendor"}, {"product", "product_name"},
                                    {"version", "product_version"}, {"serial", "product_serial"},
                                    {"uuid", "product_uuid"},       {"sku", "product_sku"},
                                    {"family", "product_family"}};
constexpr Entry base_board[] = {{"manufacturer", "board_vendor"},
                                {"product", "board_name"},
                                {"version", "board_version"},
                                {"serial", "board_serial"},
                                {"asset", "board_asset_tag"}};
constexpr Entry chassis[] = {{"manufacturer", "chassis_vendor"},
                             {"version", "chassis_version"},
                             {"serial", "chassis_serial"},
                             {"asset", "chassis_asset_tag"}};

std::string group(const std::string& folder, const char* name, std::span<const Entry> entries) {
    std::string inside;
    for (const Entry& entry : entries) {
        std::string text = read_file_if_exists(folder + entry.file).value_or("");
        text.erase(text.find_last_not_of(" \t\n") + 1);
        if (!text.empty() && xml_can_say(text))  // it is the firmware's word
            inside +=
                fmt::format("    <entry name='{}'>{}</entry>\n", entry.name, xml_escape(text));
    }
    return inside.empty() ? "" : fmt::format("  <{}>\n{}  </{}>\n", name, inside, name);
}

}  // namespace

std::string sysinfo_xml(const std::string& sysfs) {
    const std::string folder = sysfs + "/class/dmi/id/";
    const std::string groups =
        group(folder, "bios", bios) + group(folder, "system", system_entries) +
        group(folder, "baseBoard", base_board) + group(folder, "chassis", chassis);
    if (groups.empty())
        throw Error(VIR_ERR_CONFIG_UNSUPPORTED, "Host SMBIOS information is not available");
    return fmt::format("<sysinfo type='smbios'>\n{}</sysinfo>\n", groups);
}

}  // namespace mk::domain
