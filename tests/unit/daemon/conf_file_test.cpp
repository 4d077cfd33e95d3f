// SPDX-License-Identifier: LGPL-2.1-or-later
#include "conf_file.h"

#include <gtest/gtest.h>

#include "support/matchers.h"

namespace mk {

std::vector<Setting> settings(std::string_view text) {
    return parse_settings(text, "x.conf");
}

Setting setting(std::string_view text) {
    return settings(text).at(0);
}

MATCHER_P(is_refused, text, "") {
    return ExplainMatchResult(
        test::throws_error(VIR_ERR_CONF_SYNTAX, text), [&] { (void)settings(arg); },
        result_listener);
}

using Texts = std::vector<std::string>;

TEST(ConfFile, ReadsNumbers) {
    EXPECT_EQ(setting("a = 5").number(0, 9), 5);
    EXPECT_EQ(setting("a=-1").number(-1, 9), -1);
    EXPECT_EQ(setting("a = +7 # why").number(0, 9), 7);
    EXPECT_EQ(setting("\t a\t=\t8\r\n").count(0, 9), 8U);
}

TEST(ConfFile, ReadsTextsInEachKindOfQuotes) {
    EXPECT_EQ(setting("a = \"it's # no comment\"").text(), "it's # no comment");
    EXPECT_EQ(setting("a = '\"b\"'").text(), "\"b\"");
    EXPECT_EQ(setting("a = \"\"").text(), "");
    EXPECT_EQ(setting("a = \"\"\"one\ntwo \"\" \"\"\"").text(), "one\ntwo \"\" ");
}

TEST(ConfFile, ReadsListsOverSeveralLines) {
    EXPECT_EQ(setting("a = []").texts(), Texts{});
    EXPECT_EQ(setting("a = [\"b\", 'c']").texts(), (Texts{"b", "c"}));
    EXPECT_EQ(setting("a = [\n  \"b\",  # why\n  # not\n  \"c\",\n]\n").texts(), (Texts{"b", "c"}));
}

TEST(ConfFile, ReadsSettingsInTheirOrder) {
    const auto all = settings("# first\n\nb_1 = 1; a = 2  # second\n#\n\nc = 'x'");
    ASSERT_EQ(all.size(), 3U);
    EXPECT_EQ(all[0].key(), "b_1");
    EXPECT_EQ(all[1].number(0, 9), 2);
    EXPECT_EQ(all[2].text(), "x");
    EXPECT_TRUE(settings("").empty());
    EXPECT_TRUE(settings("  # nothing").empty());
}

TEST(ConfFile, RefusesWhatIsNoSetting) {
    EXPECT_THAT("\nmany words", is_refused("x.conf:2: expected '=' after 'many'"));
    EXPECT_THAT("5 = a", is_refused("x.conf:1: expected 'key = value', not '5 = a'"));
    EXPECT_THAT("a", is_refused("x.conf:1: expected '=' after 'a'"));
    EXPECT_THAT("a =", is_refused("x.conf:1: expected a number, a text in quotes or a list"));
    EXPECT_THAT("a = b", is_refused("or a list, not 'b'"));
    EXPECT_THAT("a = 1 2", is_refused("expected the end of the line, not '2'"));
    EXPECT_THAT("a = 1\nb = 2\na = 3", is_refused("x.conf:3: a is there already"));
}

TEST(ConfFile, RefusesBrokenTexts) {
    EXPECT_THAT("a = \"b\nc\"", is_refused("x.conf:1: a text is not closed with its quote"));
    EXPECT_THAT("a = 'b\"", is_refused("a text is not closed with its quote"));
    EXPECT_THAT("a = \"\"\"b\"", is_refused("a text is not closed with its quote"));
    EXPECT_THAT(std::string_view("a = \"b\0c\"", 9), is_refused("a text has a zero byte"));
}

TEST(ConfFile, RefusesBrokenLists) {
    EXPECT_THAT("a = [\n\"b\"\n", is_refused("x.conf:3: expected , or ] in a list"));
    EXPECT_THAT("a = [\n\"b\",\n", is_refused("x.conf:3: a list is not closed with ]"));
    EXPECT_THAT("a = [ 5 ]", is_refused("x.conf:1: a list has texts in quotes only"));
    EXPECT_THAT("a = [ , ]", is_refused("x.conf:1: a list has texts in quotes only"));
    EXPECT_THAT("a = [ [ \"b\" ] ]", is_refused("x.conf:1: a list has texts in quotes only"));
}

TEST(ConfFile, RefusesNumbersThatAreTooLarge) {
    EXPECT_THAT("a = 99999999999999999999", is_refused("no number is as large as '9999"));
    EXPECT_THAT("a = -", is_refused("or a list, not '-'"));
}

TEST(ConfFile, SaysWhereAValueOfAnotherTypeIs) {
    const auto all = settings("a = 1\n\nb = \"x\"\n\nc = [\n'y',\n]\n");
    EXPECT_THAT([&] { (void)all[0].text(); },
                test::throws_error(VIR_ERR_CONF_SYNTAX, "x.conf:1: a must be a text in quotes"));
    EXPECT_THAT([&] { (void)all[1].flag(); },
                test::throws_error(VIR_ERR_CONF_SYNTAX, "x.conf:3: b must be a number"));
    EXPECT_THAT([&] { (void)all[2].number(0, 9); },
                test::throws_error(VIR_ERR_CONF_SYNTAX, "x.conf:5: c must be a number"));
    EXPECT_THAT([&] { (void)all[1].texts(); },
                test::throws_error(VIR_ERR_CONF_SYNTAX, "x.conf:3: b must be a list of texts"));
}

TEST(ConfFile, ReadsFlagsModesPathsAndWords) {
    EXPECT_TRUE(setting("a = 1").flag());
    EXPECT_EQ(setting("a = \"0770\"").mode(), 0770U);
    EXPECT_EQ(setting("a = \"/x\"").absolute_path(), "/x");
    EXPECT_EQ(setting("a = 'none'").one_of({"none", "polkit"}), "none");
    EXPECT_THAT([] { (void)setting("a = 2").flag(); },
                test::throws_error(VIR_ERR_CONF_SYNTAX, "a must be from 0 to 1"));
    for (const auto* const text : {"a = '0999'", "a = ''", "a = '1777'", "a = '07x'"})
        EXPECT_THAT([&] { (void)setting(text).mode(); },
                    test::throws_error(VIR_ERR_CONF_SYNTAX, "a must be a mode like \"0700\""));
    EXPECT_THAT([] { (void)setting("a = 'x'").absolute_path(); },
                test::throws_error(VIR_ERR_CONF_SYNTAX, "a must be an absolute path, not 'x'"));
    EXPECT_THAT(
        [] {
            (void)setting("a = 'x'").one_of({"none", "polkit"});
        },
        test::throws_error(VIR_ERR_CONF_SYNTAX, "a must be one of none, polkit, not 'x'"));
}

}  // namespace mk
