// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Running makedumpfile, and ending it when nobody wants its output any more.
#include "dump/compress.h"

#include <fmt/format.h>
#include <glib.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>

#include "util/error.h"
#include "util/fd.h"
#include "util/log.h"

namespace mk::dump {
namespace {

constexpr std::size_t max_complaint = 4096;
constexpr int look_again_ms = 200;

std::string program() {
    char* found = g_find_program_in_path("makedumpfile");
    std::string path = found != nullptr ? found : "";
    g_free(found);
    if (path.empty() && ::access("/usr/sbin/makedumpfile", X_OK) == 0)
        path = "/usr/sbin/makedumpfile";
    if (path.empty())
        throw Error(VIR_ERR_OPERATION_UNSUPPORTED,
                    "compressed dumps are made by the program makedumpfile, which is not "
                    "installed; install it or use format 'elf'");
    return path;
}

const char* option_of(Compression how) {
    switch (how) {
        case Compression::lzo:
            return "-l";
        case Compression::snappy:
            return "-p";
        case Compression::zlib:
            break;
    }
    return "-c";
}

// Waits for the program; kills it once it is cancelled.
int wait_for(GPid pid, const Progress& progress) {
    const Fd ended(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    pollfd poll = {ended.get(), POLLIN, 0};
    bool killed = false;
    while (ended && ::poll(&poll, 1, look_again_ms) <= 0) {
        if (progress.cancelled && !killed)
            killed = ::kill(pid, SIGKILL) == 0;
    }
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return status;
}

// What it wrote to a memory file, in one line.
std::string complaint_of(int output) {
    std::string text(max_complaint, '\0');
    const ssize_t got = ::pread(output, text.data(), text.size(), 0);
    text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    while (!text.empty() && text.back() == '\n')
        text.pop_back();
    return log::escape(text);
}

}  // namespace

void require_compression() {
    (void)program();
}

void compress(int from, const std::string& to, Compression how, const Progress& progress) {
    const std::string path = program();
    const Fd output(::memfd_create("makedumpfile", MFD_CLOEXEC));
    if (!output)
        throw Error::from_errno("memfd");
    // Pages of zeroes are left out; the message level is that of errors alone.
    std::array<const char*, 10> words = {
        path.c_str(), option_of(how),    "-d",       "1",    "-f", "--message-level",
        "4",          "/proc/self/fd/0", to.c_str(), nullptr};
    GPid pid = 0;
    GError* error = nullptr;
    const auto flags = static_cast<GSpawnFlags>(G_SPAWN_DO_NOT_REAP_CHILD);
    if (g_spawn_async_with_fds("/", const_cast<char**>(words.data()), nullptr, flags, nullptr,
                               nullptr, &pid, from, output.get(), output.get(), &error) == 0) {
        const std::string why = error->message;
        g_error_free(error);
        throw Error(VIR_ERR_OPERATION_FAILED, fmt::format("cannot run {}: {}", path, why));
    }
    const int status = wait_for(pid, progress);
    progress.check();
    const std::string complaint = complaint_of(output.get());
    if (complaint.find("option is disabled") != std::string::npos)
        throw Error(VIR_ERR_OPERATION_UNSUPPORTED,
                    "this makedumpfile was built without that compression; use kdump-zlib");
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        throw Error(VIR_ERR_OPERATION_FAILED, fmt::format("makedumpfile failed: {}", complaint));
}

}  // namespace mk::dump
