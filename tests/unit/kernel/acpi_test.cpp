// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The ACPI tables of app kernels: kernel/host/acpi.c, compiled for user space, read back by the
// offsets of ACPI 6.3, chapter 5. That kernels boot with them is shown in the test machine.
extern "C" {
#include "../../../kernel/host/acpi.h"
}

#include <gtest/gtest.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <numeric>
#include <string>
#include <vector>

namespace {

constexpr std::uint64_t start = 0x140042000;
constexpr std::uint32_t ioapic = 0x12345000;
constexpr int phantom = 0xfd;
constexpr unsigned char local_apic_type = 0;
constexpr unsigned char ioapic_type = 1;

class Acpi : public testing::Test {
  protected:
    int build(unsigned cpus, int with_phantom = -1) {
        apic_ids_.resize(cpus);
        for (unsigned i = 0; i < cpus; ++i)
            apic_ids_[i] = 3 * i % 256;
        area_.assign(MK_ACPI_BYTES, '\0');
        const mk_acpi acpi{area_.data(), start, apic_ids_.data(), cpus, ioapic, with_phantom};
        return mk_acpi_build(&acpi);
    }

    template <typename T>
    [[nodiscard]] T read(std::size_t at) const {
        T value{};
        EXPECT_LE(at + sizeof(T), area_.size());
        std::memcpy(&value, area_.data() + at, sizeof(T));
        return value;
    }

    // The sum of all bytes of a table is 0.
    [[nodiscard]] bool sums_up(std::size_t at, std::size_t size) const {
        return static_cast<unsigned char>(
                   std::accumulate(area_.begin() + static_cast<std::ptrdiff_t>(at),
                                   area_.begin() + static_cast<std::ptrdiff_t>(at + size), 0)) == 0;
    }

    // Where the table at a physical address is in the area; all of it is there.
    [[nodiscard]] std::size_t table_at(std::uint64_t address, const std::string& signature) const {
        const std::size_t at = address - start;
        const auto length = read<std::uint32_t>(at + 4);
        EXPECT_LE(at + length, area_.size());
        EXPECT_EQ(area_.substr(at, 4), signature);
        EXPECT_TRUE(sums_up(at, length)) << signature;
        return at;
    }

    // As a kernel finds them: RSDP, XSDT, its entries.
    [[nodiscard]] std::size_t entry(unsigned index, const std::string& signature) const {
        EXPECT_EQ(area_.substr(0, 8), "RSD PTR ");
        EXPECT_TRUE(sums_up(0, 20));
        EXPECT_TRUE(sums_up(0, read<std::uint32_t>(20)));
        EXPECT_EQ(read<unsigned char>(15), 2);  // the revision that has an XSDT
        const std::size_t xsdt = table_at(read<std::uint64_t>(24), "XSDT");
        EXPECT_EQ(read<std::uint32_t>(xsdt + 4), 36 + 2 * 8);
        return table_at(read<std::uint64_t>(xsdt + 36 + std::size_t{8} * index), signature);
    }

    // The APIC ids that the MADT names, in its order.
    [[nodiscard]] std::vector<unsigned> cpus() const {
        const std::size_t madt = entry(1, "APIC");
        EXPECT_EQ(read<std::uint32_t>(madt + 36), 0xfee00000);
        EXPECT_EQ(read<std::uint32_t>(madt + 40), 0U);  // no 8259
        const std::size_t end = madt + read<std::uint32_t>(madt + 4);
        std::vector<unsigned> ids;
        unsigned ioapics = 0;
        std::size_t at = madt + 44;
        while (at < end) {
            const auto type = read<unsigned char>(at);
            if (type == local_apic_type) {
                EXPECT_EQ(read<std::uint32_t>(at + 4), 1U);  // enabled
                ids.push_back(read<unsigned char>(at + 3));
            } else {
                EXPECT_EQ(type, ioapic_type);
                EXPECT_EQ(read<std::uint32_t>(at + 4), ioapic);
                ++ioapics;
            }
            at += read<unsigned char>(at + 1);
        }
        EXPECT_EQ(at, end);
        EXPECT_EQ(ioapics, 1U);
        return ids;
    }

    [[nodiscard]] const std::vector<std::uint32_t>& apic_ids() const { return apic_ids_; }

  private:
    std::string area_;
    std::vector<std::uint32_t> apic_ids_;
};

TEST_F(Acpi, NamesTheCpusInTheirOrderAndNoOthers) {
    for (const unsigned count : {1U, 2U, 64U, 85U}) {
        ASSERT_EQ(build(count), 0);
        EXPECT_EQ(cpus(), std::vector<unsigned>(apic_ids().begin(), apic_ids().end()));
    }
}

TEST_F(Acpi, PutsThePhantomFirst) {
    ASSERT_EQ(build(2, phantom), 0);
    EXPECT_EQ(cpus(), (std::vector<unsigned>{phantom, 0, 3}));
}

TEST_F(Acpi, SaysThatNothingElseIsThere) {
    ASSERT_EQ(build(1), 0);
    const std::size_t fadt = entry(0, "FACP");
    EXPECT_EQ(read<std::uint32_t>(fadt + 4), 276U);
    EXPECT_EQ(read<std::uint16_t>(fadt + 109), 1U << 2 | 1U << 5);  // no VGA, no CMOS RTC
    EXPECT_EQ(read<std::uint32_t>(fadt + 112), 1U << 0 | 1U << 19 | 1U << 20);
    const std::size_t dsdt = table_at(read<std::uint64_t>(fadt + 140), "DSDT");
    EXPECT_EQ(read<std::uint32_t>(dsdt + 4), 36U);  // no AML
    for (std::size_t at = 36; at < 109; ++at)       // no port of a power-management device
        EXPECT_EQ(read<unsigned char>(fadt + at), 0) << at;
}

TEST_F(Acpi, RefusesMoreCpusThanFit) {
    constexpr unsigned room = (MK_ACPI_BYTES - 0x800 - 44) / 8;
    constexpr unsigned most = room - 4;  // a phantom and an IOAPIC beside them
    ASSERT_EQ(build(most, phantom), 0);
    EXPECT_EQ(cpus().size(), most + 1);
    EXPECT_EQ(build(most + 1, phantom), -E2BIG);
}

}  // namespace
