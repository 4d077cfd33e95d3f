// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What a start needs later, made while its other steps take their time.
#pragma once

#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "domain/workers.h"

namespace mk::domain {

// A T that a worker makes; get() makes it if no worker has been free until then.
template <typename T>
class Ahead {
  public:
    Ahead(Workers& workers, std::function<T()> make) : state_(std::make_shared<State>()) {
        state_->make = std::move(make);
        workers.post([state = state_] { state->run(); });
    }
    Ahead(const Ahead&) = delete;
    Ahead& operator=(const Ahead&) = delete;
    ~Ahead() { (void)made(); }

    // Throws what `make` threw.
    [[nodiscard]] T& get() {
        state_->run();
        if (state_->failure)
            std::rethrow_exception(state_->failure);
        return *state_->made;
    }

    // Null if it was not made, and it will not be: waits for a worker that is at it, and one that
    // comes later finds nothing to do.
    [[nodiscard]] T* made() noexcept {
        std::call_once(state_->once, [] {});
        return state_->made ? &*state_->made : nullptr;
    }

  private:
    // A worker may come to it when the start is over: it needs nothing of that.
    struct State {
        std::function<T()> make;
        std::once_flag once;
        std::optional<T> made;  // written within `once`, as the next one
        std::exception_ptr failure;

        void run() noexcept {
            std::call_once(once, [this] {
                try {
                    made = make();
                } catch (...) {
                    failure = std::current_exception();
                }
            });
        }
    };

    std::shared_ptr<State> state_;
};

}  // namespace mk::domain
