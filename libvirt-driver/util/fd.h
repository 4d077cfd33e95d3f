// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Owned file descriptors, and the few calls on them that everybody needs.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <utility>

namespace mk {

// Owns one descriptor; closes it when destroyed. -1 is "none". Externally synchronised.
class Fd {
  public:
    Fd() noexcept = default;
    explicit Fd(int fd) noexcept : fd_(fd) {}
    Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Fd& operator=(Fd&& other) noexcept;
    Fd(const Fd&) = delete;
    Fd& operator=(const Fd&) = delete;
    ~Fd();

    [[nodiscard]] int get() const noexcept { return fd_; }
    [[nodiscard]] explicit operator bool() const noexcept { return fd_ >= 0; }
    // The descriptor is the caller's from now on.
    [[nodiscard]] int release() noexcept { return std::exchange(fd_, -1); }
    void reset() noexcept;

    // A close-on-exec copy. Throws Error(VIR_ERR_SYSTEM_ERROR).
    [[nodiscard]] Fd duplicate() const;

  private:
    int fd_ = -1;
};

// open(2) with O_CLOEXEC. Throws Error(VIR_ERR_SYSTEM_ERROR, "open <path>: …").
[[nodiscard]] Fd open_file(const std::string& path, int flags, unsigned mode = 0);
// The same, or nullopt if there is no such file.
[[nodiscard]] std::optional<Fd> open_if_exists(const std::string& path, int flags);
// Reads to the end; at most `limit` bytes, else Error(VIR_ERR_OPERATION_FAILED).
[[nodiscard]] std::string read_all(int fd, std::size_t limit);
// The whole of a file; works for /proc and /sys too.
[[nodiscard]] std::string read_file(const std::string& path, std::size_t limit = 16U << 20);
// nullopt if there is no such file; other errors throw.
[[nodiscard]] std::optional<std::string> read_file_if_exists(const std::string& path,
                                                             std::size_t limit = 16U << 20);
// Writes all of it, also over short writes and EINTR. Throws Error(VIR_ERR_SYSTEM_ERROR).
void write_all(int fd, std::span<const std::byte> bytes);

}  // namespace mk
