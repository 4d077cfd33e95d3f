// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The log writer. GLib decides between journal and stderr (g_log_writer_default).
#define G_LOG_USE_STRUCTURED
#define G_LOG_DOMAIN "virtmultikerneld"
#include "util/log.h"

#include <glib.h>

#include <array>
#include <atomic>

namespace mk::log {
namespace {

std::atomic<Level> threshold{Level::info};

GLogLevelFlags glib_level(Level level) {
    switch (level) {
        case Level::debug:
            return G_LOG_LEVEL_DEBUG;
        case Level::info:
            return G_LOG_LEVEL_INFO;
        case Level::warning:
            return G_LOG_LEVEL_WARNING;
        case Level::error:
            break;
    }
    return G_LOG_LEVEL_CRITICAL;  // G_LOG_LEVEL_ERROR would end the process
}

}  // namespace

void set_level(Level level) noexcept {
    threshold = level;
}

Level level() noexcept {
    return threshold;
}

void write(Level level, const std::string& message, const Subject* subject) noexcept {
    if (level < threshold)
        return;
    const std::string uuid = subject != nullptr ? subject->uuid.to_string() : "";
    std::array<GLogField, 5> fields{{
        {"GLIB_DOMAIN", G_LOG_DOMAIN, -1},
        {"PRIORITY",
         level == Level::debug     ? "7"
         : level == Level::info    ? "6"
         : level == Level::warning ? "4"
                                   : "3",
         -1},
        {"MESSAGE", message.c_str(), -1},
        {"DOMAIN_NAME", subject != nullptr ? subject->name.c_str() : "", -1},
        {"DOMAIN_UUID", uuid.c_str(), -1},
    }};
    const std::size_t count = subject != nullptr ? fields.size() : 3;
    if (g_log_writer_is_journald(2))
        g_log_writer_journald(glib_level(level), fields.data(), count, nullptr);
    else
        g_log_writer_standard_streams(glib_level(level), fields.data(), count, nullptr);
}

std::string escape(std::string_view bytes) {
    std::string text;
    for (const char c : bytes) {
        if (c >= 0x20 && c < 0x7f && c != '\\')
            text += c;
        else
            text += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    }
    return text;
}

}  // namespace mk::log
