// SPDX-License-Identifier: LGPL-2.1-or-later
#include "util/fd.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <thread>

#include "support/matchers.h"

namespace mk {
namespace {

bool is_open(int fd) {
    return ::fcntl(fd, F_GETFD) >= 0;
}

std::pair<Fd, Fd> make_pipe() {
    std::array<int, 2> ends{};
    EXPECT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
    return {Fd(ends[0]), Fd(ends[1])};
}

TEST(Fd, ClosesWhatItOwnsOnceAndOnlyThat) {
    int number = -1;
    {
        Fd first = open_file("/dev/null", O_RDONLY);
        number = first.get();
        const Fd second = std::move(first);
        EXPECT_FALSE(first);  // NOLINT(bugprone-use-after-move): this is what is tested
        EXPECT_TRUE(is_open(number));
    }
    EXPECT_FALSE(is_open(number));
}

TEST(Fd, GivesUpWhatIsReleased) {
    int number = -1;
    {
        Fd fd = open_file("/dev/null", O_RDONLY);
        number = fd.release();
    }
    EXPECT_TRUE(is_open(number));
    const Fd again(number);
}

TEST(Fd, IsClosedOnExecAlsoAsACopy) {
    const Fd fd = open_file("/dev/null", O_RDONLY);
    EXPECT_EQ(::fcntl(fd.get(), F_GETFD), FD_CLOEXEC);
    EXPECT_EQ(::fcntl(fd.duplicate().get(), F_GETFD), FD_CLOEXEC);
}

TEST(Files, ThatAreNotThereAreNothingOrAnError) {
    EXPECT_FALSE(open_if_exists("/nonexistent", O_RDONLY));
    EXPECT_FALSE(read_file_if_exists("/dev/null/below-a-file"));
    EXPECT_THAT([] { (void)read_file("/nonexistent"); },
                test::throws_error(VIR_ERR_SYSTEM_ERROR, "open /nonexistent: No such file"));
}

TEST(Files, LongerThanTheLimitAreRefused) {
    EXPECT_THAT([] { (void)read_file("/dev/zero", 10'000); },
                test::throws_error(VIR_ERR_OPERATION_FAILED, "/dev/zero: file is larger"));
}

TEST(Files, AreReadAndWrittenWholeThroughAPipe) {
    auto [out, in] = make_pipe();
    const std::string text(300'000, 'x');  // more than a pipe holds
    std::thread writer([&text, in = std::move(in)]() mutable {
        write_all(in.get(), std::as_bytes(std::span(text)));
        in.reset();
    });
    EXPECT_EQ(read_all(out.get(), 1U << 20), text);
    writer.join();
}

}  // namespace
}  // namespace mk
