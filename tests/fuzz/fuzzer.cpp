// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The beginning of a fuzzer: no privileges, no log.
#include "fuzzer.h"

#include <glib.h>
#include <grp.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

namespace mk::fuzz {

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
    g_log_set_writer_func(
        [](GLogLevelFlags, const GLogField*, gsize, gpointer) { return G_LOG_WRITER_HANDLED; },
        nullptr, nullptr);
    return 0;
}
