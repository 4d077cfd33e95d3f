// SPDX-License-Identifier: LGPL-2.1-or-later
//
// GLib's reference counts, errors and strings with an owner, and C++ functions as the callbacks
// of GIO's asynchronous calls. Not for the main loop (event_source.h).
//
// Externally synchronised.
#pragma once

#include <gio/gio.h>

#include <functional>
#include <memory>
#include <string>

namespace mk {

struct GObjectUnref {
    void operator()(gpointer object) const noexcept { g_object_unref(object); }
};
// Owns one reference; the pointee is of T's type or of one derived from it.
template <typename T>
using GObjectPtr = std::unique_ptr<T, GObjectUnref>;

struct GErrorFree {
    void operator()(GError* error) const noexcept { g_error_free(error); }
};
using GErrorPtr = std::unique_ptr<GError, GErrorFree>;

struct GFree {
    void operator()(gpointer memory) const noexcept { g_free(memory); }
};
using GText = std::unique_ptr<char, GFree>;

// The last two arguments of one of GIO's …_async functions: the function is called once, by the
// loop thread, with the result. An exception of it is logged.
using AsyncResultFunction = std::function<void(GAsyncResult*)>;
[[nodiscard]] gpointer async_result_data(AsyncResultFunction function);
void async_result_callback(GObject* source, GAsyncResult* result, gpointer data) noexcept;

}  // namespace mk
