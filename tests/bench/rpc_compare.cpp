// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The part of tests/bench/rpc that calls: two servers, the same calls, in turns.
//   rpc-compare DOMAIN ROUNDS SOCKET URI SOCKET URI
// Prints a line for each call and server: call, server (0 or 1), calls per second of several
// connections, and the 50th and 99th percentile, in microseconds, of one. Medians of the rounds.
// The last line is "floor" and both percentiles of a process that only sends back what it gets.
#include <fmt/core.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <exception>
#include <vector>

#include "bench/rpc_peer.h"

namespace mk::bench {
namespace {

constexpr unsigned connections = 8;  // more than CPUs, fewer than workers

using Peers = std::vector<Peer>;

struct Kind {
    const char* name;
    std::string frame;
    unsigned calls;  // of a round
};

struct Figures {
    double calls_per_s = 0, p50_us = 0, p99_us = 0;
};

double median(std::vector<double> values, double part = 0.5) {
    std::ranges::sort(values);
    return values[static_cast<std::size_t>(part * static_cast<double>(values.size() - 1))];
}

double seconds_since(Clock::time_point began) {
    return std::chrono::duration<double>(Clock::now() - began).count();
}

// A call of each of the first `count` connections is under way, all the time.
double calls_per_second(Peers& peers, std::size_t count, const Kind& kind) {
    std::vector<pollfd> watched;
    const auto began = Clock::now();
    for (std::size_t i = 0; i < count; ++i) {
        watched.push_back({.fd = peers[i].fd(), .events = POLLIN, .revents = 0});
        peers[i].send(kind.frame);
    }
    unsigned sent = static_cast<unsigned>(count);
    unsigned done = 0;
    while (done < kind.calls) {
        if (poll(watched.data(), watched.size(), -1) < 0)
            throw Error::from_errno("poll");
        for (std::size_t i = 0; i < count; ++i) {
            if (watched[i].revents == 0 || !peers[i].receive())
                continue;
            ++done;
            if (sent < kind.calls) {
                ++sent;
                peers[i].send(kind.frame);
            }
        }
    }
    return kind.calls / seconds_since(began);
}

// What a call costs on this computer if the server does nothing: two processes take turns.
class Echo {
  public:
    Echo() {
        std::array<int, 2> ends{};
        if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()) != 0)
            throw Error::from_errno("socketpair");
        here_ = Fd(ends[0]);
        const Fd there(ends[1]);
        child_ = fork();
        if (child_ < 0)
            throw Error::from_errno("fork");
        if (child_ == 0) {
            here_ = Fd();
            serve(there.get());
            _exit(0);
        }
    }
    Echo(const Echo&) = delete;
    Echo& operator=(const Echo&) = delete;
    ~Echo() {
        here_ = Fd();
        waitpid(child_, nullptr, 0);
    }

    void call(const std::string& frame) {
        if (::send(here_.get(), frame.data(), frame.size(), MSG_NOSIGNAL) < 0)
            throw Error::from_errno("cannot send");
        std::array<char, 4096> bytes{};
        for (std::size_t got = 0; got < frame.size();) {
            const ssize_t count = recv(here_.get(), bytes.data(), bytes.size(), 0);
            if (count <= 0)
                throw Error(VIR_ERR_RPC, "the echo ended");
            got += static_cast<std::size_t>(count);
        }
    }

  private:
    // As a server does: it waits for all that may come, reads, answers.
    static void serve(int socket) {
        std::array<char, 4096> bytes{};
        for (;;) {
            pollfd watched{.fd = socket, .events = POLLIN, .revents = 0};
            if (poll(&watched, 1, -1) < 0)
                return;
            const ssize_t count = recv(socket, bytes.data(), bytes.size(), 0);
            if (count <= 0 || ::send(socket, bytes.data(), static_cast<std::size_t>(count),
                                     MSG_NOSIGNAL) != count)
                return;
        }
    }

    Fd here_;
    pid_t child_ = -1;
};

// Microseconds of each of the calls of a round.
template <typename Server>
std::vector<double> latencies_us(Server& server, const Kind& kind) {
    std::vector<double> took_us;
    for (unsigned i = 0; i < kind.calls / 2; ++i) {
        const auto began = Clock::now();
        server.call(kind.frame);
        took_us.push_back(seconds_since(began) * 1e6);
    }
    return took_us;
}

Figures one_round(Peers& peers, const Kind& kind) {
    const std::vector<double> took_us = latencies_us(peers[0], kind);
    return {.calls_per_s = calls_per_second(peers, peers.size(), kind),
            .p50_us = median(took_us),
            .p99_us = median(took_us, 0.99)};
}

