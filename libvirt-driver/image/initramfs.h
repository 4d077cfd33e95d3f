// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What an app kernel boots from: the user's kernel, checked, and the user's initramfs with a
// second archive behind it that holds our loader and the app module built for that kernel. Linux
// unpacks concatenated archives in order (Documentation/driver-api/early-userspace/
// buffer-format.rst). Does not place anything in memory and verifies no signature: the host
// module does.
//
// Free functions, thread-safe. They block for as long as reading and unpacking takes.
#pragma once

#include <string>
#include <vector>

#include "util/fd.h"

namespace mk::image {

// Where our own parts are, so that tests can use trees of their own.
struct Places {
    std::string loader = "/usr/libexec/multikernel/init";
    // Searched in this order; "{}" stands for the kernel version.
    std::vector<std::string> modules = {
        "/lib/modules/{}/updates/dkms/multikernel_app.ko",
        "/lib/modules/{}/updates/multikernel_app.ko",
        "/lib/modules/{}/extra/multikernel_app.ko",
        "/usr/lib/multikernel/{}/multikernel_app.ko",
    };
};

struct Kernel {
    Fd fd;                // read-only
    std::string version;  // "6.1.0-56-amd64"
};

// Opens a bzImage and reads its version (Documentation/arch/x86/boot.rst, kernel_version).
// Throws Error: VIR_ERR_SYSTEM_ERROR if it cannot be opened; VIR_ERR_CONFIG_UNSUPPORTED if it
// is not a regular file or not a bzImage that says its version.
[[nodiscard]] Kernel open_kernel(const std::string& path);

// The initramfs at `path` with our archive appended: a sealed memory file, open for reading
// only, so that the kernel's kernel_read_file() takes it. Archives are walked to their end.
// Throws Error: VIR_ERR_SYSTEM_ERROR if a file cannot be read; VIR_ERR_CONFIG_UNSUPPORTED if
// `path` is no cpio archive (plain or compressed), is damaged or cut off, or if no app module
// was built for `kernel_version` (the message names it and says what to do).
[[nodiscard]] Fd build_initramfs(const std::string& path, const std::string& kernel_version,
                                 const Places& places = {});

// The app module for that kernel. Throws as build_initramfs().
[[nodiscard]] std::string find_app_module(const std::string& kernel_version,
                                          const Places& places = {});

// Reads a whole initramfs as Linux would: cpio archives (newc or crc) back to back, with zeros
// between, each plain or compressed. Throws Error(VIR_ERR_CONFIG_UNSUPPORTED): `path` names it.
void check_initramfs(const Fd& fd, const std::string& path);

}  // namespace mk::image
