// SPDX-License-Identifier: LGPL-2.1-or-later
#include "domain/capabilities.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <libxml/relaxng.h>

#include <memory>

#include "support/fake_host.h"
#include "support/matchers.h"

namespace mk::domain {
namespace {

using testing::HasSubstr;
using testing::Not;

// Two nodes of two cores of two threads.
constexpr test::Machine two_nodes{.nodes = 2, .cores_per_node = 2, .threads_per_core = 2};
const Uuid host_identity = Uuid::parse("6f0c0de0-1111-4000-8000-000000000001").value();

// Whether libvirt's installed schema accepts `xml`; its complaints go to stderr.
bool accepted(const std::string& xml, const char* schema) {
    const std::string path = std::string("/usr/share/libvirt/schemas/") + schema;
    const auto free_parser = [](xmlRelaxNGParserCtxt* p) { xmlRelaxNGFreeParserCtxt(p); };
    const std::unique_ptr<xmlRelaxNGParserCtxt, decltype(free_parser)> parser(
        xmlRelaxNGNewParserCtxt(path.c_str()), free_parser);
    const auto free_schema = [](xmlRelaxNG* s) { xmlRelaxNGFree(s); };
    const std::unique_ptr<xmlRelaxNG, decltype(free_schema)> grammar(xmlRelaxNGParse(parser.get()),
                                                                     free_schema);
    const auto free_valid = [](xmlRelaxNGValidCtxt* v) { xmlRelaxNGFreeValidCtxt(v); };
    const std::unique_ptr<xmlRelaxNGValidCtxt, decltype(free_valid)> valid(
        xmlRelaxNGNewValidCtxt(grammar.get()), free_valid);
    const auto free_doc = [](xmlDoc* d) { xmlFreeDoc(d); };
    const std::unique_ptr<xmlDoc, decltype(free_doc)> document(
        xmlReadMemory(xml.data(), static_cast<int>(xml.size()), schema, nullptr, 0), free_doc);
    return grammar && valid && document && xmlRelaxNGValidateDoc(valid.get(), document.get()) == 0;
}

// The schema lists the types of domains that libvirt's own drivers have; everything else of our
// answer has to be as it says.
std::string with_known_type(std::string xml) {
    const std::string ours = "<domain type='multikernel'/>";
    const auto at = xml.find(ours);
    return at == std::string::npos ? xml : xml.replace(at, ours.size(), "<domain type='kvm'/>");
}

TEST(Capabilities, AreWhatLibvirtsSchemaDescribes) {
    for (const test::Machine& machine :
         {test::Machine{}, two_nodes,
          test::Machine{.nodes = 8, .cores_per_node = 32, .threads_per_core = 2}})
        EXPECT_TRUE(
            accepted(with_known_type(capabilities_xml(test::topology(machine), host_identity)),
                     "capability.rng"));
    EXPECT_FALSE(accepted("<capabilities><guest/></capabilities>", "capability.rng"));
}

TEST(Capabilities, ShowNodesCoresAndSiblings) {
    const std::string xml = capabilities_xml(test::topology(two_nodes), host_identity);
    EXPECT_THAT(xml, HasSubstr("<uuid>6f0c0de0-1111-4000-8000-000000000001</uuid>"));
    EXPECT_THAT(xml, HasSubstr("<topology sockets='2' dies='1' cores='2' threads='2'/>"));
    EXPECT_THAT(xml, HasSubstr("<cells num='2'>"));
    EXPECT_THAT(xml, HasSubstr("<memory unit='KiB'>4194304</memory>"));
    EXPECT_THAT(xml, HasSubstr("<pages unit='KiB' size='4'>1048576</pages>"));
    EXPECT_THAT(xml,
                HasSubstr("<cpu id='5' socket_id='1' die_id='0' core_id='0' siblings='4-5'/>"));
    EXPECT_THAT(xml, HasSubstr("<bank id='1' level='3' type='both' size='32' unit='MiB' "
                               "cpus='4-7'/>"));
}

TEST(Capabilities, OfferOneKindOfDomain) {
    const std::string xml = capabilities_xml(test::topology({}), host_identity);
    EXPECT_THAT(xml, HasSubstr("<os_type>hvm</os_type>"));
    EXPECT_THAT(xml, HasSubstr("<arch name='x86_64'>"));
    EXPECT_THAT(xml, HasSubstr("<domain type='multikernel'/>"));
    EXPECT_THAT(xml, Not(HasSubstr("<model>"))) << "clients compare and combine models";
}

TEST(Capabilities, AreTheSameWhileCpusArePartitions) {
    const test::FakeHost host(two_nodes);
    const auto remember = [&] {
        return host::remember_topology(host.sysfs(), host.procfs(), host.path("topology"));
    };
    const std::string before = capabilities_xml(remember(), host_identity);
    host.set_online(CpuSet::parse("0-1"));
    EXPECT_EQ(capabilities_xml(remember(), host_identity), before);
}

TEST(Capabilities, LeaveOutAnUnknownIdentityAndUnknownCores) {
    host::Topology topology = test::topology({});
    topology.cpus[3].core.reset();
    const std::string xml = capabilities_xml(topology, Uuid{});
    EXPECT_THAT(xml, Not(HasSubstr("<uuid>")));
    EXPECT_THAT(xml, HasSubstr("<cpu id='3'/>"));
    EXPECT_TRUE(accepted(with_known_type(xml), "capability.rng"));
}

TEST(HostUuid, ComesFromTheFirmwareElseTheMachineId) {
    const test::FakeHost host(test::Machine{});
    host.write("machine-id", "0123456789abcdef0123456789abcdef\n");
    const auto found = [&] { return host_uuid(host.sysfs(), host.path("machine-id")).to_string(); };
    EXPECT_EQ(found(), "01234567-89ab-cdef-0123-456789abcdef");
    host.write("sys/class/dmi/id/product_uuid", "00000000-0000-0000-0000-000000000000\n");
    EXPECT_EQ(found(), "01234567-89ab-cdef-0123-456789abcdef");
    host.write("sys/class/dmi/id/product_uuid", "6F0C0DE0-1111-4000-8000-000000000001\n");
    EXPECT_EQ(found(), "6f0c0de0-1111-4000-8000-000000000001");
    EXPECT_FALSE(host_uuid("/nonexistent", "/nonexistent").valid());
}

TEST(HostUuid, ComesFromTheMachineIdAloneIfAsked) {
    const test::FakeHost host(test::Machine{});
    const std::string path = host.path("machine-id");
    EXPECT_THAT([&] { (void)machine_uuid(path); },
                test::throws_error(VIR_ERR_SYSTEM_ERROR, "machine-id"));
    host.write("machine-id", "uninitialized\n");
    EXPECT_THAT([&] { (void)machine_uuid(path); },
                test::throws_error(VIR_ERR_CONFIG_UNSUPPORTED, "has no UUID"));
    host.write("machine-id", "0123456789abcdef0123456789abcdef\n");
    EXPECT_EQ(machine_uuid(path).to_string(), "01234567-89ab-cdef-0123-456789abcdef");
}

TEST(DomainCapabilities, AreWhatLibvirtsSchemaDescribes) {
    const std::string xml = domain_capabilities_xml({}, 14);
    EXPECT_TRUE(accepted(xml, "domaincaps.rng"));
    EXPECT_THAT(xml, HasSubstr("<vcpu max='14'/>"));
    EXPECT_THAT(xml, HasSubstr("<mode name='host-passthrough' supported='yes'>"));
    EXPECT_EQ(domain_capabilities_xml({"/usr/bin/x", "x86_64", "multikernel", "multikernel"}, 14),
              xml);
}

TEST(DomainCapabilities, RefuseWhatThisHostIsNot) {
    const auto asking = [](const Asked& asked) {
        return [asked] { (void)domain_capabilities_xml(asked, 1); };
    };
    EXPECT_THAT(asking({.emulator = "", .arch = "aarch64", .machine = "", .virt_type = ""}),
                test::throws_error(VIR_ERR_INVALID_ARG, "unknown architecture: aarch64"));
    EXPECT_THAT(asking({.emulator = "", .arch = "", .machine = "", .virt_type = "kvm"}),
                test::throws_error(VIR_ERR_INVALID_ARG, "unknown virttype: kvm"));
    EXPECT_THAT(asking({.emulator = "", .arch = "", .machine = "pc", .virt_type = ""}),
                test::throws_error(VIR_ERR_INVALID_ARG, "unknown machine: pc"));
}

TEST(NodeInfo, CountsTheWholeMachine) {
    const virNodeInfo info = node_info(test::topology(two_nodes), {});
    EXPECT_STREQ(info.model, "x86_64");
    EXPECT_EQ(info.memory, 8U << 20);
    EXPECT_EQ(info.cpus, 8U);
    EXPECT_EQ(info.mhz, 2400U);
    EXPECT_EQ(info.nodes, 2U);
    EXPECT_EQ(info.sockets, 1U);
    EXPECT_EQ(info.cores, 2U);
    EXPECT_EQ(info.threads, 2U);
}

TEST(NodeInfo, CountsCpusOfPartitionsButNotThoseTheOperatorTookOffline) {
    host::Topology topology = test::topology(two_nodes);
    for (const unsigned cpu : {2, 3, 6})
        topology.cpus[cpu].online = false;
    EXPECT_EQ(node_info(topology, {2, 3}).cpus, 7U);
    EXPECT_EQ(node_info(topology, {2, 3, 99}).cpus, 7U);
}

TEST(NodeInfo, OfAnUnevenMachineIsOneSocketOfCores) {
    host::Topology topology = test::topology(two_nodes);
    topology.cpus.pop_back();
    const virNodeInfo info = node_info(topology, {});
    EXPECT_EQ(VIR_NODEINFO_MAXCPUS(info), 7U);
    EXPECT_EQ(info.cores, 7U);
}

}  // namespace
}  // namespace mk::domain
