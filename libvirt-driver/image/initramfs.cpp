// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Builds an app kernel's initramfs. The user's file is copied first and checked afterwards, so
// that what was checked is what boots.
#include "image/initramfs.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "image/archive.h"
#include "image/cpio.h"
#include "image/regular.h"
#include "util/error.h"

namespace mk::image {
namespace {

constexpr std::size_t part_limit = 64U << 20;  // loader or app module
constexpr std::uint64_t initrd_limit = 4ULL << 30;

// linux/fcntl.h has it, fcntl.h of glibc not in all versions.
constexpr int seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;

[[noreturn]] void unfit(const std::string& path, const std::string& why) {
    throw Error(VIR_ERR_CONFIG_UNSUPPORTED, fmt::format("initrd '{}': {}", path, why));
}

std::uint64_t size_of(const Fd& fd, const std::string& path) {
    struct stat status = {};
    if (::fstat(fd.get(), &status) != 0)
        throw Error::from_errno("stat " + path);
    return static_cast<std::uint64_t>(status.st_size);
}

// Walks the compressed archive at `offset`; returns where it ends.
std::uint64_t walk_compressed(const Fd& fd, std::uint64_t offset, std::uint64_t size) {
    CpioWalk inner;
    const auto end = decompress(fd, offset, [&](std::span<const char> bytes) {
        if (inner.feed(bytes) != bytes.size())
            throw Error(VIR_ERR_CONFIG_UNSUPPORTED, "what is compressed is no cpio archive");
    });
    const std::uint64_t next = offset + end.used_bytes;
    // Padding behind an archive is an error to some decompressors. It is none if the archive is
    // complete: check_initramfs() looks at what follows.
    const bool complete = inner.between_archives() && inner.archives() != 0;
    if (!end.error.empty() && (!complete || next >= size))
        throw Error(VIR_ERR_CONFIG_UNSUPPORTED, "damaged or cut off: " + end.error);
    if (!complete)
        throw Error(VIR_ERR_CONFIG_UNSUPPORTED, inner.between_archives()
                                                    ? "what is compressed is no cpio archive"
                                                    : "the archive is cut off");
    if (end.used_bytes == 0)
        throw Error(VIR_ERR_CONFIG_UNSUPPORTED, "damaged");
    return next;
}

void walk(const Fd& fd, std::uint64_t size) {
    CpioWalk plain;
    unsigned compressed = 0;
    std::array<char, 128U << 10> block{};
    std::uint64_t offset = 0;
    while (offset < size) {
        const ssize_t got =
            ::pread(fd.get(), block.data(), block.size(), static_cast<off_t>(offset));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            throw Error::from_errno("read");
        if (got == 0)
            break;  // it became shorter: the check below says so
        const auto used = plain.feed({block.data(), static_cast<std::size_t>(got)});
        offset += used;
        if (used == static_cast<std::size_t>(got))
            continue;
        const std::uint64_t next = walk_compressed(fd, offset, size);
        plain.skip(next - offset);
        offset = next;
        compressed++;
    }
    if (!plain.between_archives())
        throw Error(VIR_ERR_CONFIG_UNSUPPORTED, "the archive is cut off");
    if (plain.archives() + compressed == 0)
        throw Error(VIR_ERR_CONFIG_UNSUPPORTED, "there is no cpio archive in it");
}

Fd memory_file() {
    Fd fd(::memfd_create("multikernel-initramfs", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    if (!fd)
        throw Error::from_errno("memfd_create");
    return fd;
}

void copy(const Fd& from, const Fd& to, const std::string& path) {
    const std::uint64_t size = size_of(from, path);
    if (size > initrd_limit)
        unfit(path, fmt::format("{} bytes are more than an app kernel can take", size));
    for (std::uint64_t left = size; left != 0;) {
        const ssize_t got = ::sendfile(to.get(), from.get(), nullptr, left);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            throw Error::from_errno("copy " + path);
        if (got == 0)
            break;
        left -= static_cast<std::uint64_t>(got);
    }
}

// Zeros up to a multiple of 512, and at least four of them: the end mark of an lz4 stream
// (lib/decompress_unlz4.c of Linux).
void pad(const Fd& fd) {
    const std::uint64_t size = size_of(fd, "initramfs");
    const std::uint64_t padded = (size + 4 + 511) / 512 * 512;
    if (::ftruncate(fd.get(), static_cast<off_t>(padded)) != 0 ||
        ::lseek(fd.get(), 0, SEEK_END) < 0)
        throw Error::from_errno("extend initramfs");
}

// The kernel reads no file that someone has open for writing (fs/kernel_read_file.c), so the
// writable descriptor has to go.
Fd seal(Fd fd) {
    if (::fcntl(fd.get(), F_ADD_SEALS, seals) != 0)
        throw Error::from_errno("seal initramfs");
    return open_file(fmt::format("/proc/self/fd/{}", fd.get()), O_RDONLY);
}

}  // namespace

Fd open_regular(const std::string& path, const std::string& what) {
    Fd fd = open_file(path, O_RDONLY | O_NONBLOCK | O_NOCTTY);  // a pipe must not block here
    struct stat status = {};
    if (::fstat(fd.get(), &status) != 0)
        throw Error::from_errno("stat " + path);
    if (!S_ISREG(status.st_mode))
        throw Error(VIR_ERR_CONFIG_UNSUPPORTED,
                    fmt::format("{} '{}' is not a regular file", what, path));
    return fd;
}

void check_initramfs(const Fd& fd, const std::string& path) {
    const std::uint64_t size = size_of(fd, path);
    try {
        walk(fd, size);
    } catch (const Error& error) {
        if (error.code() == VIR_ERR_CONFIG_UNSUPPORTED)
            unfit(path, error.what());
        throw Error(error.code(), fmt::format("initrd '{}': {}", path, error.what()),
                    error.error_number());
    }
}

std::string find_app_module(const std::string& kernel_version, const Places& places) {
    for (const std::string& pattern : places.modules) {
        std::string path = pattern;
        if (const auto at = path.find("{}"); at != std::string::npos)
            path.replace(at, 2, kernel_version);
        for (const char* suffix : {"", ".xz", ".zst", ".gz"})
            if (::access((path + suffix).c_str(), F_OK) == 0)
                return path + suffix;
    }
    throw Error(VIR_ERR_CONFIG_UNSUPPORTED,
                fmt::format("no multikernel_app.ko was built for kernel {0}: install "
                            "linux-headers-{0}, then run 'dkms autoinstall -k {0}'",
                            kernel_version));
}

Fd build_initramfs(const std::string& path, const std::string& kernel_version,
                   const Places& places) {
    const std::string module = find_app_module(kernel_version, places);
    Fd fd = memory_file();
    copy(open_regular(path, "initrd"), fd, path);
    check_initramfs(fd, path);
    pad(fd);
    write_cpio(fd, {
                       {.path = "multikernel", .directory = true, .mode = 0755, .content = {}},
                       {.path = "multikernel/init",
                        .mode = 0755,
                        .content = read_file(places.loader, part_limit)},
                       {.path = "multikernel/multikernel_app.ko",
                        .content = read_maybe_compressed(module, part_limit)},
                   });
    return seal(std::move(fd));
}

}  // namespace mk::image
