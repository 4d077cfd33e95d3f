// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The log writer: filters, then each output. Fields of the journal and lines of files are those
// of libvirt's daemons (src/util/virlog.c).
#define SD_JOURNAL_SUPPRESS_LOCATION
#include "util/log.h"

#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <glib.h>
#include <sys/uio.h>
#include <syslog.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <mutex>

#include "util/error.h"
#include "util/fd.h"
#include "util/log_settings.h"

namespace mk::log {
namespace {

struct Line {
    Level level;
    const Place& where;
    const std::string& category;
    const std::string& message;
    const Subject* subject;
};

struct Sink {
    Output output;
    Fd file = {};
};

struct State {
    std::mutex mutex;
    Level level = Level::info;    // mutex
    std::vector<Filter> filters;  // mutex
    std::vector<Sink> sinks;      // mutex
    std::string syslog_name;      // mutex; syslog(3) borrows it
    // The lowest that anything wants: what most lines need to know.
    std::atomic<Level> lowest = Level::info;

    State() { sinks.push_back({.output = default_output()}); }

    static Output default_output() {
        return {.kind = g_log_writer_is_journald(STDERR_FILENO) ? Output::Kind::journald
                                                                : Output::Kind::standard_error};
    }

    void update_lowest() {  // REQUIRES: mutex
        Level least = level;
        for (const auto& filter : filters)
            least = std::min(least, filter.level);
        lowest = least;
    }
};

// Never destroyed: destructors of other static objects may log.
State& state() {
    static auto* const the = new State;
    return *the;
}

// "../libvirt-driver/rpc/client.cpp": "rpc.client"
std::string category_of(const char* file) {
    constexpr std::string_view top = "libvirt-driver/";
    std::string_view name = file;
    const auto start = name.rfind(top);
    if (start != std::string_view::npos)
        name.remove_prefix(start + top.size());
    std::string category(name.substr(0, name.rfind('.')));
    std::ranges::replace(category, '/', '.');
    return category;
}

int syslog_priority(Level level) {
    switch (level) {
        case Level::debug:
            return LOG_DEBUG;
        case Level::info:
            return LOG_INFO;
        case Level::warning:
            return LOG_WARNING;
        case Level::error:
            break;
    }
    return LOG_ERR;
}

std::string_view word_of(Level level) {
    switch (level) {
        case Level::debug:
            return "debug";
        case Level::info:
            return "info";
        case Level::warning:
            return "warning";
        case Level::error:
            break;
    }
    return "error";
}

void write_to_journal(const Line& line) {
    std::vector<std::string> fields = {
        "MESSAGE=" + line.message,
        fmt::format("PRIORITY={}", syslog_priority(line.level)),
        fmt::format("SYSLOG_FACILITY={}", LOG_FAC(LOG_DAEMON)),
        "LIBVIRT_SOURCE=" + line.category,
        fmt::format("CODE_FILE={}", line.where.file),
        fmt::format("CODE_LINE={}", line.where.line),
        fmt::format("CODE_FUNC={}", line.where.function),
    };
    if (line.subject != nullptr) {
        fields.push_back("DOMAIN_NAME=" + line.subject->name);
        fields.push_back("DOMAIN_UUID=" + line.subject->uuid.to_string());
    }
    std::vector<iovec> parts;
    parts.reserve(fields.size());
    for (auto& field : fields)
        parts.push_back({.iov_base = field.data(), .iov_len = field.size()});
    (void)sd_journal_sendv(parts.data(), static_cast<int>(parts.size()));
}

void write_to_file(int fd, const Line& line) {
    const auto now = std::chrono::system_clock::now();
    const auto second = std::chrono::floor<std::chrono::seconds>(now);
    const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(now - second).count();
    const std::string text =
        fmt::format("{:%Y-%m-%d %H:%M:%S}.{:03}+0000: {}: {} : {}:{} : {}\n",
                    fmt::gmtime(std::chrono::system_clock::to_time_t(now)), ms, gettid(),
                    word_of(line.level), line.category, line.where.line, line.message);
    write_all(fd, std::as_bytes(std::span(text)));
}

void write_to(const Sink& sink, const Line& line) {
    switch (sink.output.kind) {
        case Output::Kind::journald:
            write_to_journal(line);
            return;
        case Output::Kind::syslog:
            syslog(syslog_priority(line.level), "%s", line.message.c_str());
            return;
        case Output::Kind::file:
            write_to_file(sink.file.get(), line);
            return;
        case Output::Kind::standard_error:
            write_to_file(STDERR_FILENO, line);
            return;
    }
}

}  // namespace

void set_level(Level level) {
    const std::lock_guard lock(state().mutex);
    state().level = level;
    state().update_lowest();
}

void set_filters(std::vector<Filter> filters) {
    const std::lock_guard lock(state().mutex);
    state().filters = std::move(filters);
    state().update_lowest();
}

std::vector<Filter> filters() {
    const std::lock_guard lock(state().mutex);
    return state().filters;
}

void set_outputs(const std::vector<Output>& outputs) {
    constexpr mode_t for_owner = 0600;
    std::vector<Sink> sinks;
    std::string syslog_name;
    for (const auto& output : outputs) {
        sinks.push_back({.output = output});
        if (output.kind == Output::Kind::file)
            sinks.back().file =
                open_file(output.name, O_WRONLY | O_CREAT | O_APPEND | O_NOCTTY, for_owner);
        if (output.kind == Output::Kind::syslog)
            syslog_name = output.name;
    }
    if (sinks.empty())
        sinks.push_back({.output = State::default_output()});
    const std::lock_guard lock(state().mutex);
    state().sinks.swap(sinks);
    closelog();
    state().syslog_name = syslog_name;
    if (!syslog_name.empty())
        openlog(state().syslog_name.c_str(), 0, LOG_DAEMON);
}

std::vector<Output> outputs() {
    const std::lock_guard lock(state().mutex);
    std::vector<Output> all;
    for (const auto& sink : state().sinks)
        all.push_back(sink.output);
    return all;
}

bool is_wanted(Level level, const Place& where) noexcept {
    if (level < state().lowest)
        return false;
    try {
        const std::string category = category_of(where.file);
        const std::lock_guard lock(state().mutex);
        const auto filter = std::ranges::find_if(state().filters, [&](const Filter& each) {
            return g_pattern_match_simple(each.match.c_str(), category.c_str()) != FALSE;
        });
        return level >= (filter == state().filters.end() ? state().level : filter->level);
    } catch (...) {
        return true;
    }
}

void write(Level level, const Place& where, const std::string& message,
           const Subject* subject) noexcept {
    const int saved_errno = errno;
    try {
        const std::string category = category_of(where.file);
        const Line line{level, where, category, message, subject};
        const std::lock_guard lock(state().mutex);
        for (const auto& sink : state().sinks) {
            if (level < sink.output.level)
                continue;
            try {
                write_to(sink, line);
            } catch (const Error&) {  // a full disk, a closed pipe: the others have it still
            }
        }
    } catch (...) {  // no memory for a log line
    }
    errno = saved_errno;
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
