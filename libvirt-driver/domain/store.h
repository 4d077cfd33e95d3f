// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Definitions, autostart links and live state on disk. Every file is replaced as a whole:
// written beside, synced, renamed, folder synced; so whoever is killed at any instruction
// leaves the old file or the new one. Knows no running partition: what a live record means
// is decided where it is compared with the kernel (reconcile).
//
// Thread-safe for different domains; calls for one domain are the caller's to order (it holds
// the domain's job). Calls block on the disk.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backend/backend.h"
#include "domain/definition.h"

namespace mk::domain {

struct StoredDomain {
    Definition definition;
    bool autostart = false;
    bool autostart_once = false;
};

// When the host boots: each time, or the next time only.
enum class Autostart { always, once };

// What the next daemon must know of a running domain and cannot ask the kernel.
struct LiveRecord {
    Definition definition;  // the live one; its console's tty dies with the daemon
    LiveDetails details;
    int state = 0;   // virDomainState
    int reason = 0;  // virDomain<State>Reason
    bool persistent = false;
    bool autodestroy = false;
    std::optional<backend::Request> asked_while_paused = {};  // poweroff or reboot
    bool operator==(const LiveRecord&) const = default;
};

// A file that was left alone, and why. A sentence for the log: "<path>: <what>".
struct LoadProblem {
    std::string path;
    std::string what;
};

struct LoadedDomains {
    std::vector<StoredDomain> domains;  // sorted by name
    std::vector<LoadProblem> problems;
};

struct LoadedRecords {
    std::vector<LiveRecord> records;  // sorted by name
    std::vector<LoadProblem> problems;
};

// The file name of a domain without its folder and suffix: the name, with '%', '/', a leading
// dot and control characters as %XX. Two names never give one file name. For logs too.
[[nodiscard]] std::string file_name(std::string_view domain_name);

class Store {
  public:
    // Makes the folders (0700) if they are not there. Throws Error(VIR_ERR_SYSTEM_ERROR).
    Store(std::string config_dir, std::string state_dir);

    // Reads every definition; finishes what a killed daemon left half done (a rename, temporary
    // files). A damaged file, a second definition with a known name or UUID, and a dangling
    // autostart link are reported and left alone: for good, see save() and save_live(). Call it
    // once, before anything is saved.
    // Throws Error(VIR_ERR_SYSTEM_ERROR) if a folder cannot be read.
    [[nodiscard]] LoadedDomains load();
    [[nodiscard]] LoadedRecords load_live();

    // All below throw Error(VIR_ERR_SYSTEM_ERROR) (no space, read-only file system …) and have
    // then changed nothing, except remove(), which may have removed autostart links.
    // Throws Error(VIR_ERR_OPERATION_FAILED) if load() has left the file alone and it is still
    // there: whatever is in it, somebody may want it back.
    void save(const Definition& definition);
    // No such file is success.
    void remove(const std::string& name);
    // `renamed` is the definition with its new name, whose file must not exist yet. A running
    // daemon or load() completes it or it did not happen. Autostart links move along.
    void rename(const std::string& old_name, const Definition& renamed);
    void set_autostart(const std::string& name, bool on, Autostart which = Autostart::always);
    // True for the first call since the state folder is there, so once a boot of the host: only
    // then do domains start by themselves, as in libvirt (virDriverShouldAutostart, src/driver.c).
    [[nodiscard]] bool should_autostart();

    // A record that load_live() has left alone gets out of the way: "<its name>.damaged".
    void save_live(const LiveRecord& record);
    void remove_live(const std::string& name);

  private:
    [[nodiscard]] std::string definition_path(std::string_view name) const;
    [[nodiscard]] std::string autostart_path(std::string_view name,
                                             Autostart which = Autostart::always) const;
    [[nodiscard]] std::string live_path(std::string_view name) const;
    void finish_rename(const std::string& old_name, const std::string& new_name);
    void finish_renames(std::vector<LoadProblem>& problems);
    void find_dangling_links(std::vector<LoadProblem>& problems);
    [[nodiscard]] LoadProblem leave_alone(const std::string& path, const std::string& why);
    // Why `path` was left alone; empty: it was not, or it has gone since.
    [[nodiscard]] std::string left_alone(const std::string& path);

    std::string config_dir_;
    std::string state_dir_;
    std::mutex mutex_;
    std::map<std::string, std::string> left_alone_;  // mutex_; path -> why
};

}  // namespace mk::domain
