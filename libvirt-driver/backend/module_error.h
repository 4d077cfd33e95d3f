// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What an errno of /dev/multikernel means to a user. Apart from module.h so that the mapping
// can be tested where there is no such device. Knows no ioctl.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "util/error.h"

namespace mk::backend {

// What kind of call failed: EBUSY means "held by another" when something is taken and "wrong
// state" when a partition is told to do something (uapi/linux/multikernel.h).
enum class Call { take, act };

// `what` is the failed action ("take CPUs"), `message` the kernel's own sentence, which is
// used instead if it is not empty.
[[nodiscard]] Error module_error(Call call, std::string_view what, int error_number,
                                 std::string_view message = {});

// The sentences for mk_info.blockers, one for each bit.
[[nodiscard]] std::vector<std::string> blocker_sentences(unsigned blockers);

}  // namespace mk::backend
