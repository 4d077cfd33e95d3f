// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Lifecycle's last words: what a dead or hung app kernel has printed, from its memory to the
// end of its console log.
#include "dump/kernel_log.h"

#include <fmt/format.h>

#include <exception>
#include <string_view>

#include "domain/lifecycle.h"
#include "dump/vmcoreinfo.h"
#include "util/error.h"
#include "util/log.h"

namespace mk::domain {
namespace {

constexpr std::chrono::seconds patience{10};

// With its time: a console that shows it has shown what is before it. Without, the end of a
// backtrace looks like that of another.
std::string_view last_line(std::string_view text) {
    while (text.ends_with('\n'))
        text.remove_suffix(1);
    return text.substr(text.rfind('\n') + 1);
}

}  // namespace

void Lifecycle::append_kernel_log(const Job& job, std::string_view why) noexcept {
    const Domain& domain = job.domain();
    try {
        const Uuid uuid = domain.uuid();
        dump::Memory memory(context_.backend.memory_file(uuid),
                            context_.backend.status(uuid).memory);
        const dump::KernelLog log = dump::read_kernel_log(memory, patience);
        const std::string note =
            log.missing.empty()
                ? fmt::format(
                      "\r\n[{}; this is the kernel's log, read from its memory]\r\n{}"
                      "[end of the kernel's log]\r\n",
                      why, log.text)
                : fmt::format("\r\n[{}; no kernel log could be read from its memory: {}]\r\n", why,
                              log.missing);
        domain.running->console->note(note, std::string(last_line(log.text)));
    } catch (const std::exception& error) {
        log::warning("the kernel log of domain '{}' cannot be read from its memory: {}",
                     domain.subject(), error.what());
    }
}

void Lifecycle::forget_kernel_log(const Domain& domain) noexcept {
    try {
        const Uuid uuid = domain.uuid();
        dump::Memory memory(context_.backend.memory_file(uuid),
                            context_.backend.status(uuid).memory);
        dump::forget_vmcoreinfo(memory, patience);
    } catch (const std::exception& error) {
        log::debug("domain '{}': {}", domain.subject(), error.what());
    }
}

}  // namespace mk::domain
