// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The daemon from start to end.
#include "daemon.h"

#include <fmt/format.h>
#include <glib.h>
#include <systemd/sd-daemon.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <optional>

#include "admin/program.h"
#include "api/dispatch.h"
#include "daemon_conf.h"
#include "domain/capabilities.h"
#include "rpc/server.h"
#include "sockets.h"
#include "tcp_sockets.h"
#include "util/event_source.h"
#include "util/log.h"
#include "util/log_settings.h"

namespace mk {
namespace {

std::optional<std::string> environment(const char* name) {
    const char* value = std::getenv(name);
    return value != nullptr && *value != '\0' ? std::optional<std::string>(value) : std::nullopt;
}

// As in libvirt's daemons the command line counts more than the environment, and that more than
// the configuration.
void set_logging(const DaemonOptions& options, const DaemonConf& conf) {
    const auto filters = environment("LIBVIRT_LOG_FILTERS");
    const auto outputs = environment("LIBVIRT_LOG_OUTPUTS");
    auto new_filters = filters ? log::parse_filters(*filters) : conf.log_filters;
    log::set_outputs(outputs ? log::parse_outputs(*outputs) : conf.log_outputs);
    log::set_filters(std::move(new_filters));
    const bool debug = options.verbose || environment("LIBVIRT_DEBUG");
    log::set_level(debug ? log::Level::debug : conf.log_level);
}

void update_tls(rpc::Server& server) {
    try {
        server.update_tls();
    } catch (const Error& error) {
        log::error("certificates for TLS stay as they were: {}", error.full_message());
    }
}

void reload(const DaemonOptions& options, rpc::Server& server) {
    if (server.serves_tls())
        server.run_in_background([&server] { update_tls(server); });
    try {
        set_logging(options, load_conf(options.conf_file, options.conf_must_exist));
        log::info("log settings read again from {}", options.conf_file);
    } catch (const Error& error) {
        log::error("nothing changed: {}", error.full_message());
    }
}

SocketSettings socket_settings(const DaemonOptions& options, const DaemonConf& conf) {
    constexpr unsigned for_all = 0777;
    constexpr unsigned for_owner = 0700;
    const bool ours = options.socket_dir_named || conf.socket_dir.empty();
    return {.folder = ours ? options.socket_dir : conf.socket_dir,
            .group = conf.socket_group,
            .mode = conf.socket_mode.value_or(conf.polkit ? for_all : for_owner),
            .read_only_mode = conf.read_only_socket_mode,
            .admin_mode = conf.admin_socket_mode,
            .queue = conf.socket_queue,
            .admin_queue = conf.admin_socket_queue};
}

domain::Settings driver_settings(const DaemonConf& conf, const domain::Paths& paths) {
    domain::Settings settings{.audit = conf.audit, .host_uuid = conf.host_uuid};
    if (!settings.host_uuid && conf.host_uuid_is_machine_id)
        settings.host_uuid = domain::machine_uuid(paths.machine_id);
    return settings;
}

bool has_active_domain(const domain::Driver& driver) {
    for (const auto& view : driver.list()) {
        if (view.active())
            return true;
    }
    return false;
}

using MainLoop = std::unique_ptr<GMainLoop, decltype(&g_main_loop_unref)>;

// Ends the daemon after so long without clients and partitions.
class IdleTimer {
  public:
    IdleTimer(std::function<bool()> in_use, std::function<void()> quit)
        : in_use_(std::move(in_use)), quit_(std::move(quit)) {}

    void set(unsigned timeout_s) {
        idle_s_ = 0;
        tick_.reset();
        if (timeout_s > 0)
            tick_ = EventSource::timer(1000, [this, timeout_s] {
                idle_s_ = in_use_() ? 0 : idle_s_ + 1;
                if (idle_s_ >= timeout_s)
                    quit_();
            });
    }

  private:
    const std::function<bool()> in_use_;
    const std::function<void()> quit_;
    EventSource tick_;
    unsigned idle_s_ = 0;
};

struct Servers {
    rpc::Server& main;
    rpc::Server& admin;
};

void listen_on(Sockets& sockets, const Servers& servers, const DaemonConf& conf) {
    std::vector<Fd> tcp;
    for (auto& socket : sockets.take()) {
        if (socket.tcp) {
            tcp.push_back(std::move(socket.fd));
            continue;
        }
        auto& server = socket.admin ? servers.admin : servers.main;
        const bool ask = socket.read_only ? conf.polkit_read_only : conf.polkit;
        server.listen(std::move(socket.fd), {.read_only = socket.read_only,
                                             .authenticate = ask && !socket.admin,
                                             .trusted_only = socket.admin});
    }
    if (conf.listen_tls && tcp.empty())
        tcp = listen_on_tcp(conf.listen_addr, conf.tls_port);
    if (!tcp.empty())
        servers.main.listen_tls(std::move(tcp), conf.tls);
}

// Runs the loop until something ends it.
void run_loop(GMainLoop* loop, domain::Driver& driver) {
    const auto heartbeats = EventSource::timer(1000, [&driver] { driver.look_at_heartbeats(); });
    log::info("ready");
    sd_notify(0, "READY=1");
    g_main_loop_run(loop);
    sd_notify(0, "STOPPING=1");
    log::info("ending; partitions run on");
}

}  // namespace

void run_daemon(const DaemonOptions& options, std::unique_ptr<backend::Backend> backend) {
    const DaemonConf conf = load_conf(options.conf_file, options.conf_must_exist);
    set_logging(options, conf);
    std::signal(SIGPIPE, SIG_IGN);
    const PidFile pid_file(options.pid_file);
    Sockets sockets(socket_settings(options, conf));
    domain::Paths paths = options.paths;
    if (!conf.auto_dump_path.empty())
        paths.dump_dir = conf.auto_dump_path;
    domain::Driver driver(paths, std::move(backend), driver_settings(conf, paths));
    driver.set_watchdog_timeout(std::chrono::seconds(conf.watchdog_timeout_s));
    access::Polkit polkit;
    rpc::Server server(conf.server, {api::remote_program(driver, polkit, conf.access_control,
                                                         {.socket_dir = options.socket_dir})});
    admin::Administered administered;
    rpc::Server admin_server(conf.admin, {admin::program(administered)});
    const MainLoop loop(g_main_loop_new(nullptr, FALSE), g_main_loop_unref);
    const auto quit = [&loop] { g_main_loop_quit(loop.get()); };
    IdleTimer idle(
        [&] { return server.busy() || admin_server.busy() || has_active_domain(driver); }, quit);
    administered = {.servers = {{"virtmultikerneld", &server}, {"admin", &admin_server}},
                    .set_timeout = [&idle](unsigned timeout_s) { idle.set(timeout_s); },
                    .shut_down = quit};
    // They stay until all has ended, when nobody looks at them any more: the default action of a
    // second signal would cut the end short.
    const auto terminate = EventSource::on_signal(SIGTERM, quit);
    const auto interrupt = EventSource::on_signal(SIGINT, quit);
    const auto hang_up = EventSource::on_signal(SIGHUP, [&] { reload(options, server); });
    listen_on(sockets, {server, admin_server}, conf);
    idle.set(options.timeout_s);
    server.run_in_background(
        [&driver, marked = driver.take_autostart()] { driver.autostart(marked); });
    run_loop(loop.get(), driver);
    driver.end_autostart();
    admin_server.stop();
    server.stop();
}

}  // namespace mk
