// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Definitions in the native format, `virsh domxml-to-native multikernel`: what a partition gets,
// as JSON. There is no program whose arguments it could be; it is what the driver hands to the
// kernel, for people and scripts.
//
//   { "name": "web", "uuid": "…", "kernel": "/boot/vmlinuz", "initrd": "…", "cmdline": "…",
//     "vcpus": 4, "offline-vcpus": "3", "cpus": "2-7", "pins": { "0": "2" },
//     "memory-kib": 1048576, "boot-memory-kib": 524288, "max-memory-kib": 2097152,
//     "memory-slots": 4, "memory-devices": [ { "size-kib": 262144, "slot": 0 } ],
//     "console": { "log": "/var/log/web", "append": true },
//     "on-poweroff": "destroy", "on-reboot": "restart", "on-crash": "destroy" }
//
// Free functions, thread-safe.
#pragma once

#include <string>

#include "domain/definition.h"

namespace mk::domain {

inline constexpr const char* native_format = "multikernel";

// Title, description, metadata and what is true anyway are not the partition's and left out.
[[nodiscard]] std::string to_native(const Definition& definition);

// "name", "vcpus" and "memory-kib" must be there. The result is not validated. Throws Error:
// VIR_ERR_INVALID_ARG no such JSON, or a member with another type or a value that makes no sense;
// VIR_ERR_CONFIG_UNSUPPORTED a member that is not in the list above.
[[nodiscard]] Definition from_native(const std::string& json);

}  // namespace mk::domain
