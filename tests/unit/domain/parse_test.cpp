// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Every tests/data/domain/<case>.xml: with <case>.out.xml it is printed as that, with
// <case>.err (libvirt's error number, then what the message begins with) it is refused.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "domain/definition.h"
#include "util/error.h"
#include "util/fd.h"

namespace mk::domain {
namespace {

constexpr const char* folder = MK_TEST_DATA "/domain/";

std::vector<std::string> cases_with(const std::string& suffix) {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
        const std::string name = entry.path().filename().string();
        if (name.ends_with(suffix)) {
            names.push_back(name.substr(0, name.size() - suffix.size()));
        }
    }
    std::sort(names.begin(), names.end());
    return names;
}

std::string test_name(const testing::TestParamInfo<std::string>& info) {
    std::string name = info.param;
    std::replace(name.begin(), name.end(), '-', '_');
    return name;
}

Definition parse_and_validate(const std::string& xml) {
    Definition definition = parse(xml);
    validate(definition);
    return definition;
}

struct Accepted : testing::TestWithParam<std::string> {
    std::string input = read_file(folder + GetParam() + ".xml");
    std::string expected = read_file(folder + GetParam() + ".out.xml");
};

TEST_P(Accepted, IsPrintedAsExpected) {
    EXPECT_EQ(format(parse_and_validate(input)), expected);
}

TEST_P(Accepted, ReadsBackTheSame) {
    const Definition first = parse_and_validate(input);
    const Definition second = parse_and_validate(format(first));
    EXPECT_EQ(second, first);
    EXPECT_EQ(format(second), format(first));
}

TEST_P(Accepted, ReadsBackTheSameFromItsLiveXml) {
    const Definition first = parse_and_validate(input);
    LiveDetails live{
        .id = 3, .cpus = {}, .known_cpus = {}, .tty = "/dev/pts/5", .numa_nodeset = "0-1"};
    for (unsigned vcpu = 0; vcpu < first.vcpus; vcpu++) {
        live.cpus.push_back(90 - vcpu);
    }
    const Definition second = parse_and_validate(format(first, &live));
    EXPECT_EQ(second, first);
}

TEST_P(Accepted, ReadsBackTheSameIfTheChoiceIsWhatWasWanted) {
    Definition first = parse_and_validate(input);
    LiveDetails live;
    first.vcpu_pins.clear();
    first.cpuset.emplace();
    for (unsigned vcpu = 0; vcpu < first.vcpus; vcpu++) {
        live.cpus.push_back(vcpu + 4);
        first.cpuset->insert(vcpu + 4);
        first.vcpu_pins[vcpu] = CpuSet{vcpu + 4};
    }
    EXPECT_EQ(parse_and_validate(format(first, &live)), first);
}

INSTANTIATE_TEST_SUITE_P(Data, Accepted, testing::ValuesIn(cases_with(".out.xml")), test_name);

struct Refused : testing::TestWithParam<std::string> {};

TEST_P(Refused, NamesItsReason) {
    const std::string expected = read_file(folder + GetParam() + ".err");
    const auto newline = expected.find('\n');
    try {
        static_cast<void>(parse_and_validate(read_file(folder + GetParam() + ".xml")));
        ADD_FAILURE() << "was accepted";
    } catch (const Error& error) {
        EXPECT_EQ(std::to_string(error.code()), expected.substr(0, newline));
        const std::string text = expected.substr(newline + 1, expected.size() - newline - 2);
        EXPECT_THAT(error.full_message(), testing::StartsWith(text));
    }
}

INSTANTIATE_TEST_SUITE_P(Data, Refused, testing::ValuesIn(cases_with(".err")), test_name);

TEST(Parse, EveryInputHasAnExpectation) {
    for (const std::string& name : cases_with(".xml")) {
        if (!name.ends_with(".out")) {
            EXPECT_NE(std::filesystem::exists(folder + name + ".out.xml"),
                      std::filesystem::exists(folder + name + ".err"))
                << name;
        }
    }
}

TEST(Parse, MakesAUuidIfThereIsNone) {
    const std::string xml =
        "<domain type='multikernel'><name>v</name><memory>262144</memory>"
        "<os><type>hvm</type></os></domain>";
    EXPECT_TRUE(parse(xml).uuid.valid());
    EXPECT_NE(parse(xml).uuid, parse(xml).uuid);
}

TEST(Parse, RefusesWhatIsLargerThanAStringOnTheWire) {
    const std::string xml = "<domain type='multikernel'>" + std::string(4U << 20, ' ');
    try {
        static_cast<void>(parse(xml));
        ADD_FAILURE() << "was accepted";
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), VIR_ERR_XML_ERROR);
        EXPECT_THAT(error.what(), testing::HasSubstr("more than the limit of 4194304"));
    }
}

TEST(Parse, RefusesANulByte) {
    std::string xml = read_file(std::string(folder) + "minimal.xml");
    xml[xml.find("<name>") + 6] = '\0';
    EXPECT_THROW(static_cast<void>(parse(xml)), Error);
}

struct Schema : testing::Test {
    ParseOptions options{.validate_schema = true,
                         .schema = MK_TEST_DATA "/../../xml-schema/multikerneldomain.rng"};
};

TEST_F(Schema, AcceptsTheExamples) {
    for (const char* name : {"hello", "smp", "pinned"}) {
        const std::string path =
            std::string(MK_TEST_DATA "/../../xml-schema/examples/") + name + ".xml";
        const Definition definition = parse(read_file(path), options);
        EXPECT_NO_THROW(validate(definition));
        EXPECT_EQ(definition.name, name);
    }
}

TEST_F(Schema, AcceptsWhatIsPrinted) {
    for (const std::string& name : cases_with(".out.xml")) {
        if (name == "name-with-odd-characters") {
            continue;  // the driver takes more names than libvirt's schema
        }
        Definition definition = parse(read_file(folder + name + ".out.xml"));
        LiveDetails live{
            .id = 1, .cpus = {}, .known_cpus = {}, .tty = "/dev/pts/0", .numa_nodeset = "0"};
        for (unsigned vcpu = 0; vcpu < definition.vcpus; vcpu++) {
            live.cpus.push_back(vcpu);
        }
        EXPECT_NO_THROW(static_cast<void>(parse(format(definition), options))) << name;
        EXPECT_NO_THROW(static_cast<void>(parse(format(definition, &live), options))) << name;
    }
}

TEST_F(Schema, RefusesWhatItDoesNotSay) {
    std::string xml = read_file(std::string(folder) + "minimal.xml");
    xml.replace(xml.find("<os>"), 4, "<os><kernell/>");
    try {
        static_cast<void>(parse(xml, options));
        ADD_FAILURE() << "was accepted";
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), VIR_ERR_XML_INVALID_SCHEMA);
        EXPECT_THAT(error.what(), testing::HasSubstr("os"));
    }
}

TEST_F(Schema, SaysWhichSchemaIsMissing) {
    options.schema = "/nonexistent/multikerneldomain.rng";
    try {
        static_cast<void>(parse(read_file(std::string(folder) + "minimal.xml"), options));
        ADD_FAILURE() << "was accepted";
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), VIR_ERR_INTERNAL_ERROR);
        EXPECT_THAT(error.what(), testing::HasSubstr(options.schema));
    }
}

}  // namespace
}  // namespace mk::domain
