// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Functions boxed for GIO.
#include "util/gobject.h"

#include <exception>

#include "util/log.h"

namespace mk {

gpointer async_result_data(AsyncResultFunction function) {
    return new AsyncResultFunction(std::move(function));
}

void async_result_callback(GObject*, GAsyncResult* result, gpointer data) noexcept {
    const std::unique_ptr<AsyncResultFunction> function(static_cast<AsyncResultFunction*>(data));
    try {
        (*function)(result);
    } catch (const std::exception& error) {
        log::error("a result was not handled: {}", error.what());
    }
}

}  // namespace mk
