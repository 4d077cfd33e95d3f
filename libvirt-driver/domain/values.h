// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Values in a <domain>: numbers, sets of CPUs and scaled sizes as libvirt reads them, and the
// elements that say how many vCPUs and how much memory. The rest of a definition is parse.cpp's.
//
// Pure functions; externally synchronised.
#pragma once

#include <libxml/tree.h>

#include <charconv>
#include <cstdint>
#include <string_view>

#include "domain/definition.h"

namespace mk::domain {

// Throws Error(VIR_ERR_XML_ERROR) in libvirt's words.
[[noreturn]] void bad_value(std::string_view path, std::string_view value);

template <typename Number>
Number number(std::string_view text, std::string_view path) {
    Number value = 0;
    const char* end = text.data() + text.size();
    const auto [stop, status] = std::from_chars(text.data(), end, value);
    if (status != std::errc() || stop != end) {
        bad_value(path, text);
    }
    return value;
}

// Throws Error: VIR_ERR_INVALID_ARG, VIR_ERR_CONFIG_UNSUPPORTED if it is empty.
[[nodiscard]] CpuSet cpu_set(std::string_view text, std::string_view path);

// An element with a size and a unit, rounded up. Throws Error: VIR_ERR_XML_ERROR,
// VIR_ERR_INVALID_ARG an unknown unit, VIR_ERR_OVERFLOW.
[[nodiscard]] std::uint64_t memory_kib(const xmlNode* node, std::string_view path);

// <vcpu> and <vcpus> of a <domain>.
void read_vcpus(const xmlNode* root, Definition& out);
// <memory>, <currentMemory> and <maxMemory>. REQUIRES: the memory devices are read.
void read_memory(const xmlNode* root, Definition& out);
// <memory> of <devices>. Throws Error: VIR_ERR_XML_ERROR, VIR_ERR_CONFIG_UNSUPPORTED.
[[nodiscard]] MemoryDevice read_memory_device(const xmlNode* node);
// A device alone, as attach-device and its kind get it. Throws as parse(), and
// VIR_ERR_CONFIG_UNSUPPORTED for what is no memory device.
[[nodiscard]] MemoryDevice parse_memory_device(std::string_view xml);

}  // namespace mk::domain
