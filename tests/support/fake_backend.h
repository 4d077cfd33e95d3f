// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A backend that runs no kernel, for tests: a machine in memory whose partitions are scripted
// app kernels. They print a boot log, echo what is typed, obey a few commands (echo, uname -r,
// nproc, poweroff, reboot, halt, panic, hang, lose, busy, flood) and answer requests. The machine
// outlives the backends that drive it, as the kernel module outlives the daemon.
//
// It refuses what the module refuses (wrong states, a CPU that is taken twice), counts what is
// held, and fails or holds any call on demand. With a file it outlives its process, too.
//
// Thread-safe.
#pragma once

#include <array>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "backend/backend.h"
#include "util/error.h"

namespace mk::test {

class FakeMachine {
  public:
    // `file` has the partitions at any instant, but not what their consoles showed: the next
    // machine of that file has them, and their app kernels run on.
    explicit FakeMachine(std::string file = {});
    FakeMachine(const FakeMachine&) = delete;
    FakeMachine& operator=(const FakeMachine&) = delete;
    ~FakeMachine();

    backend::Limits limits;    // set before use
    bool silent_boot = false;  // set before use: app kernels never report

    // The next `call` (a function of Backend, "create") throws `error`.
    void fail_next(const std::string& call, const Error& error);
    // `call` waits until release(); a held add_memory also ends by cancel().
    void hold(const std::string& call);
    void release(const std::string& call);
    void wait_until_held(const std::string& call);

    // What app kernels do by themselves.
    void app_ends(const Uuid& uuid, backend::State how, const std::string& reason = {});
    void app_writes(const Uuid& uuid, const std::string& text);
    [[nodiscard]] std::string app_input(const Uuid& uuid);
    // How it answers requests from now on: as it should, with an error and so much done of what
    // was asked for, or never (until it is withdrawn).
    struct Manners {
        bool silent = false;
        int error = 0;
        std::uint64_t done_kib = 0;  // with an error
    };
    void app_answers(const Uuid& uuid, backend::Request what, const Manners& manners);
    void app_reports(const Uuid& uuid, const backend::AppStats& stats);
    // It hangs: its heartbeat, which else moves at each look, stands still; or it goes on.
    void app_hangs(const Uuid& uuid, bool hangs = true);
    // So many of its CPUs answer no NMI.
    void app_misses_nmi(const Uuid& uuid, unsigned cpus);
    // What has been asked of all app kernels, in order.
    [[nodiscard]] std::vector<backend::Ask> asked();
    // The next stop or destroy of it finds a CPU that does not answer.
    void lose_on_stop(const Uuid& uuid);
    // It vanishes, as if another program had destroyed it.
    void remove(const Uuid& uuid);

    [[nodiscard]] std::size_t partitions();
    [[nodiscard]] std::size_t cpus_in_use();
    [[nodiscard]] std::uint64_t memory_in_use_kib();
    [[nodiscard]] std::vector<std::string> calls();  // "create", "add_memory", …
    void forget_calls();
    [[nodiscard]] std::string cmdline(const Uuid& uuid);

  private:
    friend class FakeBackend;
    struct Console {
        Fd fd;                // the machine's end
        std::string backlog;  // not sent yet
        bool ends = false;    // EOF once the backlog is out
    };
    struct Watch {
        Fd reader;  // a copy of what the caller has
        Fd writer;
    };
    struct Partition {
        backend::Status status;
        std::string output;  // since the last start, but for `forgotten` bytes
        std::uint64_t forgotten = 0;
        std::string input;  // ever
        std::string line;   // typed, no newline yet
        std::string cmdline;
        bool boot_pending = false;
        bool hung = false;
        bool cancelled = false;
        bool lost_on_stop = false;
        std::map<backend::Request, Manners> manners;
        std::array<backend::Ask, backend::channels> asks{};
        std::set<unsigned> offered;  // ids of ranges that its balloon may give back to it
        std::optional<backend::AppStats> stats;
        unsigned deaf_cpus = 0;
        unsigned last_id = 0;
        std::vector<Console> consoles;
        std::vector<Watch> watches;
    };

