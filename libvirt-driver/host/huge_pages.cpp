// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Files and words as in libvirt's src/util/virnuma.c. A kernel without NUMA has one pool, which is
// node 0's.
#include "host/huge_pages.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <charconv>
#include <span>

#include "util/error.h"
#include "util/fd.h"

namespace mk::host {

namespace {

std::string folder_of(const std::string& sysfs, unsigned node, unsigned size_kib) {
    const bool numa = read_file_if_exists(sysfs + "/devices/system/node/online").has_value();
    return numa ? fmt::format("{}/devices/system/node/node{}/hugepages/hugepages-{}kB", sysfs, node,
                              size_kib)
                : fmt::format("{}/kernel/mm/hugepages/hugepages-{}kB", sysfs, size_kib);
}

std::optional<std::uint64_t> read_count(const std::string& path) {
    const auto text = read_file_if_exists(path);
    if (!text)
        return std::nullopt;
    std::uint64_t count = 0;
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), count);
    if (error != std::errc() || end == text->data())
        throw Error(VIR_ERR_OPERATION_FAILED,
                    fmt::format("invalid number '{}' in '{}'", *text, path));
    return count;
}

}  // namespace

std::optional<std::uint64_t> free_huge_pages(const std::string& sysfs, unsigned node,
                                             unsigned size_kib) {
    return read_count(folder_of(sysfs, node, size_kib) + "/free_hugepages");
}

void set_huge_pages(const std::string& sysfs, unsigned node, unsigned size_kib, std::uint64_t count,
                    bool add) {
    const std::string path = folder_of(sysfs, node, size_kib) + "/nr_hugepages";
    const auto now = read_count(path);
    if (!now)
        throw Error(VIR_ERR_OPERATION_FAILED,
                    fmt::format("page size {} is not available on node {}", size_kib, node));
    std::uint64_t wanted = count;
    if (add && __builtin_add_overflow(*now, count, &wanted))
        throw Error(VIR_ERR_INVALID_ARG, fmt::format("{} more pages are too many", count));
    if (wanted == *now)
        return;
    const std::string text = std::to_string(wanted);
    write_all(open_file(path, O_WRONLY | O_TRUNC).get(), std::as_bytes(std::span(text)));
    const std::uint64_t got = read_count(path).value_or(0);
    if (got != wanted)
        throw Error(VIR_ERR_OPERATION_FAILED,
                    fmt::format("Unable to allocate {} pages. Allocated only {}", wanted, got));
}

}  // namespace mk::host
