// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Writing and rotating a console's log.
#include "domain/console_log.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <exception>
#include <span>
#include <utility>

#include "util/error.h"
#include "util/log.h"

namespace mk::domain {

ConsoleLog::ConsoleLog(std::string path, bool append) : path_(std::move(path)) {
    open(append);
}

void ConsoleLog::open(bool append) {
    // O_NONBLOCK: a FIFO at this path must not stop the daemon before it is refused.
    const int flags = O_WRONLY | O_CREAT | O_APPEND | O_NONBLOCK | (append ? 0 : O_TRUNC);
    Fd fd = open_file(path_, flags, 0600);
    struct stat status = {};
    if (::fstat(fd.get(), &status) < 0)
        throw Error::from_errno("stat " + path_);
    if (!S_ISREG(status.st_mode))
        throw Error(VIR_ERR_CONFIG_UNSUPPORTED,
                    fmt::format("the console log '{}' is not a regular file", path_));
    fd_ = std::move(fd);
    size_bytes_ = static_cast<std::uint64_t>(status.st_size);
}

void ConsoleLog::write(std::string_view bytes) noexcept {
    if (!fd_)
        return;
    try {
        while (!bytes.empty()) {
            if (size_bytes_ >= max_size_bytes)
                rotate();
            const auto piece = bytes.substr(0, max_size_bytes - size_bytes_);
            write_all(fd_.get(), std::as_bytes(std::span(piece)));
            size_bytes_ += piece.size();
            bytes = bytes.substr(piece.size());
        }
    } catch (const std::exception& error) {
        log::warning("the console log '{}' ends here: {}", path_, error.what());
        fd_.reset();
    }
}

void ConsoleLog::rotate() {
    const auto backup = [this](unsigned number) { return fmt::format("{}.{}", path_, number); };
    for (unsigned number = max_backups; number-- > 0;) {
        const std::string from = number == 0 ? path_ : backup(number - 1);
        if (std::rename(from.c_str(), backup(number).c_str()) < 0 && errno != ENOENT)
            throw Error::from_errno("rename " + from);
    }
    fd_.reset();
    open(false);
}

}  // namespace mk::domain
