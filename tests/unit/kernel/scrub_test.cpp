// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Which registers are cleared on a CPU that a partition had: kernel/host/scrub.c, compiled for user
// space, fed with what CPUID says on real models (the leaves that it may look at; from the records
// at github.com/InstLatx64/InstLatx64) and on the emulator that the machine tests run in. Not for
// the code that clears them: tests/machine/device_test.py.
extern "C" {
#include "../../../kernel/host/scrub.h"
}

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

namespace {

using Registers = std::array<u32, MK_CPUID_REGISTERS>;
using Model = std::map<std::uint64_t, Registers>;  // leaf; another sub-leaf than 0: sub()
using Plan = std::vector<u32>;

constexpr std::uint64_t sub(u32 leaf, u32 subleaf) {
    return leaf | static_cast<std::uint64_t>(subleaf) << 32;
}

const Model* model_at_hand = nullptr;

// As Intel's do it: a leaf above the highest one says what the highest one says.
void read_cpuid(u32 leaf, u32 subleaf, u32* values) {
    Registers found{};
    const u32 half = leaf & 0x80000000U;
    if (const auto at = model_at_hand->find(sub(leaf, subleaf)); at != model_at_hand->end()) {
        found = at->second;
    } else if (const auto first = model_at_hand->find(half);
               first != model_at_hand->end() && leaf > first->second[MK_EAX]) {
        found = {0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff};
    }
    std::copy(found.begin(), found.end(), values);
}

Plan plan_for(const Model& model) {
    model_at_hand = &model;
    mk_scrub_plan plan;
    plan.count = 77;  // whatever was there before
    mk_scrub_make(&plan, read_cpuid);
    EXPECT_LE(plan.count, static_cast<u32>(MK_SCRUB_MAX));
    return {plan.registers, plan.registers + plan.count};
}

constexpr Registers intel(u32 highest) {
    return {highest, 0x756e6547, 0x6c65746e, 0x49656e69};
}
constexpr Registers amd(u32 highest) {
    return {highest, 0x68747541, 0x444d4163, 0x69746e65};
}

const Model skylake_sp{
    {0x0, intel(0x16)},
    {0x1, {0x00050654, 0x00400800, 0x7ffefbff, 0xbfebfbff}},
    {0x7, {0x0, 0xd39ffffb, 0x00000008, 0x0}},
    {0xa, {0x07300404, 0x0, 0x0, 0x00000603}},
    {0x80000000, {0x80000008, 0, 0, 0}},
    {0x80000001, {0, 0, 0x00000121, 0x2c100800}},
};

const Model sapphire_rapids{
    {0x0, intel(0x20)},
    {0x1, {0x000806f8, 0x00800800, 0x7ffefbff, 0xbfebfbff}},
    {0x7, {0x2, 0xf3bfbffb, 0xbb417fee, 0xffdd4430}},
    {0xa, {0x08300805, 0x0, 0x0000000f, 0x00008604}},
    {0x80000000, {0x80000008, 0, 0, 0}},
    {0x80000001, {0, 0, 0x00000121, 0x2c100000}},
};

// Both kinds of cores, with both in use: the leaf then names what both have. The two counters more
// that the performance cores have hang on PERF_GLOBAL_CTRL.
const Model alder_lake_hybrid{
    {0x0, intel(0x20)},
    {0x1, {0x00090672, 0x00800800, 0x7ffafbbf, 0xbfebfbff}},
    {0x7, {0x2, 0x239c27eb, 0x98c007ac, 0xfc18c410}},
    {0xa, {0x07300605, 0x0, 0x00000007, 0x00008603}},
    {0x80000000, {0x80000008, 0, 0, 0}},
    {0x80000001, {0, 0, 0x00000121, 0x2c100000}},
};

const Model alder_lake_performance{
    {0x0, intel(0x20)},
    {0x1, {0x00090672, 0x00200800, 0x7ffafbbf, 0xbfebfbff}},
    {0x7, {0x1, 0xf3bfa7eb, 0x98c05fee, 0xfc984510}},
    {0xa, {0x08300805, 0x0, 0x0000000f, 0x00008604}},
    {0x80000000, {0x80000008, 0, 0, 0}},
    {0x80000001, {0, 0, 0x00000121, 0x2c100000}},
};

const Model zen_2{
    {0x0, amd(0x10)},
    {0x1, {0x00830f10, 0x00800800, 0x7ef8320b, 0x178bfbff}},
    {0x7, {0x0, 0x219c91a9, 0x00400004, 0x0}},
    {0x80000000, amd(0x80000020)},
    {0x80000001, {0x00830f10, 0x40000000, 0x75c237ff, 0x2fd3fbff}},
    {0x8000001b, {0x000003ff, 0, 0, 0}},
};

const Model zen_4{
    {0x0, amd(0x10)},
    {0x1, {0x00a10f11, 0x00c00800, 0x7efa320b, 0x178bfbff}},
    {0x7, {0x1, 0xf1bf97a9, 0x00415fce, 0x10000010}},
    {0x80000000, amd(0x80000028)},
    {0x80000001, {0x00a10f11, 0x40000000, 0x75c237ff, 0x2fd3fbff}},
    {0x8000001b, {0x00000bff, 0, 0, 0}},
    {0x80000022, {0x00000007, 0x00304106, 0x00000fff, 0}},
};

// -cpu max,-erms of QEMU 7.2 without an accelerator: see tests/machine/lib/machine.py.
const Model qemu_tcg{
    {0x0, amd(0xd)},
    {0x1, {0x00060fb1, 0x01040800, 0xfed8320b, 0x1fcbfbfd}},
    {0x7, {0x0, 0x01d841a9, 0x8001021c, 0x0}},
    {0xa, {0, 0, 0, 0}},
    {0x80000000, amd(0x8000000a)},
    {0x80000001, {0x00060fb1, 0x0, 0x00000077, 0xedd3fbfd}},
};

TEST(Scrub, ClearsWhatSkylakeHas) {
    EXPECT_EQ(plan_for(skylake_sp),
              (Plan{0x1d9, 0x38f, 0x38d, 0x186, 0x187, 0x188, 0x189, 0x3f1, 0x600, 0x570}));
}

TEST(Scrub, ClearsWhatSapphireRapidsHas) {
    EXPECT_EQ(plan_for(sapphire_rapids),
              (Plan{0x1d9, 0x38f, 0x38d, 0x186, 0x187, 0x188, 0x189, 0x18a, 0x18b, 0x18c, 0x18d,
                    0x3f1, 0x600, 0x570, 0x14ce}));
}

TEST(Scrub, ClearsWhatAlderLakeHas) {
    EXPECT_EQ(plan_for(alder_lake_hybrid), (Plan{0x1d9, 0x38f, 0x38d, 0x186, 0x187, 0x188, 0x189,
                                                 0x18a, 0x18b, 0x3f1, 0x600, 0x570, 0x14ce}));
    EXPECT_EQ(plan_for(alder_lake_performance), plan_for(sapphire_rapids));
}

TEST(Scrub, ClearsWhatZen2Has) {
    EXPECT_EQ(plan_for(zen_2), (Plan{0x1d9, 0xc0010200, 0xc0010202, 0xc0010204, 0xc0010206,
                                     0xc0010208, 0xc001020a, 0xc0011030, 0xc0011033}));
}

TEST(Scrub, ClearsWhatZen4Has) {
    EXPECT_EQ(plan_for(zen_4),
              (Plan{0x1d9, 0xc0000301, 0xc000010f, 0xc0010200, 0xc0010202, 0xc0010204, 0xc0010206,
                    0xc0010208, 0xc001020a, 0xc0011030, 0xc0011033}));
}

TEST(Scrub, ClearsWhatTheEmulatorHas) {
    EXPECT_EQ(plan_for(qemu_tcg), (Plan{0x1d9, 0xc0010000, 0xc0010001, 0xc0010002, 0xc0010003}));
}

TEST(Scrub, TouchesNothingThatCpuidDoesNotName) {
    EXPECT_EQ(plan_for({}), Plan{});
    // A highest leaf of 1 and nothing else, as a guest of some hypervisor sees it. What lies above
    // reads as all ones.
    const Model bare{{0x0, intel(0x1)},
                     {0x1, {0x000306a9, 0, 0, 0}},
                     {0x80000000, {0x80000001, 0, 0, 0}},
                     {0x80000001, {0, 0, 0, 0x20000000}}};
    EXPECT_EQ(plan_for(bare), Plan{0x1d9});
}

TEST(Scrub, IsBoundedWhateverCpuidSays) {
    Model model = sapphire_rapids;
    model[0xa] = {0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff};
    Plan plan = plan_for(model);
    EXPECT_EQ(plan.size(), 23U);
    for (const u32 number : plan) {
        EXPECT_NE(number, 0x198U);  // not a counter any more
    }
    model = zen_4;
    model[0x80000022] = {0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff};
    EXPECT_EQ(plan_for(model).size(), 20U);
}

// No record of one is at hand: what the manual says of the leaves, on top of one that is.
Model with_newest_units() {
    Model model = sapphire_rapids;
    model[0x0] = intel(0x23);
    model[0x6] = {1U << 19 | 1U << 23, 0, 0, 0};
    model[sub(0x7, 1)] = {1U << 8 | 1U << 17 | 1U << 22, 0, 0, 0};
    model[0x23] = {1U << 4 | 1U << 5, 0, 0, 0};
    return model;
}

TEST(Scrub, ClearsWhatTheNewestHave) {
    Plan expected = plan_for(sapphire_rapids);
    expected.insert(expected.end(), {0x3f5, 0x3f4, 0x17da, 0x17d4});
    EXPECT_EQ(plan_for(with_newest_units()), expected);
    // One buffer for both kinds of counters.
    Model model = with_newest_units();
    model[0x23] = {1U << 5, 0, 0, 0};
    EXPECT_EQ(plan_for(model), expected);
    // The feedback table itself belongs to all CPUs of a package, and to the host.
    EXPECT_EQ(std::count(expected.begin(), expected.end(), 0x17d0U), 0);
    EXPECT_EQ(std::count(expected.begin(), expected.end(), 0x17d1U), 0);
}

TEST(Scrub, LooksAtNoLeafThatIsNotThere) {
    Model model = with_newest_units();
    model[0x7][MK_EAX] = 0;  // no sub-leaf 1, whatever it says
    Plan expected = plan_for(sapphire_rapids);
    expected.push_back(0x17d4);
    EXPECT_EQ(plan_for(model), expected);
    model = with_newest_units();
    model[0x0] = intel(0x20);
    expected = plan_for(sapphire_rapids);
    expected.insert(expected.end(), {0x17da, 0x17d4});
    EXPECT_EQ(plan_for(model), expected);
}

TEST(Scrub, EachUnitIsLeftOutWithItsBit) {
    const struct {
        Model model;
        std::uint64_t leaf;
        int at;
        u32 bit;
        Plan gone;
    } cases[] = {
        {skylake_sp, 0x1, MK_EDX, 21, {0x3f1, 0x600}},
        {skylake_sp, 0x1, MK_ECX, 15, {0x3f1}},
        {skylake_sp, 0x7, MK_EBX, 25, {0x570}},
        {sapphire_rapids, 0x7, MK_EDX, 19, {0x14ce}},
        {with_newest_units(), sub(0x7, 1), MK_EAX, 8, {0x3f5, 0x3f4}},
        {with_newest_units(), sub(0x7, 1), MK_EAX, 22, {0x17da}},
        {with_newest_units(), 0x6, MK_EAX, 23, {0x17d4}},
        {zen_2, 0x80000001, MK_ECX, 10, {0xc0011030, 0xc0011033}},
        {zen_2, 0x8000001b, MK_EAX, 1, {0xc0011030}},
        {zen_2, 0x8000001b, MK_EAX, 2, {0xc0011033}},
        {zen_4, 0x80000022, MK_EAX, 0, {0xc0000301}},
        {zen_4, 0x80000022, MK_EAX, 1, {0xc000010f}},
    };
    for (const auto& row : cases) {
        Plan expected = plan_for(row.model);
        std::erase_if(expected, [&](u32 number) {
            return std::find(row.gone.begin(), row.gone.end(), number) != row.gone.end();
        });
        Model without = row.model;
        without[row.leaf][static_cast<std::size_t>(row.at)] &= ~(1U << row.bit);
        EXPECT_EQ(plan_for(without), expected) << std::hex << row.leaf << " bit " << row.bit;
    }
}

}  // namespace
