// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Kill a process exactly before it changes the file system for the n-th time, so that a test
// sees what each crash leaves on disk. Not for what a power cut loses of unsynced data.
#pragma once

#include <functional>

namespace mk::test {

// Runs `operation` in a child process and kills that before its `step`-th call that changes or
// syncs files (from 1). True if the operation ended before; then all of it is done. Throws
// Error(VIR_ERR_SYSTEM_ERROR) if the child cannot be traced, VIR_ERR_OPERATION_FAILED if the
// operation threw.
[[nodiscard]] bool crash_before_change(unsigned step, const std::function<void()>& operation);

}  // namespace mk::test
