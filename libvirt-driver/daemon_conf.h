// SPDX-License-Identifier: LGPL-2.1-or-later
//
// virtmultikerneld.conf: which keys there are, with libvirt's names where libvirt has them, and
// what they set. A key that does nothing here is an error, never ignored. Not for the syntax
// (conf_file.h) or command line options (daemon.h).
#pragma once

#include <unistd.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "rpc/client.h"
#include "rpc/tls.h"
#include "util/audit.h"
#include "util/log_settings.h"
#include "util/uuid.h"

namespace mk {

// A new key: a field here, a line in the table of daemon_conf.cpp, a paragraph in
// virtmultikerneld.conf.
struct DaemonConf {
    rpc::Settings server;
    // libvirt's, as its file documents them.
    rpc::Settings admin = {.max_clients = 5,
                           .max_anonymous_clients = 0,
                           .workers = {.min = 1, .max = 5, .priority = 0}};
    unsigned socket_queue = 1000;
    unsigned admin_socket_queue = 5;
    // Whether clients that are not root have to ask polkit. libvirt's default, too: a daemon that
    // is not root's serves its own user.
    bool polkit = geteuid() == 0;
    bool polkit_read_only = geteuid() == 0;
    bool access_control = false;          // access_drivers: polkit is asked about each call
    std::string socket_dir;               // empty: the command line's
    std::string socket_group;             // empty: the daemon's own
    std::optional<unsigned> socket_mode;  // nullopt: 0777 with polkit, else 0700
    unsigned read_only_socket_mode = 0777;
    unsigned admin_socket_mode = 0700;
    bool listen_tls = false;  // though systemd passes no socket for it
    std::string listen_addr;  // empty: every address
    std::string tls_port = "16514";
    rpc::TlsSettings tls;
    log::Level log_level = log::Level::warning;
    std::vector<log::Filter> log_filters;
    std::vector<log::Output> log_outputs;  // none: log::set_outputs' own
    std::string auto_dump_path;            // empty: domain::Paths' own
    unsigned watchdog_timeout_s = 10;
    AuditSettings audit;
    std::optional<Uuid> host_uuid;         // counts more than the next
    bool host_uuid_is_machine_id = false;  // else the firmware's, if it has one
};

// `name` is what errors call the file.
// Throws Error(VIR_ERR_CONF_SYNTAX, "<name>:<line>: …").
[[nodiscard]] DaemonConf parse_conf(std::string_view text, const std::string& name);

// Throws Error: as above; VIR_ERR_SYSTEM_ERROR if the file cannot be read, unless it is not
// there and need not be.
[[nodiscard]] DaemonConf load_conf(const std::string& path, bool must_exist);

}  // namespace mk
