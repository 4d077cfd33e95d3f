// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Log lines over GLib's structured log: to the journal with fields when stderr is the
// journal, as text on stderr otherwise. Logged where an error stops travelling, not on its way.
//
// Thread-safe. Never throws.
#pragma once

#include <fmt/core.h>

#include <string>
#include <utility>

#include "util/uuid.h"

namespace mk::log {

enum class Level { debug = 1, info = 2, warning = 3, error = 4 };  // libvirt's numbers

// Lines below it are dropped. Default: info.
void set_level(Level level) noexcept;
[[nodiscard]] Level level() noexcept;

// The domain a line is about; fields DOMAIN_NAME and DOMAIN_UUID.
struct Subject {
    std::string name;
    Uuid uuid;
};

void write(Level level, const std::string& message, const Subject* subject = nullptr) noexcept;

template <typename... Args>
void line(Level at, fmt::format_string<Args...> format, Args&&... args) noexcept {
    if (at < level())
        return;
    try {
        write(at, fmt::format(format, std::forward<Args>(args)...));
    } catch (...) {
        write(at, "a log line could not be formatted");
    }
}

template <typename... Args>
void debug(fmt::format_string<Args...> format, Args&&... args) noexcept {
    line(Level::debug, format, std::forward<Args>(args)...);
}
template <typename... Args>
void info(fmt::format_string<Args...> format, Args&&... args) noexcept {
    line(Level::info, format, std::forward<Args>(args)...);
}
template <typename... Args>
void warning(fmt::format_string<Args...> format, Args&&... args) noexcept {
    line(Level::warning, format, std::forward<Args>(args)...);
}
template <typename... Args>
void error(fmt::format_string<Args...> format, Args&&... args) noexcept {
    line(Level::error, format, std::forward<Args>(args)...);
}

// Hostile bytes made fit for a log line: printable ASCII stays, the rest becomes \xNN.
[[nodiscard]] std::string escape(std::string_view bytes);

}  // namespace mk::log
