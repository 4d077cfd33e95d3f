// SPDX-License-Identifier: LGPL-2.1-or-later
//
// open_kernel(): what the setup header of a bzImage says. Offsets are those of
// Documentation/arch/x86/boot.rst of Linux.
#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "image/initramfs.h"
#include "image/regular.h"
#include "util/error.h"

namespace mk::image {
namespace {

constexpr std::size_t setup_at = 0x200;
constexpr std::size_t boot_flag_at = 0x1fe;
constexpr std::size_t magic_at = 0x202;
constexpr std::size_t protocol_at = 0x206;
constexpr std::size_t version_pointer_at = 0x20e;
constexpr std::size_t loadflags_at = 0x211;
constexpr unsigned loaded_high = 1;  // a bzImage, not an old zImage
constexpr unsigned first_with_version = 0x0200;
constexpr std::size_t longest_version = 64;  // Linux: __NEW_UTS_LEN

unsigned word_at(const std::string& bytes, std::size_t at) {
    return static_cast<unsigned char>(bytes[at]) |
           static_cast<unsigned>(static_cast<unsigned char>(bytes[at + 1])) << 8;
}

bool is_bzimage(const std::string& bytes) {
    return bytes.size() > setup_at + 0x100 && word_at(bytes, boot_flag_at) == 0xaa55 &&
           bytes.compare(magic_at, 4, "HdrS") == 0 &&
           word_at(bytes, protocol_at) >= first_with_version &&
           (word_at(bytes, loadflags_at) & loaded_high) != 0;
}

// It becomes part of a path.
bool is_version(std::string_view text) {
    const bool plain = std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
               std::string_view("._+~-").find(c) != std::string_view::npos;
    });
    return plain && !text.empty() && text.size() <= longest_version && text[0] >= '0' &&
           text[0] <= '9';
}

// "6.1.0-56-amd64 (debian-kernel@lists.debian.org) #1 SMP …": its first word.
std::string version_of(const std::string& bytes) {
    const std::size_t pointer = word_at(bytes, version_pointer_at);
    if (pointer == 0 || setup_at + pointer >= bytes.size())
        return {};
    const std::string_view rest = std::string_view(bytes).substr(setup_at + pointer);
    const std::string_view version = rest.substr(0, rest.find_first_of(std::string_view(" \0", 2)));
    return is_version(version) ? std::string(version) : "";
}

}  // namespace

Kernel open_kernel(const std::string& path) {
    Kernel kernel{open_regular(path, "kernel"), {}};
    std::string bytes(setup_at + 0x10000 + longest_version, '\0');
    const ssize_t got = ::pread(kernel.fd.get(), bytes.data(), bytes.size(), 0);
    if (got < 0)
        throw Error::from_errno("read " + path);
    bytes.resize(static_cast<std::size_t>(got));
    if (!is_bzimage(bytes))
        throw Error(VIR_ERR_CONFIG_UNSUPPORTED,
                    fmt::format("kernel '{}' is not a bzImage for x86", path));
    kernel.version = version_of(bytes);
    if (kernel.version.empty())
        throw Error(VIR_ERR_CONFIG_UNSUPPORTED,
                    fmt::format("kernel '{}' does not say its version", path));
    return kernel;
}

}  // namespace mk::image
