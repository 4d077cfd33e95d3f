// SPDX-License-Identifier: LGPL-2.1-or-later
//
// GLib's event sources as values: a watched descriptor, a timer, a signal, a function to run on
// the loop thread. They belong to the default main context. Not for work that may block.
//
// Loop thread only, except post() and Wakeup::signal(). A source may be destroyed by its own
// function.
#pragma once

#include <gio/gio.h>

#include <functional>
#include <memory>
#include <utility>

#include "util/fd.h"

namespace mk {

// Owns one GSource; the source is gone when this is.
class EventSource {
  public:
    EventSource() noexcept = default;
    EventSource(EventSource&& other) noexcept : source_(std::exchange(other.source_, nullptr)) {}
    EventSource& operator=(EventSource&& other) noexcept;
    EventSource(const EventSource&) = delete;
    EventSource& operator=(const EventSource&) = delete;
    ~EventSource();

    [[nodiscard]] explicit operator bool() const noexcept { return source_ != nullptr; }
    void reset() noexcept;

    // An exception of a function is logged: nothing above it could catch it.
    // Borrows `fd`. Runs `function` whenever one of `events`, an error or a hang-up is there.
    [[nodiscard]] static EventSource watch(int fd, GIOCondition events,
                                           std::function<void()> function);
    // The same for the end of what the peer of a connection sends, whatever is unread of it.
    [[nodiscard]] static EventSource peer_closed(int fd, std::function<void()> function);
    // The same for a stream that may be ready though its descriptor is not, or the other way
    // round. The stream outlives the source.
    [[nodiscard]] static EventSource readable(GPollableInputStream* stream,
                                              std::function<void()> function);
    [[nodiscard]] static EventSource writable(GPollableOutputStream* stream,
                                              std::function<void()> function);
    // Every `interval_ms` until destroyed.
    [[nodiscard]] static EventSource timer(unsigned interval_ms, std::function<void()> function);
    // SIGTERM, SIGINT, SIGHUP, SIGUSR1 or SIGUSR2.
    [[nodiscard]] static EventSource on_signal(int number, std::function<void()> function);

  private:
    EventSource(GSource* source, GSourceFunc run, std::function<void()> function);

    GSource* source_ = nullptr;
};

// What another thread wakes the loop with. GLib's own ways do it while they hold the lock of the
// main context, which is the first that the woken loop wants.
class Wakeup {
  public:
    // `function` runs on the loop thread, at least once after each signal.
    // Throws Error(VIR_ERR_SYSTEM_ERROR).
    explicit Wakeup(std::function<void()> function);

    // Any thread.
    void signal() const noexcept;

  private:
    std::shared_ptr<Fd> event_;  // the source holds it too
    EventSource source_;
};

// Runs `function` once on the loop thread, after what was posted before. Any thread.
void post(std::function<void()> function);

}  // namespace mk
