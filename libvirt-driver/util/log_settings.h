// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Which log lines are kept and where they go, in libvirt's words (log_level, log_filters,
// log_outputs; https://libvirt.org/logging.html). Not for writing them (log.h).
//
// Thread-safe.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "util/log.h"

namespace mk::log {

// Of the lines whose category matches, those below the level are dropped. The first filter that
// matches decides; the default level where none does.
struct Filter {
    Level level = Level::info;
    std::string match;  // a glob(7) pattern, "*rpc*"
};

struct Output {
    enum class Kind { standard_error, syslog, file, journald };

    Level level = Level::debug;  // takes no lines below it
    Kind kind = Kind::standard_error;
    std::string name = {};  // of a file, absolute; what syslog calls this program
};

// "level:match level:match". A match is looked for anywhere in the category.
// Throws Error(VIR_ERR_INVALID_ARG).
[[nodiscard]] std::vector<Filter> parse_filters(std::string_view text);
[[nodiscard]] std::string to_text(const std::vector<Filter>& filters);

// "level:stderr level:journald level:syslog:name level:file:path"; of two with the same
// destination the second counts. Throws Error(VIR_ERR_INVALID_ARG).
[[nodiscard]] std::vector<Output> parse_outputs(std::string_view text);
[[nodiscard]] std::string to_text(const std::vector<Output>& outputs);

void set_level(Level level);
void set_filters(std::vector<Filter> filters);
[[nodiscard]] std::vector<Filter> filters();

// None: the journal if it is what standard error goes to, else standard error.
// Throws Error(VIR_ERR_SYSTEM_ERROR) if a file cannot be opened; then nothing has changed.
void set_outputs(const std::vector<Output>& outputs);
[[nodiscard]] std::vector<Output> outputs();

}  // namespace mk::log
