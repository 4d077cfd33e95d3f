// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What a document does besides being parsed.
#include "util/xml.h"

#include <gtest/gtest.h>

#include "support/matchers.h"

namespace mk {
namespace {

TEST(Xml, OfABadDocumentOnlyTheCallerHears) {
    testing::internal::CaptureStderr();
    EXPECT_THAT(
        [] { (void)XmlDoc::parse("<?xml version='1.0' encoding='EUC-JP'?><a>\xff\xff</a>", "x"); },
        test::throws_error(VIR_ERR_XML_DETAIL, "x:1: "));
    EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

}  // namespace
}  // namespace mk
