// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The console of one running domain: everything that its app kernel writes goes to the log, to
// a ring, to a pty and to a viewer, and what those two type goes to the app kernel. It is read
// from the first byte on, always, so nobody has to watch for a boot to be on record.
//
// What no viewer has read yet is kept for the next one, as a terminal does: `start --console`
// shows the boot from its first byte, and somebody who comes back does not get the whole past,
// with all its terminal queries, once more. The pty is a reader of its own. A reader who is
// too slow for the ring loses the oldest bytes and finds a mark in their place; nobody ever
// waits for him.
//
// Thread-safe. All descriptors are the loop thread's.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "domain/driver.h"
#include "domain/loop.h"

namespace mk::domain {

struct ConsoleLogFile {
    std::string path;
    bool append = true;
};

// How far the log has got, kept in a file for the next daemon.
struct ConsoleRecord {
    unsigned boots = 0;
    std::uint64_t position = 0;
};
// nullopt: no such file, or not readable as one.
[[nodiscard]] std::optional<ConsoleRecord> read_console_record(const std::string& path);

struct ConsoleOptions {
    std::string domain_name;  // for messages
    std::vector<ConsoleLogFile> logs;
    std::string record_path;  // removed by end()
    ConsoleRecord record;     // where an earlier daemon got to
};

class ConsoleHub {
  public:
    static constexpr std::size_t ring_bytes = 256U << 10;
    static constexpr std::size_t input_bytes = 64U << 10;

    // Opens the logs and the pty. Throws Error if one cannot be opened.
    ConsoleHub(Loop& loop, const ConsoleOptions& options);
    ConsoleHub(const ConsoleHub&) = delete;
    ConsoleHub& operator=(const ConsoleHub&) = delete;
    ~ConsoleHub();

    [[nodiscard]] const std::string& tty() const;

    // Opens the stream of the same start anew from a position, on the loop thread: for a source
    // that says (EPIPE) that it went on without us.
    using Reopen = std::function<backend::Backend::Console(std::uint64_t position)>;
    // Reads `console` from now on (before the next call of ours does anything), whose stream is
    // that of start number `record.boots`; bytes between record.position and console.position are
    // known to be lost.
    void attach(backend::Backend::Console console, const ConsoleRecord& record, Reopen reopen = {});
    // Takes over all output there is now, then reads no more until the next attach().
    void detach();
    // Adds `text` to the logs alone, behind all output there is now; not if the console has shown
    // `shown` of late, unless that is empty.
    void note(const std::string& text, const std::string& shown);
    // detach(), for good: the viewer gets what is left, then the end.
    void end();

    // Throws Error(VIR_ERR_OPERATION_FAILED) if there is a viewer and `force` is not set.
    [[nodiscard]] std::unique_ptr<ConsoleSession> open(bool force);

  private:
    class Core;
    class Session;
    Loop& loop_;
    std::shared_ptr<Core> core_;
};

}  // namespace mk::domain
