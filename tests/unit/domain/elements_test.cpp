// SPDX-License-Identifier: LGPL-2.1-or-later
#include "domain/elements.h"

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <sstream>

#include "util/error.h"
#include "util/fd.h"
#include "util/xml.h"

namespace mk::domain {
namespace {

std::vector<Element> rows_of(Class cls) {
    std::vector<Element> rows;
    for (const Element& element : element_table()) {
        if (element.cls == cls) {
            rows.push_back(element);
        }
    }
    return rows;
}

std::vector<std::string> split(std::string_view text, char separator) {
    std::vector<std::string> parts;
    std::istringstream stream{std::string(text)};
    for (std::string part; std::getline(stream, part, separator);) {
        parts.push_back(part);
    }
    return parts;
}

// The smallest document that says `path`.
std::string document_with(std::string_view path) {
    const auto at = path.find('@');
    const auto names = split(path.substr(0, at), '/');
    std::string open;
    std::string close;
    for (std::size_t i = 0; i < names.size(); i++) {
        open += "<" + names[i];
        if (i == 0) {
            open += fmt::format(" xmlns:qemu='urn:qemu' xmlns:multikernel='{}'", multikernel_uri);
        }
        if (i + 1 == names.size() && at != std::string_view::npos) {
            open += fmt::format(" {}='1'", path.substr(at + 1));
        }
        open += ">";
        close = "</" + names[i] + ">" + close;
    }
    return open + close;
}

std::string test_name(const testing::TestParamInfo<Element>& info) {
    std::string name(info.param.path);
    for (char& c : name) {
        if (std::isalnum(static_cast<unsigned char>(c)) == 0) {
            c = '_';
        }
    }
    return name + "_" + std::to_string(info.index);
}

struct RefusedRow : testing::TestWithParam<Element> {};

TEST_P(RefusedRow, IsNamedWithItsSentence) {
    const XmlDoc doc = XmlDoc::parse(document_with(GetParam().path), "test");
    try {
        check_elements(doc.root());
        ADD_FAILURE() << "was accepted";
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), VIR_ERR_CONFIG_UNSUPPORTED);
        EXPECT_THAT(error.what(),
                    testing::HasSubstr(fmt::format("{} is not supported: {}", GetParam().path,
                                                   GetParam().sentence)));
    }
}

INSTANTIATE_TEST_SUITE_P(Table, RefusedRow, testing::ValuesIn(rows_of(Class::refused)), test_name);

struct AcceptedRow : testing::TestWithParam<Element> {};

TEST_P(AcceptedRow, IsNotRefused) {
    const XmlDoc doc = XmlDoc::parse(document_with(GetParam().path), "test");
    EXPECT_NO_THROW(check_elements(doc.root()));
}

INSTANTIATE_TEST_SUITE_P(Honoured, AcceptedRow, testing::ValuesIn(rows_of(Class::honoured)),
                         test_name);
INSTANTIATE_TEST_SUITE_P(TrueAnyway, AcceptedRow, testing::ValuesIn(rows_of(Class::true_anyway)),
                         test_name);
INSTANTIATE_TEST_SUITE_P(WithoutEffect, AcceptedRow,
                         testing::ValuesIn(rows_of(Class::without_effect)), test_name);
INSTANTIATE_TEST_SUITE_P(LiveOnly, AcceptedRow, testing::ValuesIn(rows_of(Class::live_only)),
                         test_name);

TEST(ElementTable, HasEachPathOnceAndUnderAParentThatIsAccepted) {
    std::set<std::string_view> seen;
    for (const Element& element : element_table()) {
        EXPECT_TRUE(seen.insert(element.path).second) << element.path;
        EXPECT_FALSE(element.sentence.empty()) << element.path;
        const auto at = element.path.find_last_of("/@");
        if (at != std::string_view::npos) {
            const Element* parent = find_element(element.path.substr(0, at));
            ASSERT_NE(parent, nullptr) << element.path;
            EXPECT_NE(parent->cls, Class::refused) << element.path;
        }
    }
}

TEST(ElementTable, IsTheTableOfTheSchemasReadme) {
    std::vector<std::string> expected;
    for (const Element& element : element_table()) {
        const char* const cls = element.cls == Class::honoured         ? "honoured"
                                : element.cls == Class::true_anyway    ? "true anyway"
                                : element.cls == Class::live_only      ? "live only"
                                : element.cls == Class::without_effect ? "without effect"
                                                                       : "refused";
        std::string sentence(element.sentence);
        for (auto tag = sentence.find('<'); tag != sentence.npos; tag = sentence.find('<')) {
            sentence.replace(tag, 1, "&lt;");
        }
        expected.push_back(fmt::format("| `{}` | {} | {} |", element.path, cls, sentence));
    }
    std::vector<std::string> written;
    for (std::string& line : split(read_file(MK_TEST_DATA "/../../xml-schema/README.md"), '\n')) {
        if (line.starts_with("| `domain")) {
            written.push_back(std::move(line));
        }
    }
    EXPECT_EQ(written, expected);
}

}  // namespace
}  // namespace mk::domain
