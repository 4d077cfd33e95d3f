// SPDX-License-Identifier: LGPL-2.1-or-later
#include "dump/kernel_log.h"

#include <gtest/gtest.h>

#include <random>

#include "dump/vmcoreinfo.h"
#include "support/kernel_image.h"

namespace mk::dump {

constexpr std::chrono::seconds patience{20};

struct KernelLogTest : testing::Test {
    test::KernelImage image{{"Linux version 6.1.0", "second line", "Kernel panic"}};

    [[nodiscard]] KernelLog log() const {
        Memory memory(image.file(), image.ranges());
        return read_kernel_log(memory, patience);
    }
};

TEST_F(KernelLogTest, PrintsTheRecordsFromTheOldestOn) {
    EXPECT_EQ(log().text,
              "[    1.000000] Linux version 6.1.0\n[    2.000000] second line\n"
              "[    3.000000] Kernel panic\n");
    EXPECT_EQ(log().missing, "");
}

TEST_F(KernelLogTest, FindsARecordThatDidNotFitAtTheEndOfTheRing) {
    const std::string wide(200, 'x');
    image = test::KernelImage({wide, wide, std::string(150, 'y')});
    EXPECT_NE(log().text.find("[    3.000000] " + std::string(150, 'y') + "\n"), std::string::npos);
}

TEST_F(KernelLogTest, SaysSoBeforeTheKernelHasMadeItsNote) {
    image.put(test::KernelImage::note, 0);
    EXPECT_EQ(log().text, "");
    EXPECT_EQ(log().missing, "it ended before it said where its log is");
}

TEST_F(KernelLogTest, PassesOverACopyOfAnotherKernelsNote) {
    image.put_note(0x5000);
    auto& bytes = image.bytes();
    bytes.replace(bytes.find("6.1.0-56", 0x5000), 8, "5.9.0-01");
    EXPECT_NE(log().text.find("Kernel panic"), std::string::npos);
}

TEST_F(KernelLogTest, ForgetsWhatAnEarlierKernelLeft) {
    Memory memory(image.file(), image.ranges());
    forget_vmcoreinfo(memory, patience);
    EXPECT_FALSE(find_vmcoreinfo(memory, patience));
}

TEST_F(KernelLogTest, BelievesNoNumber) {
    using Image = test::KernelImage;
    constexpr std::uint64_t everything = ~std::uint64_t{0};
    // Counts, pointers, positions, the tables themselves.
    for (const std::uint64_t offset :
         {Image::ring, Image::ring + 8, Image::ring + 16, Image::ring + 24, Image::ring + 32,
          Image::ring + 48, Image::ring + 56, Image::descs + 8, Image::descs + 16,
          Image::infos + 16, Image::top_table + 511UL * 8}) {
        for (const std::uint64_t value :
             {everything, everything >> 1, std::uint64_t{1}, Image::start | 1, Image::text}) {
            test::KernelImage broken = image;
            broken.put(offset, value);
            Memory memory(broken.file(), broken.ranges());
            const KernelLog read = read_kernel_log(memory, patience);
            EXPECT_LT(read.text.size(), 1U << 20) << offset << " " << value;
        }
    }
}

TEST_F(KernelLogTest, OutlivesGarbage) {
    std::mt19937_64 random(42);  // NOLINT: the same garbage each time
    for (unsigned round = 0; round < 50; ++round) {
        test::KernelImage broken = image;
        for (unsigned i = 0; i < 40; ++i)
            broken.put(test::KernelImage::ring + random() % 0x5000, random());
        Memory memory(broken.file(), broken.ranges());
        EXPECT_LT(read_kernel_log(memory, patience).text.size(), 1U << 20) << round;
    }
}

}  // namespace mk::dump
