// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Log lines. Logged where an error stops travelling, not on its way. Which lines are kept and
// where they go is in log_settings.h.
//
// A line that names a domain takes its Subject as an argument: the text has the name, the journal
// the fields DOMAIN_NAME and DOMAIN_UUID. Its category, which filters match, is the folder and
// name of the source file: "rpc.client".
//
// Thread-safe. Never throws.
#pragma once

#include <fmt/core.h>

#include <string>
#include <type_traits>
#include <utility>

#include "util/uuid.h"

namespace mk::log {

enum class Level { debug = 1, info = 2, warning = 3, error = 4 };  // libvirt's numbers

// The domain a line is about. Formatted as its name.
struct Subject {
    std::string name;
    Uuid uuid;
};

}  // namespace mk::log

template <>
struct fmt::formatter<mk::log::Subject> : fmt::formatter<std::string> {
    auto format(const mk::log::Subject& subject, fmt::format_context& context) const {
        return fmt::formatter<std::string>::format(subject.name, context);
    }
};

namespace mk::log {

// Where a line of the log was written. As std::source_location, which clang 14, behind clang-tidy
// and the fuzzers, does not have.
struct Place {
    const char* file;
    unsigned line;
    const char* function;
};

// A format string that knows where it stands.
template <typename... Args>
struct Format {
    fmt::format_string<Args...> text;
    Place where;

    template <typename Text>
    consteval Format(const Text& literal, const char* file = __builtin_FILE(),
                     unsigned line = __builtin_LINE(), const char* function = __builtin_FUNCTION())
        : text(literal), where{file, line, function} {}
};

[[nodiscard]] bool is_wanted(Level level, const Place& where) noexcept;
void write(Level level, const Place& where, const std::string& message,
           const Subject* subject = nullptr) noexcept;

inline const Subject* subject_in() {
    return nullptr;
}
template <typename First, typename... Rest>
const Subject* subject_in(const First& first, const Rest&... rest) {
    if constexpr (std::is_same_v<First, Subject>)
        return &first;
    else
        return subject_in(rest...);
}

template <typename... Args>
void line(Level level, const Place& where, fmt::format_string<Args...> format,
          Args&&... args) noexcept {
    if (!is_wanted(level, where))
        return;
    try {
        write(level, where, fmt::format(format, std::forward<Args>(args)...), subject_in(args...));
    } catch (...) {
        write(level, where, "a log line could not be formatted");
    }
}

template <typename... Args>
void debug(Format<std::type_identity_t<Args>...> format, Args&&... args) noexcept {
    line<Args...>(Level::debug, format.where, format.text, std::forward<Args>(args)...);
}
template <typename... Args>
void info(Format<std::type_identity_t<Args>...> format, Args&&... args) noexcept {
    line<Args...>(Level::info, format.where, format.text, std::forward<Args>(args)...);
}
template <typename... Args>
void warning(Format<std::type_identity_t<Args>...> format, Args&&... args) noexcept {
    line<Args...>(Level::warning, format.where, format.text, std::forward<Args>(args)...);
}
template <typename... Args>
void error(Format<std::type_identity_t<Args>...> format, Args&&... args) noexcept {
    line<Args...>(Level::error, format.where, format.text, std::forward<Args>(args)...);
}

// Hostile bytes made fit for a log line: printable ASCII stays, the rest becomes \xNN.
[[nodiscard]] std::string escape(std::string_view bytes);

}  // namespace mk::log