    // Holds the mutex; what has changed is in the file before it lets go.
    class Entered {
      public:
        Entered(FakeMachine& machine, std::unique_lock<std::mutex> lock)
            : machine_(machine), lock_(std::move(lock)) {}
        Entered(const Entered&) = delete;
        Entered& operator=(const Entered&) = delete;
        ~Entered() { machine_.save(); }

      private:
        FakeMachine& machine_;
        std::unique_lock<std::mutex> lock_;
    };

    Entered enter(const std::string& call, const Uuid* uuid = nullptr);
    void save();                              // REQUIRES: mutex_
    void restore();                           // what the file has
    void report(Partition& partition) const;  // what an app kernel says once it is up
    Partition& find(const Uuid& uuid);
    void set_state(Partition& partition, backend::State state);
    void notice(Partition& partition);  // status() has something new
    void answer(Partition& partition, std::size_t channel, int error, std::uint64_t value_kib);
    void obey(Partition& partition, std::size_t channel);
    void end_by_request(Partition& partition, backend::State state);
    void emit(Partition& partition, const std::string& text);
    void end_consoles(Partition& partition);
    void boot(Partition& partition);
    void type(Partition& partition, const std::string& bytes);
    void run_line(Partition& partition, const std::string& line);
    void wake();
    void run();
    void serve(Console& console, Partition& partition, short events);

    std::mutex mutex_;
    std::condition_variable changed_;
    std::map<Uuid, Partition> partitions_;                // mutex_
    std::map<std::string, std::vector<Error>> failures_;  // mutex_
    std::set<std::string> held_;                          // mutex_
    std::set<std::string> waiting_;                       // mutex_: calls that are being held
    std::vector<std::string> calls_;                      // mutex_
    std::vector<backend::Ask> asked_;                     // mutex_
    std::uint64_t next_address_kib_ = 4U << 20;           // mutex_
    const std::string file_;
    std::string saved_;      // mutex_; what is in it
    bool stopping_ = false;  // mutex_
    Fd wake_;
    std::thread thread_;
};

class FakeBackend final : public backend::Backend {
  public:
    explicit FakeBackend(std::shared_ptr<FakeMachine> machine) : machine_(std::move(machine)) {}

    [[nodiscard]] backend::Limits limits() override;
    [[nodiscard]] std::vector<Uuid> list() override;
    void create(const Uuid& uuid, const std::string& name) override;
    void add_cpus(const Uuid& uuid, const std::vector<unsigned>& cpus,
                  backend::CpuRole role) override;
    void remove_cpus(const Uuid& uuid, const std::vector<unsigned>& cpus) override;
    Claimed add_memory(const Uuid& uuid, const Claim& claim) override;
    std::uint64_t remove_memory(const Uuid& uuid) override;
    void load(const Uuid& uuid, const Fd& kernel, const Fd& initrd,
              const std::string& cmdline) override;
    void start(const Uuid& uuid) override;
    void stop(const Uuid& uuid) override;
    void destroy(const Uuid& uuid) override;
    void cancel(const Uuid& uuid) override;
    std::uint32_t request(const Uuid& uuid, const backend::Ask& ask) override;
    void withdraw(const Uuid& uuid, backend::Channel channel) override;
    void pause(const Uuid& uuid) override;
    void resume(const Uuid& uuid) override;
    unsigned nmi(const Uuid& uuid, Nmi what) override;
    [[nodiscard]] std::vector<backend::Registers> registers(const Uuid& uuid) override;
    [[nodiscard]] std::optional<backend::AppStats> stats(const Uuid& uuid) override;
    [[nodiscard]] Fd memory_file(const Uuid& uuid) override;
    [[nodiscard]] backend::Status status(const Uuid& uuid) override;
    [[nodiscard]] Fd watch(const Uuid& uuid) override;
    [[nodiscard]] Console open_console(const Uuid& uuid, std::uint64_t position) override;

  private:
    std::shared_ptr<FakeMachine> machine_;
};

}  // namespace mk::test
