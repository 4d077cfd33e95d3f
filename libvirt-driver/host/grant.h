// SPDX-License-Identifier: LGPL-2.1-or-later
//
// One holding of the pool: the CPUs and memory that belong to one domain. A Grant returns all
// of it when it dies. It moves no hardware: taking a CPU offline is the backend's work.
//
// Externally synchronised; giving back locks the pool.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "util/cpu_set.h"
#include "util/uuid.h"

namespace mk::host {

class Pool;

struct MemoryShare {
    unsigned node = 0;
    std::uint64_t size_kib = 0;
    bool operator==(const MemoryShare&) const = default;
};

struct Holding {
    std::vector<unsigned> cpus;       // entry i is vCPU i
    std::vector<unsigned> idle_cpus;  // the unused threads of their cores, ascending
    std::vector<MemoryShare> memory;  // by node, each node once; the first is nearest to vCPU 0
    bool operator==(const Holding&) const = default;

    [[nodiscard]] CpuSet all_cpus() const;
    [[nodiscard]] std::uint64_t memory_kib() const noexcept;
    void add(const MemoryShare& share);
};

// Move-only. Must not outlive its pool.
class Grant {
  public:
    Grant() noexcept = default;  // holds nothing
    Grant(Grant&& other) noexcept;
    Grant& operator=(Grant&& other) noexcept;
    Grant(const Grant&) = delete;
    Grant& operator=(const Grant&) = delete;
    ~Grant();

    [[nodiscard]] explicit operator bool() const noexcept { return pool_ != nullptr; }
    [[nodiscard]] const Uuid& owner() const noexcept { return owner_; }
    [[nodiscard]] const Holding& holding() const noexcept { return holding_; }
    [[nodiscard]] const std::vector<unsigned>& cpus() const noexcept { return holding_.cpus; }
    [[nodiscard]] const std::vector<unsigned>& idle_cpus() const noexcept {
        return holding_.idle_cpus;
    }
    [[nodiscard]] const std::vector<MemoryShare>& memory() const noexcept {
        return holding_.memory;
    }

  private:
    friend class Pool;
    Grant(Pool& pool, const Uuid& owner, Holding holding) noexcept
        : pool_(&pool), owner_(owner), holding_(std::move(holding)) {}
    void give_back() noexcept;

    Pool* pool_ = nullptr;
    Uuid owner_;
    Holding holding_;
};

}  // namespace mk::host
