// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Grant and Holding.
#include "host/grant.h"

#include "host/pool.h"

namespace mk::host {

CpuSet Holding::all_cpus() const {
    CpuSet set;
    for (const unsigned cpu : cpus)
        set.insert(cpu);
    for (const unsigned cpu : idle_cpus)
        set.insert(cpu);
    return set;
}

std::uint64_t Holding::memory_kib() const noexcept {
    std::uint64_t sum = 0;
    for (const MemoryShare& share : memory)
        sum += share.size_kib;
    return sum;
}

void Holding::add(const MemoryShare& share) {
    for (MemoryShare& entry : memory) {
        if (entry.node == share.node) {
            entry.size_kib += share.size_kib;
            return;
        }
    }
    memory.push_back(share);
}

Grant::Grant(Grant&& other) noexcept
    : pool_(std::exchange(other.pool_, nullptr)),
      owner_(other.owner_),
      holding_(std::move(other.holding_)) {}

Grant& Grant::operator=(Grant&& other) noexcept {
    if (this != &other) {
        give_back();
        pool_ = std::exchange(other.pool_, nullptr);
        owner_ = other.owner_;
        holding_ = std::move(other.holding_);
    }
    return *this;
}

Grant::~Grant() {
    give_back();
}

void Grant::give_back() noexcept {
    if (pool_ != nullptr)
        std::exchange(pool_, nullptr)->release(owner_);
}

}  // namespace mk::host
