// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The syntax of libvirt's configuration files (src/util/virconf.c): `key = value` with a number,
// a text in quotes ('…', "…", or """…""" over several lines; no escapes) or a list of texts in
// brackets, which may go over several lines; comments from # to the end of the line; a line or
// a semicolon ends a setting. Not for which keys there are (daemon_conf.h).
//
// Thread-safe: no state.
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "util/error.h"

namespace mk {

// One `key = value`, with where it was found. The readers below throw
// Error(VIR_ERR_CONF_SYNTAX, "<file>:<line>: <key> must be …") if the value is something else.
class Setting {
  public:
    using Value = std::variant<long long, std::string, std::vector<std::string>>;

    Setting(std::string where, std::string key, Value value)
        : where_(std::move(where)), key_(std::move(key)), value_(std::move(value)) {}

    [[nodiscard]] const std::string& key() const noexcept { return key_; }

    [[nodiscard]] int number(int least, int most) const;
    [[nodiscard]] unsigned count(unsigned least, unsigned most) const;
    [[nodiscard]] bool flag() const;  // 0 or 1
    [[nodiscard]] const std::string& text() const;
    [[nodiscard]] const std::vector<std::string>& texts() const;
    [[nodiscard]] const std::string& absolute_path() const;
    [[nodiscard]] const std::string& one_of(const std::vector<std::string_view>& words) const;
    [[nodiscard]] unsigned mode() const;  // of a file, a text of octal digits: "0700"

    // "<file>:<line>: <key> <what>", for what the readers cannot know.
    [[nodiscard]] Error wrong(std::string_view what) const;

  private:
    std::string where_;  // "<file>:<line>"
    std::string key_;
    Value value_;
};

// In the order of the file; no key twice. `name` is what errors call the file.
// Throws Error(VIR_ERR_CONF_SYNTAX, "<name>:<line>: …").
[[nodiscard]] std::vector<Setting> parse_settings(std::string_view text, const std::string& name);

}  // namespace mk
