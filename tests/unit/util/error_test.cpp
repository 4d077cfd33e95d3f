// SPDX-License-Identifier: LGPL-2.1-or-later
#include "util/error.h"

#include <gtest/gtest.h>

#include <cerrno>

#include "util/log.h"

namespace mk {
namespace {

TEST(Error, SaysLibvirtsWordsBeforeItsOwn) {
    EXPECT_EQ(Error(VIR_ERR_NO_DOMAIN, "no domain with matching name 'x'").full_message(),
              "Domain not found: no domain with matching name 'x'");
    EXPECT_EQ(Error(VIR_ERR_SYSTEM_ERROR, "plain").full_message(), "plain");
}

TEST(Error, KeepsPercentSignsOfItsText) {
    EXPECT_EQ(Error(VIR_ERR_INVALID_ARG, "100%s").full_message(), "invalid argument: 100%s");
}

TEST(Error, OfTheSystemHasErrno) {
    errno = ENOENT;
    const Error error = Error::from_errno("open /x");
    EXPECT_EQ(error.code(), VIR_ERR_SYSTEM_ERROR);
    EXPECT_EQ(error.error_number(), ENOENT);
    EXPECT_STREQ(error.what(), "open /x: No such file or directory");
}

TEST(Log, EscapesHostileBytes) {
    EXPECT_EQ(log::escape("ok"), "ok");
    EXPECT_EQ(log::escape("a\n\x1b[2J\\"), "a\\x0a\\x1b[2J\\x5c");
    EXPECT_EQ(log::escape("\xff\x7f"), "\\xff\\x7f");
}

}  // namespace
}  // namespace mk
