// SPDX-License-Identifier: LGPL-2.1-or-later
#include "util/cpu_set.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/matchers.h"

namespace mk {
namespace {

TEST(CpuSet, ReadsNumbersRangesAndExclusions) {
    EXPECT_EQ(CpuSet::parse("0-3,^2,8"), (CpuSet{0, 1, 3, 8}));
    EXPECT_EQ(CpuSet::parse("  5 , 7\n"), (CpuSet{5, 7}));
    EXPECT_EQ(CpuSet::parse(""), CpuSet{});
    EXPECT_EQ(CpuSet::parse("16383"), CpuSet{16383});
}

TEST(CpuSet, RejectsWhatIsNoList) {
    for (const char* text : {"3-1", "a", "1,", ",1", "1,,2", "-1", "1-", "1-2-3", "0x1", "16384",
                             "0-4294967295", "99999999999999999999", "^"})
        EXPECT_THAT([text] { (void)CpuSet::parse(text); },
                    test::throws_error(VIR_ERR_INVALID_ARG, text))
            << text;
}

TEST(CpuSet, PrintsTheShortestList) {
    EXPECT_EQ((CpuSet{0, 1, 3, 4, 5, 9}).to_string(), "0-1,3-5,9");
    EXPECT_EQ(CpuSet{}.to_string(), "");
}

TEST(CpuSet, IsABitMapOfLittleEndianBytes) {
    EXPECT_EQ((CpuSet{0, 9, 30}).to_bitmap(2), (std::vector<std::uint8_t>{0x01, 0x02}));
    EXPECT_EQ(CpuSet::from_bitmap({0x81, 0x02}), (CpuSet{0, 7, 9}));
}

TEST(CpuSet, ContainsIntersectsAndSubtracts) {
    const CpuSet set = CpuSet::parse("2-5");
    EXPECT_TRUE(set.contains(CpuSet::parse("3-4")));
    EXPECT_FALSE(set.contains(CpuSet::parse("5-6")));
    EXPECT_TRUE(set.intersects(CpuSet::parse("5-6")));
    EXPECT_FALSE(set.intersects(CpuSet::parse("0-1,6")));
    EXPECT_EQ(set - CpuSet::parse("3-9"), CpuSet{2});
    EXPECT_EQ(set & CpuSet::parse("4-9"), CpuSet::parse("4-5"));
    EXPECT_EQ(set | CpuSet::parse("6"), CpuSet::parse("2-6"));
}

}  // namespace
}  // namespace mk
