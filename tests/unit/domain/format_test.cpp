// SPDX-License-Identifier: LGPL-2.1-or-later
//
// How a running domain is printed, and that order and spelling are those of the libvirt that is
// installed: its test driver, which needs no daemon, prints the same definition.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <libvirt/libvirt.h>

#include <memory>

#include "domain/definition.h"
#include "util/fd.h"

namespace mk::domain {
namespace {

using testing::HasSubstr;

std::string data(const std::string& name) {
    return read_file(MK_TEST_DATA "/domain/" + name);
}

void replace_all(std::string& text, const std::string& from, const std::string& to) {
    for (auto at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
        text.replace(at, from.size(), to);
    }
}

// What libvirt's test driver makes of `xml`.
std::string printed_by_libvirt(const std::string& xml) {
    const std::unique_ptr<virConnect, int (*)(virConnectPtr)> connection(
        virConnectOpen("test:///default"), virConnectClose);
    if (!connection) {
        return "no connection";
    }
    const std::unique_ptr<virDomain, int (*)(virDomainPtr)> domain(
        virDomainDefineXML(connection.get(), xml.c_str()), virDomainFree);
    if (!domain) {
        return "not defined";
    }
    const std::unique_ptr<char, void (*)(void*)> text(virDomainGetXMLDesc(domain.get(), 0),
                                                      std::free);
    virDomainUndefine(domain.get());
    return text ? text.get() : "not printed";
}

TEST(Format, PrintsWhatLibvirtPrints) {
    std::string ours = data("full.out.xml");
    std::string xml = ours;
    replace_all(xml, "type='multikernel'", "type='test'");
    std::string theirs = printed_by_libvirt(xml);
    replace_all(theirs, "type='test'", "type='multikernel'");
    replace_all(theirs, "    <boot dev='hd'/>\n", "");  // libvirt adds it to every hvm domain
    replace_all(ours, "&#13;", "\r");                   // which libvirt does not read back
    EXPECT_EQ(ours, theirs);
}

struct LiveFormat : testing::Test {
    Definition definition = parse(data("live.xml"));
    LiveDetails live{
        .id = 7, .cpus = {4, 2}, .known_cpus = {}, .tty = "/dev/pts/3", .numa_nodeset = "0"};
};

TEST_F(LiveFormat, PrintsTheWholeOfARunningDomain) {
    std::string expected = data("live.xml");
    replace_all(expected, "  </os>\n",
                "  </os>\n  <on_poweroff>destroy</on_poweroff>\n"
                "  <on_reboot>restart</on_reboot>\n  <on_crash>destroy</on_crash>\n");
    EXPECT_EQ(format(definition, &live), expected);
}

TEST_F(LiveFormat, SaysNothingOfATtyThatIsNotThere) {
    live.tty.clear();
    const std::string text = format(definition, &live);
    EXPECT_THAT(text, HasSubstr("<console type='pty'>"));
    EXPECT_THAT(text, Not(HasSubstr("<source")));
}

TEST_F(LiveFormat, GivesAVirtioConsoleItsOwnAlias) {
    definition.console.emplace().virtio_target = true;
    EXPECT_THAT(format(definition, &live), HasSubstr("<alias name='console0'/>"));
}

TEST_F(LiveFormat, KeepsAUserAlias) {
    definition.console->alias = "ua-mine";
    const std::string text = format(definition, &live);
    EXPECT_THAT(text, HasSubstr("<alias name='ua-mine'/>"));
    EXPECT_THAT(text, Not(HasSubstr("serial0")));
}

TEST(Format, EscapesAttributesSoThatTheyReadBack) {
    Definition definition = parse(data("minimal.xml"));
    definition.console.emplace().log_file = "/a'b\"c<d>&e\tf\ng\rh";
    EXPECT_EQ(parse(format(definition)), definition);
}

}  // namespace
}  // namespace mk::domain
