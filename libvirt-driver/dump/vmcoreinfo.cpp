// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Searching, reading and believing VMCOREINFO.
#include "dump/vmcoreinfo.h"

#include <elf.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <functional>

#include "dump/address_space.h"

namespace mk::dump {
namespace {

constexpr std::string_view note_name{"VMCOREINFO\0", 11};
constexpr std::uint64_t note_head = sizeof(Elf64_Nhdr) + 12;  // the name, padded
constexpr std::uint64_t max_lines = 4096;                     // VMCOREINFO_BYTES
constexpr unsigned max_candidates = 64;

// The lines of the note at `address`; empty: there is none.
std::string note_at(Memory& memory, std::uint64_t address, std::uint64_t length) {
    std::string text(length, '\0');
    if (!memory.read(address + note_head, std::as_writable_bytes(std::span(text))))
        return {};
    text.resize(std::min(text.find('\0'), text.size()));
    if (!text.starts_with("OSRELEASE="))
        text.clear();
    return text;
}

// Calls `found(address, lines)` for each note until it returns true or time is up.
void each_note(Memory& memory, std::chrono::milliseconds patience,
               const std::function<bool(std::uint64_t, std::string)>& found) {
    const auto give_up = std::chrono::steady_clock::now() + patience;
    constexpr std::uint64_t between_looks_at_the_clock = 4096;
    std::uint64_t pages = 0;
    for (const Memory::Range range : memory.ranges()) {
        for (std::uint64_t at = 0; at + page_bytes <= range.bytes; at += page_bytes) {
            if (++pages % between_looks_at_the_clock == 0 &&
                std::chrono::steady_clock::now() > give_up)
                return;
            Elf64_Nhdr head = {};
            const auto page = memory.look(range.start + at, note_head);
            if (page.size() < note_head)
                continue;
            std::memcpy(&head, page.data(), sizeof head);
            if (head.n_namesz != note_name.size() || head.n_type != 0 || head.n_descsz == 0 ||
                head.n_descsz > max_lines ||
                std::memcmp(page.data() + sizeof head, note_name.data(), note_name.size()) != 0)
                continue;
            std::string text = note_at(memory, range.start + at, head.n_descsz);
            if (!text.empty() && found(range.start + at, std::move(text)))
                return;
        }
    }
}

// The kernel that the note describes is there, and gives itself the same release.
bool is_borne_out(Memory& memory, const VmcoreInfo& info) {
    constexpr std::uint64_t release_in_utsname = 130;  // struct new_utsname: 65 bytes each
    auto space = AddressSpace::of(memory, info);
    const auto names = info.symbol("init_uts_ns");
    const auto release = info.value("OSRELEASE");
    if (!space || !names || !release || release->size() >= 65)
        return false;
    std::array<char, 65> text{};
    const std::uint64_t at = *names + info.offset("uts_namespace.name").value_or(0);
    if (!space->read(at + release_in_utsname, std::as_writable_bytes(std::span(text))))
        return false;
    return std::string_view(text.data(), release->size()) == *release &&
           text.at(release->size()) == '\0';
}

}  // namespace

std::optional<std::string_view> VmcoreInfo::value(std::string_view key) const {
    std::string_view rest = text_;
    while (!rest.empty()) {
        const auto end = rest.find('\n');
        const std::string_view line = rest.substr(0, end);
        if (line.size() > key.size() && line.starts_with(key) && line[key.size()] == '=')
            return line.substr(key.size() + 1);
        rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    }
    return std::nullopt;
}

std::optional<std::uint64_t> VmcoreInfo::unsigned_of(std::string_view kind, std::string_view name,
                                                     int base) const {
    const auto text = value(fmt::format("{}({})", kind, name));
    std::uint64_t number = 0;
    if (!text)
        return std::nullopt;
    const auto [end, error] =
        std::from_chars(text->data(), text->data() + text->size(), number, base);
    if (error != std::errc() || end != text->data() + text->size())
        return std::nullopt;
    return number;
}

std::optional<std::uint64_t> VmcoreInfo::symbol(std::string_view name) const {
    return unsigned_of("SYMBOL", name, 16);
}

std::optional<std::uint64_t> VmcoreInfo::size(std::string_view name) const {
    return unsigned_of("SIZE", name, 10);
}

std::optional<std::uint64_t> VmcoreInfo::offset(std::string_view name) const {
    return unsigned_of("OFFSET", name, 10);
}

std::optional<std::int64_t> VmcoreInfo::number(std::string_view name) const {
    const auto text = value(fmt::format("NUMBER({})", name));
    std::int64_t number = 0;
    if (!text)
        return std::nullopt;
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
    if (error != std::errc() || end != text->data() + text->size())
        return std::nullopt;
    return number;
}

std::optional<VmcoreInfo> find_vmcoreinfo(Memory& memory, std::chrono::milliseconds patience) {
    std::optional<VmcoreInfo> result;
    unsigned candidates = 0;
    each_note(memory, patience, [&](std::uint64_t, std::string text) {
        VmcoreInfo info(std::move(text));
        if (is_borne_out(memory, info))
            result.emplace(std::move(info));
        return result || ++candidates >= max_candidates;
    });
    return result;
}

void forget_vmcoreinfo(Memory& memory, std::chrono::milliseconds patience) {
    each_note(memory, patience, [&](std::uint64_t address, const std::string&) {
        memory.wipe_page(address);
        return false;
    });
}

}  // namespace mk::dump
