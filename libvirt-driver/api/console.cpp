// SPDX-License-Identifier: LGPL-2.1-or-later
//
// virDomainOpenConsole: a viewer of a domain's console as a stream of the client's connection.
#include "api/encode.h"
#include "api/table.h"

namespace mk::api {

namespace {

// There is one viewer at a time, so VIR_DOMAIN_CONSOLE_SAFE asks for what is true anyway.
void domain_open_console(Call& call, const remote_domain_open_console_args& args) {
    const auto domain = find(call, args.dom);
    require_active(domain);
    const bool force = (args.flags & VIR_DOMAIN_CONSOLE_FORCE) != 0;
    std::shared_ptr<domain::ConsoleSession> console =
        call.driver.open_console(domain.uuid, string_or_empty(args.dev_name), force);

    rpc::StreamEnd stream;
    stream.poll_fd = console->poll_fd();
    stream.read = [viewer = console.get()](std::size_t limit) { return viewer->read(limit); };
    stream.write = [viewer = console.get()](std::string_view bytes) {
        return viewer->write(bytes);
    };
    stream.owner = std::move(console);
    call.stream = std::move(stream);
}

const Row rows[] = {
    row<domain_open_console>(REMOTE_PROC_DOMAIN_OPEN_CONSOLE,
                             VIR_DOMAIN_CONSOLE_FORCE | VIR_DOMAIN_CONSOLE_SAFE),
};

}  // namespace

std::span<const Row> console_rows() {
    return rows;
}

}  // namespace mk::api
