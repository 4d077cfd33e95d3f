// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The store's folders and files. How one file is replaced is in store_files.cpp, what a live
// record looks like in store_live.cpp.
#include "domain/store.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>

#include "domain/document.h"
#include "domain/store_files.h"
#include "util/error.h"
#include "util/log.h"
#include "util/xml.h"

namespace mk::domain {
namespace {

constexpr std::string_view suffix = ".xml";
constexpr std::string_view once_suffix = ".xml.once";  // as libvirt since 11.2
constexpr Autostart both_kinds[] = {Autostart::always, Autostart::once};
constexpr std::string_view journal_prefix = ".rename-";

// libvirt's words (src/util/virxml.c, virXMLEmitWarning); a name that a shell or an XML comment
// could misread gives way to the UUID.
std::string warning(const Definition& definition) {
    const auto plain = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '.' || c == '_' || c == '-';
    };
    const std::string& name = definition.name;
    const bool safe = std::all_of(name.begin(), name.end(), plain) &&
                      name.find("--") == std::string::npos && !name.starts_with('-');
    return fmt::format(
        "<!--\nWARNING: THIS IS AN AUTO-GENERATED FILE. CHANGES TO IT ARE LIKELY TO BE\n"
        "OVERWRITTEN AND LOST. Changes to this xml configuration should be made using:\n"
        "  virsh -c multikernel:///system edit {}\n"
        "or other application using the libvirt API.\n-->\n\n",
        safe ? name : definition.uuid.to_string());
}

// A definition as a file has to hold it: identity included, under its own name.
Definition read_definition(const std::string& folder, const std::string& entry) {
    const std::string text = store_files::read(folder + "/" + entry);
    const XmlDoc doc = XmlDoc::parse(text, entry);
    Definition definition = parse_node(doc.root());
    validate(definition);
    if (xml_child(doc.root(), "uuid") == nullptr) {
        throw Error(VIR_ERR_XML_ERROR, "it has no <uuid>, so it would be another domain each time");
    }
    if (file_name(definition.name) + std::string(suffix) != entry) {
        throw Error(VIR_ERR_XML_ERROR,
                    fmt::format("it holds domain '{}', whose file is '{}{}'", definition.name,
                                file_name(definition.name), suffix));
    }
    return definition;
}

std::string escaped(std::string_view what) {
    return log::escape(what);
}

}  // namespace

std::string file_name(std::string_view domain_name) {
    std::string out;
    for (const char c : domain_name) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x20 || byte == 0x7f || c == '/' || c == '%' || (c == '.' && out.empty())) {
            out += fmt::format("%{:02X}", byte);
        } else {
            out += c;
        }
    }
    return out;
}

Store::Store(std::string config_dir, std::string state_dir)
    : config_dir_(std::move(config_dir)), state_dir_(std::move(state_dir)) {
    store_files::make_folder(config_dir_);
    store_files::make_folder(state_dir_);
}

std::string Store::definition_path(std::string_view name) const {
    return fmt::format("{}/{}{}", config_dir_, file_name(name), suffix);
}

std::string Store::autostart_path(std::string_view name, Autostart which) const {
    return fmt::format("{}/autostart/{}{}", config_dir_, file_name(name),
                       which == Autostart::once ? once_suffix : suffix);
}

std::string Store::live_path(std::string_view name) const {
    return fmt::format("{}/{}{}", state_dir_, file_name(name), suffix);
}

LoadedDomains Store::load() {
    LoadedDomains out;
    store_files::remove_leftovers(config_dir_);
    const std::string autostart_dir = config_dir_ + "/autostart";
    if (store_files::exists(autostart_dir)) {
        store_files::remove_leftovers(autostart_dir);
    }
    finish_renames(out.problems);
    std::map<Uuid, std::string> owners;
    for (const std::string& entry : store_files::entries(config_dir_, "", suffix)) {
        const std::string path = config_dir_ + "/" + entry;
        try {
            Definition definition = read_definition(config_dir_, entry);
            const auto [owner, fresh] = owners.emplace(definition.uuid, definition.name);
            if (!fresh) {
                throw Error(VIR_ERR_OPERATION_FAILED,
                            fmt::format("its UUID {} is already that of domain '{}'",
                                        definition.uuid.to_string(), owner->second));
            }
            const auto marked = [&](Autostart which) {
                return store_files::same_file(autostart_path(definition.name, which), path);
            };
            const bool always = marked(Autostart::always);
            const bool once = marked(Autostart::once);
            out.domains.push_back({std::move(definition), always, once});
        } catch (const Error& error) {
            out.problems.push_back(leave_alone(path, error.full_message()));
        }
    }
    find_dangling_links(out.problems);
    std::sort(out.domains.begin(), out.domains.end(),
              [](const auto& a, const auto& b) { return a.definition.name < b.definition.name; });
    return out;
}

void Store::find_dangling_links(std::vector<LoadProblem>& problems) {
    const std::string folder = config_dir_ + "/autostart";
    if (!store_files::exists(folder)) {
        return;
    }
    for (const std::string_view ending : {suffix, once_suffix}) {
        for (const std::string& entry : store_files::entries(folder, "", ending)) {
            const std::string path = folder + "/" + entry;
            const std::string stem = entry.substr(0, entry.size() - ending.size());
            if (!store_files::same_file(path, fmt::format("{}/{}{}", config_dir_, stem, suffix))) {
                problems.push_back(
                    {escaped(path), "it does not lead to the definition of that name"});
            }
        }
    }
}

