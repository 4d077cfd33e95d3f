// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Fd and whole-file reads and writes.
#include "util/fd.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "util/error.h"

namespace mk {

Fd& Fd::operator=(Fd&& other) noexcept {
    if (this != &other) {
        reset();
        fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
}

Fd::~Fd() {
    reset();
}

void Fd::reset() noexcept {
    if (fd_ >= 0)
        ::close(std::exchange(fd_, -1));
}

Fd Fd::duplicate() const {
    const int copy = ::fcntl(fd_, F_DUPFD_CLOEXEC, 0);
    if (copy < 0)
        throw Error::from_errno("duplicate a file descriptor");
    return Fd(copy);
}

Fd open_file(const std::string& path, int flags, unsigned mode) {
    Fd fd(::open(path.c_str(), flags | O_CLOEXEC, mode));
    if (!fd)
        throw Error::from_errno("open " + path);
    return fd;
}

std::optional<Fd> open_if_exists(const std::string& path, int flags) {
    Fd fd(::open(path.c_str(), flags | O_CLOEXEC));
    if (fd)
        return fd;
    if (errno == ENOENT || errno == ENOTDIR)
        return std::nullopt;
    throw Error::from_errno("open " + path);
}

std::string read_all(int fd, std::size_t limit) {
    std::string text;
    std::size_t used = 0;
    for (;;) {
        text.resize(used + 4096);
        const ssize_t got = ::read(fd, text.data() + used, text.size() - used);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            throw Error::from_errno("read");
        used += static_cast<std::size_t>(got);
        if (used > limit)
            throw Error(VIR_ERR_OPERATION_FAILED, "file is larger than expected");
        if (got == 0)
            break;
    }
    text.resize(used);
    return text;
}

std::string read_file(const std::string& path, std::size_t limit) {
    const Fd fd = open_file(path, O_RDONLY);
    try {
        return read_all(fd.get(), limit);
    } catch (const Error& error) {
        throw Error(error.code(), path + ": " + error.what(), error.error_number());
    }
}

std::optional<std::string> read_file_if_exists(const std::string& path, std::size_t limit) {
    const auto fd = open_if_exists(path, O_RDONLY);
    if (!fd)
        return std::nullopt;
    try {
        return read_all(fd->get(), limit);
    } catch (const Error& error) {
        throw Error(error.code(), path + ": " + error.what(), error.error_number());
    }
}

void write_all(int fd, std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
        const ssize_t put = ::write(fd, bytes.data(), bytes.size());
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            throw Error::from_errno("write");
        bytes = bytes.subspan(static_cast<std::size_t>(put));
    }
}

}  // namespace mk
