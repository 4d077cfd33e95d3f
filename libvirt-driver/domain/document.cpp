// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The shared parts of the XML readers and writers.
#include "domain/document.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "domain/elements.h"
#include "util/error.h"
#include "util/xml.h"

namespace mk::domain {
namespace {

constexpr std::array<std::pair<Action, std::string_view>, 6> action_words{{
    {Action::destroy, "destroy"},
    {Action::restart, "restart"},
    {Action::preserve, "preserve"},
    {Action::rename_restart, "rename-restart"},
    {Action::coredump_destroy, "coredump-destroy"},
    {Action::coredump_restart, "coredump-restart"},
}};

unsigned cpu_number(std::string_view text) {
    unsigned value = 0;
    const char* end = text.data() + text.size();
    const auto [stop, status] = std::from_chars(text.data(), end, value);
    if (status != std::errc() || stop != end || value >= CpuSet::limit) {
        throw Error(VIR_ERR_XML_ERROR, fmt::format("'{}' is not the number of a CPU", text));
    }
    return value;
}

const xmlNode* find_chosen(const xmlNode* domain) {
    for (const xmlNode* child : xml_children(domain)) {
        if (xml_name(child) == "chosen" && xml_uri(child) == multikernel_uri) {
            return child;
        }
    }
    return nullptr;
}

bool says_the_choice(const Definition& definition, const std::vector<unsigned>& cpus) {
    CpuSet set;
    std::map<unsigned, CpuSet> pins;
    const std::vector<unsigned> online = definition.online_vcpus();
    for (std::size_t i = 0; i < std::min(online.size(), cpus.size()); i++) {
        set.insert(cpus[i]);
        pins.emplace(online[i], CpuSet{cpus[i]});
    }
    return definition.cpuset == set && definition.vcpu_pins == pins;
}

}  // namespace

namespace {

constexpr std::array<std::pair<WatchdogAction, std::string_view>, 6> watchdog_names = {{
    {WatchdogAction::reset, "reset"},
    {WatchdogAction::poweroff, "poweroff"},
    {WatchdogAction::pause, "pause"},
    {WatchdogAction::dump, "dump"},
    {WatchdogAction::inject_nmi, "inject-nmi"},
    {WatchdogAction::none, "none"},
}};

}  // namespace

std::optional<Action> action_from(std::string_view word) noexcept {
    const auto* found = std::find_if(action_words.begin(), action_words.end(),
                                     [word](const auto& entry) { return entry.second == word; });
    return found != action_words.end() ? std::optional(found->first) : std::nullopt;
}

std::string_view to_string(Action action) noexcept {
    const auto* found = std::find_if(action_words.begin(), action_words.end(),
                                     [action](const auto& entry) { return entry.first == action; });
    return found->second;
}

std::optional<WatchdogAction> watchdog_action_from(std::string_view word) noexcept {
    for (const auto& [action, name] : watchdog_names) {
        if (name == word)
            return action;
    }
    return std::nullopt;
}

std::string_view to_string(WatchdogAction action) noexcept {
    for (const auto& [known, name] : watchdog_names) {
        if (known == action)
            return name;
    }
    return "none";
}

std::string print_cpus(const std::vector<unsigned>& cpus) {
    std::string text;
    for (const unsigned cpu : cpus) {
        text += fmt::format("{}{}", text.empty() ? "" : ",", cpu);
    }
    return text;
}

std::vector<unsigned> read_cpus(std::string_view text) {
    std::vector<unsigned> cpus;
    while (!text.empty()) {
        const auto comma = text.find(',');
        cpus.push_back(cpu_number(text.substr(0, comma)));
        text = comma == std::string_view::npos ? std::string_view{} : text.substr(comma + 1);
    }
    return cpus;
}

std::string format_chosen(const Definition& definition, const LiveDetails& live) {
    std::string out = fmt::format("  <multikernel:chosen cpus='{}'", print_cpus(live.cpus));
    if (!live.numa_nodeset.empty()) {
        out += fmt::format(" nodeset='{}'", xml_escape_attribute(live.numa_nodeset));
    }
    if (!live.known_cpus.empty()) {
        out += fmt::format(" known='{}'", live.known_cpus.to_string());
    }
    if (definition.cpuset) {
        out += fmt::format(" wanted='{}'", definition.cpuset->to_string());
    }
    if (definition.vcpu_pins.empty()) {
        return out + "/>\n";
    }
    out += ">\n";
    for (const auto& [vcpu, cpus] : definition.vcpu_pins) {
        out += fmt::format("    <multikernel:wanted vcpu='{}' cpuset='{}'/>\n", vcpu,
                           cpus.to_string());
    }
    return out + "  </multikernel:chosen>\n";
}

void restore_wanted(const xmlNode* domain, Definition& out) {
    const xmlNode* chosen = find_chosen(domain);
    if (chosen == nullptr ||
        !says_the_choice(out, read_cpus(xml_attribute(chosen, "cpus").value_or("")))) {
        return;
    }
    out.cpuset.reset();
    out.vcpu_pins.clear();
    if (const auto wanted = xml_attribute(chosen, "wanted")) {
        out.cpuset = CpuSet::parse(*wanted);
    }
    for (const xmlNode* wanted : xml_children(chosen)) {
        const auto vcpu = xml_attribute(wanted, "vcpu");
        const auto cpus = xml_attribute(wanted, "cpuset");
        if (!vcpu || !cpus) {
            throw Error(VIR_ERR_XML_ERROR, "missing vcpu or cpuset in <multikernel:wanted>");
        }
        out.vcpu_pins.emplace(cpu_number(*vcpu), CpuSet::parse(*cpus));
    }
}

}  // namespace mk::domain
