// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Walking x86-64's page tables (Intel SDM, volume 3, 4.5).
#include "dump/address_space.h"

#include <algorithm>

#include "dump/vmcoreinfo.h"

namespace mk::dump {
namespace {

constexpr std::uint64_t kernel_text = 0xffffffff80000000;  // __START_KERNEL_map
constexpr std::uint64_t present = 1;
constexpr std::uint64_t large = 1U << 7;
constexpr std::uint64_t entries = 512;

// How far bit 0 of the index of `level` (1: the last one) is from bit 0 of the address.
unsigned shift_of(unsigned level) {
    return 12 + 9 * (level - 1);
}

bool is_leaf(std::uint64_t entry, unsigned level) {
    return level == 1 || (level <= 3 && (entry & large) != 0);
}

}  // namespace

std::optional<AddressSpace> AddressSpace::of(Memory& memory, const VmcoreInfo& info) {
    auto tables = info.symbol("swapper_pg_dir");
    if (!tables)
        tables = info.symbol("init_top_pgt");
    const auto base = info.number("phys_base");
    if (!tables || !base || *tables < kernel_text)
        return std::nullopt;
    const std::uint64_t top = *tables - kernel_text + static_cast<std::uint64_t>(*base);
    const unsigned levels = info.number("pgtable_l5_enabled").value_or(0) != 0 ? 5 : 4;
    const auto encrypted = static_cast<std::uint64_t>(info.number("sme_mask").value_or(0));
    return AddressSpace(memory, top, levels, 0x000ffffffffff000 & ~encrypted);
}

std::optional<std::uint64_t> AddressSpace::entry(std::uint64_t table, std::uint64_t index) {
    std::uint64_t value = 0;
    const std::uint64_t at = table - table % page_bytes + index * sizeof value;
    if (!memory_->read(at, std::as_writable_bytes(std::span(&value, 1))) || (value & present) == 0)
        return std::nullopt;
    return value;
}

std::optional<std::uint64_t> AddressSpace::physical(std::uint64_t address) {
    std::uint64_t table = top_;
    for (unsigned level = levels_; level > 0; --level) {
        const auto found = entry(table, (address >> shift_of(level)) % entries);
        if (!found)
            return std::nullopt;
        const std::uint64_t within = (std::uint64_t{1} << shift_of(level)) - 1;
        if (is_leaf(*found, level))
            return (*found & mask_ & ~within) | (address & within);
        table = *found & mask_;
    }
    return std::nullopt;
}

bool AddressSpace::read(std::uint64_t address, std::span<std::byte> out) {
    while (!out.empty()) {
        const auto at = physical(address);
        const std::uint64_t left = page_bytes - address % page_bytes;
        const auto piece = out.first(std::min<std::uint64_t>(left, out.size()));
        if (!at || !memory_->read(*at, piece))
            return false;
        out = out.subspan(piece.size());
        address += piece.size();
    }
    return true;
}

// The first page that is mapped where the direct map can begin: page - its address is the base.
std::optional<std::uint64_t> AddressSpace::direct_map() {
    constexpr std::uint64_t gib = 1U << 30;
    const std::uint64_t lowest = levels_ == 5 ? 0xff11000000000000 : 0xffff888000000000;
    std::uint64_t table = top_;
    std::uint64_t address = levels_ == 5 ? 0xfe00000000000000 : 0xffff000000000000;
    for (unsigned level = levels_; level > 0; --level) {
        std::uint64_t index = level == levels_ ? (lowest >> shift_of(level)) % entries : 0;
        std::optional<std::uint64_t> found;
        while (index < entries && !(found = entry(table, index)))
            ++index;
        if (!found)
            return std::nullopt;
        address |= index << shift_of(level);
        const std::uint64_t within = (std::uint64_t{1} << shift_of(level)) - 1;
        if (is_leaf(*found, level)) {
            const std::uint64_t base = address - (*found & mask_ & ~within);
            return base % gib == 0 && base >= lowest ? std::optional(base) : std::nullopt;
        }
        table = *found & mask_;
    }
    return std::nullopt;
}

}  // namespace mk::dump
