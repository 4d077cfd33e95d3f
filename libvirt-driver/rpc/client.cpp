// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What comes in: frames, calls, streams, pings. What goes out is in client_output.cpp.
#include "rpc/client.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "util/log.h"

namespace mk::rpc {

Client::Client(Channel channel, const Peer& peer, const Shared& shared)
    : channel_(std::move(channel)),
      peer_(peer),
      shared_(shared),
      session_(peer.identity, peer.read_only,
               {.send = [this](std::string frame) { send_unasked(std::move(frame)); },
                .start_keepalive =
                    [this] { post([self = shared_from_this()] { self->begin_keepalive(); }); },
                .close_after_reply =
                    [this] {
                        post([self = shared_from_this()] {
                            self->closing_ = true;
                            self->close_if_done();
                        });
                    },
                .authenticated =
                    [this] {
                        post([self = shared_from_this()] {
                            self->deadline_.reset();
                            self->shared_.authenticated(self.get());
                        });
                    }},
               peer.authenticated),
      last_heard_(std::chrono::steady_clock::now()) {
    if (!peer.authenticated && shared_.settings.anonymous_timeout_ms > 0)
        deadline_ = EventSource::timer(shared_.settings.anonymous_timeout_ms, [this] {
            log::warning("client {} did not authenticate in time: disconnected",
                         name_of(session_.peer()));
            disconnect();
        });
}

void Client::start(std::string greeting) {
    if (!greeting.empty())
        enqueue({.bytes = std::move(greeting), .sent = {}});
    for (const Program& program : shared_.programs) {
        if (program.greet)
            program.greet(session_);
    }
    update_reading();
}

bool Client::may_read() const {
    std::size_t waiting_bytes = 0;
    for (const auto& frame : waiting_)
        waiting_bytes += frame.payload.size();
    return !closing_ && !disconnected_ && waiting_.size() < waiting_limit &&
           waiting_bytes < waiting_bytes_limit &&
           (!forwarder_ || forwarder_->backlog() <= Forwarder::backlog_limit) &&
           std::ranges::none_of(streams_, [](const auto& entry) {
               return entry.second->backlog() > Stream::backlog_limit;
           });
}

void Client::update_reading() {
    if (disconnected_)
        return;
    if (may_read()) {
        hung_up_.reset();
        if (!readable_)
            readable_ = channel_.readable([this] { receive(); });
    } else {
        // Whoever waits to be read can still go, and has to be missed then.
        readable_.reset();
        if (!hung_up_)
            hung_up_ = channel_.hung_up([this] { disconnect(); });
    }
}

void Client::receive() {
    const auto self = shared_from_this();
    std::array<char, 65536> bytes;  // only what is read into it is used
    const auto count = channel_.read(bytes);
    if (!count)
        return;
    if (*count == 0) {
        disconnect();
        return;
    }
    last_heard_ = std::chrono::steady_clock::now();
    pings_unanswered_ = 0;
    reader_.feed({bytes.data(), *count});
    flush_after([this] { handle_frames(); });
}

void Client::handle_frames() {
    try {
        while (!disconnected_ && may_read()) {
            auto frame = reader_.next();
            if (!frame)
                break;
            handle(std::move(*frame));
        }
    } catch (const Error& error) {
        log::debug("client {} disconnected: {}", name_of(session_.peer()), error.what());
        disconnect();
        return;
    }
    update_reading();
}

void Client::handle(protocol::Frame frame) {
    if (frame.header.prog == KEEPALIVE_PROGRAM && frame.header.vers == KEEPALIVE_PROTOCOL_VERSION) {
        handle_keepalive(frame);
        return;
    }
    switch (frame.header.type) {
        case VIR_NET_CALL:
        case VIR_NET_CALL_WITH_FDS:
            waiting_.push_back(std::move(frame));
            begin_calls();
            break;
        case VIR_NET_STREAM:
        case VIR_NET_STREAM_HOLE:
            if (!forwarder_ || !forwarder_->stream(frame))
                handle_stream(frame);
            break;
        default:  // a reply, a message: nothing here waits for one
            break;
    }
}

// At once, whatever the workers do: it is how the client knows that we are alive.
void Client::handle_keepalive(const protocol::Frame& frame) {
    if (frame.header.type != VIR_NET_MESSAGE || frame.header.proc != KEEPALIVE_PROC_PING)
        return;
    virNetMessageHeader pong = frame.header;
    pong.proc = KEEPALIVE_PROC_PONG;
    pong.serial = 0;
    pong.status = VIR_NET_OK;
    send_unasked(protocol::encode_frame(pong, ""));
}

void Client::begin_calls() {
    while (!disconnected_ && !closing_ && !waiting_.empty() &&
           unanswered_ < shared_.settings.max_client_requests && may_answer()) {
        const protocol::Frame frame = std::move(waiting_.front());
        waiting_.pop_front();
        ++unanswered_;
        begin_call(frame);
    }
}

// In the order of libvirt's checks (src/rpc/virnetserverprogram.c).
void Client::begin_call(const protocol::Frame& frame) {
    const auto& header = frame.header;
    const auto program = std::ranges::find_if(shared_.programs, [&](const Program& each) {
        return each.number == header.prog && each.version == header.vers;
    });
    if (program == shared_.programs.end())
        reply_error(header,
                    fmt::format("Cannot find program {} version {}", header.prog, header.vers));
    else if (header.status != VIR_NET_OK)
        reply_error(header, fmt::format("Unexpected message status {}", header.status));
    else if (!authenticated() && !(program->authenticates && program->authenticates(header.proc)))
        reply_error(header, "authentication required");
    else if (program->forwards && program->forwards(session_, header.proc))
        forward(*program, frame);
    else if (!answers_later(*program, header))
        run(*program, frame);
}

bool Client::answers_later(const Program& program, const virNetMessageHeader& call) {
    return program.answers_later &&
           program.answers_later(session_, call.proc,
                                 [weak = weak_from_this(), call](Answer answer) {
                                     const auto self = weak.lock();
                                     if (self && !self->disconnected_)
                                         self->reply(call, std::move(answer));
                                 });
}

void Client::run(const Program& program, const protocol::Frame& frame) {
    if (program.answer_at_once) {
        if (auto answer = program.answer_at_once(session_, frame.header.proc, frame.payload)) {
            reply(frame.header, std::move(*answer));
            return;
        }
    }
    ++running_;
    const bool is_short = program.is_short && program.is_short(frame.header.proc);
    shared_.workers.submit(is_short, [self = shared_from_this(), &program, frame] {
        Answer answer = program.call(self->session_, frame.header.proc, frame.payload);
        // The loop thread queues the reply, so that its stream is there when the client hears.
        auto shared_answer = std::make_shared<Answer>(std::move(answer));
        post([self, header = frame.header, shared_answer] {
            --self->running_;
            if (!self->disconnected_)
                self->flush_after([&] { self->reply(header, std::move(*shared_answer)); });
            self->finish_if_done();
        });
    });
}

// Answered by the forwarder, on this thread, in its own time.
void Client::forward(const Program& program, const protocol::Frame& frame) {
    if (!forwarder_)
        forwarder_ = program.make_forwarder(
            session_,
            {.reply =
                 [this](std::string bytes) {
                     enqueue({.bytes = std::move(bytes), .sent = [this] { answered(); }});
                 },
             .stream =
                 [this](std::string bytes, std::function<void()> sent) {
                     enqueue({.bytes = std::move(bytes), .sent = std::move(sent)});
                 },
             .message = [this](std::string bytes) { send_unasked(std::move(bytes)); },
             .drained = [this] { post([self = shared_from_this()] { self->handle_frames(); }); },
             .in_background =
                 [&workers = shared_.workers](std::function<void()> task) {
                     workers.submit(false, std::move(task));
                 }});
    forwarder_->call(frame);
}

void Client::handle_stream(const protocol::Frame& frame) {
    const auto& header = frame.header;
    if (header.type != VIR_NET_STREAM)
        return;  // none of our streams has holes
    const auto found = streams_.find({header.prog, header.proc, header.serial});
    if (found == streams_.end())
        return;  // packets may arrive after the end of a stream
    if (!found->second->packet(header.status, frame.payload))
        streams_.erase(found);
}

void Client::open_stream(const virNetMessageHeader& call, StreamEnd end) {
    virNetMessageHeader header = call;
    header.type = VIR_NET_STREAM;
    const StreamKey key{call.prog, call.proc, call.serial};
    Stream::Link link{
        .send =
            [this, header](int status, const std::string& payload,
                           std::function<void()> sent) mutable {
                header.status = status;
                enqueue(
                    {.bytes = protocol::encode_frame(header, payload), .sent = std::move(sent)});
            },
        .drained = [this] { post([self = shared_from_this()] { self->handle_frames(); }); },
        .failed =
            [this, key] {
                post([self = shared_from_this(), key] {
                    self->streams_.erase(key);
                    self->handle_frames();
                });
            }};
    // A client that uses a serial twice loses the older stream, not somebody else's.
    streams_[key] = std::make_unique<Stream>(std::move(end), std::move(link));
}

bool Client::end_streams() {
    for (auto& [key, stream] : streams_)
        stream->end();
    const std::lock_guard lock(mutex_);
    return streams_.empty() && outgoing_.empty() && running_ == 0;
}

void Client::begin_keepalive() {
    if (disconnected_ || keepalive_ || shared_.settings.keepalive_interval_ms == 0)
        return;
    keepalive_ = EventSource::timer(shared_.settings.keepalive_interval_ms, [this] { probe(); });
}

// Asks a client that was silent for an interval; gives up after keepalive_count unanswered
// questions. A client that we do not read cannot answer.
void Client::probe() {
    const auto silent = std::chrono::steady_clock::now() - last_heard_;
    const std::chrono::milliseconds interval(shared_.settings.keepalive_interval_ms);
    if (silent < interval || !may_read())
        return;
    if (pings_unanswered_ >= shared_.settings.keepalive_count) {
        log::warning("client {} does not answer pings any more: disconnected",
                     name_of(session_.peer()));
        disconnect();
        return;
    }
    ++pings_unanswered_;
    send_unasked(protocol::encode_frame({.prog = KEEPALIVE_PROGRAM,
                                         .vers = KEEPALIVE_PROTOCOL_VERSION,
                                         .proc = KEEPALIVE_PROC_PING,
                                         .type = VIR_NET_MESSAGE,
                                         .serial = 0,
                                         .status = VIR_NET_OK},
                                        ""));
}

}  // namespace mk::rpc
