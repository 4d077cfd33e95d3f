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

#include <array>
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
    paused,    // its CPUs are held: by pause(), or because it flooded the host with doorbells
};

// What an app kernel can be asked for, with what `Ask` says.
enum class Request {
    poweroff,
    reboot,
    cpu_add,        // cpu: bring it up
    cpu_remove,     // cpu: take it offline
    memory_add,     // start_kib, size_kib: use this range
    memory_remove,  // start_kib, size_kib: give this range up
    balloon,        // size_kib: how much boot memory it shall have given up, in all
    sysrq,          // key
};

struct Ask {
    Request what = Request::poweroff;
    unsigned cpu = 0;  // host CPU number
    std::uint64_t start_kib = 0;
    std::uint64_t size_kib = 0;
    char key = 0;  // ASCII
};

// Requests of one channel are answered one after the other; an unanswered one blocks no other
// channel.
enum class Channel { power, cpu, memory, key };
constexpr std::size_t channels = 4;

// Of a channel. Answered: done == posted.
struct Answer {
    std::uint32_t posted = 0;  // 0: nothing was asked since the last start
    std::uint32_t done = 0;
    int error = 0;                // of `done`: an errno, positive; 0: it did what it was asked for
    std::uint64_t value_kib = 0;  // memory_*, balloon: how far it came
};

enum class CpuRole {
    run,
    idle,     // the unused second thread of a core it owns
    spare,    // not taken, only named to the app kernel when it boots: may be added later
    standby,  // as idle, and named to the app kernel: cpu_add gives it
};

// Who uses a CPU or a range of memory of a partition.
enum class Use {
    boot,      // the app kernel since its boot
    taken,     // nobody: owned by the partition, the app kernel was not told
    given,     // the app kernel, or it was asked to and did not answer yet
    released,  // nobody: the app kernel gave it up
};

[[nodiscard]] constexpr bool in_use(Use use) noexcept {
    return use == Use::boot || use == Use::given;
}

struct MemoryRange {
    std::uint64_t start_kib = 0;
    std::uint64_t size_kib = 0;
    int node = 0;
    Use use = Use::boot;
    unsigned id = 0;  // of the add_memory() that claimed it
};

// What one CPU has done, as the app kernel says.
struct CpuTimes {
    unsigned cpu = 0;                 // host CPU number
    std::optional<unsigned> app_cpu;  // the app kernel's number of it
    bool online = false;              // there
    std::uint64_t user_ns = 0;
    std::uint64_t system_ns = 0;
    std::uint64_t idle_ns = 0;
    std::uint64_t irq_ns = 0;
};

// As the app kernel says, about once a second: hostile, plausible or not.
struct AppStats {
    std::vector<CpuTimes> cpus;    // in vCPU order
    std::array<double, 3> load{};  // over 1, 5 and 15 minutes
    std::uint64_t realtime_ns = 0;
    std::uint64_t uptime_ns = 0;
    std::uint64_t total_kib = 0;
    std::uint64_t free_kib = 0;
    std::uint64_t available_kib = 0;
    std::uint64_t cached_kib = 0;
    std::uint64_t swap_total_kib = 0;
    std::uint64_t swap_free_kib = 0;
    std::uint64_t swap_in_kib = 0;
    std::uint64_t swap_out_kib = 0;
    std::uint64_t major_faults = 0;
    std::uint64_t minor_faults = 0;
};

// What a CPU was doing when it was stopped; elf_gregset_t of x86-64.
struct Registers {
    unsigned cpu = 0;
    bool valid = false;  // false: it never answered
    std::array<std::uint64_t, 27> values{};
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
    std::vector<unsigned> cpus;       // role run, in the order they were added
    std::vector<Use> cpu_use;         // of each of `cpus`
    std::vector<unsigned> idle_cpus;  // role idle or, if its app kernel knows it, standby
    unsigned known_cpus = 0;          // how many different CPUs its app kernel can ever be given
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
    std::uint64_t balloon_kib = 0;  // boot memory that the app kernel has given up, as it says
    std::uint64_t block_kib = 0;    // unit in which memory is added and removed; 0: not known yet
    std::array<Answer, channels> answers;
};

struct Limits {
    // Sentences that say why this host cannot run partitions and what to do; empty: it can.
    std::vector<std::string> blockers;
    unsigned max_partitions = 0;
    std::uint64_t memory_align_kib = 0;  // partition memory comes in multiples of this
    std::uint64_t control_kib = 0;       // what of a partition's memory its kernel does not see
    std::uint64_t tsc_khz = 0;
    unsigned doorbells_per_second = 0;  // who rings more often is paused
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
    // Before a start, and while it runs or is paused (but for spares): then Use::taken.
    virtual void add_cpus(const Uuid& uuid, const std::vector<unsigned>& cpus, CpuRole role) = 0;
    // CPUs that no app kernel uses (taken, released) go back to the host.
    virtual void remove_cpus(const Uuid& uuid, const std::vector<unsigned>& cpus) = 0;
    struct Claim {
        std::uint64_t size_kib = 0;
        std::optional<int> node = {};  // nullopt: any
        std::uint64_t align_kib = 0;   // of each range; 0: Limits::memory_align_kib
        // The pages that the app kernel gave up through its balloon and the host got. Fewer may
        // be left: see what is returned.
        bool returned = false;
    };
    struct Claimed {
        unsigned id = 0;  // MemoryRange::id
        std::uint64_t size_kib = 0;
    };
    // As add_cpus().
    virtual Claimed add_memory(const Uuid& uuid, const Claim& claim) = 0;
    // All memory that no app kernel uses (taken, released); returns how much went back.
    virtual std::uint64_t remove_memory(const Uuid& uuid) = 0;
    // Both files are read from their start; they must not be open for writing anywhere.
    virtual void load(const Uuid& uuid, const Fd& kernel, const Fd& initrd,
                      const std::string& cmdline) = 0;
    virtual void start(const Uuid& uuid) = 0;
    // Resets its CPUs; keeps CPUs and memory. Works on a hung app kernel.
    virtual void stop(const Uuid& uuid) = 0;
    // Stops it and gives everything back. No such partition is success.
    virtual void destroy(const Uuid& uuid) = 0;
    virtual void cancel(const Uuid& uuid) = 0;
    // Posts a request to the app kernel and does not wait; returns what Answer::done will be.
    // VIR_ERR_RESOURCE_BUSY: it has not answered the last one of that channel yet.
    virtual std::uint32_t request(const Uuid& uuid, const Ask& ask) = 0;
    // Tells the app kernel to stop working on a request; it answers with how far it came.
    virtual void withdraw(const Uuid& uuid, Channel channel) = 0;
    // Holds all CPUs where they are, and lets them go on. VIR_ERR_OPERATION_TIMEOUT: a CPU did
    // not answer, all run on.
    virtual void pause(const Uuid& uuid) = 0;
    virtual void resume(const Uuid& uuid) = 0;
    enum class Nmi { backtrace, registers };
    // Returns how many CPUs did not answer.
    virtual unsigned nmi(const Uuid& uuid, Nmi what) = 0;
    // As the last pause() or nmi() found them, in vCPU order.
    [[nodiscard]] virtual std::vector<Registers> registers(const Uuid& uuid) = 0;
    // nullopt: the app kernel has said nothing yet.
    [[nodiscard]] virtual std::optional<AppStats> stats(const Uuid& uuid) = 0;
    // Its memory, to be mapped (shared): the ranges of status() one after the other.
    [[nodiscard]] virtual Fd memory_file(const Uuid& uuid) = 0;
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
