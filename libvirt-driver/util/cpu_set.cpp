// SPDX-License-Identifier: LGPL-2.1-or-later
//
// CpuSet: the list form of the kernel and libvirt, and bit maps.
#include "util/cpu_set.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>

#include "util/error.h"

namespace mk {
namespace {

[[noreturn]] void bad(std::string_view text) {
    throw Error(VIR_ERR_INVALID_ARG, fmt::format("Failed to parse CPU list '{}'", text));
}

unsigned number(std::string_view text, std::string_view whole) {
    unsigned value = 0;
    const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (status != std::errc() || end != text.data() + text.size() || value >= CpuSet::limit)
        bad(whole);
    return value;
}

std::string_view trim(std::string_view text) {
    const auto first = text.find_first_not_of(" \t\n");
    if (first == std::string_view::npos)
        return {};
    return text.substr(first, text.find_last_not_of(" \t\n") - first + 1);
}

}  // namespace

CpuSet CpuSet::parse(std::string_view text) {
    CpuSet set;
    std::string_view rest = trim(text);
    while (!rest.empty()) {
        const auto comma = rest.find(',');
        std::string_view item = trim(rest.substr(0, comma));
        rest = comma == std::string_view::npos ? std::string_view{} : rest.substr(comma + 1);
        if (comma != std::string_view::npos && trim(rest).empty())
            bad(text);
        if (!item.empty() && item[0] == '^') {
            set.erase(number(item.substr(1), text));
            continue;
        }
        const auto dash = item.find('-');
        const unsigned first = number(item.substr(0, dash), text);
        const unsigned last =
            dash == std::string_view::npos ? first : number(item.substr(dash + 1), text);
        if (last < first)
            bad(text);
        for (unsigned cpu = first; cpu <= last; cpu++)
            set.insert(cpu);
    }
    return set;
}

CpuSet CpuSet::from_bitmap(const std::vector<std::uint8_t>& bytes) {
    CpuSet set;
    for (std::size_t bit = 0; bit < bytes.size() * 8; bit++)
        if (bytes[bit / 8] >> (bit % 8) & 1)
            set.insert(static_cast<unsigned>(bit));
    return set;
}

std::string CpuSet::to_string() const {
    std::string text;
    for (auto it = cpus_.begin(); it != cpus_.end();) {
        const unsigned first = *it;
        unsigned last = first;
        while (++it != cpus_.end() && *it == last + 1)
            last = *it;
        if (!text.empty())
            text += ',';
        text += first == last ? fmt::format("{}", first) : fmt::format("{}-{}", first, last);
    }
    return text;
}

std::vector<std::uint8_t> CpuSet::to_bitmap(std::size_t bytes) const {
    std::vector<std::uint8_t> map(bytes);
    for (const unsigned cpu : cpus_)
        if (cpu / 8 < bytes)
            map[cpu / 8] = static_cast<std::uint8_t>(map[cpu / 8] | 1U << (cpu % 8));
    return map;
}

bool CpuSet::contains(const CpuSet& other) const {
    return std::includes(cpus_.begin(), cpus_.end(), other.cpus_.begin(), other.cpus_.end());
}

bool CpuSet::intersects(const CpuSet& other) const {
    return std::any_of(other.begin(), other.end(), [this](unsigned cpu) { return contains(cpu); });
}

CpuSet& CpuSet::operator|=(const CpuSet& other) {
    cpus_.insert(other.begin(), other.end());
    return *this;
}

CpuSet& CpuSet::operator-=(const CpuSet& other) {
    std::erase_if(cpus_, [&](unsigned cpu) { return other.contains(cpu); });
    return *this;
}

CpuSet& CpuSet::operator&=(const CpuSet& other) {
    std::erase_if(cpus_, [&](unsigned cpu) { return !other.contains(cpu); });
    return *this;
}

}  // namespace mk
