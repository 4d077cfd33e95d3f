// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A connection: frames, keepalive, streams, and what is answered, with a program behind it that
// only echoes. Whatever a client sends, it hears whole frames, and its connection ends when it
// hangs up.
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "fuzzer.h"
#include "protocol/frame.h"
#include "protocol/remote.h"
#include "rpc/client.h"

namespace {

using mk::Fd;

// An even procedure answers, one that 4 divides opens a stream that echoes, an odd one fails.
mk::rpc::Answer echo(mk::rpc::Session& session, int procedure, std::string_view arguments) {
    mk::rpc::Answer answer{.ok = procedure % 2 == 0,
                           .payload = std::string(arguments.substr(0, 64)),
                           .after_reply = {},
                           .stream = {}};
    if (!answer.ok)
        answer.payload = mk::protocol::encode_error(mk::Error(VIR_ERR_NO_DOMAIN, "odd"));
    if (procedure % 4 == 0) {
        const auto text = std::make_shared<std::string>();
        answer.stream =
            mk::rpc::StreamEnd{.poll_fd = -1,
                               .read = [text](std::size_t limit) -> std::optional<std::string> {
                                   std::string some = text->substr(0, limit);
                                   text->erase(0, some.size());
                                   return some.empty() ? std::nullopt : std::optional(some);
                               },
                               .write =
                                   [text](std::string_view bytes) {
                                       *text += bytes;
                                       return bytes.size();
                                   },
                               .owner = text};
        static const Fd readable = mk::open_file("/dev/null", O_RDONLY);
        answer.stream->poll_fd = readable.get();
    }
    if (procedure == 6)
        session.close_after_reply();
    if (procedure == 10)
        session.start_keepalive();
    return answer;
}

mk::rpc::Program echo_program() {
    mk::rpc::Program program;
    program.number = REMOTE_PROGRAM;
    program.version = REMOTE_PROTOCOL_VERSION;
    program.is_short = [](int procedure) { return procedure % 3 == 0; };
    program.answer_at_once = [](mk::rpc::Session& session, int procedure,
                                std::string_view arguments) -> std::optional<mk::rpc::Answer> {
        if (procedure % 5 != 0)
            return std::nullopt;
        return echo(session, procedure, arguments);
    };
    program.call = echo;
    return program;
}

class Connection {
  public:
    explicit Connection(mk::rpc::WorkerPool& workers)
        : shared_{.settings = {},
                  .programs = {echo_program()},
                  .workers = workers,
                  .disconnected = [](mk::rpc::Client*) {},
                  .finished = [this] { finished_ = true; },
                  .authenticated = [](mk::rpc::Client*) {}} {
        std::array<int, 2> pair{};
        mk::fuzz::require(
            socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair.data()) == 0,
            "socketpair");
        near_ = Fd(pair[0]);
        client_ = std::make_shared<mk::rpc::Client>(
            mk::rpc::Channel(Fd(pair[1])),
            mk::rpc::Client::Peer{.identity = {.uid = 0, .gid = 0, .pid = 1}}, shared_);
        client_->start();
    }

    void send(std::string_view bytes) {
        while (!bytes.empty()) {
            const ssize_t count = ::send(near_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (count < 0 && errno != EAGAIN)
                return;  // it was disconnected
            bytes.remove_prefix(count < 0 ? 0 : static_cast<std::size_t>(count));
            g_main_context_iteration(nullptr, FALSE);
            receive();
        }
    }

    // All that comes has been whole frames once the connection is over.
    void end() {
        (void)shutdown(near_.get(), SHUT_WR);
        while (!finished_) {
            g_main_context_iteration(nullptr, TRUE);
            receive();
        }
        receive();
    }

  private:
    void receive() {
        std::array<char, 65536> bytes{};
        ssize_t count = 0;
        while ((count = recv(near_.get(), bytes.data(), bytes.size(), 0)) > 0)
            reader_.feed({bytes.data(), static_cast<std::size_t>(count)});
        while (const auto frame = reader_.next())
            mk::fuzz::require(frame->header.type == VIR_NET_REPLY ||
                                  frame->header.type == VIR_NET_MESSAGE ||
                                  frame->header.type == VIR_NET_STREAM,
                              "a frame that no server sends");
    }

    mk::rpc::Client::Shared shared_;
    Fd near_;
    std::shared_ptr<mk::rpc::Client> client_;
    mk::protocol::FrameReader reader_;
    bool finished_ = false;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static mk::rpc::WorkerPool workers({.min = 1, .max = 1, .priority = 1});
    Connection connection(workers);
    connection.send(mk::fuzz::as_text(data, size));
    connection.end();
    return 0;
}
