// SPDX-License-Identifier: LGPL-2.1-or-later
//
// JSON by json-glib. A reader takes each member away that it knows; what is left is unknown.
#include "domain/native.h"

#include <fmt/core.h>
#include <json-glib/json-glib.h>

#include <algorithm>
#include <climits>

#include "domain/document.h"
#include "util/error.h"
#include "util/gobject.h"

namespace mk::domain {
namespace {

void add_string(JsonBuilder* builder, const char* name, std::string_view text) {
    if (text.empty()) {
        return;
    }
    json_builder_set_member_name(builder, name);
    json_builder_add_string_value(builder, std::string(text).c_str());
}

void add_number(JsonBuilder* builder, const char* name, std::uint64_t number) {
    json_builder_set_member_name(builder, name);
    json_builder_add_int_value(builder, static_cast<gint64>(number));
}

void add_cpus(JsonBuilder* builder, const Definition& definition) {
    add_number(builder, "vcpus", definition.vcpus);
    add_string(builder, "offline-vcpus", definition.offline_vcpus.to_string());
    add_string(builder, "cpus", definition.cpuset.value_or(CpuSet()).to_string());
    if (definition.vcpu_pins.empty()) {
        return;
    }
    json_builder_set_member_name(builder, "pins");
    json_builder_begin_object(builder);
    for (const auto& [vcpu, cpus] : definition.vcpu_pins) {
        add_string(builder, std::to_string(vcpu).c_str(), cpus.to_string());
    }
    json_builder_end_object(builder);
}

void add_memory(JsonBuilder* builder, const Definition& definition) {
    add_number(builder, "memory-kib", definition.memory_kib);
    add_number(builder, "boot-memory-kib", definition.current_memory_kib);
    if (definition.max_memory_kib != 0) {
        add_number(builder, "max-memory-kib", definition.max_memory_kib);
        add_number(builder, "memory-slots", definition.memory_slots);
    }
    if (definition.memory_devices.empty()) {
        return;
    }
    json_builder_set_member_name(builder, "memory-devices");
    json_builder_begin_array(builder);
    for (const MemoryDevice& device : definition.memory_devices) {
        json_builder_begin_object(builder);
        add_number(builder, "size-kib", device.size_kib);
        if (device.slot) {
            add_number(builder, "slot", *device.slot);
        }
        json_builder_end_object(builder);
    }
    json_builder_end_array(builder);
}

void add_console(JsonBuilder* builder, const Console& console) {
    json_builder_set_member_name(builder, "console");
    json_builder_begin_object(builder);
    if (console.log_file) {
        add_string(builder, "log", *console.log_file);
        json_builder_set_member_name(builder, "append");
        json_builder_add_boolean_value(builder, console.log_append ? TRUE : FALSE);
    }
    json_builder_end_object(builder);
}

// The members of one object, each of which is asked for once.
class Members {
  public:
    Members(JsonObject* object, std::string where)
        : object_(json_object_ref(object)), where_(std::move(where)) {}
    Members(const Members&) = delete;
    Members& operator=(const Members&) = delete;
    ~Members() { json_object_unref(object_); }

