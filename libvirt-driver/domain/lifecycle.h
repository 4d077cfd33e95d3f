// SPDX-License-Identifier: LGPL-2.1-or-later
//
// From a definition to a running partition and back. A start is a list of steps, each of which
// undoes itself unless all succeed; a stop gives everything back to the host. What a partition
// does by itself is answered in ending.cpp; what survived an earlier daemon in reconcile.h.
//
// Thread-safe; the Job that each function takes is what orders them for one domain. Calls block.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "domain/context.h"
#include "domain/definition.h"
#include "domain/domain.h"
#include "domain/driver.h"
#include "domain/steps.h"

namespace mk::dump {
struct Progress;
}

namespace mk::domain {

// How a domain came to its end: the reason it then shows and the detail of the event.
struct Ending {
    virDomainShutoffReason reason;
    virDomainEventStoppedDetailType detail;
};

// The ending whose reason a domain shows.
[[nodiscard]] Ending ending_for(int reason);

// Its app module has said that it is there, and it has not ended.
[[nodiscard]] bool has_reported(backend::State state);
// Not on its way any more: an end of its own, or a restart that broke off.
[[nodiscard]] bool has_ended(backend::State state);

class Lifecycle {
  public:
    explicit Lifecycle(const Context& context) : context_(context) {}
    Lifecycle(const Lifecycle&) = delete;
    Lifecycle& operator=(const Lifecycle&) = delete;

    // Runs `definition`. Throws Error as the failing step says it ("cannot start domain 'web':
    // …"); everything is given back then. REQUIRES: not active.
    void start(const Job& job, const std::shared_ptr<const Definition>& definition,
               const StartOptions& options);
    // By force. Throws Error(VIR_ERR_OPERATION_FAILED) if a CPU does not answer: the domain is
    // then crashed and keeps everything. REQUIRES: active.
    void stop(const Job& job, const Ending& ending);
    // The job of a domain that is to be stopped by force. A start that is under way is cancelled;
    // if that was all, null. Throws as Job, and VIR_ERR_OPERATION_INVALID if it is not active.
    [[nodiscard]] std::unique_ptr<Job> job_to_stop(const std::shared_ptr<Domain>& domain);
    // Throws Error(VIR_ERR_OPERATION_INVALID) if there is no app kernel that can be asked now.
    void require_listening(const Job& job);
    // Asks the app kernel, a paused one when it goes on. Throws Error(VIR_ERR_OPERATION_INVALID) if
    // nobody is there to be asked.
    void request(const Job& job, backend::Request what);
    // Holds its CPUs where they are; it is then paused for `why`. Nothing if it is paused already.
    // Throws Error: VIR_ERR_OPERATION_INVALID if its app kernel has ended or not reported yet;
    // VIR_ERR_OPERATION_TIMEOUT if a CPU does not answer (it runs on). REQUIRES: active.
    struct Pause {
        virDomainPausedReason reason = VIR_DOMAIN_PAUSED_USER;
        virDomainEventSuspendedDetailType detail = VIR_DOMAIN_EVENT_SUSPENDED_PAUSED;
    };
    void suspend(const Job& job, const Pause& why);
    // Throws Error(VIR_ERR_OPERATION_INVALID) unless an app kernel is there that can be asked.
    static void require_reported(const std::string& name, backend::State state);
    // Lets them go on. Throws as Backend::resume(). REQUIRES: paused.
    void resume(const Job& job);
    // Boots it again on the same resources, with its id. Throws Error: if the app kernel could
    // be left as it was (a missing file), it was; else the domain is stopped. REQUIRES: active.
    void restart(const Job& job);

    // Writes a core file; it runs on afterwards if it ran before, unless the request says how it
    // ends. Throws Error as Driver::core_dump(). REQUIRES: active.
    void dump(const Job& job, const DumpRequest& request);
    // A dump that nobody waits for, to a new file in Paths::dump_dir. A failure goes to the log.
    void auto_dump(const Job& job) noexcept;
    // False: no dump is being written.
    static bool cancel_dump(Domain& domain);
    // Puts what its app kernel has printed at the end of its console log, with a line that says
    // so ("[<why>; …]"), if the console has not shown it. REQUIRES: active.
    void append_kernel_log(const Job& job, std::string_view why) noexcept;

