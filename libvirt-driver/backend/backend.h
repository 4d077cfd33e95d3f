// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The one seam: what the daemon needs of a kernel to run partitions. `module` drives
// /dev/multikernel; the tests have a twin that runs no kernel. Knows no XML, no domain and no
// policy: callers say which CPUs and how much memory, a backend says what happened.
//
// KiB above this line, bytes below it: the conversion is in the implementations.
//
// Thread-safe: calls for different partitions run at the same time, calls for one partition
// are the caller's to order (it holds the domain's job), except cancel(), status() and
// request(), which may come at any time. Calls block (add_memory and load for seconds).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "util/fd.h"
#include "util/uuid.h"

namespace mk::backend {

enum class State {
    created,   // exists, holds what was added so far
    loaded,    // image in place
    booting,   // first CPU runs, the app module has not reported yet
    running,   // the app module has reported
    poweroff,  // ended by itself; its CPUs wait, parked
    reboot,    // asked for a reboot; its CPUs wait, parked
    halted,    // halted; its CPUs wait, parked
    panic,     // crashed; Status::panic has the reason if known
    stopped,   // stop() ended it; resources kept
    lost,      // a CPU did not answer INIT; nothing can be given back
};

enum class Request { poweroff, reboot };

enum class CpuRole { run, idle };  // idle: the unused second thread of a core it owns

struct MemoryRange {
    std::uint64_t start_kib = 0;
    std::uint64_t size_kib = 0;
    int node = 0;
};

// What the app kernel says of itself: hostile, already bounded and escaped. nullopt: unknown.
struct AppReport {
    std::uint64_t heartbeat = 0;
    unsigned online_cpus = 0;
    std::uint64_t total_kib = 0;
    std::uint64_t free_kib = 0;
    std::uint64_t available_kib = 0;
    std::uint64_t uptime_ns = 0;
    std::uint64_t busy_ns = 0;
    std::string release;
    std::string hostname;
};

struct Timings {  // nanoseconds; 0: did not happen
    std::uint64_t claim_ns = 0;
    std::uint64_t scrub_ns = 0;
    std::uint64_t offline_ns = 0;
    std::uint64_t load_ns = 0;
    std::uint64_t wake_ns = 0;
    std::uint64_t module_ns = 0;
};

struct Status {
    State state = State::created;
    std::string name;
    std::vector<unsigned> cpus;       // role run: entry i is vCPU i
    std::vector<unsigned> idle_cpus;  // role idle
    std::vector<MemoryRange> memory;
    std::uint64_t memory_kib = 0;
    std::uint64_t wanted_kib = 0;   // while add_memory() runs
    std::uint64_t claimed_kib = 0;  // while add_memory() runs
    std::uint64_t console_bytes = 0;
    unsigned boots = 0;
    std::uint64_t started_ns = 0;  // CLOCK_BOOTTIME of the last start
    std::optional<AppReport> app;  // nullopt until the app module has reported
    Timings timings;
    std::string panic;
};

struct Limits {
    // Sentences that say why this host cannot run partitions and what to do; empty: it can.
    std::vector<std::string> blockers;
    unsigned max_partitions = 0;
    std::uint64_t memory_align_kib = 0;  // partition memory comes in multiples of this
    std::uint64_t control_kib = 0;       // what of a partition's memory its kernel does not see
    std::uint64_t tsc_khz = 0;
};

class Backend {
  public:
    Backend() = default;
    Backend(const Backend&) = delete;
    Backend& operator=(const Backend&) = delete;
    virtual ~Backend() = default;

    // Throws Error(VIR_ERR_SYSTEM_ERROR) if the module is not there; the daemon serves
    // definitions all the same.
    [[nodiscard]] virtual Limits limits() = 0;
    [[nodiscard]] virtual std::vector<Uuid> list() = 0;

    // Errors of all calls below: Error with the backend's own sentence.
    //   VIR_ERR_OPERATION_FAILED  it did not work (the message says why)
    //   VIR_ERR_INVALID_ARG       the kernel refused a value (a command line word, a CPU)
    //   VIR_ERR_RESOURCE_BUSY     held by another; no room for another partition
    //   VIR_ERR_OPERATION_INVALID wrong state
    //   VIR_ERR_OPERATION_ABORTED cancel() ended it
    //   VIR_ERR_SYSTEM_ERROR      anything else, with errno
    // A call that throws took nothing.
    virtual void create(const Uuid& uuid, const std::string& name) = 0;
    virtual void add_cpus(const Uuid& uuid, const std::vector<unsigned>& cpus, CpuRole role) = 0;
    // `node` nullopt: any.
    virtual void add_memory(const Uuid& uuid, std::uint64_t size_kib, std::optional<int> node) = 0;
    // Both files are read from their start; they must not be open for writing anywhere.
    virtual void load(const Uuid& uuid, const Fd& kernel, const Fd& initrd,
                      const std::string& cmdline) = 0;
    virtual void start(const Uuid& uuid) = 0;
    // Resets its CPUs; keeps CPUs and memory. Works on a hung app kernel.
    virtual void stop(const Uuid& uuid) = 0;
    // Stops it and gives everything back. No such partition is success.
    virtual void destroy(const Uuid& uuid) = 0;
    virtual void cancel(const Uuid& uuid) = 0;
    // Posts a request to the app kernel and does not wait.
    virtual void request(const Uuid& uuid, Request what) = 0;
    // Throws Error(VIR_ERR_NO_DOMAIN) if there is no such partition.
    [[nodiscard]] virtual Status status(const Uuid& uuid) = 0;

    // A descriptor that polls readable (POLLIN) whenever status() would say something new, until
    // status() is called; POLLHUP once the partition is destroyed.
    [[nodiscard]] virtual Fd watch(const Uuid& uuid) = 0;

    struct Console {
        Fd fd;                       // non-blocking byte stream, both ways; EOF after a stop
        std::uint64_t position = 0;  // where in the stream since start() it begins
    };
    // From byte `position` of the output since start(), or later if that is gone.
    [[nodiscard]] virtual Console open_console(const Uuid& uuid, std::uint64_t position) = 0;
};

}  // namespace mk::backend
