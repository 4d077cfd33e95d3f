// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Opens what a definition names: regular files only, so that a pipe or a device in <kernel> or
// <initrd> cannot hold a start up.
#pragma once

#include <string>

#include "util/fd.h"

namespace mk::image {

// Read-only. `what` begins the message ("kernel", "initrd"). Throws Error: VIR_ERR_SYSTEM_ERROR
// if it cannot be opened; VIR_ERR_CONFIG_UNSUPPORTED if it is not a regular file.
[[nodiscard]] Fd open_regular(const std::string& path, const std::string& what);

}  // namespace mk::image
