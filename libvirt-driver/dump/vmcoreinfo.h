// SPDX-License-Identifier: LGPL-2.1-or-later
//
// VMCOREINFO: lines by which a Linux kernel tells whoever reads its memory where things are
// (Documentation/admin-guide/kdump/vmcoreinfo.rst). The kernel keeps them as an ELF note at the
// start of a page, somewhere; so it is searched for. All of it is the app kernel's word.
//
// Thread-safe: no state.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dump/memory.h"

namespace mk::dump {

class VmcoreInfo {
  public:
    explicit VmcoreInfo(std::string text) : text_(std::move(text)) {}

    // The lines, as they go into the note of a core file.
    [[nodiscard]] const std::string& text() const noexcept { return text_; }
    // What follows "<key>=" on a line; nullopt: there is none, or it is no such number.
    [[nodiscard]] std::optional<std::string_view> value(std::string_view key) const;
    [[nodiscard]] std::optional<std::uint64_t> symbol(std::string_view name) const;  // hex
    [[nodiscard]] std::optional<std::int64_t> number(std::string_view name) const;
    [[nodiscard]] std::optional<std::uint64_t> size(std::string_view name) const;
    [[nodiscard]] std::optional<std::uint64_t> offset(std::string_view name) const;

  private:
    [[nodiscard]] std::optional<std::uint64_t> unsigned_of(std::string_view kind,
                                                           std::string_view name, int base) const;

    std::string text_;
};

// That of the kernel whose memory it is, or nullopt: none was found in `patience`, no longer than
// that. A note that its own kernel does not bear out (a copy in somebody's file) is passed over.
[[nodiscard]] std::optional<VmcoreInfo> find_vmcoreinfo(Memory& memory,
                                                        std::chrono::milliseconds patience);

// Before another kernel is put into the same memory: what the last one left would be taken for
// the new one's word. REQUIRES: the app kernel is stopped.
void forget_vmcoreinfo(Memory& memory, std::chrono::milliseconds patience);

}  // namespace mk::dump
