// SPDX-License-Identifier: LGPL-2.1-or-later
//
// XML of domains and of devices. What is accepted is printed so that it
// reads back the same: else a definition would change with each restart of the daemon.
#include "domain/definition.h"
#include "domain/values.h"
#include "fuzzer.h"
#include "util/error.h"

namespace {

using mk::domain::Definition;

void check_what_is_printed(const Definition& definition) {
    const std::string printed = mk::domain::format(definition);
    const Definition again = mk::domain::parse(printed);
    mk::domain::validate(again);
    mk::fuzz::require(again == definition, "reads back as another definition:\n" + printed);
    mk::fuzz::require(mk::domain::format(again) == printed, "prints otherwise:\n" + printed);
    const mk::domain::LiveDetails live{
        .id = 4, .cpus = {3, 1}, .known_cpus = {1, 3, 5}, .tty = "/dev/pts/9", .numa_nodeset = "0"};
    const std::string running = mk::domain::format(definition, &live);
    mk::fuzz::require(mk::domain::parse(running) == definition,
                      "a running one reads back as another:\n" + running);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view xml = mk::fuzz::as_text(data, size);
    Definition definition;
    try {
        if (xml.starts_with("<memory")) {
            static_cast<void>(mk::domain::parse_memory_device(xml));
            return 0;
        }
        definition = mk::domain::parse(xml);
        mk::domain::validate(definition);
    } catch (const mk::Error&) {
        return 0;
    }
    try {
        check_what_is_printed(definition);
    } catch (const mk::Error& error) {
        mk::fuzz::require(false, std::string("what was printed is refused: ") + error.what());
    }
    return 0;
}