    std::string string(const std::string& name, const std::string& otherwise = "") {
        JsonNode* node = take(name, JSON_NODE_VALUE, G_TYPE_STRING);
        std::string text = node != nullptr ? json_node_get_string(node) : otherwise;
        done(name);
        return text;
    }
    std::uint64_t number(const std::string& name, std::uint64_t otherwise) {
        JsonNode* node = take(name, JSON_NODE_VALUE, G_TYPE_INT64);
        const gint64 value = node != nullptr ? json_node_get_int(node) : 0;
        if (value < 0) {
            bad(name);
        }
        const bool there = node != nullptr;
        done(name);
        return there ? static_cast<std::uint64_t>(value) : otherwise;
    }
    // One that is used as `unsigned`.
    unsigned small_number(const std::string& name, unsigned otherwise) {
        const std::uint64_t value = number(name, otherwise);
        if (value > UINT_MAX) {
            bad(name);
        }
        return static_cast<unsigned>(value);
    }
    bool boolean(const std::string& name) {
        JsonNode* node = take(name, JSON_NODE_VALUE, G_TYPE_BOOLEAN);
        const bool value = node != nullptr && json_node_get_boolean(node) != FALSE;
        done(name);
        return value;
    }
    // `read(members)` if there is such an object.
    template <typename Read>
    void object(const std::string& name, const Read& read) {
        if (JsonNode* node = take(name, JSON_NODE_OBJECT, G_TYPE_INVALID)) {
            Members inside(json_node_get_object(node), where_ + name + ".");
            read(inside);
            inside.end();
            done(name);
        }
    }
    template <typename Read>
    void array_of_objects(const std::string& name, const Read& read) {
        JsonNode* node = take(name, JSON_NODE_ARRAY, G_TYPE_INVALID);
        if (node == nullptr) {
            return;
        }
        JsonArray* array = json_node_get_array(node);
        for (guint i = 0; i < json_array_get_length(array); i++) {
            JsonNode* element = json_array_get_element(array, i);
            if (!JSON_NODE_HOLDS_OBJECT(element)) {
                bad(name);
            }
            Members inside(json_node_get_object(element),
                           fmt::format("{}{}[{}].", where_, name, i));
            read(inside);
            inside.end();
        }
        done(name);
    }
    [[nodiscard]] bool has(const std::string& name) const {
        return json_object_has_member(object_, name.c_str()) != FALSE;
    }
    [[nodiscard]] std::vector<std::string> names() const {
        std::vector<std::string> names;
        const std::unique_ptr<GList, decltype(&g_list_free)> list(json_object_get_members(object_),
                                                                  g_list_free);
        for (const GList* one = list.get(); one != nullptr; one = one->next) {
            names.emplace_back(static_cast<const char*>(one->data));
        }
        return names;
    }
    [[noreturn]] void bad(const std::string& name) const {
        throw Error(VIR_ERR_INVALID_ARG,
                    fmt::format("member '{}{}' has no value that makes sense", where_, name));
    }
    void end() const {
        for (const std::string& name : names()) {
            throw Error(VIR_ERR_CONFIG_UNSUPPORTED,
                        fmt::format("member '{}{}' is not supported", where_, name));
        }
    }

  private:
    // Null: there is none.
    [[nodiscard]] JsonNode* take(const std::string& name, JsonNodeType kind, GType type) const {
        JsonNode* node = json_object_get_member(object_, name.c_str());
        if (node != nullptr &&
            (json_node_get_node_type(node) != kind ||
             (type != G_TYPE_INVALID && json_node_get_value_type(node) != type))) {
            bad(name);
        }
        return node;
    }
    void done(const std::string& name) { json_object_remove_member(object_, name.c_str()); }

