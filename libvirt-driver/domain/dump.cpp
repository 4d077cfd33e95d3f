// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Lifecycle's dumps. States and events are those of libvirt's qemu driver
// (qemuDomainCoreDumpWithFormat, doCoreDumpToAutoDumpPath).
#include "domain/dump.h"

#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <ctime>
#include <exception>
#include <filesystem>
#include <utility>

#include "domain/lifecycle.h"
#include "domain/store.h"
#include "domain/store_files.h"
#include "util/error.h"
#include "util/log.h"

namespace mk::domain {

using backend::State;

namespace {

[[noreturn]] void cannot_create(const std::string& path, int flags) {
    if (errno == EINVAL && (flags & O_DIRECT) != 0)
        throw Error(VIR_ERR_OPERATION_FAILED,
                    fmt::format("the file system of '{}' cannot bypass the cache", path));
    throw Error::from_errno(fmt::format("Failed to create file '{}'", path));
}

// A file that is removed again unless it is kept.
class NewFile {
  public:
    NewFile(std::string path, int flags) : path_(std::move(path)) {
        // O_NONBLOCK: a FIFO at this path must not stop the daemon.
        const int all = O_WRONLY | O_CREAT | O_NONBLOCK | O_NOCTTY | O_CLOEXEC | flags;
        fd_ = Fd(::open(path_.c_str(), all, 0600));
        if (!fd_)
            cannot_create(path_, flags);
        struct stat status = {};
        if (::fstat(fd_.get(), &status) < 0)
            throw Error::from_errno(fmt::format("stat '{}'", path_));
        if (!S_ISREG(status.st_mode)) {
            kept_ = true;
            throw Error(VIR_ERR_OPERATION_FAILED, fmt::format("'{}' is not a regular file", path_));
        }
        if (::ftruncate(fd_.get(), 0) < 0)
            throw Error::from_errno(fmt::format("empty '{}'", path_));
    }
    NewFile(const NewFile&) = delete;
    NewFile& operator=(const NewFile&) = delete;
    ~NewFile() {
        if (!kept_)
            store_files::try_remove(path_);
    }

    [[nodiscard]] int fd() const noexcept { return fd_.get(); }
    void keep() noexcept { kept_ = true; }

  private:
    std::string path_;
    Fd fd_;
    bool kept_ = false;
};

// For what is only on the way to `path`. It has no name: nothing is left of it, however we end.
Fd nameless_beside(const std::string& path, bool bypass_cache) {
    std::string name = path + ".XXXXXX";
    Fd fd(::mkostemp(name.data(), O_CLOEXEC));
    if (!fd)
        cannot_create(name, 0);
    store_files::try_remove(name);
    if (bypass_cache && ::fcntl(fd.get(), F_SETFL, O_DIRECT) < 0)
        cannot_create(path, O_DIRECT);
    return fd;
}

}  // namespace

JobStats DumpJob::stats() const {
    const auto elapsed = std::chrono::steady_clock::now() - began;
    JobStats stats;
    stats.type = VIR_DOMAIN_JOB_UNBOUNDED;
    stats.elapsed_ms = static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::milliseconds>(elapsed).count());
    stats.total_bytes = progress.total_bytes;
    stats.done_bytes = progress.done_bytes;
    return stats;
}

void Lifecycle::dump(const Job& job, const DumpRequest& request) {
    Domain& domain = job.domain();
    require_active(domain.view());
    if (!request.path.starts_with('/'))
        throw Error(VIR_ERR_INVALID_ARG,
                    fmt::format("the path of a dump must be absolute, not '{}'", request.path));
    if (request.compression)
        dump::require_compression();
    const auto running = std::make_shared<DumpJob>();
    domain.update([&](DomainFields& fields) { fields.dump = running; });
    try {
        write_dump(job, request, running->progress);
        finish_dump(domain, *running, {});
    } catch (const Error& error) {
        finish_dump(domain, *running, error.full_message());
        throw;
    } catch (const std::exception& error) {
        finish_dump(domain, *running, error.what());
        throw;
    }
    log::info("domain '{}' was dumped to '{}'", domain.subject(), request.path);
    if (request.crash) {
        stop(job, ending_for(VIR_DOMAIN_SHUTOFF_CRASHED));
    } else if (request.reset) {
        const bool held = domain.view().state == VIR_DOMAIN_PAUSED;
        restart(job);
        if (held)
            push(domain, VIR_DOMAIN_EVENT_RESUMED, VIR_DOMAIN_EVENT_RESUMED_UNPAUSED);
        context_.events.push({domain.identity(), RebootEvent{}});
    }
}

