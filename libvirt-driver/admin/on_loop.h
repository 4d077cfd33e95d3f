// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A function run on the loop thread for somebody who waits. REQUIRES: the loop runs, and this is
// another thread.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <type_traits>
#include <variant>

#include "util/error.h"
#include "util/event_source.h"

namespace mk::admin {

// Returns what `function` returns, or throws the Error that it throws.
template <typename Function>
auto on_loop(const Function& function) {
    using Result = std::invoke_result_t<Function>;
    using Value = std::conditional_t<std::is_void_v<Result>, std::monostate, Result>;
    struct State {
        std::mutex mutex;
        std::condition_variable changed;
        std::variant<std::monostate, std::optional<Value>, Error> outcome;  // mutex
    };
    const auto state = std::make_shared<State>();
    post([state, &function] {
        const std::lock_guard lock(state->mutex);
        try {
            if constexpr (std::is_void_v<Result>) {
                function();
                state->outcome = std::optional<Value>(Value{});
            } else {
                state->outcome = std::optional<Value>(function());
            }
        } catch (const Error& error) {
            state->outcome = error;
        } catch (const std::exception& error) {
            state->outcome = Error(VIR_ERR_INTERNAL_ERROR, error.what());
        }
        state->changed.notify_one();
    });
    std::unique_lock lock(state->mutex);
    state->changed.wait(lock, [&] { return state->outcome.index() != 0; });
    if (const auto* error = std::get_if<Error>(&state->outcome))
        throw Error(*error);
    if constexpr (!std::is_void_v<Result>)
        return std::move(*std::get<std::optional<Value>>(state->outcome));
}

}  // namespace mk::admin
