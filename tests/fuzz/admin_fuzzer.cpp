// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Calls of the admin program, to a server that has a client.
#include <sys/socket.h>
#include <sys/un.h>

#include <optional>

#include "admin/program.h"
#include "fuzzer.h"
#include "protocol/admin.h"
#include "support/sandbox.h"

namespace {

using mk::Fd;

class Target {
  public:
    Target() : server_({}, {}) {
        server_.listen(listen_at(sandbox_.root() + "/sock"), {});
        connect();
        administered_.servers = {{"virtmultikerneld", &server_}};
        administered_.set_timeout = [](unsigned) {};
        administered_.shut_down = [] {};
        program_ = mk::admin::program(administered_);
        loop_.emplace();
    }

    void client(std::string_view bytes) {
        mk::rpc::Session session({.uid = 0, .gid = 0, .pid = 1}, false,
                                 {.send = [](const std::string&) {},
                                  .start_keepalive = [] {},
                                  .close_after_reply = [] {}});
        for (const mk::fuzz::Call& call : mk::fuzz::calls(bytes)) {
            // The first could ask for thousands of threads, the second for a log of all this.
            if (call.procedure != ADMIN_PROC_SERVER_SET_THREADPOOL_PARAMETERS &&
                call.procedure != ADMIN_PROC_CONNECT_SET_LOGGING_OUTPUTS)
                static_cast<void>(program_.call(session, call.procedure, call.arguments));
        }
        session.closed();
        connect();  // the server's only client may have been told to go
    }

  private:
    Fd listen_at(const std::string& path) {
        address_.sun_family = AF_UNIX;
        path.copy(address_.sun_path, sizeof(address_.sun_path) - 1);
        Fd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
        mk::fuzz::require(
            bind(fd.get(), reinterpret_cast<const sockaddr*>(&address_), sizeof(address_)) == 0 &&
                listen(fd.get(), 5) == 0,
            "cannot listen");
        return fd;
    }

    void connect() {
        char byte = 0;
        if (client_ && recv(client_.get(), &byte, 1, MSG_DONTWAIT) != 0)
            return;
        client_ = Fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        mk::fuzz::require(::connect(client_.get(), reinterpret_cast<const sockaddr*>(&address_),
                                    sizeof(address_)) == 0,
                          "cannot connect");
    }

    mk::test::Sandbox sandbox_;
    sockaddr_un address_{};
    mk::admin::Administered administered_;
    mk::rpc::Server server_;
    mk::rpc::Program program_;
    Fd client_;
    std::optional<mk::test::LoopThread> loop_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    // Lives as long as the process: a server ends on the thread of its loop.
    static auto* const target = new Target;
    target->client(mk::fuzz::as_text(data, size));
    return 0;
}
