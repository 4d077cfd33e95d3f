// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The keys of virtmultikerneld.conf.
#include "daemon_conf.h"

#include <algorithm>

#include "conf_file.h"
#include "util/error.h"
#include "util/fd.h"

namespace mk {
namespace {

constexpr unsigned most_workers = rpc::WorkerPool::most_workers;
constexpr unsigned day_s = 86400;

struct Key {
    std::string_view name;
    void (*apply)(DaemonConf& conf, const Setting& setting);
};

bool is_polkit(const Setting& setting) {
    return setting.one_of({"none", "polkit"}) == "polkit";
}

// libvirt knows "none", too, which allows everything.
bool has_polkit(const Setting& setting) {
    const auto& drivers = setting.texts();
    for (const auto& driver : drivers) {
        if (driver != "polkit" && driver != "none")
            throw setting.wrong("may hold \"polkit\" and \"none\", and nothing else");
    }
    return std::ranges::find(drivers, "polkit") != drivers.end();
}

// -1 and 0 mean never.
unsigned interval_ms(const Setting& setting) {
    return static_cast<unsigned>(std::max(setting.number(-1, day_s), 0)) * 1000;
}

Uuid host_uuid(const Setting& setting) {
    const auto uuid = Uuid::parse(setting.text());
    if (!uuid || !uuid->valid())
        throw setting.wrong("must be a UUID, and its digits not all the same");
    return *uuid;
}

// Texts that have a syntax of their own.
template <typename Parse>
auto parsed(const Setting& setting, Parse parse) {
    const std::string& text = setting.text();
    try {
        return parse(text);
    } catch (const Error& error) {
        throw setting.wrong(std::string("is wrong: ") + error.what());
    }
}

const Key keys[] = {
    {"listen_tls", [](auto& conf, auto& set) { conf.listen_tls = set.flag(); }},
    {"listen_addr", [](auto& conf, auto& set) { conf.listen_addr = set.text(); }},
    {"tls_port", [](auto& conf, auto& set) { conf.tls_port = set.text(); }},
    {"auth_tls", [](auto&, auto& set) { static_cast<void>(set.one_of({"none"})); }},
    {"ca_file", [](auto& conf, auto& set) { conf.tls.ca_file = set.absolute_path(); }},
    {"cert_file", [](auto& conf, auto& set) { conf.tls.cert_file = set.absolute_path(); }},
    {"key_file", [](auto& conf, auto& set) { conf.tls.key_file = set.absolute_path(); }},
    {"tls_no_sanity_certificate", [](auto& conf, auto& set) { conf.tls.check_own = !set.flag(); }},
    {"tls_no_verify_certificate",
     [](auto& conf, auto& set) { conf.tls.check_clients = !set.flag(); }},
    {"tls_allowed_dn_list", [](auto& conf, auto& set) { conf.tls.allowed_dns = set.texts(); }},
    {"auth_unix_rw", [](auto& conf, auto& set) { conf.polkit = is_polkit(set); }},
    {"auth_unix_ro", [](auto& conf, auto& set) { conf.polkit_read_only = is_polkit(set); }},
    {"access_drivers", [](auto& conf, auto& set) { conf.access_control = has_polkit(set); }},
    {"unix_sock_dir", [](auto& conf, auto& set) { conf.socket_dir = set.absolute_path(); }},
    {"unix_sock_group", [](auto& conf, auto& set) { conf.socket_group = set.text(); }},
    {"unix_sock_rw_perms", [](auto& conf, auto& set) { conf.socket_mode = set.mode(); }},
    {"unix_sock_ro_perms", [](auto& conf, auto& set) { conf.read_only_socket_mode = set.mode(); }},
    {"unix_sock_admin_perms", [](auto& conf, auto& set) { conf.admin_socket_mode = set.mode(); }},
    {"max_anonymous_clients",
     [](auto& conf, auto& set) { conf.server.max_anonymous_clients = set.count(0, 100000); }},
    {"anonymous_timeout",
     [](auto& conf, auto& set) { conf.server.anonymous_timeout_ms = set.count(0, day_s) * 1000; }},
    {"max_clients", [](auto& conf, auto& set) { conf.server.max_clients = set.count(1, 100000); }},
    {"min_workers",
     [](auto& conf, auto& set) { conf.server.workers.min = set.count(0, most_workers); }},
    {"max_workers",
     [](auto& conf, auto& set) { conf.server.workers.max = set.count(1, most_workers); }},
    {"prio_workers",
     [](auto& conf, auto& set) { conf.server.workers.priority = set.count(0, most_workers); }},
    {"max_client_requests",
     [](auto& conf, auto& set) { conf.server.max_client_requests = set.count(1, 1000); }},
    {"max_queued_clients", [](auto& conf, auto& set) { conf.socket_queue = set.count(1, 100000); }},
    {"admin_min_workers",
     [](auto& conf, auto& set) { conf.admin.workers.min = set.count(0, most_workers); }},
    {"admin_max_workers",
     [](auto& conf, auto& set) { conf.admin.workers.max = set.count(1, most_workers); }},
    {"admin_max_clients",
     [](auto& conf, auto& set) { conf.admin.max_clients = set.count(1, 100000); }},
    {"admin_max_queued_clients",
     [](auto& conf, auto& set) { conf.admin_socket_queue = set.count(1, 100000); }},
    {"admin_max_client_requests",
     [](auto& conf, auto& set) { conf.admin.max_client_requests = set.count(1, 1000); }},
    {"admin_keepalive_interval",
     [](auto& conf, auto& set) { conf.admin.keepalive_interval_ms = interval_ms(set); }},
    {"admin_keepalive_count",
     [](auto& conf, auto& set) { conf.admin.keepalive_count = set.count(0, 1000); }},
    {"keepalive_interval",
     [](auto& conf, auto& set) { conf.server.keepalive_interval_ms = interval_ms(set); }},
    {"keepalive_count",
     [](auto& conf, auto& set) { conf.server.keepalive_count = set.count(0, 1000); }},
    // libvirt's: 1 debug, 2 information, 3 warnings, 4 errors
    {"log_level",
     [](auto& conf, auto& set) { conf.log_level = static_cast<log::Level>(set.number(1, 4)); }},
    {"log_filters",
     [](auto& conf, auto& set) { conf.log_filters = parsed(set, log::parse_filters); }},
    {"log_outputs",
     [](auto& conf, auto& set) { conf.log_outputs = parsed(set, log::parse_outputs); }},
    {"auto_dump_path", [](auto& conf, auto& set) { conf.auto_dump_path = set.absolute_path(); }},
    {"watchdog_timeout",
     [](auto& conf, auto& set) { conf.watchdog_timeout_s = set.count(2, day_s); }},
    {"audit_level",
     [](auto& conf,
        auto& set) { conf.audit.level = static_cast<AuditSettings::Level>(set.number(0, 2)); }},
    {"audit_logging", [](auto& conf, auto& set) { conf.audit.logging = set.flag(); }},
    {"host_uuid", [](auto& conf, auto& set) { conf.host_uuid = host_uuid(set); }},
    {"host_uuid_source",
     [](auto& conf, auto& set) {
         conf.host_uuid_is_machine_id = set.one_of({"smbios", "machine-id"}) == "machine-id";
     }},
};

}  // namespace

DaemonConf parse_conf(std::string_view text, const std::string& name) {
    DaemonConf conf;
    for (const Setting& setting : parse_settings(text, name)) {
        const auto* const known = std::ranges::find(keys, setting.key(), &Key::name);
        if (known == std::end(keys))
            throw setting.wrong("is no key of this daemon");
        known->apply(conf, setting);
    }
    auto& server = conf.server;
    server.max_anonymous_clients = std::min(server.max_anonymous_clients, server.max_clients);
    return conf;
}

DaemonConf load_conf(const std::string& path, bool must_exist) {
    if (must_exist)
        return parse_conf(read_file(path), path);
    const auto text = read_file_if_exists(path);
    return text ? parse_conf(*text, path) : DaemonConf{};
}

}  // namespace mk