// Afterwards it runs if it ran before, whether there is a dump or not; a successful one that is
// to be followed by an end leaves it held until then.
void Lifecycle::write_dump(const Job& job, const DumpRequest& request, dump::Progress& progress) {
    Domain& domain = job.domain();
    NewFile file(request.path, request.bypass_cache && !request.compression ? O_DIRECT : 0);
    const bool held = !request.live && hold_for_dump(job);
    std::exception_ptr failure;
    try {
        write_core_file(job, request, file.fd(), progress);
        file.keep();
    } catch (const std::exception&) {
        failure = std::current_exception();
    }
    const bool ends = !failure && (request.crash || request.reset);
    if (held && !ends && domain.running) {
        try {
            resume(job);
        } catch (const Error& error) {
            log::error("domain '{}' stays paused after its dump: {}", domain.subject(),
                       error.what());
            if (!failure)
                throw Error(error.code(),
                            fmt::format("resuming after dump failed: {}", error.what()));
        }
    }
    if (failure)
        std::rethrow_exception(failure);
}

// True if its CPUs are held now and were not before. A hung CPU is no reason to have no dump.
bool Lifecycle::hold_for_dump(const Job& job) {
    if (status(job.shared()).state != State::running)
        return false;
    try {
        suspend(job, {VIR_DOMAIN_PAUSED_DUMP, VIR_DOMAIN_EVENT_SUSPENDED_PAUSED});
        return true;
    } catch (const Error& error) {
        log::warning("domain '{}' cannot be held for its dump, which is written as it runs: {}",
                     job.domain().subject(), error.what());
        return false;
    }
}

void Lifecycle::write_core_file(const Job& job, const DumpRequest& request, int fd,
                                dump::Progress& progress) {
    const Uuid uuid = job.domain().uuid();
    const auto registers = registers_of(job);
    dump::Memory memory(context_.backend.memory_file(uuid), status(job.shared()).memory);
    progress.total_bytes = memory.bytes();
    if (!request.compression) {
        dump::write_core(memory, registers, fd, progress);
        return;
    }
    const Fd core = nameless_beside(request.path, request.bypass_cache);
    dump::write_core(memory, registers, core.get(), progress);
    dump::compress(core.get(), request.path, *request.compression, progress);
}

// What its CPUs were doing, of as many as tell.
std::vector<backend::Registers> Lifecycle::registers_of(const Job& job) {
    Domain& domain = job.domain();
    const State state = status(job.shared()).state;
    if (state == State::booting) {
        log::warning(
            "the app kernel of domain '{}' has not reported yet: its dump has no registers",
            domain.subject());
        return {};
    }
    try {
        if (state != State::paused)
            (void)context_.backend.nmi(domain.uuid(), backend::Backend::Nmi::registers);
        auto registers = context_.backend.registers(domain.uuid());
        for (const backend::Registers& cpu : registers)
            if (!cpu.valid)
                log::warning(
                    "CPU {} of domain '{}' did not answer: its dump has no registers of it",
                    cpu.cpu, domain.subject());
        return registers;
    } catch (const Error& error) {
        log::warning("the dump of domain '{}' has no registers: {}", domain.subject(),
                     error.what());
        return {};
    }
}

void Lifecycle::finish_dump(Domain& domain, const DumpJob& running, const std::string& error) {
    auto stats = std::make_shared<JobStats>(running.stats());
    stats->type = running.progress.cancelled ? VIR_DOMAIN_JOB_CANCELLED
                  : error.empty()            ? VIR_DOMAIN_JOB_COMPLETED
                                             : VIR_DOMAIN_JOB_FAILED;
    stats->error = error;
    domain.update([&](DomainFields& fields) {
        fields.dump.reset();
        fields.completed = stats;
    });
    context_.events.push({domain.identity(), JobCompletedEvent{stats}});
}

void Lifecycle::auto_dump(const Job& job) noexcept {
    Domain& domain = job.domain();
    try {
        DumpRequest request;
        const std::string& folder = context_.paths.dump_dir;
        std::error_code failed;
        if (std::filesystem::create_directories(folder, failed))
            std::filesystem::permissions(folder, std::filesystem::perms::owner_all, failed);
        if (failed)
            throw Error::from_errno("make directory " + folder, failed.value());
        request.path = fmt::format("{}/{}-{:%Y-%m-%d-%H:%M:%S}.core", folder,
                                   file_name(domain.name()), fmt::localtime(std::time(nullptr)));
        dump(job, request);
    } catch (const std::exception& error) {
        log::error("domain '{}' was not dumped: {}", domain.subject(), error.what());
    }
}

bool Lifecycle::cancel_dump(Domain& domain) {
    const auto running = domain.fields().dump;
    if (running)
        running->progress.cancelled = true;
    return running != nullptr;
}

}  // namespace mk::domain
