// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The command line.
#include <fmt/format.h>
#include <glib.h>

#include "daemon.h"
#include "util/error.h"

namespace mk {
namespace {

using Context = std::unique_ptr<GOptionContext, decltype(&g_option_context_free)>;
using Text = std::unique_ptr<char, decltype(&g_free)>;

constexpr const char* summary =
    "Serves multikernel partitions to libvirt clients (virsh -c multikernel:///system).";
constexpr const char* description =
    "Files:\n"
    "  /etc/libvirt/virtmultikerneld.conf       configuration\n"
    "  /run/libvirt/virtmultikerneld-sock[-ro]  sockets, unless systemd passes them\n"
    "  /run/libvirt/virtmultikerneld-admin-sock the same, for virt-admin\n"
    "  /run/virtmultikerneld.pid                held while the daemon runs\n"
    "SIGHUP reads the log settings again. Partitions run on when the daemon ends.\n";

void parse(GOptionContext* context, int argc, char** argv) {
    GError* error = nullptr;
    if (!g_option_context_parse(context, &argc, &argv, &error)) {
        const std::unique_ptr<GError, decltype(&g_error_free)> owned(error, g_error_free);
        throw Error(VIR_ERR_INVALID_ARG, owned->message);
    }
    if (argc > 1)
        throw Error(VIR_ERR_INVALID_ARG, fmt::format("unexpected argument '{}'", argv[1]));
}

}  // namespace

std::optional<DaemonOptions> parse_options(int argc, char** argv) {
    DaemonOptions options;
    char* conf_file = nullptr;
    char* pid_file = nullptr;
    char* socket_dir = nullptr;
    int timeout_s = 0;
    gboolean verbose = FALSE;
    gboolean version = FALSE;
    const GOptionEntry entries[] = {
        {"config", 'f', 0, G_OPTION_ARG_FILENAME, &conf_file, "Configuration file", "FILE"},
        {"pid-file", 'p', 0, G_OPTION_ARG_FILENAME, &pid_file, "Another name for it", "FILE"},
        {"socket-dir", 0, 0, G_OPTION_ARG_FILENAME, &socket_dir, "Where sockets are made", "DIR"},
        {"timeout", 't', 0, G_OPTION_ARG_INT, &timeout_s,
         "End after so long without clients and partitions", "SECONDS"},
        {"verbose", 'v', 0, G_OPTION_ARG_NONE, &verbose, "Log what is done, in detail", nullptr},
        {"version", 'V', 0, G_OPTION_ARG_NONE, &version, "Print the version", nullptr},
        {}};
    const Context context(g_option_context_new(nullptr), g_option_context_free);
    g_option_context_set_summary(context.get(), summary);
    g_option_context_set_description(context.get(), description);
    g_option_context_add_main_entries(context.get(), entries, nullptr);
    parse(context.get(), argc, argv);
    const auto take = [](char* text, std::string& into) {
        const Text owned(text, g_free);
        if (owned)
            into = owned.get();
    };
    options.conf_must_exist = conf_file != nullptr;
    options.socket_dir_named = socket_dir != nullptr;
    take(conf_file, options.conf_file);
    take(pid_file, options.pid_file);
    take(socket_dir, options.socket_dir);
    if (timeout_s < 0)
        throw Error(VIR_ERR_INVALID_ARG, "--timeout takes a number of seconds");
    options.timeout_s = static_cast<unsigned>(timeout_s);
    options.verbose = verbose != FALSE;
    if (version == FALSE)
        return options;
    fmt::print("virtmultikerneld {}\n", MK_VERSION);
    return std::nullopt;
}

}  // namespace mk
