// SPDX-License-Identifier: LGPL-2.1-or-later
#include "domain/metadata.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "util/error.h"
#include "util/fd.h"

namespace mk::domain {
namespace {

struct MetadataTest : testing::Test {
    Definition definition = parse(read_file(MK_TEST_DATA "/domain/full.xml"));

    void set(std::optional<std::string> xml, const std::string& key, const std::string& uri) {
        set_metadata(
            definition,
            {.type = VIR_DOMAIN_METADATA_ELEMENT, .value = std::move(xml), .key = key, .uri = uri});
    }
    [[nodiscard]] std::string get(const std::string& uri) const {
        return metadata(definition, VIR_DOMAIN_METADATA_ELEMENT, uri);
    }
    virErrorNumber code_of(const auto& call) {
        try {
            call();
        } catch (const Error& error) {
            return error.code();
        }
        return VIR_ERR_OK;
    }
};

TEST_F(MetadataTest, ComesBackWithoutItsNamespace) {
    EXPECT_EQ(get("urn:a"), "<x><y b=\"1'2\"/>text <z/> more</x>");
}

TEST_F(MetadataTest, IsPrintedWithKeyAndNamespaceAsLibvirtDoes) {
    set("<foo a='1'><bar/></foo>", "k", "urn:new");
    EXPECT_THAT(format(definition), testing::HasSubstr("    <k:foo xmlns:k=\"urn:new\" a=\"1\">\n"
                                                       "      <k:bar/>\n"
                                                       "    </k:foo>\n  </metadata>\n"));
    EXPECT_EQ(get("urn:new"), "<foo a=\"1\">\n  <bar/>\n</foo>");
    EXPECT_EQ(parse(format(definition)), definition);
}

TEST_F(MetadataTest, ReplacesWhatHasTheSameNamespaceAndNothingElse) {
    set("<new/>", "other", "urn:a");
    EXPECT_EQ(get("urn:a"), "<new/>");
    EXPECT_EQ(definition.metadata.size(), 2U);
    EXPECT_THAT(get("urn:z"), testing::HasSubstr("<k>v</k>"));
}

TEST_F(MetadataTest, IsRemovedAndRemovedAgain) {
    set(std::nullopt, "", "urn:a");
    EXPECT_EQ(code_of([&] { static_cast<void>(get("urn:a")); }), VIR_ERR_NO_DOMAIN_METADATA);
    EXPECT_NO_THROW(set(std::nullopt, "", "urn:a"));
}

TEST_F(MetadataTest, RefusesWhatWouldMakeADefinitionThatCannotBeRead) {
    const Definition before = definition;
    EXPECT_EQ(code_of([&] { set("<a>", "k", "urn:k"); }), VIR_ERR_XML_DETAIL);
    EXPECT_EQ(code_of([&] { set("", "k", "urn:k"); }), VIR_ERR_XML_DETAIL);
    EXPECT_EQ(code_of([&] { set("<a/>", "1 k", "urn:k"); }), VIR_ERR_INVALID_ARG);
    EXPECT_EQ(code_of([&] { set("<a/>", "", "urn:k"); }), VIR_ERR_INVALID_ARG);
    EXPECT_EQ(code_of([&] { set("<a/>", "k", ""); }), VIR_ERR_INVALID_ARG);
    EXPECT_EQ(code_of([&] { set("<a/>", "xml", "urn:k"); }), VIR_ERR_INVALID_ARG);
    EXPECT_EQ(code_of([&] { set("<a/>", "xmlns", "urn:k"); }), VIR_ERR_INVALID_ARG);
    EXPECT_EQ(code_of([&] { set("<a xmlns='urn:other'/>", "k", "urn:k"); }), VIR_ERR_INVALID_ARG);
    EXPECT_EQ(code_of([&] { set("<a xmlns:k='urn:other'/>", "k", "urn:k"); }), VIR_ERR_INVALID_ARG);
    EXPECT_EQ(code_of([&] { set("<a/>", "k", "urn:\xff"); }), VIR_ERR_INVALID_ARG);
    EXPECT_EQ(definition, before);
}

TEST_F(MetadataTest, RefusesTextThatXmlCannotHold) {
    for (const char* text : {"bell \x07", "broken utf-8 \xc3", "surrogate \xed\xa0\x80"}) {
        for (const auto type : {VIR_DOMAIN_METADATA_TITLE, VIR_DOMAIN_METADATA_DESCRIPTION}) {
            EXPECT_EQ(code_of([&] { set_metadata(definition, {.type = type, .value = text}); }),
                      VIR_ERR_INVALID_ARG)
                << text;
        }
    }
}

TEST_F(MetadataTest, TitleIsOneLine) {
    EXPECT_EQ(code_of([&] {
                  set_metadata(definition, {.type = VIR_DOMAIN_METADATA_TITLE, .value = "a\nb"});
              }),
              VIR_ERR_INVALID_ARG);
    set_metadata(definition, {.type = VIR_DOMAIN_METADATA_TITLE, .value = "new"});
    EXPECT_EQ(metadata(definition, VIR_DOMAIN_METADATA_TITLE, ""), "new");
}

TEST_F(MetadataTest, DescriptionIsSetAndRemoved) {
    set_metadata(definition, {.value = "a\nb <c>"});
    EXPECT_EQ(metadata(definition, VIR_DOMAIN_METADATA_DESCRIPTION, ""), "a\nb <c>");
    EXPECT_EQ(parse(format(definition)), definition);
    set_metadata(definition, {});
    EXPECT_EQ(code_of([&] {
                  static_cast<void>(metadata(definition, VIR_DOMAIN_METADATA_DESCRIPTION, ""));
              }),
              VIR_ERR_NO_DOMAIN_METADATA);
}

TEST_F(MetadataTest, RefusesATypeThatLibvirtDoesNotHave) {
    const auto type = static_cast<virDomainMetadataType>(3);
    EXPECT_EQ(code_of([&] { set_metadata(definition, {.type = type}); }), VIR_ERR_INVALID_ARG);
    EXPECT_EQ(code_of([&] { static_cast<void>(metadata(definition, type, "")); }),
              VIR_ERR_INVALID_ARG);
}

}  // namespace
}  // namespace mk::domain
