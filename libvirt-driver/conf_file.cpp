// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Reading libvirt's configuration syntax.
#include "conf_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace mk {
namespace {

bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

class Parser {
  public:
    Parser(std::string_view text, const std::string& name) : text_(text), name_(name) {}

    std::vector<Setting> parse() {
        std::vector<Setting> settings;
        skip_lines();
        while (!text_.empty()) {
            Setting setting = parse_setting();
            if (std::ranges::any_of(
                    settings, [&](const Setting& other) { return other.key() == setting.key(); }))
                throw setting.wrong("is there already");
            settings.push_back(std::move(setting));
            end_setting();
        }
        return settings;
    }

  private:
    [[nodiscard]] std::string where() const { return fmt::format("{}:{}", name_, line_); }

    [[nodiscard]] Error wrong(std::string_view what) const {
        return {VIR_ERR_CONF_SYNTAX, fmt::format("{}: {}", where(), what)};
    }

    [[nodiscard]] bool next_is(char c) const { return !text_.empty() && text_.front() == c; }

    std::string_view take(std::size_t count) {
        const auto taken = text_.substr(0, count);
        line_ += static_cast<unsigned>(std::ranges::count(taken, '\n'));
        text_.remove_prefix(taken.size());
        return taken;
    }

    void skip_blanks() { take(std::min(text_.find_first_not_of(" \t"), text_.size())); }

    // Blanks, ends of lines and comments.
    void skip_lines() {
        for (;;) {
            take(std::min(text_.find_first_not_of(" \t\r\n"), text_.size()));
            if (!next_is('#'))
                return;
            take(std::min(text_.find('\n'), text_.size()));
        }
    }

    // What is left of this line, as far as it makes a complaint clear.
    [[nodiscard]] std::string_view rest() const {
        constexpr std::size_t enough = 40;
        const auto line = text_.substr(0, text_.find_first_of("\r\n"));
        return line.substr(0, std::min(enough, line.find_last_not_of(" \t") + 1));
    }

    Setting parse_setting() {
        const auto named = std::ranges::find_if_not(
            text_, [](char c) { return is_letter(c) || is_digit(c) || c == '_'; });
        if (named == text_.begin() || !is_letter(text_.front()))
            throw wrong(fmt::format("expected 'key = value', not '{}'", rest()));
        const std::string key(take(static_cast<std::size_t>(named - text_.begin())));
        skip_blanks();
        if (!next_is('='))
            throw wrong(fmt::format("expected '=' after '{}'", key));
        take(1);
        skip_blanks();
        std::string begin = where();
        return {std::move(begin), key, parse_value()};
    }

    Setting::Value parse_value() {
        if (next_is('['))
            return parse_list();
        if (next_is('"') || next_is('\''))
            return parse_text();
        return parse_number();
    }

    std::vector<std::string> parse_list() {
        std::vector<std::string> list;
        take(1);
        skip_lines();
        while (!next_is(']')) {
            if (!next_is('"') && !next_is('\''))
                throw wrong(text_.empty() ? "a list is not closed with ]"
                                          : "a list has texts in quotes only");
            list.push_back(parse_text());
            skip_lines();
            if (next_is(','))
                take(1);
            else if (!next_is(']'))
                throw wrong("expected , or ] in a list");
            skip_lines();
        }
        take(1);
        return list;
    }

    std::string parse_text() {
        constexpr std::string_view triple = "\"\"\"";
        const bool over_lines = text_.starts_with(triple);
        const std::string quote(over_lines ? triple : text_.substr(0, 1));
        take(quote.size());
        const auto end = text_.find(quote);
        const auto inside = text_.substr(0, end);
        if (end == std::string_view::npos ||
            (!over_lines && inside.find_first_of("\r\n") != std::string_view::npos))
            throw wrong("a text is not closed with its quote");
        // Paths and names with one would be cut where they are used.
        if (inside.find('\0') != std::string_view::npos)
            throw wrong("a text has a zero byte");
        std::string result(take(end));
        take(quote.size());
        return result;
    }

    long long parse_number() {
        const auto shown = rest();
        if (next_is('+'))
            take(1);
        long long value = 0;
        const auto* const end = text_.data() + text_.size();
        const auto [after, error] = std::from_chars(text_.data(), end, value);
        if (error == std::errc::result_out_of_range)
            throw wrong(fmt::format("no number is as large as '{}'", shown));
        if (error != std::errc())
            throw wrong(
                fmt::format("expected a number, a text in quotes or a list, not '{}'", shown));
        take(static_cast<std::size_t>(after - text_.data()));
        return value;
    }

    void end_setting() {
        skip_blanks();
        if (next_is(';'))
            take(1);
        else if (!text_.empty() && !next_is('\n') && !next_is('\r') && !next_is('#'))
            throw wrong(fmt::format("expected the end of the line, not '{}'", rest()));
        skip_lines();
    }

    std::string_view text_;  // what is left
    const std::string& name_;
    unsigned line_ = 1;
};

}  // namespace

Error Setting::wrong(std::string_view what) const {
    return {VIR_ERR_CONF_SYNTAX, fmt::format("{}: {} {}", where_, key_, what)};
}

int Setting::number(int least, int most) const {
    const auto* value = std::get_if<long long>(&value_);
    if (value == nullptr)
        throw wrong("must be a number");
    if (*value < least || *value > most)
        throw wrong(fmt::format("must be from {} to {}", least, most));
    return static_cast<int>(*value);
}

unsigned Setting::count(unsigned least, unsigned most) const {
    return static_cast<unsigned>(number(static_cast<int>(least), static_cast<int>(most)));
}

bool Setting::flag() const {
    return number(0, 1) != 0;
}

const std::string& Setting::text() const {
    const auto* value = std::get_if<std::string>(&value_);
    if (value == nullptr)
        throw wrong("must be a text in quotes");
    return *value;
}

const std::vector<std::string>& Setting::texts() const {
    const auto* value = std::get_if<std::vector<std::string>>(&value_);
    if (value == nullptr)
        throw wrong("must be a list of texts: [ \"…\", \"…\" ]");
    return *value;
}

const std::string& Setting::absolute_path() const {
    const auto& path = text();
    if (!path.starts_with('/'))
        throw wrong(fmt::format("must be an absolute path, not '{}'", path));
    return path;
}

const std::string& Setting::one_of(const std::vector<std::string_view>& words) const {
    const auto& word = text();
    if (std::ranges::find(words, word) == words.end())
        throw wrong(fmt::format("must be one of {}, not '{}'", fmt::join(words, ", "), word));
    return word;
}

unsigned Setting::mode() const {
    const auto& digits = text();
    constexpr unsigned most = 0777;
    constexpr int octal = 8;
    unsigned value = 0;
    const auto* const end = digits.data() + digits.size();
    const auto [after, error] = std::from_chars(digits.data(), end, value, octal);
    if (error != std::errc() || after != end || value > most)
        throw wrong(fmt::format("must be a mode like \"0700\", not '{}'", digits));
    return value;
}

std::vector<Setting> parse_settings(std::string_view text, const std::string& name) {
    return Parser(text, name).parse();
}

}  // namespace mk
