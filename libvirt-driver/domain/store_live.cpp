// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Live records: a <domstatus> around the definition, as libvirt's drivers keep theirs. Private
// to this driver and lost with /run; it only has to outlive a daemon.
#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <map>

#include "domain/document.h"
#include "domain/store.h"
#include "domain/store_files.h"
#include "util/error.h"
#include "util/log.h"
#include "util/xml.h"

namespace mk::domain {
namespace {

constexpr std::string_view suffix = ".xml";

// Of what a paused domain can be asked for.
const std::map<std::string, backend::Request> requests = {
    {"poweroff", backend::Request::poweroff},
    {"reboot", backend::Request::reboot},
};

std::string print_asked(const std::optional<backend::Request>& asked) {
    for (const auto& [name, request] : requests)
        if (asked == request)
            return fmt::format(" asked='{}'", name);
    return "";
}

std::optional<backend::Request> read_asked(const xmlNode* node) {
    const auto found = requests.find(xml_attribute(node, "asked").value_or(""));
    return found == requests.end() ? std::nullopt : std::optional(found->second);
}

std::string print_record(const LiveRecord& record) {
    const auto yes_no = [](bool value) { return value ? "yes" : "no"; };
    return fmt::format(
        "<domstatus state='{}' reason='{}' id='{}' persistent='{}' autodestroy='{}'\n"
        "           cpus='{}' known='{}' nodeset='{}' tty='{}'{}>\n{}</domstatus>\n",
        record.state, record.reason, record.details.id, yes_no(record.persistent),
        yes_no(record.autodestroy), print_cpus(record.details.cpus),
        record.details.known_cpus.to_string(), xml_escape_attribute(record.details.numa_nodeset),
        xml_escape_attribute(record.details.tty), print_asked(record.asked_while_paused),
        format(record.definition));
}

std::string required(const xmlNode* node, const char* name) {
    auto value = xml_attribute(node, name);
    if (!value) {
        throw Error(VIR_ERR_XML_ERROR, fmt::format("missing {} in <domstatus>", name));
    }
    return *std::move(value);
}

template <typename Number>
Number number(const xmlNode* node, const char* name) {
    const std::string text = required(node, name);
    Number value = 0;
    const char* end = text.data() + text.size();
    const auto [stop, status] = std::from_chars(text.data(), end, value);
    if (status != std::errc() || stop != end) {
        throw Error(VIR_ERR_XML_ERROR, fmt::format("{}='{}' is not a number", name, text));
    }
    return value;
}

LiveRecord read_record(const std::string& text, const std::string& name) {
    const XmlDoc doc = XmlDoc::parse(text, name);
    const xmlNode* root = doc.root();
    const xmlNode* domain = xml_child(root, "domain");
    if (xml_name(root) != "domstatus" || domain == nullptr) {
        throw Error(VIR_ERR_XML_ERROR, "it is not a <domstatus> with a <domain> in it");
    }
    LiveRecord record;
    record.definition = parse_node(domain);
    record.details.id = number<int>(root, "id");
    record.details.cpus = read_cpus(required(root, "cpus"));
    const std::string known = xml_attribute(root, "known").value_or("");
    record.details.known_cpus = known.empty() ? CpuSet{} : CpuSet::parse(known);
    record.details.numa_nodeset = required(root, "nodeset");
    record.details.tty = required(root, "tty");
    record.state = number<int>(root, "state");
    record.reason = number<int>(root, "reason");
    record.persistent = required(root, "persistent") == "yes";
    record.autodestroy = required(root, "autodestroy") == "yes";
    record.asked_while_paused = read_asked(root);
    return record;
}

}  // namespace

void Store::save_live(const LiveRecord& record) {
    const std::string path = live_path(record.definition.name);
    if (!left_alone(path).empty()) {
        log::warning("{} was found damaged and is {}.damaged from now on", log::escape(path),
                     log::escape(path));
        store_files::move(path, path + ".damaged");
        const std::scoped_lock lock(mutex_);
        left_alone_.erase(path);
    }
    store_files::replace(path, print_record(record));
}

void Store::remove_live(const std::string& name) {
    const std::string path = live_path(name);
    if (left_alone(path).empty()) {
        store_files::remove(path);
    }
}

LoadedRecords Store::load_live() {
    LoadedRecords out;
    store_files::remove_leftovers(state_dir_);
    std::map<Uuid, std::string> owners;
    for (const std::string& entry : store_files::entries(state_dir_, "", suffix)) {
        const std::string path = state_dir_ + "/" + entry;
        try {
            LiveRecord record = read_record(store_files::read(path), entry);
            if (live_path(record.definition.name) != path) {
                throw Error(VIR_ERR_XML_ERROR,
                            fmt::format("it holds domain '{}'", record.definition.name));
            }
            const auto [owner, fresh] =
                owners.emplace(record.definition.uuid, record.definition.name);
            if (!fresh) {
                throw Error(VIR_ERR_OPERATION_FAILED,
                            fmt::format("its UUID {} is already that of domain '{}'",
                                        record.definition.uuid.to_string(), owner->second));
            }
            out.records.push_back(std::move(record));
        } catch (const Error& error) {
            out.problems.push_back(leave_alone(path, error.full_message()));
        }
    }
    std::sort(out.records.begin(), out.records.end(),
              [](const auto& a, const auto& b) { return a.definition.name < b.definition.name; });
    return out;
}

}  // namespace mk::domain