    JsonObject* object_;
    std::string where_;  // "console."
};

void read_cpus(Members& members, Definition& out) {
    if (!members.has("vcpus")) {
        members.bad("vcpus");
    }
    out.vcpus = members.small_number("vcpus", 1);
    if (const std::string offline = members.string("offline-vcpus"); !offline.empty()) {
        out.offline_vcpus = CpuSet::parse(offline);
        out.individual_vcpus = true;
    }
    if (const std::string cpus = members.string("cpus"); !cpus.empty()) {
        out.cpuset = CpuSet::parse(cpus);
    }
    members.object("pins", [&out](Members& pins) {
        for (const std::string& vcpu : pins.names()) {
            const CpuSet id = CpuSet::parse(vcpu);
            if (id.size() != 1) {
                pins.bad(vcpu);
            }
            out.vcpu_pins.emplace(*id.begin(), CpuSet::parse(pins.string(vcpu)));
        }
    });
}

void read_sizes(Members& members, Definition& out) {
    if (!members.has("memory-kib")) {
        members.bad("memory-kib");
    }
    out.memory_kib = members.number("memory-kib", 0);
    out.current_memory_kib = members.number("boot-memory-kib", out.memory_kib);
    out.max_memory_kib = members.number("max-memory-kib", 0);
    out.memory_slots = members.small_number("memory-slots", 0);
    members.array_of_objects("memory-devices", [&out](Members& device) {
        MemoryDevice one;
        one.size_kib = device.number("size-kib", 0);
        if (device.has("slot")) {
            one.slot = device.small_number("slot", 0);
        }
        out.memory_devices.push_back(one);
    });
}

void read_rest(Members& members, Definition& out) {
    out.kernel = members.string("kernel");
    out.initrd = members.string("initrd");
    out.cmdline = members.string("cmdline");
    members.object("console", [&out](Members& console) {
        out.console.emplace();
        if (const std::string log = console.string("log"); !log.empty()) {
            out.console->log_file = log;
        }
        out.console->log_append = console.boolean("append");
    });
    const auto action = [&members](const char* name, Action& to) {
        const std::string word = members.string(name, std::string(to_string(to)));
        const auto read = action_from(word);
        if (!read) {
            members.bad(name);
        }
        to = *read;
    };
    action("on-poweroff", out.on_poweroff);
    action("on-reboot", out.on_reboot);
    action("on-crash", out.on_crash);
}

// json-glib's parser recurses, and json_parser_load_from_data() knows no limit.
void require_shallow(const std::string& json) {
    constexpr std::ptrdiff_t most = 1'000;
    const auto opens = [](char c) { return c == '{' || c == '['; };
    if (std::count_if(json.begin(), json.end(), opens) > most) {
        throw Error(VIR_ERR_INVALID_ARG,
                    fmt::format("malformed JSON: more than {} brackets", most));
    }
}

}  // namespace

std::string to_native(const Definition& definition) {
    const GObjectPtr<JsonBuilder> owner(json_builder_new());
    JsonBuilder* builder = owner.get();
    json_builder_begin_object(builder);
    add_string(builder, "name", definition.name);
    add_string(builder, "uuid", definition.uuid.to_string());
    add_string(builder, "kernel", definition.kernel);
    add_string(builder, "initrd", definition.initrd);
    add_string(builder, "cmdline", definition.cmdline);
    add_cpus(builder, definition);
    add_memory(builder, definition);
    if (definition.console) {
        add_console(builder, *definition.console);
    }
    add_string(builder, "on-poweroff", to_string(definition.on_poweroff));
    add_string(builder, "on-reboot", to_string(definition.on_reboot));
    add_string(builder, "on-crash", to_string(definition.on_crash));
    json_builder_end_object(builder);
    const std::unique_ptr<JsonNode, decltype(&json_node_unref)> root(json_builder_get_root(builder),
                                                                     json_node_unref);
    const GText text(json_to_string(root.get(), TRUE));
    return std::string(text.get()) + "\n";
}

Definition from_native(const std::string& json) {
    require_shallow(json);
    const GObjectPtr<JsonParser> parser(json_parser_new());
    GError* failed = nullptr;
    const gboolean parsed = json_parser_load_from_data(parser.get(), json.data(),
                                                       static_cast<gssize>(json.size()), &failed);
    const GErrorPtr error(failed);
    if (parsed == FALSE) {
        throw Error(VIR_ERR_INVALID_ARG,
                    fmt::format("malformed JSON: {}", error ? error->message : "?"));
    }
    JsonNode* root = json_parser_get_root(parser.get());
    if (root == nullptr || !JSON_NODE_HOLDS_OBJECT(root)) {
        throw Error(VIR_ERR_INVALID_ARG, "malformed JSON: no object");
    }
    Members members(json_node_get_object(root), "");
    Definition out;
    out.name = members.string("name");
    if (out.name.empty()) {
        members.bad("name");
    }
    const auto uuid = Uuid::parse(members.string("uuid", Uuid::random().to_string()));
    if (!uuid || !uuid->valid()) {
        members.bad("uuid");
    }
    out.uuid = *uuid;
    read_cpus(members, out);
    read_sizes(members, out);
    read_rest(members, out);
    members.end();
    return out;
}

}  // namespace mk::domain
