// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The daemon's sockets, passed by systemd or made here, and the file that says who is the
// daemon. Not for what comes through the sockets.
#pragma once

#include <string>
#include <vector>

#include "util/fd.h"

namespace mk {

// Held by this process while it lives; the file goes with it.
class PidFile {
  public:
    // Throws Error: VIR_ERR_OPERATION_FAILED another process holds it; VIR_ERR_SYSTEM_ERROR.
    explicit PidFile(std::string path);
    PidFile(const PidFile&) = delete;
    PidFile& operator=(const PidFile&) = delete;
    ~PidFile();

  private:
    std::string path_;
    Fd file_;
};

struct ListeningSocket {
    Fd fd;
    bool read_only = false;
    bool admin = false;
    bool tcp = false;
};

// Of sockets that systemd does not pass.
struct SocketSettings {
    std::string folder;
    std::string group = {};  // empty: the daemon's own
    unsigned mode = 0700;
    unsigned read_only_mode = 0777;
    unsigned admin_mode = 0700;
    unsigned queue = 1000;  // clients that wait to be accepted
    unsigned admin_queue = 5;
};

class Sockets {
  public:
    // What systemd passed; else all, in the place of what a daemon that is gone left there.
    // REQUIRES: the pid file is held. Throws Error.
    explicit Sockets(const SocketSettings& settings);
    Sockets(const Sockets&) = delete;
    Sockets& operator=(const Sockets&) = delete;
    ~Sockets();  // removes the files that it made

    [[nodiscard]] std::vector<ListeningSocket> take() { return std::move(sockets_); }

  private:
    bool take_over(const SocketSettings& settings);
    void make(const std::string& path, const SocketSettings& settings);
    void listen(ListeningSocket socket, const SocketSettings& settings);

    std::vector<ListeningSocket> sockets_;
    std::vector<std::string> made_;
};

}  // namespace mk