    // A partition that an earlier daemon left: makes the domain active. listen() is the next
    // step, with the state that is returned. Throws as Pool::adopt(), and if there is no pty.
    // REQUIRES: not active.
    struct Survivor {
        std::shared_ptr<const Definition> definition;
        int id = 0;
        bool autodestroy = false;
        std::vector<unsigned> cpus = {};  // of its vCPUs, as far as is known
        CpuSet known_cpus = {};           // as LiveDetails has it
    };
    [[nodiscard]] backend::State adopt(const Job& job, const Survivor& survivor,
                                       const backend::Status& status);

    // Hears of its end from now on; `seen` is the state that the last status told.
    void listen(const std::shared_ptr<Domain>& domain, backend::State seen);
    // The backend's status; what it says of an end is answered soon. Throws as
    // Backend::status(), and VIR_ERR_OPERATION_INVALID if the domain is not active.
    [[nodiscard]] backend::Status status(const std::shared_ptr<Domain>& domain);
    // Has a worker do what follows if its app kernel has ended: on_poweroff, on_reboot, on_crash.
    // A failure goes to the log. However often it is called, there is one that waits for the job.
    void answer_soon(const std::shared_ptr<Domain>& domain);
    // Does what <watchdog> says if it still hangs as `seen` tells. Likewise.
    void answer_hang(const std::shared_ptr<Domain>& domain, const backend::Status& seen) noexcept;
    // For who is going to read the books and change them: what its app kernel has done since a
    // call gave up on it is in them, then. Throws as status(). REQUIRES: the job.
    void hear_late_answer(const Job& job);
    // What answer_soon() is for, at once. REQUIRES: the job.
    void answer_end(const Job& job);

    // Writes the live record of a running domain as it is now. A failure goes to the log: what
    // it is about has happened. REQUIRES: the job.
    void note_live(const Domain& domain) noexcept;
    void push(const Domain& domain, virDomainEventType type, int detail);

  private:
    void answer(const std::shared_ptr<Domain>& domain) noexcept;
    void run_steps(const Job& job, const std::shared_ptr<const Definition>& definition,
                   const StartOptions& options);
    void activate(Domain& domain, const std::shared_ptr<const Definition>& definition,
                  const LiveDetails& details);
    backend::State attach_console(const Uuid& uuid, ConsoleHub& console,
                                  const ConsoleRecord* earlier);
    [[nodiscard]] std::shared_ptr<ConsoleHub> adopt_console(ConsoleOptions options);
    bool cancel_start(Domain& domain);
    void note_agent(Domain& domain, bool there);
    [[nodiscard]] std::unique_ptr<PartitionWatch> watch(const std::shared_ptr<Domain>& domain);
    void answer_state(const Job& job, const backend::Status& status);
    void answer_pause(const Job& job, const backend::Status& status);
    void become_paused(Domain& domain, const Pause& why);
    void answer_shutdown(const Job& job, Action action);
    void answer_reboot(const Job& job);
    void finish_restart(const Job& job);
    void answer_panic(const Job& job, const backend::Status& status);
    void answer_loss(const Job& job);
    void follow_watchdog(const Job& job);
    void follow(const Job& job, Action action, const Ending& ending);
    bool restart_ended(const Job& job);
    void write_dump(const Job& job, const DumpRequest& request, dump::Progress& progress);
    void write_core_file(const Job& job, const DumpRequest& request, int fd,
                         dump::Progress& progress);
    bool hold_for_dump(const Job& job);
    [[nodiscard]] std::vector<backend::Registers> registers_of(const Job& job);
    void finish_dump(Domain& domain, const DumpJob& running, const std::string& error);
    void note_silent_boot(const Job& job) noexcept;
    void forget_kernel_log(const Domain& domain) noexcept;
    void note_end(const Domain& domain, const Ending& ending) noexcept;
    void forget_partition(const Job& job, const Ending& ending);

    const Context context_;
    Stranded stranded_;
};

}  // namespace mk::domain
