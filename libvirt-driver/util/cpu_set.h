// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A set of Linux CPU numbers (or NUMA nodes) of any size, and its text forms.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace mk {

class CpuSet {
  public:
    // Numbers from here on are refused by parse(): libvirt's bound (VIR_DOMAIN_CPUMASK_LEN).
    static constexpr unsigned limit = 16384;

    CpuSet() = default;
    CpuSet(std::initializer_list<unsigned> cpus) : cpus_(cpus) {}

    // libvirt's and the kernel's list form, "0-3,^2,8"; libvirt's exclusion included.
    // Throws Error(VIR_ERR_INVALID_ARG) on anything else, e.g. a reversed range.
    [[nodiscard]] static CpuSet parse(std::string_view text);
    // libvirt's cpumap bytes: CPU n is bit n%8 of byte n/8.
    [[nodiscard]] static CpuSet from_bitmap(const std::vector<std::uint8_t>& bytes);

    [[nodiscard]] std::string to_string() const;  // "0-1,3"; "" if empty
    // `bytes` long; CPUs that do not fit are left out.
    [[nodiscard]] std::vector<std::uint8_t> to_bitmap(std::size_t bytes) const;

    void insert(unsigned cpu) { cpus_.insert(cpu); }
    void erase(unsigned cpu) { cpus_.erase(cpu); }
    [[nodiscard]] bool contains(unsigned cpu) const { return cpus_.count(cpu) != 0; }
    [[nodiscard]] bool contains(const CpuSet& other) const;
    [[nodiscard]] bool intersects(const CpuSet& other) const;
    [[nodiscard]] bool empty() const noexcept { return cpus_.empty(); }
    [[nodiscard]] std::size_t size() const noexcept { return cpus_.size(); }
    [[nodiscard]] auto begin() const { return cpus_.begin(); }
    [[nodiscard]] auto end() const { return cpus_.end(); }

    CpuSet& operator|=(const CpuSet& other);
    CpuSet& operator-=(const CpuSet& other);
    CpuSet& operator&=(const CpuSet& other);
    friend CpuSet operator|(CpuSet a, const CpuSet& b) { return a |= b; }
    friend CpuSet operator-(CpuSet a, const CpuSet& b) { return a -= b; }
    friend CpuSet operator&(CpuSet a, const CpuSet& b) { return a &= b; }
    bool operator==(const CpuSet&) const = default;

  private:
    std::set<unsigned> cpus_;
};

}  // namespace mk
