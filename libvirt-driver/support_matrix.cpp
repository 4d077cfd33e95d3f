// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Prints the support matrix, which is checked in as api/SUPPORT.md: what a client gets for each
// procedure of libvirt, out of the tables that the daemon itself works with. Built with the
// daemon, never installed.
#include <fmt/format.h>

#include <array>
#include <cstdio>
#include <map>
#include <regex>
#include <stdexcept>
#include <string>
#include <vector>

#include "api/permissions.h"
#include "api/procedures.h"
#include "api/refused.h"
#include "api/table.h"
#include "relay/family.h"
#include "util/error.h"

namespace mk {
namespace {

struct Chapter {
    const char* title;
    const char* names;  // of functions, a regular expression; the first chapter that fits has it
};

constexpr std::array chapters = std::to_array<Chapter>({
    {"Connection",
     "^virAuth|^virConnect(Open|Close|GetType|Get(Lib)?Version|GetURI|GetHostname|"
     "SupportsFeature|IsSecure|.*CloseCallback|SetIdentity)$"},
    {"Events", "Event(Der|R)egister"},
    {"Host",
     "^virNode[GSA](?!.*Device)|^virConnect(GetCapabilities|GetDomainCapabilities|"
     "GetMaxVcpus|GetCPUModelNames|GetSysinfo|(Compare|Baseline).*CPU)$"},
    {"Finding domains", "^virDomainLookup|^virConnect(List|NumOf)"},
    {"Definition and metadata",
     "^virDomain(GetXMLDesc|Define|Undefine|Rename|[GS]etMetadata|GetMessages|GetOSType|IsUpdated|"
     "IsPersistent|GetSecurityLabel|[GS]etAutostart|SetLifecycleAction)|Native$"},
    {"Migration", "^virDomainMigrate"},
    {"Snapshots, checkpoints, backup", "Snapshot|Checkpoint|Backup"},
    {"Save and restore", "Save|Restore"},
    {"Jobs and core dumps", "GetJob(Info|Stats)$|AbortJob|CoreDump|MemoryPeek"},
    {"Statistics", "Stats|DirtyRate|PerfEvents"},
    {"Disks", "Block|Blkio|Disk|Throttle"},
    {"Network interfaces", "^virDomain.*Interface"},
    {"CPUs", "Vcpu|Emulator|IOThread|Scheduler"},
    {"Memory", "Memory|Numa"},
    {"Devices", "Device|LaunchSecurity"},
    {"Console, keys, screen", "Console|Channel|SendKey|NMI|Graphics|Screenshot"},
    {"Inside the app kernel",
     "Guest|Agent|Hostname|Time$|Password|SSHKeys|^virDomainFS|ProcessSignal"},
    {"Lifecycle and state", "^virDomain"},
});

std::string relayed_title(relay::Family family) {
    return fmt::format("Relayed: {}", relay::name_of(family));
}

std::string chapter_of(int number, std::string_view name) {
    if (const auto family = relay::family_of(number))
        return relayed_title(*family);
    for (const Chapter& chapter : chapters) {
        if (std::regex_search(name.begin(), name.end(), std::regex(chapter.names)))
            return chapter.title;
    }
    throw std::runtime_error(fmt::format("no chapter for {}", name));
}

std::string permission_text(int number) {
    std::string text;
    for (const auto& each : api::rule_of(number).needed) {
        const bool sometimes = each.with_flags != 0 || each.without_flags != 0 || each.with_source;
        const auto word = fmt::format("{}:{}", each.object, each.name);
        if (text.find(word) == std::string::npos)
            text += fmt::format("{}{}{}", text.empty() ? "" : " ", word, sometimes ? "\\*" : "");
    }
    return text;
}

struct Answer {
    std::string state;
    std::string since;
    std::string remark;
};

Answer answer_of(int number) {
    if (relay::family_of(number))
        return {.state = "relayed", .since = "0.1.0", .remark = ""};
    if (const api::Row* row = api::find_row(number))
        return {.state = row->empty ? "empty" : "handled", .since = row->since, .remark = ""};
    const api::Refusal* refusal = api::find_refusal(number);
    if (refusal == nullptr)
        throw std::runtime_error(fmt::format("nobody answers procedure {}", number));
    if (refusal->code == VIR_ERR_NO_SUPPORT)
        return {.state = "not supported", .since = "", .remark = refusal->reason};
    return {.state = refusal->code == VIR_ERR_OPERATION_UNSUPPORTED ? "refused" : "not there",
            .since = "",
            .remark = Error(refusal->code, refusal->reason).full_message()};
}

// In the numbers of libvirt's headers; those of other daemons are theirs to know.
std::string flags_of(int number) {
    const api::Row* row = api::find_row(number);
    return row != nullptr && row->allowed_flags != 0 ? fmt::format("{:#x}", row->allowed_flags)
                                                     : "";
}

std::string line_of(int number, const api::Procedure& procedure, const Answer& answer) {
    std::string line = "|";
    for (const std::string& cell :
         {std::string(procedure.name), std::to_string(number), answer.state, answer.since,
          std::string(procedure.read_only_allowed ? "yes" : ""), flags_of(number),
          permission_text(number), answer.remark}) {
        line += cell.empty() ? " |" : fmt::format(" {} |", cell);
    }
    return line + "\n";
}

constexpr char introduction[] =
    R"(# Support matrix

What a client gets for each of the {} procedures of libvirt's remote protocol, up to libvirt 12.8.
Made by `support-matrix` (`libvirt-driver/support_matrix.cpp`) from the tables that the daemon works
with; a test compares the two.

| answer | procedures | what a client sees |
|---|---|---|
| handled | {} | the same as from libvirt's own drivers |
| empty | {} | 0 or an empty list, always: nothing of the kind exists here |
| relayed | {} | the answer of the stock daemon that owns it; if there is none, *not supported* |
| refused | {} | `VIR_ERR_OPERATION_UNSUPPORTED` with the sentence under *remark* |
| not there | {} | the error under *remark*, as for a snapshot that QEMU's driver cannot find |
| not supported | {} | `VIR_ERR_NO_SUPPORT`: clients hide the feature or ask in another way |
| message | {} | nothing: the daemon sends these, for events |

*since* is our version. *read-only*: libvirt lets clients of `virtmultikerneld-sock-ro` call it.
*flags*: the bits that a call may set; any other is `VIR_ERR_INVALID_ARG`. *permission*: what
libvirt's access control asks for, where it is on (\* only with some flags).
The programs for QEMU's monitor and LXC's namespaces are not there: `Cannot find program`.
)";

struct Chapters {
    std::map<std::string, std::string> lines;  // by title
    std::map<std::string, int> counts;         // by answer
};

Chapters collect() {
    Chapters all;
    for (int number = 1; number <= api::last_procedure; ++number) {
        const auto procedure = api::find_procedure(number);
        if (!procedure) {
            ++all.counts["message"];
            continue;
        }
        const Answer answer = answer_of(number);
        ++all.counts[answer.state];
        all.lines[chapter_of(number, procedure->name)] += line_of(number, *procedure, answer);
    }
    return all;
}

std::vector<std::string> titles() {
    std::vector<std::string> all;
    all.reserve(chapters.size() + relay::families);
    for (const Chapter& chapter : chapters)
        all.emplace_back(chapter.title);
    for (std::size_t family = 0; family < relay::families; ++family)
        all.push_back(relayed_title(static_cast<relay::Family>(family)));
    return all;
}

void print_matrix() {
    auto all = collect();
    fmt::print(introduction, api::last_procedure, all.counts["handled"], all.counts["empty"],
               all.counts["relayed"], all.counts["refused"], all.counts["not there"],
               all.counts["not supported"], all.counts["message"]);
    for (const std::string& title : titles()) {
        fmt::print(
            "\n## {}\n\n| function | number | answer | since | read-only | flags | permission | "
            "remark |\n|---|---|---|---|---|---|---|---|\n{}",
            title, all.lines[title]);
    }
}

}  // namespace
}  // namespace mk

int main() {
    try {
        mk::print_matrix();
        return 0;
    } catch (const std::exception& error) {
        fmt::print(stderr, "support-matrix: {}\n", error.what());
        return 1;
    }
}
