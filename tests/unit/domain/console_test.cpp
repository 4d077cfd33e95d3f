// SPDX-License-Identifier: LGPL-2.1-or-later
#include "domain/console.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <poll.h>
#include <unistd.h>

#include "domain/console_log.h"
#include "domain/console_ring.h"
#include "support/driver_fixture.h"

namespace mk::domain {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

TEST(ConsoleRing, GivesEachReaderWhatItHasNotRead) {
    ConsoleRing ring(8);
    ring.append("abc");
    std::uint64_t first = 0;
    std::uint64_t second = 2;
    EXPECT_EQ(ring.read(first, 100), "abc");
    EXPECT_EQ(ring.read(second, 100), "c");
    EXPECT_EQ(ring.read(first, 100), "");
    ring.append("defgh");
    EXPECT_EQ(ring.read(first, 2), "de");
    EXPECT_EQ(ring.read(first, 100), "fgh");
}

TEST(ConsoleRing, MarksWhatASlowReaderLost) {
    ConsoleRing ring(4);
    std::uint64_t position = 0;
    ring.append("abc");
    ring.append("defg");
    EXPECT_EQ(ring.begin(), 3U);
    EXPECT_EQ(ring.end(), 7U);
    EXPECT_EQ(ring.read(position, 100), lost_mark(3));
    EXPECT_EQ(ring.read(position, 100), "defg");
    EXPECT_EQ(ring.read(position, 100), "");
}

TEST(ConsoleRing, KeepsTheLastOfMoreThanItHolds) {
    ConsoleRing ring(4);
    ring.append("0123456789");
    std::uint64_t position = ring.begin();
    EXPECT_EQ(position, 6U);
    EXPECT_EQ(ring.read(position, 3), "678");
    ring.append("ab");
    EXPECT_EQ(ring.read(position, 100), "9ab");
}

struct ConsoleLogTest : testing::Test {
    test::Sandbox sandbox;
    std::string path = sandbox.root() + "/x.log";
};

TEST_F(ConsoleLogTest, RotatesAtItsSizeAndKeepsThreeBackups) {
    ConsoleLog log(path, true);
    for (const char c : {'a', 'b', 'c', 'd', 'e'})
        log.write(std::string(ConsoleLog::max_size_bytes, c));
    log.write("f");
    EXPECT_EQ(sandbox.read("x.log"), "f");
    EXPECT_THAT(sandbox.read("x.log.0"), StartsWith("e"));
    EXPECT_THAT(sandbox.read("x.log.2"), StartsWith("c"));
    EXPECT_FALSE(sandbox.exists("x.log.3"));
}

TEST_F(ConsoleLogTest, AppendsOrBeginsAnew) {
    ConsoleLog(path, true).write("one ");
    ConsoleLog(path, true).write("two ");
    EXPECT_EQ(sandbox.read("x.log"), "one two ");
    ConsoleLog(path, false).write("three");
    EXPECT_EQ(sandbox.read("x.log"), "three");
}

TEST_F(ConsoleLogTest, RefusesWhatIsNoFile) {
    ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
    const Fd reader = open_file(path, O_RDONLY | O_NONBLOCK);
    EXPECT_ERROR(ConsoleLog(path, true), VIR_ERR_CONFIG_UNSUPPORTED, "not a regular file");
}

struct ConsoleTest : test::DriverFixture {
    std::string log(const std::string& name = "web") {
        return sandbox.read("log/" + name + ".log");
    }
    // The far end of the pty, as a terminal program opens it.
    Fd open_tty(const Uuid& uuid) {
        return open_file(view(uuid).details.tty, O_RDWR | O_NOCTTY | O_NONBLOCK);
    }
    static std::string read_tty_until(const Fd& tty, const std::string& text) {
        std::string seen;
        while (seen.find(text) == std::string::npos) {
            pollfd entry{tty.get(), POLLIN, 0};
            if (::poll(&entry, 1, 20'000) != 1) {
                ADD_FAILURE() << "no '" << text << "' on the tty after " << seen.size() << " bytes";
                return seen;
            }
            std::array<char, 4096> bytes{};
            const ssize_t got = ::read(tty.get(), bytes.data(), bytes.size());
            if (got > 0)
                seen.append(bytes.data(), static_cast<std::size_t>(got));
        }
        return seen;
    }
};

TEST_F(ConsoleTest, AViewerSeesTheBootFromItsFirstByte) {
    const Uuid web = define_and_start("web");
    auto console = driver->open_console(web, "", false);
    EXPECT_THAT(read_until(*console, "# "), StartsWith("[    0.000000] Linux version"));
    EXPECT_EQ(console->write("echo hello\r"), 11U);
    EXPECT_THAT(read_until(*console, "\r\nhello\r\n"), HasSubstr("echo hello"));
}

TEST_F(ConsoleTest, TheNextViewerGetsWhatNobodyHasRead) {
    const Uuid web = define_and_start("web");
    auto first = driver->open_console(web, "console0", false);
    (void)read_until(*first, "# ");
    first.reset();
    machine->app_writes(web, "while you were away");
    auto second = driver->open_console(web, "serial0", false);
    EXPECT_EQ(read_until(*second, "away"), "while you were away");
}

TEST_F(ConsoleTest, ASecondViewerIsRefusedOrForcesTheFirstOut) {
    const Uuid web = define_and_start("web");
    auto first = driver->open_console(web, "", false);
    (void)read_until(*first, "# ");
    EXPECT_ERROR(driver->open_console(web, "", false), VIR_ERR_OPERATION_FAILED,
                 "Active console session exists for this domain");
    auto second = driver->open_console(web, "", true);
    EXPECT_EQ(read_to_end(*first), "");
    first.reset();  // must not end the second one's session
    EXPECT_ERROR(driver->open_console(web, "", false), VIR_ERR_OPERATION_FAILED, "Active console");
    (void)second->write("echo two\r");
    (void)read_until(*second, "\r\ntwo\r\n");
}

TEST_F(ConsoleTest, UnknownDevicesAndStoppedDomainsAreRefused) {
    const Uuid web = define("web");
    EXPECT_ERROR(driver->open_console(web, "", false), VIR_ERR_OPERATION_INVALID,
                 "domain is not running");
    driver->start(web, {});
    EXPECT_ERROR(driver->open_console(web, "serial7", false), VIR_ERR_INVALID_ARG, "serial7");
}

TEST_F(ConsoleTest, ADestroyEndsTheSessionAfterTheLastByte) {
    const Uuid web = define_and_start("web");
    auto console = driver->open_console(web, "", false);
    (void)read_until(*console, "# ");
    machine->app_writes(web, "last words");
    driver->destroy(web);
    EXPECT_EQ(read_to_end(*console), "last words");
    EXPECT_EQ(console->write("x"), 1U);  // nobody is there; nothing piles up
}

TEST_F(ConsoleTest, AViewerThatDoesNotReadStallsNobodyAndFindsAMark) {
    const Uuid web = define_and_start("web");
    auto lazy = driver->open_console(web, "", false);
    (void)lazy->write("flood 600\r");  // more than twice the ring
    const Fd tty = open_tty(web);
    (void)lazy->write("echo over\r");
    (void)read_tty_until(tty, "\r\nover\r\n");  // the others go on
    const std::string seen = read_until(*lazy, "\r\nover\r\n");
    EXPECT_THAT(seen, HasSubstr("bytes of console output were lost here]"));
    EXPECT_LT(seen.size(), ConsoleHub::ring_bytes + 4096);
    driver->destroy(web);
    EXPECT_GT(log().size(), 600U * 1024);  // the log has all of it
    EXPECT_THAT(log(), Not(HasSubstr("were lost here")));
}

TEST_F(ConsoleTest, TheTtyShowsTheBootAndTakesInput) {
    const Uuid web = define_and_start("web");
    const Fd tty = open_tty(web);
    EXPECT_THAT(read_tty_until(tty, "# "), StartsWith("[    0.000000] Linux version"));
    ASSERT_EQ(::write(tty.get(), "uname -r\r", 9), 9);
    EXPECT_THAT(read_tty_until(tty, "fake\r\n# "), HasSubstr("uname -r\r\n6.1.0-fake"));
}

TEST_F(ConsoleTest, ATtyThatNobodyReadKeepsWhatFitsIntoTheRing) {
    const Uuid web = define_and_start("web");
    auto console = driver->open_console(web, "", false);
    (void)console->write("flood 100\recho over\r");
    (void)read_until(*console, "\r\nover\r\n");
    const Fd tty = open_tty(web);
    const std::string seen = read_tty_until(tty, "\r\nover\r\n");
    EXPECT_THAT(seen, StartsWith("[    0.000000] Linux version"));
    EXPECT_GT(seen.size(), 100U * 1024);
}

TEST_F(ConsoleTest, AHungAppKernelBoundsWhatIsTyped) {
    machine->silent_boot = true;
    const Uuid web = define_and_start("web");
    auto console = driver->open_console(web, "", false);
    const std::string much(1U << 20, 'x');
    std::size_t taken = 0;
    for (int i = 0; i < 4; ++i)
        taken += console->write(much);
    EXPECT_LT(taken, much.size() * 4);
    driver->destroy(web);
}

TEST_F(ConsoleTest, TheLogGoesOnOverStarts) {
    const Uuid web = define_and_start("web");
    auto console = driver->open_console(web, "", false);
    (void)read_until(*console, "# ");
    driver->destroy(web);
    const std::string once = log();
    EXPECT_THAT(once, StartsWith("[    0.000000] Linux version"));
    driver->start(web, {});
    auto again = driver->open_console(web, "", false);
    (void)read_until(*again, "# ");
    driver->destroy(web);
    EXPECT_EQ(log(), once + once);
}

TEST_F(ConsoleTest, TheDefinitionsOwnLogIsEmptiedUnlessItSaysAppend) {
    const std::string own = sandbox.root() + "/own.log";
    const auto device = [&](const char* append) {
        return "<devices><console type='pty'><log file='" + own + "' append='" + append +
               "'/></console></devices>";
    };
    const auto run = [&](const char* append) {
        const Uuid web = define_and_start("web", 1, device(append));
        auto console = driver->open_console(web, "", false);
        (void)read_until(*console, "# ");
        driver->destroy(web);
        driver->undefine(web);
        return sandbox.read("own.log");
    };
    const std::string once = run("off");
    EXPECT_EQ(run("off"), once);
    EXPECT_EQ(run("on"), once + once);
}

TEST_F(ConsoleTest, ARebootIsOneStreamInTheLog) {
    const Uuid web = define_and_start("web");
    auto console = driver->open_console(web, "", false);
    (void)read_until(*console, "# ");
    driver->reset(web);
    (void)read_until(*console, "# ");
    driver->destroy(web);
    const std::string all = log();
    const std::string half = all.substr(0, all.size() / 2);
    EXPECT_EQ(all, half + half);
}

TEST_F(ConsoleTest, ANextDaemonContinuesTheLogWithoutGapOrRepetition) {
    const Uuid web = define_and_start("web");
    auto console = driver->open_console(web, "", false);
    (void)read_until(*console, "# ");
    console.reset();
    stop_daemon();
    machine->app_writes(web, "[nobody listens]");
    start_daemon();
    console = driver->open_console(web, "", false);
    EXPECT_EQ(read_until(*console, "listens]"), "[nobody listens]");
    (void)console->write("echo again\r");
    (void)read_until(*console, "\r\nagain\r\n");
    driver->destroy(web);
    const std::string all = log();
    EXPECT_EQ(all.find("Linux version"), all.rfind("Linux version"));
    EXPECT_THAT(all, HasSubstr("# [nobody listens]echo again\r\nagain\r\n"));
}

}  // namespace mk::domain
