// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What dmidecode may print; what it does print of real tables is in tests/wire/host_test.py.
#include "domain/sysinfo.h"

#include <gtest/gtest.h>

#include "util/xml.h"

namespace mk::domain {

TEST(Sysinfo, SaysNothingOfNothing) {
    EXPECT_EQ(sysinfo_xml(""), "");
    EXPECT_EQ(sysinfo_xml("BIOS Information\n\tCharacteristics:\n\t\tPNP is supported\n\n"), "");
    EXPECT_EQ(sysinfo_xml("Cooling Device\n\tVendor: Somebody\n"), "");
}

TEST(Sysinfo, TakesNoValueOfTheNextStructureForAMissingOne) {
    EXPECT_EQ(sysinfo_xml("BIOS Information\n\tVendor: Somebody\n\n"
                          "System Information\n\tVersion: 2\n"),
              "<sysinfo type='smbios'>\n"
              "  <bios>\n    <entry name='vendor'>Somebody</entry>\n  </bios>\n"
              "  <system>\n    <entry name='version'>2</entry>\n  </system>\n"
              "</sysinfo>\n");
}

TEST(Sysinfo, KnowsAKeyFromOneThatEndsLikeIt) {
    EXPECT_EQ(sysinfo_xml("Memory Device\n\tBank Locator: BANK 0\n\tConfigured Memory Speed: 1\n"
                          "\t\tType: DDR4\n"),
              "<sysinfo type='smbios'>\n"
              "  <memory_device>\n    <entry name='bank_locator'>BANK 0</entry>\n"
              "  </memory_device>\n</sysinfo>\n");
}

TEST(Sysinfo, LeavesOutAnEmptySlot) {
    EXPECT_EQ(sysinfo_xml("Memory Device\n\tSize: No Module Installed\n\tLocator: DIMM B\n"), "");
}

TEST(Sysinfo, TakesTheFirstOfWhatAMachineHasOnce) {
    EXPECT_EQ(sysinfo_xml("Chassis Information\n\tVersion: 1\n\nChassis Information\n\tVersion: 2"),
              "<sysinfo type='smbios'>\n"
              "  <chassis>\n    <entry name='version'>1</entry>\n  </chassis>\n</sysinfo>\n");
}

TEST(Sysinfo, IsXmlWhateverTheFirmwareSays) {
    const std::string values[] = {"<x>]]>&amp;'\"",
                                  "\xff\xfe",
                                  "\x01\x1b[31m",
                                  " \t ",
                                  ": : ",
                                  std::string(1 << 16, '<'),
                                  std::string("a\0b", 3)};
    for (const std::string& value : values) {
        for (const char* const title : {"BIOS Information\n\tVendor: ", "\tVendor: ", "\n\n\t: ",
                                        "Processor Information\n\tType: ", "OEM Strings\n\t: "}) {
            const std::string xml = sysinfo_xml(title + value + "\nBIOS Information\n\tVersion: 1");
            if (!xml.empty()) {
                EXPECT_NO_THROW((void)XmlDoc::parse(xml, "sysinfo")) << title << value.substr(0, 9);
            }
        }
    }
}

}  // namespace mk::domain
