// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A pseudo terminal whose far end anyone with the right may open (virsh ttyconsole). It is raw,
// so that nothing is echoed back into the app kernel, and its far end is kept open here too:
// otherwise the near end would report a hang-up as long as nobody is there.
//
// Externally synchronised.
#pragma once

#include <string>

#include "util/fd.h"

namespace mk::domain {

class Pty {
  public:
    // Throws Error(VIR_ERR_SYSTEM_ERROR).
    Pty();

    [[nodiscard]] int fd() const { return near_.get(); }             // non-blocking
    [[nodiscard]] const std::string& path() const { return path_; }  // "/dev/pts/N"

  private:
    Fd near_;
    Fd far_;
    std::string path_;
};

}  // namespace mk::domain
