// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Opening a pseudo terminal.
#include "domain/pty.h"

#include <fcntl.h>
#include <termios.h>

#include <array>
#include <cstdlib>

#include "util/error.h"

namespace mk::domain {

Pty::Pty() : near_(::posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC)) {
    if (!near_ || ::grantpt(near_.get()) < 0 || ::unlockpt(near_.get()) < 0)
        throw Error::from_errno("open a pseudo terminal");
    std::array<char, 64> path{};
    const int error_number = ::ptsname_r(near_.get(), path.data(), path.size());
    if (error_number != 0)
        throw Error::from_errno("name a pseudo terminal", error_number);
    path_ = path.data();
    far_ = open_file(path_, O_RDWR | O_NOCTTY);
    struct termios settings = {};
    if (::tcgetattr(far_.get(), &settings) < 0)
        throw Error::from_errno("read the settings of " + path_);
    ::cfmakeraw(&settings);
    if (::tcsetattr(far_.get(), TCSANOW, &settings) < 0)
        throw Error::from_errno("change the settings of " + path_);
}

}  // namespace mk::domain
