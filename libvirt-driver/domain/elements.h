// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The one table of libvirt's domain elements and attributes: what becomes of each. What is not
// in the table is refused like what is in it as refused, so nothing that a definition says is
// ever dropped in silence. Values are parse.cpp's; xml-schema/README.md prints the table and a
// test compares the two.
//
// Thread-safe: the table is constant.
#pragma once

#include <libxml/tree.h>

#include <span>
#include <string>
#include <string_view>

namespace mk::domain {

enum class Class {
    honoured,        // it does what libvirt says it does
    true_anyway,     // it asks for what is always so; accepted, kept and printed
    without_effect,  // kept and printed, but nothing follows from it; see messages()
    live_only,       // printed for a running domain; read and dropped, as libvirt does
    refused,         // VIR_ERR_CONFIG_UNSUPPORTED
};

enum class Text {
    no,   // only elements in it
    yes,  // only text in it
    any,  // anything: the content is an application's
};

struct Element {
    std::string_view path;  // "domain/vcpu", "domain/vcpu@cpuset"; ours: "multikernel:chosen"
    Class cls;
    std::string_view sentence;  // refused: why, and what to use instead; else what it does
    Text text = Text::no;
};

// The namespace of what libvirt has no word for.
inline constexpr const char* multikernel_uri = "http://libvirt.org/schemas/domain/multikernel/1.0";

// In the order of libvirt's formatdomain page.
[[nodiscard]] std::span<const Element> element_table() noexcept;
// Null: not in the table.
[[nodiscard]] const Element* find_element(std::string_view path);

// Throws Error: VIR_ERR_CONFIG_UNSUPPORTED for the first element or attribute under and with
// `root` that is refused or unknown; VIR_ERR_XML_ERROR for text where no text can be.
void check_elements(const xmlNode* root);
// The same for an element of <devices> that comes alone.
void check_device(const xmlNode* device);

// For a value that cannot be honoured where others can: throws
// Error(VIR_ERR_CONFIG_UNSUPPORTED, "<path> '<value>' is not supported: <why>").
[[noreturn]] void refuse_value(std::string_view path, std::string_view value, std::string_view why);

}  // namespace mk::domain
