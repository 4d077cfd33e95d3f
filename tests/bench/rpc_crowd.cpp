// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The part of tests/bench/crowd that calls: many clients at once, of three kinds.
//   rpc-crowd SOCKET URI DOMAIN SECONDS GOOD SLOW SILENT
// Good ones make ten calls a second each. Slow ones call, register for events, say that they answer
// pings, and read nothing. Silent ones (of another user) connect and say nothing. Prints what
// became of them; ends with 1 if a good one had an error or another one is still connected.
#include <fmt/core.h>
#include <poll.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <exception>
#include <memory>
#include <vector>

#include "bench/rpc_peer.h"

namespace mk::bench {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds interval(100);  // of a good one's calls
constexpr uid_t nobody = 65534;
constexpr int keepalive_feature = 10;  // src/libvirt_internal.h

struct Good {
    std::unique_ptr<Peer> peer;
    Clock::time_point due;  // the next call, or the one under way
    bool calling = false;
};

struct Frames {
    std::string call;       // what good ones call
    std::string keepalive;  // "I answer pings"
    std::string registers;  // lifecycle events
    std::string list;       // a long answer
};

Frames frames_for(const std::string& domain) {
    Frames frames;
    protocol::Xdr<remote_domain_lookup_by_name_args> by_name;
    by_name->name = protocol::copy_string(domain);
    frames.call = call_frame(REMOTE_PROC_DOMAIN_LOOKUP_BY_NAME, by_name);
    protocol::Xdr<remote_connect_supports_feature_args> feature;
    feature->feature = keepalive_feature;
    frames.keepalive = call_frame(REMOTE_PROC_CONNECT_SUPPORTS_FEATURE, feature);
    protocol::Xdr<remote_connect_domain_event_callback_register_any_args> event;
    frames.registers = call_frame(REMOTE_PROC_CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY, event);
    protocol::Xdr<remote_connect_list_all_domains_args> list;
    list->need_results = 1;
    frames.list = call_frame(REMOTE_PROC_CONNECT_LIST_ALL_DOMAINS, list);
    return frames;
}

// How many of them the server has not hung up on.
std::size_t connected(const std::vector<std::unique_ptr<Peer>>& peers) {
    return static_cast<std::size_t>(std::ranges::count_if(peers, [](const auto& peer) {
        pollfd watched{.fd = peer->fd(), .events = 0, .revents = 0};
        return poll(&watched, 1, 0) == 0;
    }));
}

class Crowd {
  public:
    Crowd(std::string socket, std::string uri, const std::string& domain)
        : socket_(std::move(socket)), uri_(std::move(uri)), frames_(frames_for(domain)) {}

    void add_good(unsigned count) {
        const auto began = Clock::now();
        for (unsigned i = 0; i < count; ++i) {
            good_.push_back(
                {.peer = std::make_unique<Peer>(socket_), .due = began + interval * i / count});
            good_.back().peer->open(uri_);
        }
    }

    void add_slow(unsigned count) {
        constexpr unsigned calls = 200;
        for (unsigned i = 0; i < count; ++i) {
            slow_.push_back(std::make_unique<Peer>(socket_));
            slow_.back()->open(uri_);
            slow_.back()->call(frames_.keepalive);
            slow_.back()->call(frames_.registers);
            for (unsigned call = 0; call < calls; ++call)
                slow_.back()->send(frames_.list);
        }
    }

    void add_silent(unsigned count) {
        if (seteuid(nobody) != 0)
            throw Error::from_errno("seteuid");
        for (unsigned i = 0; i < count; ++i)
            silent_.push_back(std::make_unique<Peer>(socket_));
        if (seteuid(getuid()) != 0)
            throw Error::from_errno("seteuid");
    }

    void run(std::chrono::seconds time) {
        const auto end = Clock::now() + time;
        for (auto& each : good_)
            each.due = std::max(each.due, Clock::now());
        while (Clock::now() < end)
            turn();
    }

    [[nodiscard]] bool report() {
        std::ranges::sort(latencies_ms_);
        const auto part = [&](double portion) {
            return latencies_ms_.empty()
                       ? 0
                       : latencies_ms_[static_cast<std::size_t>(
                             portion * static_cast<double>(latencies_ms_.size() - 1))];
        };
        fmt::print("good\t{} clients, {} calls, {} errors, p50 {:.2f} ms, p99 {:.2f} ms\n",
                   good_.size(), latencies_ms_.size(), errors_, part(0.5), part(0.99));
        fmt::print("slow\t{} clients, {} still connected\n", slow_.size(), connected(slow_));
        fmt::print("silent\t{} clients, {} still connected\n", silent_.size(), connected(silent_));
        return errors_ == 0 && !latencies_ms_.empty() && connected(slow_) == 0 &&
               connected(silent_) == 0;
    }

  private:
    void turn() {
        auto now = Clock::now();
        auto next = now + interval;
        std::vector<pollfd> watched;
        for (auto& each : good_) {
            if (!each.calling && each.due <= now) {
                each.peer->send(frames_.call);
                each.calling = true;
            }
            if (!each.calling)
                next = std::min(next, each.due);
            watched.push_back({.fd = each.peer->fd(), .events = POLLIN, .revents = 0});
        }
        const auto wait = std::chrono::ceil<milliseconds>(next - now);
        if (poll(watched.data(), watched.size(), static_cast<int>(wait.count())) < 0)
            throw Error::from_errno("poll");
        for (std::size_t i = 0; i < good_.size(); ++i) {
            if (watched[i].revents != 0)
                hear(good_[i]);
        }
    }

    // Latencies count from when the call was due, not from when there was time for it.
    void hear(Good& each) {
        try {
            if (!each.peer->receive())
                return;
        } catch (const Error& error) {
            ++errors_;
            fmt::print(stderr, "a good client: {}\n", error.what());
            each.peer = std::make_unique<Peer>(socket_);
            each.peer->open(uri_);
        }
        latencies_ms_.push_back(
            std::chrono::duration<double, std::milli>(Clock::now() - each.due).count());
        each.due += interval;
        each.calling = false;
    }

    std::string socket_, uri_;
    Frames frames_;
    std::vector<Good> good_;
    std::vector<std::unique_ptr<Peer>> slow_, silent_;
    std::vector<double> latencies_ms_;
    unsigned errors_ = 0;
};

void raise_file_limit() {
    rlimit limit{};
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace
}  // namespace mk::bench

int main(int argc, char** argv) {
    using namespace mk::bench;
    if (argc != 8) {
        fmt::print(stderr, "usage: rpc-crowd SOCKET URI DOMAIN SECONDS GOOD SLOW SILENT\n");
        return 2;
    }
    const auto number = [&](int at) {
        return static_cast<unsigned>(std::strtoul(argv[at], nullptr, 10));
    };
    try {
        raise_file_limit();
        Crowd crowd(argv[1], argv[2], argv[3]);
        crowd.add_good(number(5));
        crowd.add_slow(number(6));
        crowd.add_silent(number(7));
        crowd.run(std::chrono::seconds(number(4)));
        return crowd.report() ? 0 : 1;
    } catch (const std::exception& error) {
        fmt::print(stderr, "rpc-crowd: {}\n", error.what());
        return 1;
    }
}