template <typename Args>
Kind kind(const char* name, int procedure, protocol::Xdr<Args> args, unsigned calls) {
    return {.name = name, .frame = call_frame(procedure, args), .calls = calls};
}

// What is called; a domain has another identity on each server.
std::vector<Kind> kinds_for(Peer& peer, const std::string& domain) {
    protocol::Xdr<remote_domain_lookup_by_name_args> by_name;
    by_name->name = protocol::copy_string(domain);
    std::vector<Kind> kinds;
    kinds.push_back(kind("lookup", REMOTE_PROC_DOMAIN_LOOKUP_BY_NAME, std::move(by_name), 8000));
    const auto found =
        protocol::Xdr<remote_domain_lookup_by_name_ret>::decode(peer.call(kinds.back().frame));
    protocol::Xdr<remote_domain_get_info_args> info;
    info->dom = found->dom;
    info->dom.name = protocol::copy_string(found->dom.name);
    kinds.push_back(kind("info", REMOTE_PROC_DOMAIN_GET_INFO, std::move(info), 8000));
    protocol::Xdr<remote_connect_list_all_domains_args> list;
    list->need_results = 1;
    kinds.push_back(
        kind("list of all", REMOTE_PROC_CONNECT_LIST_ALL_DOMAINS, std::move(list), 400));
    // The only group that both servers have.
    protocol::Xdr<remote_connect_get_all_domain_stats_args> stats;
    stats->stats = VIR_DOMAIN_STATS_STATE;
    kinds.push_back(
        kind("domstats --state", REMOTE_PROC_CONNECT_GET_ALL_DOMAIN_STATS, std::move(stats), 400));
    protocol::Xdr<remote_connect_get_all_domain_stats_args> all;
    kinds.push_back(
        kind("domstats, all", REMOTE_PROC_CONNECT_GET_ALL_DOMAIN_STATS, std::move(all), 80));
    return kinds;
}

struct Server {
    Peers peers;
    std::vector<Kind> kinds;
};

Server connect_to(const std::string& socket, const std::string& uri, const std::string& domain) {
    Server server;
    for (unsigned i = 0; i < connections; ++i) {
        server.peers.emplace_back(socket);
        server.peers.back().open(uri);
    }
    server.kinds = kinds_for(server.peers[0], domain);
    return server;
}

double median_of(const std::vector<Figures>& rounds, double Figures::*figure) {
    std::vector<double> values;
    values.reserve(rounds.size());
    for (const auto& round : rounds)
        values.push_back(round.*figure);
    return median(values);
}

void print(const std::string& name, std::size_t server, const std::vector<Figures>& rounds) {
    fmt::print("{}\t{}\t{:.0f}\t{:.1f}\t{:.1f}\n", name, server,
               median_of(rounds, &Figures::calls_per_s), median_of(rounds, &Figures::p50_us),
               median_of(rounds, &Figures::p99_us));
}

void compare(std::array<Server, 2>& servers, unsigned rounds) {
    Echo echo;
    std::vector<Figures> floor;
    for (std::size_t kind = 0; kind < servers[0].kinds.size(); ++kind) {
        std::array<std::vector<Figures>, 2> figures;
        for (unsigned round = 0; round < rounds; ++round) {
            for (std::size_t i = 0; i < servers.size(); ++i)
                figures[i].push_back(one_round(servers[i].peers, servers[i].kinds[kind]));
            if (kind == 0) {  // in turns with the smallest call
                const auto took_us = latencies_us(echo, servers[0].kinds[kind]);
                floor.push_back({.p50_us = median(took_us), .p99_us = median(took_us, 0.99)});
            }
        }
        for (std::size_t i = 0; i < servers.size(); ++i)
            print(servers[0].kinds[kind].name, i, figures[i]);
    }
    fmt::print("floor\t{:.1f}\t{:.1f}\n", median_of(floor, &Figures::p50_us),
               median_of(floor, &Figures::p99_us));
}

}  // namespace
}  // namespace mk::bench

int main(int argc, char** argv) {
    using namespace mk::bench;
    if (argc != 7) {
        fmt::print(stderr, "usage: rpc-compare DOMAIN ROUNDS SOCKET URI SOCKET URI\n");
        return 2;
    }
    try {
        std::array servers{connect_to(argv[3], argv[4], argv[1]),
                           connect_to(argv[5], argv[6], argv[1])};
        compare(servers, static_cast<unsigned>(std::strtoul(argv[2], nullptr, 10)));
        return 0;
    } catch (const std::exception& error) {
        fmt::print(stderr, "rpc-compare: {}\n", error.what());
        return 1;
    }
}
