// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Loop and FdWatch. Tasks travel through our own queue and mutex, so that a race detector sees the
// hand-over.
#include "domain/loop.h"

#include <chrono>
#include <exception>
#include <utility>

#include "util/log.h"

namespace mk::domain {
namespace {

void run(const Task& task) noexcept {
    try {
        task();
    } catch (const std::exception& error) {
        log::error("a task of the main loop failed: {}", error.what());
    }
}

}  // namespace

Loop::Loop() : queue_(std::make_shared<Queue>()) {
    wakeup_.emplace([queue = queue_] { run_pending(*queue); });
}

Loop::~Loop() {
    call([this] { wakeup_.reset(); });
}

bool Loop::here() {
    return g_main_context_is_owner(g_main_context_default()) != 0;
}

void Loop::post(Task task) {
    {
        const std::scoped_lock lock(queue_->mutex);
        queue_->tasks.push_back(std::move(task));
    }
    wakeup_->signal();
}

void Loop::call(const Task& task) {
    if (here()) {
        run_pending(*queue_);
        run(task);
        return;
    }
    if (g_main_context_acquire(g_main_context_default())) {
        run_pending(*queue_);
        run(task);
        g_main_context_release(g_main_context_default());
        return;
    }
    // Shared with the task, whose last step may come after the waiting is over.
    struct Done {
        std::mutex mutex;
        std::condition_variable changed;
        bool done = false;
    };
    const auto state = std::make_shared<Done>();
    post([state, &task] {
        run(task);
        const std::scoped_lock lock(state->mutex);
        state->done = true;
        state->changed.notify_one();
    });
    // Whoever had the context may have been another caller in the same position, or a loop that
    // has ended since: then nobody but us will run it.
    constexpr auto before_we_look_again = std::chrono::milliseconds(20);
    for (;;) {
        {
            std::unique_lock lock(state->mutex);
            if (state->changed.wait_for(lock, before_we_look_again, [&] { return state->done; }))
                return;
        }
        if (g_main_context_acquire(g_main_context_default())) {
            run_pending(*queue_);
            g_main_context_release(g_main_context_default());
        }
    }
}

void Loop::run_pending(Queue& queue) noexcept {
    for (;;) {
        Task task;
        {
            const std::scoped_lock lock(queue.mutex);
            if (queue.tasks.empty())
                return;
            task = std::move(queue.tasks.front());
            queue.tasks.pop_front();
        }
        run(task);
    }
}

struct FdWatch::Source {
    GSource base;
    FdWatch* watch;
};

FdWatch::FdWatch(int fd, GIOCondition events, Handler handler)
    : handler_(std::make_shared<const Handler>(std::move(handler))) {
    static GSourceFuncs funcs = {nullptr, nullptr, &FdWatch::dispatch, nullptr, nullptr, nullptr};
    source_ = g_source_new(&funcs, sizeof(Source));
    reinterpret_cast<Source*>(source_)->watch = this;
    tag_ = g_source_add_unix_fd(source_, fd, events);
    g_source_set_can_recurse(source_, TRUE);  // as EventSource, for the same reason
    g_source_attach(source_, nullptr);
}

FdWatch::~FdWatch() {
    g_source_destroy(source_);
    g_source_unref(source_);
}

void FdWatch::set_events(GIOCondition events) {
    g_source_modify_unix_fd(source_, tag_, events);
}

gboolean FdWatch::dispatch(GSource* source, GSourceFunc /*callback*/, gpointer /*data*/) noexcept {
    FdWatch* watch = reinterpret_cast<Source*>(source)->watch;
    const auto handler = watch->handler_;  // outlives the watch if the handler ends it
    const GIOCondition events = g_source_query_unix_fd(source, watch->tag_);
    run([&] { (*handler)(events); });
    return G_SOURCE_CONTINUE;
}

}  // namespace mk::domain
