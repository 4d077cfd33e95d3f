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

#include "api/dispatch.h"
#include "daemon_conf.h"
#include "rpc/server.h"
#include "sockets.h"
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

void reload(const DaemonOptions& options) {
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
            .read_only_mode = conf.read_only_socket_mode};
}

bool has_active_domain(const domain::Driver& driver) {
    for (const auto& view : driver.list()) {
        if (view.active())
            return true;
    }
    return false;
}

using MainLoop = std::unique_ptr<GMainLoop, decltype(&g_main_loop_unref)>;

// Runs the loop until a signal or --timeout ends it.
void run_loop(const DaemonOptions& options, domain::Driver& driver, const rpc::Server& server) {
    const MainLoop loop(g_main_loop_new(nullptr, FALSE), g_main_loop_unref);
    const auto quit = [&loop] { g_main_loop_quit(loop.get()); };
    const auto terminate = EventSource::on_signal(SIGTERM, quit);
    const auto interrupt = EventSource::on_signal(SIGINT, quit);
    const auto hang_up = EventSource::on_signal(SIGHUP, [&options] { reload(options); });
    const auto heartbeats = EventSource::timer(1000, [&driver] { driver.look_at_heartbeats(); });
    EventSource idle;
    unsigned idle_s = 0;
    if (options.timeout_s > 0)
        idle = EventSource::timer(1000, [&] {
            const bool in_use = server.clients() > 0 || has_active_domain(driver);
            idle_s = in_use ? 0 : idle_s + 1;
            if (idle_s >= options.timeout_s)
                quit();
        });
    sd_notify(0, "READY=1");
    log::info("ready");
    g_main_loop_run(loop.get());
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
    domain::Driver driver(paths, std::move(backend));
    driver.set_watchdog_timeout(std::chrono::seconds(conf.watchdog_timeout_s));
    access::Polkit polkit;
    rpc::Server server(conf.server,
                       {api::remote_program(driver, polkit, {.socket_dir = options.socket_dir})});
    for (auto& socket : sockets.take())
        server.listen(std::move(socket.fd),
                      {.read_only = socket.read_only,
                       .authenticate = socket.read_only ? conf.polkit_read_only : conf.polkit});
    server.run_in_background([&driver] { driver.autostart(); });
    run_loop(options, driver, server);
    driver.end_autostart();
    server.stop();
}

}  // namespace mk