LoadProblem Store::leave_alone(const std::string& path, const std::string& why) {
    const std::scoped_lock lock(mutex_);
    left_alone_.emplace(path, why);
    return {escaped(path), escaped(why)};
}

std::string Store::left_alone(const std::string& path) {
    const std::scoped_lock lock(mutex_);
    const auto found = left_alone_.find(path);
    if (found == left_alone_.end() || store_files::exists(path)) {
        return found == left_alone_.end() ? "" : found->second;
    }
    left_alone_.erase(found);
    return "";
}

void Store::save(const Definition& definition) {
    const std::string path = definition_path(definition.name);
    if (const std::string why = left_alone(path); !why.empty()) {
        throw Error(VIR_ERR_OPERATION_FAILED,
                    fmt::format("file {} was found damaged and is not replaced ({}): mend it and "
                                "restart the daemon, or move it away",
                                path, why));
    }
    store_files::replace(path, warning(definition) + format(definition));
}

void Store::remove(const std::string& name) {
    for (const Autostart which : both_kinds) {
        store_files::remove(autostart_path(name, which));
    }
    store_files::remove(definition_path(name));
}

void Store::set_autostart(const std::string& name, bool on, Autostart which) {
    if (on) {
        store_files::make_folder(config_dir_ + "/autostart");
        store_files::link(definition_path(name), autostart_path(name, which));
    } else {
        store_files::remove(autostart_path(name, which));
    }
}

bool Store::should_autostart() {
    const std::string path = state_dir_ + "/autostarted";
    if (store_files::exists(path)) {
        return false;
    }
    store_files::replace(path, "");
    return true;
}

// Two files cannot change at once, so the intention is written first; whoever finds it later
// and finds the new file complete does the rest. Taking the old definition away is the step
// after which there is no way back.
void Store::rename(const std::string& old_name, const Definition& renamed) {
    const std::string journal =
        fmt::format("{}/{}{}", config_dir_, journal_prefix, renamed.uuid.to_string());
    const std::string old_path = definition_path(old_name);
    const std::string new_path = definition_path(renamed.name);
    if (store_files::exists(new_path)) {
        throw Error(VIR_ERR_OPERATION_FAILED, fmt::format("file {} already exists", new_path));
    }
    bool old_goes = false;
    try {
        store_files::replace(journal, old_name + "\n" + renamed.name + "\n");
        save(renamed);
        for (const Autostart which : both_kinds) {
            if (store_files::same_file(autostart_path(old_name, which), old_path)) {
                store_files::link(new_path, autostart_path(renamed.name, which));
            }
        }
        old_goes = store_files::exists(old_path);
        store_files::remove(old_path);
    } catch (const Error&) {
        if (!old_goes || store_files::exists(old_path)) {
            for (const Autostart which : both_kinds) {
                store_files::try_remove(autostart_path(renamed.name, which));
            }
            store_files::try_remove(new_path);
            store_files::try_remove(journal);
            throw;
        }  // it is gone, though not for sure on the disk: the new one is all there is
    }
    for (const Autostart which : both_kinds) {
        store_files::try_remove(autostart_path(old_name, which));
    }
    store_files::try_remove(journal);
}

void Store::finish_rename(const std::string& old_name, const std::string& new_name) {
    if (!store_files::exists(definition_path(new_name))) {
        return;  // it never began
    }
    const std::string old_path = definition_path(old_name);
    if (store_files::exists(old_path)) {
        const Uuid uuid =
            read_definition(config_dir_, file_name(new_name) + std::string(suffix)).uuid;
        if (read_definition(config_dir_, file_name(old_name) + std::string(suffix)).uuid != uuid) {
            return;  // somebody else has the old name by now
        }
        for (const Autostart which : both_kinds) {
            if (store_files::same_file(autostart_path(old_name, which), old_path)) {
                store_files::link(definition_path(new_name), autostart_path(new_name, which));
            }
        }
        store_files::remove(old_path);
    }
    for (const Autostart which : both_kinds) {
        if (!store_files::exists(old_path)) {
            store_files::remove(autostart_path(old_name, which));
        }
    }
}

void Store::finish_renames(std::vector<LoadProblem>& problems) {
    for (const std::string& entry : store_files::entries(config_dir_, journal_prefix, "")) {
        const std::string path = config_dir_ + "/" + entry;
        try {
            const std::string text = store_files::read(path);
            const auto first = text.find('\n');
            const auto second = first == text.npos ? text.npos : text.find('\n', first + 1);
            if (second == text.npos) {
                throw Error(VIR_ERR_OPERATION_FAILED, "it does not hold two names");
            }
            finish_rename(text.substr(0, first), text.substr(first + 1, second - first - 1));
            store_files::remove(path);
        } catch (const Error& error) {
            problems.push_back({escaped(path), escaped(error.full_message())});
        }
    }
}

}  // namespace mk::domain
