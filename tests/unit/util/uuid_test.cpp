// SPDX-License-Identifier: LGPL-2.1-or-later
#include "util/uuid.h"

#include <gtest/gtest.h>

namespace mk {
namespace {

constexpr const char* text = "6f0c0de0-1111-4000-8000-00000000abcd";

TEST(Uuid, IsReadWithDashesWithoutAndInCapitals) {
    EXPECT_EQ(Uuid::parse(text)->to_string(), text);
    EXPECT_EQ(Uuid::parse("6F0C0DE011114000800000000000ABCD")->to_string(), text);
}

TEST(Uuid, IsNotReadFromAnythingElse) {
    for (const char* bad : {"", "6f0c0de0", "6f0c0de0-1111-4000-8000-00000000abcd0",
                            "6f0c0de0-1111-4000-8000-00000000abc", "gf0c0de0-1111-4000-8000-0000",
                            "6-f0c0de0-1111-4000-8000-00000000abcd"})
        EXPECT_FALSE(Uuid::parse(bad)) << bad;
}

TEST(Uuid, IsNotValidIfAllItsBytesAreEqual) {
    EXPECT_FALSE(Uuid{}.valid());
    EXPECT_FALSE(Uuid::parse("11111111-1111-1111-1111-111111111111")->valid());
    EXPECT_TRUE(Uuid::parse(text)->valid());
}

TEST(Uuid, IsRandomOfVersionFour) {
    const Uuid one = Uuid::random();
    EXPECT_NE(one, Uuid::random());
    EXPECT_EQ(one.to_string()[14], '4');
    EXPECT_NE(std::string("89ab").find(one.to_string()[19]), std::string::npos);
}

}  // namespace
}  // namespace mk
