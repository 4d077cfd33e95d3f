// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Event sources: C++ functions boxed for GLib, which unboxes and frees them.
#include "util/event_source.h"

#include <glib-unix.h>
#include <poll.h>
#include <sys/eventfd.h>

#include <deque>
#include <exception>
#include <mutex>

#include "util/error.h"
#include "util/log.h"

namespace mk {
namespace {

using Function = std::function<void()>;

void run(const Function& function) noexcept {
    try {
        function();
    } catch (const std::exception& error) {
        log::error("an event was not handled: {}", error.what());
    }
}

gboolean run_each_time(gpointer box) noexcept {
    run(*static_cast<Function*>(box));
    return G_SOURCE_CONTINUE;
}

gboolean run_for_fd(gint, GIOCondition, gpointer box) noexcept {
    return run_each_time(box);
}

gboolean run_for_stream(GObject*, gpointer box) noexcept {
    return run_each_time(box);
}

// A queue of ours, with a lock that ThreadSanitizer knows.
struct Posted {
    Posted() : wakeup([this] { run_all(); }) {}

    void run_all() {
        std::deque<Function> all;
        {
            const std::scoped_lock lock(mutex);
            all.swap(functions);
        }
        for (Function& function : all) {
            run(function);
            function = nullptr;  // what it holds goes in the order of the posts, too
        }
    }

    std::mutex mutex;
    std::deque<Function> functions;  // mutex
    Wakeup wakeup;
};

Posted& posted() {
    static Posted* const all = new Posted;  // outlives whoever posts while the process ends
    return *all;
}

void destroy(gpointer box) noexcept {
    delete static_cast<Function*>(box);
}

// GIOCondition has no name for POLLRDHUP, and may not hold what it has no name for.
struct PeerClosed {
    GSource source;
    GPollFD polled;
};

gboolean is_peer_closed(GSource* source) noexcept {
    return static_cast<gboolean>(reinterpret_cast<PeerClosed*>(source)->polled.revents != 0);
}

gboolean run_for_peer(GSource*, GSourceFunc run, gpointer box) noexcept {
    return run(box);
}

GSourceFuncs peer_closed_functions{nullptr, is_peer_closed, run_for_peer,
                                   nullptr, nullptr,        nullptr};

GSource* new_peer_closed(int fd) {
    GSource* const source = g_source_new(&peer_closed_functions, sizeof(PeerClosed));
    GPollFD& polled = reinterpret_cast<PeerClosed*>(source)->polled;
    polled = {.fd = fd, .events = POLLRDHUP, .revents = 0};
    g_source_add_poll(source, &polled);
    return source;
}

}  // namespace

EventSource::EventSource(GSource* source, GSourceFunc run, Function function) : source_(source) {
    g_source_set_callback(source_, run, new Function(std::move(function)), destroy);
    // Else GLib takes the descriptor out of its poll set while the function runs and puts it back
    // afterwards (block_source() in gmain.c), and each of both wakes its own loop: four system
    // calls for a client's one. No function runs the loop, so none is called while it runs.
    g_source_set_can_recurse(source_, TRUE);
    g_source_attach(source_, nullptr);
}

EventSource& EventSource::operator=(EventSource&& other) noexcept {
    if (this != &other) {
        reset();
        source_ = std::exchange(other.source_, nullptr);
    }
    return *this;
}

EventSource::~EventSource() {
    reset();
}

void EventSource::reset() noexcept {
    if (source_ == nullptr)
        return;
    g_source_destroy(source_);
    g_source_unref(std::exchange(source_, nullptr));
}

EventSource EventSource::watch(int fd, GIOCondition events, Function function) {
    return {g_unix_fd_source_new(fd, events), G_SOURCE_FUNC(run_for_fd), std::move(function)};
}

EventSource EventSource::peer_closed(int fd, Function function) {
    return {new_peer_closed(fd), run_each_time, std::move(function)};
}

EventSource EventSource::readable(GPollableInputStream* stream, Function function) {
    return {g_pollable_input_stream_create_source(stream, nullptr), G_SOURCE_FUNC(run_for_stream),
            std::move(function)};
}

EventSource EventSource::writable(GPollableOutputStream* stream, Function function) {
    return {g_pollable_output_stream_create_source(stream, nullptr), G_SOURCE_FUNC(run_for_stream),
            std::move(function)};
}

EventSource EventSource::timer(unsigned interval_ms, Function function) {
    return {g_timeout_source_new(interval_ms), run_each_time, std::move(function)};
}

EventSource EventSource::on_signal(int number, Function function) {
    return {g_unix_signal_source_new(number), run_each_time, std::move(function)};
}

Wakeup::Wakeup(Function function)
    : event_(std::make_shared<Fd>(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK))) {
    if (!*event_)
        throw Error::from_errno("eventfd");
    source_ = EventSource::watch(event_->get(), G_IO_IN,
                                 [event = event_, function = std::move(function)] {
                                     eventfd_t signals = 0;
                                     static_cast<void>(::eventfd_read(event->get(), &signals));
                                     function();
                                 });
}

void Wakeup::signal() const noexcept {
    static_cast<void>(::eventfd_write(event_->get(), 1));
}

void post(Function function) {
    {
        const std::scoped_lock lock(posted().mutex);
        posted().functions.push_back(std::move(function));
        if (posted().functions.size() > 1)
            return;  // the first one has given the signal
    }
    posted().wakeup.signal();
}

}  // namespace mk
