// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The beginning of a fuzzer: no privileges, no log.
#include "fuzzer.h"

#include <grp.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "util/log_settings.h"

namespace mk::fuzz {

namespace {

std::uint32_t word(std::string_view bytes, std::size_t at) {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < 4; ++i)
        value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
    return value;
}

}  // namespace

std::vector<Call> calls(std::string_view bytes) {
    constexpr std::size_t header = 28;
    std::vector<Call> all;
    while (bytes.size() >= header) {
        const std::size_t length = std::clamp<std::size_t>(word(bytes, 0), header, bytes.size());
        all.push_back({static_cast<int>(word(bytes, 12)), bytes.substr(header, length - header)});
        bytes.remove_prefix(length);
    }
    return all;
}

void require(bool holds, std::string_view what) {
    if (holds)
        return;
    (void)std::fprintf(stderr, "%.*s\n", static_cast<int>(what.size()), what.data());
    std::abort();
}

}  // namespace mk::fuzz

extern "C" int LLVMFuzzerInitialize(int* /*argc*/, char*** /*argv*/) {
    constexpr unsigned nobody = 65534;
    if (geteuid() == 0) {
        mk::fuzz::require(setgroups(0, nullptr) == 0 && setgid(nobody) == 0 && setuid(nobody) == 0,
                          "cannot become nobody");
        (void)prctl(PR_SET_DUMPABLE, 1);  // the search for leaks traces its own process
    }
    mk::log::set_outputs(mk::log::parse_outputs("4:file:/dev/null"));
    return 0;
}
