// SPDX-License-Identifier: LGPL-2.1-or-later
//
// virtmultikerneld.conf: it is read, or refused with file and line.
#include "daemon_conf.h"
#include "fuzzer.h"
#include "util/error.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    try {
        static_cast<void>(mk::parse_conf(mk::fuzz::as_text(data, size), "x.conf"));
    } catch (const mk::Error& error) {
        mk::fuzz::require(error.code() == VIR_ERR_CONF_SYNTAX, "another code");
        mk::fuzz::require(std::string_view(error.what()).starts_with("x.conf:"), "no file");
    }
    return 0;
}
