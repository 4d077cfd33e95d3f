// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The GLib main loop as the domain code needs it: run something on the loop thread, and hear
// of descriptors there. For partition and console descriptors; sockets are rpc's matter, and
// work that may block goes to Workers.
#pragma once

#include <glib.h>

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>

#include "util/event_source.h"

namespace mk::domain {

using Task = std::function<void()>;

// Thread-safe. Uses the default main context, whichever thread runs it.
class Loop {
  public:
    Loop();
    Loop(const Loop&) = delete;
    Loop& operator=(const Loop&) = delete;
    ~Loop();  // runs what was posted

    // Runs `task` on the loop thread, later, in the order of the posts.
    void post(Task task);
    // The same, and waits for it. Runs it at once on the loop thread, or if nobody runs the
    // loop. REQUIRES: no lock is held that a posted task takes.
    void call(const Task& task);
    // True on the thread that runs the loop.
    [[nodiscard]] static bool here();

  private:
    struct Queue {
        std::mutex mutex;
        std::deque<Task> tasks;  // mutex
    };
    static void run_pending(Queue& queue) noexcept;

    std::shared_ptr<Queue> queue_;  // the wakeup holds it too: a task may destroy the Loop
    std::optional<Wakeup> wakeup_;
};

// Watches one descriptor while it lives. Loop thread only, from construction to destruction;
// may be destroyed by its own handler.
class FdWatch {
  public:
    using Handler = std::function<void(GIOCondition events)>;

    // The descriptor is borrowed.
    FdWatch(int fd, GIOCondition events, Handler handler);
    FdWatch(const FdWatch&) = delete;
    FdWatch& operator=(const FdWatch&) = delete;
    ~FdWatch();

    void set_events(GIOCondition events);

  private:
    struct Source;
    static gboolean dispatch(GSource* source, GSourceFunc, gpointer) noexcept;

    std::shared_ptr<const Handler> handler_;
    GSource* source_;
    gpointer tag_;
};

}  // namespace mk::domain
