// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What the store does to single files, so that a crash leaves the old or the new and a failure
// leaves the old. Knows no XML and no domain.
//
// Thread-safe for different paths. All throw Error(VIR_ERR_SYSTEM_ERROR) with the path, except
// where they say otherwise.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace mk::domain::store_files {

// With its parents, which are open to be looked into; the folder itself is 0700 if it was not
// there.
void make_folder(const std::string& path);

// Names in `folder` that begin with `prefix` and end with `suffix`, sorted. An empty prefix
// leaves out those that begin with a dot.
[[nodiscard]] std::vector<std::string> entries(const std::string& folder, std::string_view prefix,
                                               std::string_view suffix);

// A regular file of at most 4 MiB; anything else throws (a FIFO would block for ever).
[[nodiscard]] std::string read(const std::string& path);

// All of `text` or nothing: temporary file beside it, sync, rename, sync the folder. If the
// very last step fails the new text is in place and may not survive a power cut.
void replace(const std::string& path, const std::string& text);

// Within a folder; whatever is at `to` is replaced.
void move(const std::string& from, const std::string& to);

// What replace() of a killed process left in `folder`.
void remove_leftovers(const std::string& folder);

// Syncs the folder. No such file is success.
void remove(const std::string& path);
void try_remove(const std::string& path) noexcept;  // failures go to the log

// Symbolic link at `path` to `target`; whatever link was there is replaced.
void link(const std::string& target, const std::string& path);

[[nodiscard]] bool exists(const std::string& path);  // the entry itself, links not followed
// Both exist and are one file, links followed.
[[nodiscard]] bool same_file(const std::string& a, const std::string& b) noexcept;

}  // namespace mk::domain::store_files
