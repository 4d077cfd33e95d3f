// SPDX-License-Identifier: LGPL-2.1-or-later
#include "host/samepage.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <charconv>
#include <span>

#include "util/error.h"
#include "util/fd.h"

namespace mk::host {

namespace {

std::string path_of(const std::string& sysfs, std::string_view file) {
    return fmt::format("{}/kernel/mm/ksm/{}", sysfs, file);
}

}  // namespace

std::vector<SamepageValue> read_samepage(const std::string& sysfs) {
    std::vector<SamepageValue> values;
    for (const std::string_view file : samepage_files) {
        const std::string path = path_of(sysfs, file);
        const auto text = read_file_if_exists(path);
        if (!text)
            continue;
        std::uint64_t value = 0;
        const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
        if (error != std::errc() || end == text->data())
            throw Error(VIR_ERR_INTERNAL_ERROR, fmt::format("{} has no number in it", path));
        values.push_back({file, value});
    }
    return values;
}

void write_samepage(const std::string& sysfs, const std::vector<SamepageValue>& values) {
    for (const SamepageValue& one : values) {
        if (::access(path_of(sysfs, one.file).c_str(), F_OK) != 0)
            throw Error(
                VIR_ERR_OPERATION_INVALID,
                fmt::format("Parameter 'shm_{}' is not supported by this kernel", one.file));
    }
    for (const SamepageValue& one : values) {
        const std::string text = std::to_string(one.value);
        write_all(open_file(path_of(sysfs, one.file), O_WRONLY | O_TRUNC).get(),
                  std::as_bytes(std::span(text)));
    }
}

}  // namespace mk::host
