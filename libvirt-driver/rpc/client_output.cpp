// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What goes out of a connection, whole frames in order, and how a connection ends.
#include <algorithm>
#include <cstdint>
#include <limits>

#include "rpc/client.h"
#include "util/log.h"

namespace mk::rpc {

void Client::reply(const virNetMessageHeader& call, Answer answer) {
    virNetMessageHeader header = call;
    header.type = VIR_NET_REPLY;
    header.status = answer.ok ? VIR_NET_OK : VIR_NET_ERROR;
    std::string frame;
    try {
        frame = protocol::encode_frame(header, answer.payload);
    } catch (const Error& error) {  // never cut: a client would take half a list for the list
        answer.ok = false;
        header.status = VIR_NET_ERROR;
        frame = protocol::encode_frame(header, protocol::encode_error(error));
    }
    enqueue({.bytes = std::move(frame), .sent = [this] { answered(); }});
    if (!answer.ok)
        return;
    if (answer.stream)
        open_stream(call, std::move(*answer.stream));
    for (const auto& function : answer.after_reply)
        function();
}

// The reply to a call was written: another one may begin.
void Client::answered() {
    --unanswered_;
    begin_calls();
    handle_frames();
}

void Client::reply_error(const virNetMessageHeader& call, const std::string& text) {
    reply(call, {.ok = false,
                 .payload = protocol::encode_error(Error(VIR_ERR_RPC, text)),
                 .after_reply = {},
                 .stream = {}});
}

void Client::enqueue(Packet packet) {
    const std::lock_guard lock(mutex_);
    unread_bytes_ += packet.bytes.size();
    outgoing_.push_back(std::move(packet));
    if (!flush_follows_ && !std::exchange(flush_posted_, true))
        post([self = shared_from_this()] { self->flush(); });
}

// Any thread. Nobody waits for a client that does not read what it asked to be told.
void Client::send_unasked(std::string frame) {
    const std::lock_guard lock(mutex_);
    if (overflowed_)
        return;
    unasked_bytes_ += frame.size();
    if (unasked_bytes_ > unasked_limit) {
        overflowed_ = true;
        post([self = shared_from_this()] {
            log::warning("client {} does not read its events: disconnected",
                         name_of(self->session_.peer()));
            self->disconnect();
        });
        return;
    }
    unread_bytes_ += frame.size();
    outgoing_.push_back({.bytes = std::move(frame), .unasked = true, .sent = {}});
    if (!std::exchange(flush_posted_, true))
        post([self = shared_from_this()] { self->flush(); });
}

// True: the packet is written to its end. A reference to an element of a deque stays valid
// while others push behind it.
bool Client::write_some(Packet& packet) {
    while (written_ < packet.bytes.size()) {
        const auto count = channel_.write(std::string_view(packet.bytes).substr(written_));
        if (!count) {
            wait_to_write();
            return false;
        }
        if (*count == 0) {
            disconnect();
            return false;
        }
        written_ += *count;
        last_written_ = std::chrono::steady_clock::now();
    }
    written_ = 0;
    return true;
}

void Client::flush() {
    const auto self = shared_from_this();
    while (!disconnected_) {
        Packet* first = nullptr;
        {
            const std::lock_guard lock(mutex_);
            flush_posted_ = false;
            if (outgoing_.empty())
                break;
            first = &outgoing_.front();
        }
        if (!write_some(*first))
            return;
        std::function<void()> sent;
        {
            const std::lock_guard lock(mutex_);
            unread_bytes_ -= first->bytes.size();
            if (first->unasked)
                unasked_bytes_ -= first->bytes.size();
            sent = std::move(first->sent);
            outgoing_.pop_front();
        }
        if (sent)
            sent();
    }
    writable_.reset();
    stalled_.reset();
    if (!waiting_.empty()) {
        begin_calls();
        handle_frames();
    }
    close_if_done();
}

// What answers to calls take is bounded too: a client that does not read has no more of them.
bool Client::may_answer() {
    const std::lock_guard lock(mutex_);
    return unread_bytes_ < unread_limit;
}

// A client that takes nothing for as long as one may be silent is as dead as that one.
void Client::wait_to_write() {
    if (writable_)
        return;
    writable_ = channel_.writable([this] { flush(); });
    const std::uint64_t silence_ms = std::uint64_t{shared_.settings.keepalive_interval_ms} *
                                     (shared_.settings.keepalive_count + 1);
    const auto limit_ms = static_cast<unsigned>(
        std::min(silence_ms, std::uint64_t{std::numeric_limits<unsigned>::max()}));
    if (limit_ms == 0)
        return;
    last_written_ = std::chrono::steady_clock::now();
    stalled_ = EventSource::timer(limit_ms, [this, limit = std::chrono::milliseconds(limit_ms)] {
        if (std::chrono::steady_clock::now() - last_written_ < limit)
            return;
        log::warning("client {} does not read: disconnected", name_of(session_.peer()));
        disconnect();
    });
}

void Client::close_if_done() {
    if (!closing_ || disconnected_)
        return;
    readable_.reset();
    bool empty = false;
    {
        const std::lock_guard lock(mutex_);
        empty = outgoing_.empty();
    }
    if (unanswered_ == 0 && empty)
        disconnect();
}

void Client::disconnect() {
    if (disconnected_)
        return;
    const auto self = shared_from_this();
    disconnected_ = true;
    readable_.reset();
    hung_up_.reset();
    writable_.reset();
    stalled_.reset();
    keepalive_.reset();
    deadline_.reset();
    streams_.clear();
    waiting_.clear();
    // Later: it may be what runs.
    post([forwarder = std::exchange(forwarder_, nullptr)] {});
    {
        const std::lock_guard lock(mutex_);
        overflowed_ = true;  // nothing is queued any more
        outgoing_.clear();
    }
    channel_.close();
    shared_.disconnected(this);
    finish_if_done();
}

void Client::finish_if_done() {
    if (!disconnected_ || running_ > 0 || std::exchange(finished_, true))
        return;
    shared_.workers.submit(false, [self = shared_from_this()]() mutable {
        self->session_.closed();
        post([self] { self->shared_.finished(); });
    });
}

}  // namespace mk::rpc
