// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Reading virtmultikerneld.conf: lines of `key = number` or `key = "text"`, blank lines and
// comments. (libvirt's syntax also has lists; no key of ours takes one.)
#include "daemon_conf.h"

#include <fmt/format.h>

#include <charconv>
#include <map>

#include "util/error.h"
#include "util/fd.h"

namespace mk {
namespace {

struct Line {
    const std::string& file;
    unsigned number = 0;

    [[nodiscard]] Error wrong(std::string_view what) const {
        return {VIR_ERR_CONF_SYNTAX, fmt::format("{}:{}: {}", file, number, what)};
    }
};

struct Key {
    unsigned rpc::Settings::*field = nullptr;
    unsigned least = 0;
    unsigned most = 0;
    unsigned scale = 1;  // from the file's unit to the field's
};

const std::map<std::string_view, Key>& keys() {
    static const std::map<std::string_view, Key> all = {
        {"max_clients", {.field = &rpc::Settings::max_clients, .least = 1, .most = 100000}},
        {"max_workers", {.field = &rpc::Settings::workers, .least = 1, .most = 1000}},
        {"prio_workers", {.field = &rpc::Settings::short_workers, .least = 1, .most = 1000}},
        {"max_client_requests",
         {.field = &rpc::Settings::max_client_requests, .least = 1, .most = 1000}},
        // Seconds; 0: never ask.
        {"keepalive_interval",
         {.field = &rpc::Settings::keepalive_interval_ms,
          .least = 0,
          .most = 86400,
          .scale = 1000}},
        {"keepalive_count", {.field = &rpc::Settings::keepalive_count, .least = 0, .most = 1000}},
    };
    return all;
}

std::string_view trimmed(std::string_view text) {
    constexpr std::string_view blanks = " \t\r";
    const auto first = text.find_first_not_of(blanks);
    if (first == std::string_view::npos)
        return {};
    return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

unsigned number_of(const Line& line, std::string_view key, std::string_view text, unsigned least,
                   unsigned most) {
    unsigned value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || error != std::errc() || end != text.data() + text.size())
        throw line.wrong(fmt::format("{} must be a number, not '{}'", key, text));
    if (value < least || value > most)
        throw line.wrong(fmt::format("{} must be from {} to {}", key, least, most));
    return value;
}

std::string folder_of(const Line& line, std::string_view key, std::string_view text) {
    if (text.size() < 2 || (text.front() != '"' && text.front() != '\'') ||
        text.back() != text.front())
        throw line.wrong(fmt::format("{} must be a text in quotes, not '{}'", key, text));
    text = text.substr(1, text.size() - 2);
    if (!text.starts_with('/'))
        throw line.wrong(fmt::format("{} must be an absolute path, not '{}'", key, text));
    return std::string(text);
}

void apply(const Line& line, std::string_view text, DaemonConf& conf) {
    text = trimmed(text.substr(0, text.find('#')));
    if (text.empty())
        return;
    const auto equals = text.find('=');
    if (equals == std::string_view::npos)
        throw line.wrong(fmt::format("expected 'key = value', not '{}'", text));
    const auto key = trimmed(text.substr(0, equals));
    const auto value = trimmed(text.substr(equals + 1));
    if (key == "log_level") {  // libvirt's: 1 debug, 2 information, 3 warnings, 4 errors
        conf.log_level = static_cast<log::Level>(number_of(line, key, value, 1, 4));
        return;
    }
    if (key == "auto_dump_path") {
        conf.auto_dump_path = folder_of(line, key, value);
        return;
    }
    if (key == "watchdog_timeout") {
        conf.watchdog_timeout_s = number_of(line, key, value, 2, 86400);
        return;
    }
    const auto found = keys().find(key);
    if (found == keys().end())
        throw line.wrong(fmt::format("unknown key '{}'", key));
    const Key& known = found->second;
    conf.server.*known.field = number_of(line, key, value, known.least, known.most) * known.scale;
}

}  // namespace

DaemonConf parse_conf(std::string_view text, const std::string& name) {
    DaemonConf conf;
    for (unsigned number = 1; !text.empty(); ++number) {
        const auto end = text.find('\n');
        apply({name, number}, text.substr(0, end), conf);
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    }
    return conf;
}

DaemonConf load_conf(const std::string& path, bool must_exist) {
    if (must_exist)
        return parse_conf(read_file(path), path);
    const auto text = read_file_if_exists(path);
    return text ? parse_conf(*text, path) : DaemonConf{};
}

}  // namespace mk
