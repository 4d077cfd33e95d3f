// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The partitions of a made-up machine in a file (a GKeyFile, a group for each), so that they
// outlive a process that is killed. A power cut is nothing that this outlives.
#include <fmt/format.h>
#include <glib.h>

#include <cstdio>
#include <memory>

#include "support/fake_backend.h"
#include "util/fd.h"

namespace mk::test {
namespace {

using backend::Status;
using Numbers = std::vector<std::uint64_t>;

struct Unref {
    void operator()(GKeyFile* file) const noexcept { g_key_file_unref(file); }
    void operator()(char* text) const noexcept { g_free(text); }
};
using KeyFile = std::unique_ptr<GKeyFile, Unref>;
using Text = std::unique_ptr<char, Unref>;

constexpr const char* machine_group = "machine";

// One partition's group.
class Group {
  public:
    Group(GKeyFile* file, std::string name) : file_(file), name_(std::move(name)) {}

    void set(const char* key, const Numbers& numbers) {
        std::string list;
        for (const std::uint64_t number : numbers)
            list += fmt::format("{};", number);
        g_key_file_set_value(file_, name_.c_str(), key, list.c_str());
    }
    void set_text(const char* key, const std::string& text) {
        g_key_file_set_string(file_, name_.c_str(), key, text.c_str());
    }
    [[nodiscard]] Numbers get(const char* key) const {
        const Text list(g_key_file_get_value(file_, name_.c_str(), key, nullptr));
        Numbers numbers;
        for (char* at = list.get(); at != nullptr && *at != '\0'; at++)  // "1;2;"
            numbers.push_back(g_ascii_strtoull(at, &at, 10));
        return numbers;
    }
    [[nodiscard]] std::string get_text(const char* key) const {
        const Text text(g_key_file_get_string(file_, name_.c_str(), key, nullptr));
        return text ? text.get() : "";
    }

  private:
    GKeyFile* file_;
    std::string name_;
};

template <typename Value>
Numbers numbers(const std::vector<Value>& values) {
    Numbers out;
    for (const Value& value : values)
        out.push_back(static_cast<std::uint64_t>(value));
    return out;
}

template <typename Value>
std::vector<Value> values(const Numbers& numbers) {
    std::vector<Value> out;
    for (const std::uint64_t number : numbers)
        out.push_back(static_cast<Value>(number));
    return out;
}

void write_status(Group& group, const Status& status) {
    group.set("state", {static_cast<std::uint64_t>(status.state)});
    group.set_text("name", status.name);
    group.set_text("panic", status.panic);
    group.set("cpus", numbers(status.cpus));
    group.set("cpu_use", numbers(status.cpu_use));
    group.set("idle_cpus", numbers(status.idle_cpus));
    Numbers memory;
    for (const backend::MemoryRange& range : status.memory) {
        for (const std::uint64_t number :
             {range.start_kib, range.size_kib, static_cast<std::uint64_t>(range.node),
              static_cast<std::uint64_t>(range.use), std::uint64_t{range.id}})
            memory.push_back(number);
    }
    group.set("memory", memory);
    group.set("rest", {status.known_cpus, status.memory_kib, status.console_bytes, status.boots,
                       status.balloon_kib, status.block_kib, status.app ? 1U : 0U});
}

void read_status(const Group& group, Status& status) {
    status.state = static_cast<backend::State>(group.get("state").at(0));
    status.name = group.get_text("name");
    status.panic = group.get_text("panic");
    status.cpus = values<unsigned>(group.get("cpus"));
    status.cpu_use = values<backend::Use>(group.get("cpu_use"));
    status.idle_cpus = values<unsigned>(group.get("idle_cpus"));
    const Numbers memory = group.get("memory");
    for (std::size_t i = 0; i < memory.size(); i += 5)
        status.memory.push_back({memory.at(i), memory.at(i + 1), static_cast<int>(memory.at(i + 2)),
                                 static_cast<backend::Use>(memory.at(i + 3)),
                                 static_cast<unsigned>(memory.at(i + 4))});
    const Numbers rest = group.get("rest");
    status.known_cpus = static_cast<unsigned>(rest.at(0));
    status.memory_kib = rest.at(1);
    status.console_bytes = rest.at(2);
    status.boots = static_cast<unsigned>(rest.at(3));
    status.balloon_kib = rest.at(4);
    status.block_kib = rest.at(5);
}

}  // namespace

void FakeMachine::save() {
    if (file_.empty())
        return;
    const KeyFile file(g_key_file_new());
    Group(file.get(), machine_group).set("next_address_kib", {next_address_kib_});
    for (const auto& [uuid, partition] : partitions_) {
        Group group(file.get(), uuid.to_string());
        write_status(group, partition.status);
        group.set_text("cmdline", partition.cmdline);
        group.set("pending", {partition.boot_pending ? 1U : 0U, partition.last_id});
    }
    const Text text(g_key_file_to_data(file.get(), nullptr, nullptr));
    if (saved_ == text.get())
        return;
    saved_ = text.get();
    const std::string beside = file_ + ".new";
    std::FILE* const out = std::fopen(beside.c_str(), "we");
    const bool written = out != nullptr && std::fputs(saved_.c_str(), out) >= 0;
    const bool closed = out != nullptr && std::fclose(out) == 0;
    if (!written || !closed || std::rename(beside.c_str(), file_.c_str()) != 0)
        std::abort();  // a machine that forgets would pass for a daemon that leaks
}

void FakeMachine::restore() {
    const auto text = file_.empty() ? std::nullopt : read_file_if_exists(file_);
    if (!text)
        return;
    const KeyFile file(g_key_file_new());
    if (g_key_file_load_from_data(file.get(), text->data(), text->size(), G_KEY_FILE_NONE,
                                  nullptr) == 0)
        throw Error(VIR_ERR_OPERATION_FAILED, file_ + " is damaged");
    next_address_kib_ = Group(file.get(), machine_group).get("next_address_kib").at(0);
    gchar** const names = g_key_file_get_groups(file.get(), nullptr);
    for (gchar** name = names; *name != nullptr; name++) {
        const auto uuid = Uuid::parse(*name);
        if (!uuid)
            continue;
        const Group group(file.get(), *name);
        Partition& partition = partitions_[*uuid];
        read_status(group, partition.status);
        partition.forgotten = partition.status.console_bytes;
        partition.cmdline = group.get_text("cmdline");
        partition.boot_pending = group.get("pending").at(0) != 0;
        partition.last_id = static_cast<unsigned>(group.get("pending").at(1));
        if (group.get("rest").at(6) != 0)
            report(partition);
    }
    g_strfreev(names);
}

}  // namespace mk::test
