// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The steps of a start that take something: each object holds what it took and, unless
// commit() is called, gives it back when it dies. Their order is lifecycle.cpp's.
//
// Externally synchronised, except Stranded. Undoing never throws: it logs and goes on.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "domain/ahead.h"
#include "domain/context.h"
#include "domain/definition.h"
#include "domain/domain.h"
#include "host/grant.h"
#include "image/initramfs.h"

namespace mk::domain {

// What a partition holds that could not be destroyed: it never comes back to the pool while
// this daemon lives. Thread-safe.
class Stranded {
  public:
    void keep(host::Grant grant);

  private:
    std::mutex mutex_;
    std::vector<host::Grant> grants_;  // mutex_
};

// While it lives a destroy() may cancel the start.
class Starting {
  public:
    explicit Starting(Domain& domain);
    Starting(const Starting&) = delete;
    Starting& operator=(const Starting&) = delete;
    ~Starting();
    // Throws Error(VIR_ERR_OPERATION_ABORTED) if that has happened.
    void check() const;

  private:
    Domain& domain_;
};

// Takes `threads`, whose cores the partition has: on standby if its app kernel is to know them.
void add_idle_threads(const Context& context, const Uuid& uuid,
                      const std::vector<unsigned>& threads, const CpuSet& known);

// Opens the kernel, once it is known that all files are there which an app kernel boots from.
// Throws Error: VIR_ERR_CONFIG_UNSUPPORTED a missing <kernel> or <initrd>, a file that is not
// what it should be; VIR_ERR_SYSTEM_ERROR a file that cannot be opened.
[[nodiscard]] image::Kernel open_boot_files(const Context& context, const Definition& definition);

// The definition's initramfs with the app module for a kernel in it, built ahead.
class InitramfsStep {
  public:
    InitramfsStep(const Context& context, const Definition& definition,
                  const image::Kernel& kernel);
    InitramfsStep(const InitramfsStep&) = delete;
    InitramfsStep& operator=(const InitramfsStep&) = delete;
    ~InitramfsStep();

    // Throws as open_boot_files().
    [[nodiscard]] const Fd& get() { return built_.get(); }

  private:
    const Context& context_;
    Ahead<Fd> built_;
};

// Throws Error: VIR_ERR_OPERATION_FAILED if this host cannot run partitions, with all reasons.
[[nodiscard]] backend::Limits require_host(const Context& context);

// CPUs and memory of the pool and the partition that holds them.
class PartitionStep {
  public:
    PartitionStep(const Context& context, Stranded& stranded, const Definition& definition,
                  std::uint64_t memory_align_kib);
    PartitionStep(const PartitionStep&) = delete;
    PartitionStep& operator=(const PartitionStep&) = delete;
    ~PartitionStep();

    void create();
    void add_memory();
    void add_cpus();
    void load(const image::Kernel& kernel, InitramfsStep& initramfs);
    [[nodiscard]] const host::Grant& grant() const noexcept { return grant_; }
    // The CPUs that the app kernel can ever be given.
    [[nodiscard]] const CpuSet& known_cpus() const noexcept { return known_cpus_; }
    [[nodiscard]] host::Grant commit() noexcept;

  private:
    [[nodiscard]] std::vector<unsigned> candidates() const;
    void name_spares(const std::vector<unsigned>& spares);

    const Context& context_;
    Stranded& stranded_;
    const Definition& definition_;
    host::Grant grant_;
    CpuSet known_cpus_;
    bool created_ = false;
};

// The console's log, ring and pty, opened ahead.
class ConsoleStep {
  public:
    ConsoleStep(const Context& context, const Definition& definition);
    ConsoleStep(const ConsoleStep&) = delete;
    ConsoleStep& operator=(const ConsoleStep&) = delete;
    ~ConsoleStep();

    // Throws Error: VIR_ERR_SYSTEM_ERROR a log that cannot be opened.
    [[nodiscard]] ConsoleHub& hub() { return *hub_.get(); }
    [[nodiscard]] std::shared_ptr<ConsoleHub> commit() { return std::move(hub_.get()); }

  private:
    Ahead<std::shared_ptr<ConsoleHub>> hub_;
};

// The log that every domain has.
[[nodiscard]] std::string console_log_path(const Paths& paths, const std::string& domain_name);
// Which files the console of a domain writes.
[[nodiscard]] ConsoleOptions console_options(const Context& context, const Definition& definition);

// The live record, from which a later daemon knows the domain again.
class LiveRecordStep {
  public:
    LiveRecordStep(const Context& context, const LiveRecord& record);
    LiveRecordStep(const LiveRecordStep&) = delete;
    LiveRecordStep& operator=(const LiveRecordStep&) = delete;
    ~LiveRecordStep();
    void commit() noexcept { name_.reset(); }

  private:
    const Context& context_;
    std::optional<std::string> name_;
};

// "0-1": the nodes of a holding's memory.
[[nodiscard]] std::string nodeset(const std::vector<host::MemoryShare>& memory);

}  // namespace mk::domain
