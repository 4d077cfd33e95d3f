// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The backend for a stock host kernel with multikernel_host.ko: each function is one or two
// ioctls on /dev/multikernel. Decides nothing, and remembers nothing but one open file for
// each partition.
//
// Thread-safe. The device is opened for each call on it, so the module may be loaded, and
// unloaded while no partition exists, under a running daemon.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "backend/backend.h"

namespace mk::backend {

class Module final : public Backend {
  public:
    explicit Module(std::string device = "/dev/multikernel");

    [[nodiscard]] Limits limits() override;
    [[nodiscard]] std::vector<Uuid> list() override;
    void create(const Uuid& uuid, const std::string& name) override;
    void add_cpus(const Uuid& uuid, const std::vector<unsigned>& cpus, CpuRole role) override;
    void remove_cpus(const Uuid& uuid, const std::vector<unsigned>& cpus) override;
    Claimed add_memory(const Uuid& uuid, const Claim& claim) override;
    std::uint64_t remove_memory(const Uuid& uuid) override;
    void load(const Uuid& uuid, const Fd& kernel, const Fd& initrd,
              const std::string& cmdline) override;
    void start(const Uuid& uuid) override;
    void stop(const Uuid& uuid) override;
    void destroy(const Uuid& uuid) override;
    void cancel(const Uuid& uuid) override;
    std::uint32_t request(const Uuid& uuid, const Ask& ask) override;
    void withdraw(const Uuid& uuid, Channel channel) override;
    void pause(const Uuid& uuid) override;
    void resume(const Uuid& uuid) override;
    unsigned nmi(const Uuid& uuid, Nmi what) override;
    [[nodiscard]] std::vector<Registers> registers(const Uuid& uuid) override;
    [[nodiscard]] std::optional<AppStats> stats(const Uuid& uuid) override;
    [[nodiscard]] Fd memory_file(const Uuid& uuid) override;
    [[nodiscard]] Status status(const Uuid& uuid) override;
    [[nodiscard]] Fd watch(const Uuid& uuid) override;
    [[nodiscard]] Console open_console(const Uuid& uuid, std::uint64_t position) override;

  private:
    [[nodiscard]] Fd control() const;
    [[nodiscard]] std::shared_ptr<const Fd> partition(const Uuid& uuid);
    void forget(const Uuid& uuid);

    std::string device_;
    std::mutex mutex_;
    // One file for each partition, for all calls: poll() compares with the last query on it.
    std::map<Uuid, std::shared_ptr<const Fd>> partitions_;  // mutex_
};

}  // namespace mk::backend
