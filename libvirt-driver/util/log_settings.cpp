// SPDX-License-Identifier: LGPL-2.1-or-later
//
// libvirt's syntax of filters and outputs (src/util/virlog.c).
#include "util/log_settings.h"

#include <fmt/format.h>
#include <glib.h>

#include <algorithm>
#include <array>
#include <optional>

#include "util/error.h"

namespace mk::log {
namespace {

struct Destination {
    std::string_view word;
    Output::Kind kind;
    bool has_name;
};

constexpr std::array<Destination, 4> destinations = {{
    {"stderr", Output::Kind::standard_error, false},
    {"syslog", Output::Kind::syslog, true},
    {"file", Output::Kind::file, true},
    {"journald", Output::Kind::journald, false},
}};

std::vector<std::string_view> split(std::string_view text, char separator) {
    std::vector<std::string_view> parts;
    while (true) {
        const auto end = text.find(separator);
        parts.push_back(text.substr(0, end));
        if (end == std::string_view::npos)
            return parts;
        text.remove_prefix(end + 1);
    }
}

Error wrong(std::string_view what, std::string_view item, std::string_view why) {
    return {VIR_ERR_INVALID_ARG, fmt::format("log {} '{}': {}", what, escape(item), why)};
}

Level level_of(std::string_view what, std::string_view item, std::string_view digit) {
    if (digit.size() != 1 || digit[0] < '1' || digit[0] > '4')
        throw wrong(what, item, "its level must be from 1 to 4");
    return static_cast<Level>(digit[0] - '0');
}

Filter parse_filter(std::string_view item) {
    const auto parts = split(item, ':');
    if (parts.size() != 2)
        throw wrong("filter", item, "must be level:match");
    auto match = parts[1];
    if (match.starts_with('+'))  // asked for a stack trace in libvirt of old
        match.remove_prefix(1);
    if (match.empty())
        throw wrong("filter", item, "it matches nothing");
    return {.level = level_of("filter", item, parts[0]),
            .match = fmt::format("{}{}{}", match.starts_with('*') ? "" : "*", match,
                                 match.size() > 1 && match.ends_with('*') ? "" : "*")};
}

std::string absolute(std::string_view path) {
    const std::unique_ptr<char, decltype(&g_free)> name(
        g_canonicalize_filename(std::string(path).c_str(), nullptr), g_free);
    return name.get();
}

Output parse_output(std::string_view item) {
    const auto parts = split(item, ':');
    if (parts.size() < 2)
        throw wrong("output", item, "must be level:destination");
    Output output{.level = level_of("output", item, parts[0])};
    const auto* const found = std::ranges::find(destinations, parts[1], &Destination::word);
    if (found == destinations.end())
        throw wrong("output", item, "goes to none of stderr, syslog, file, journald");
    output.kind = found->kind;
    if (!found->has_name && parts.size() != 2)
        throw wrong("output", item, fmt::format("{} takes no name", found->word));
    if (found->has_name && (parts.size() != 3 || parts[2].empty()))
        throw wrong("output", item, fmt::format("must be level:{}:name", found->word));
    if (found->has_name)
        output.name = output.kind == Output::Kind::file ? absolute(parts[2]) : parts[2];
    return output;
}

std::string text_of(const Output& output) {
    const auto* const found = std::ranges::find(destinations, output.kind, &Destination::kind);
    return fmt::format("{}:{}{}{}", static_cast<int>(output.level), found->word,
                       found->has_name ? ":" : "", output.name);
}

}  // namespace

std::vector<Filter> parse_filters(std::string_view text) {
    std::vector<Filter> filters;
    for (const auto item : split(text, ' ')) {
        if (!item.empty())
            filters.push_back(parse_filter(item));
    }
    return filters;
}

std::vector<Output> parse_outputs(std::string_view text) {
    std::vector<Output> outputs;
    for (const auto item : split(text, ' ')) {
        if (item.empty())
            continue;
        Output output = parse_output(item);
        std::erase_if(outputs, [&](const Output& other) {
            return other.kind == output.kind && other.name == output.name;
        });
        outputs.push_back(std::move(output));
    }
    if (std::ranges::count(outputs, Output::Kind::syslog, &Output::kind) > 1)
        throw wrong("output", text, "syslog can be there under one name only");
    return outputs;
}

std::string to_text(const std::vector<Filter>& filters) {
    std::vector<std::string> items;
    items.reserve(filters.size());
    for (const auto& filter : filters)
        items.push_back(fmt::format("{}:{}", static_cast<int>(filter.level), filter.match));
    return fmt::format("{}", fmt::join(items, " "));
}

std::string to_text(const std::vector<Output>& outputs) {
    std::vector<std::string> items;
    items.reserve(outputs.size());
    for (const auto& output : outputs)
        items.push_back(text_of(output));
    return fmt::format("{}", fmt::join(items, " "));
}

}  // namespace mk::log
