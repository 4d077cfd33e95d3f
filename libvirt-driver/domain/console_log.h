// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A console's log file: bytes as they come, and older files beside it once it has grown to
// 2 MiB: <path>.0 … <path>.2, as libvirt's virtlogd does (max_size, max_backups in
// virtlogd.conf). Not for the daemon's own messages (util/log.h).
//
// Externally synchronised. Writes go to the page cache; like virtlogd it is used from the loop
// thread all the same.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "util/fd.h"

namespace mk::domain {

class ConsoleLog {
  public:
    static constexpr std::uint64_t max_size_bytes = 2U << 20;
    static constexpr unsigned max_backups = 3;

    // Throws Error(VIR_ERR_SYSTEM_ERROR) if it cannot be opened, VIR_ERR_CONFIG_UNSUPPORTED if
    // it is no regular file. `append` false empties it.
    ConsoleLog(std::string path, bool append);

    // A failure (a full disk) is logged once and ends the log, not the console.
    void write(std::string_view bytes) noexcept;

  private:
    void rotate();
    void open(bool append);

    std::string path_;
    Fd fd_;
    std::uint64_t size_bytes_ = 0;
};

}  // namespace mk::domain
