// SPDX-License-Identifier: GPL-2.0-only
/*
 * The plan of registers that are cleared: for the CPU that runs this, and for
 * CPUID instructions that say anything. Records of real models are in
 * tests/unit/kernel/.
 */
#include <asm/msr.h>
#include <asm/processor.h>

#include "scrub.h"
#include "suites.h"

static void own_cpuid(u32 leaf, u32 subleaf, u32 *values)
{
	cpuid_count(leaf, subleaf, &values[MK_EAX], &values[MK_EBX], &values[MK_ECX],
		    &values[MK_EDX]);
}

/* What the processor that runs this says of itself, against what it does. */
static void registers_of_this_cpu_are_there(struct kunit *test)
{
	struct mk_scrub_plan plan;
	u64 value;
	u32 i;

	migrate_disable();
	mk_scrub_make(&plan, own_cpuid);
	KUNIT_EXPECT_GT(test, plan.count, 0U);
	for (i = 0; i < min_t(u32, plan.count, MK_SCRUB_MAX); i++)
		KUNIT_EXPECT_EQ_MSG(test, 0, rdmsrl_safe(plan.registers[i], &value),
				    "register %#x", plan.registers[i]);
	migrate_enable();
	kunit_info(test, "%u registers", plan.count);
}

static struct rnd_state random;
static u32 vendor;

static void any_cpuid(u32 leaf, u32 subleaf, u32 *values)
{
	u32 i;

	for (i = 0; i < MK_CPUID_REGISTERS; i++)
		values[i] = prandom_u32_state(&random);
	switch (leaf) {
	case 0:
		values[MK_EBX] = vendor;
		fallthrough;
	case 0x80000000:	/* all leaves are there */
		values[MK_EAX] = leaf | 0xffff;
		break;
	case 0x80000001:	/* long mode */
		values[MK_EDX] |= BIT(29);
		break;
	}
}

static void plan_is_bounded_whatever_cpuid_says(struct kunit *test)
{
	struct mk_scrub_plan *plan = kunit_kmalloc(test, sizeof(*plan), GFP_KERNEL);
	u32 round, i, k, shortest = MK_SCRUB_MAX, longest = 0;

	KUNIT_ASSERT_NOT_NULL(test, plan);
	prandom_seed_state(&random, 2);
	for (round = 0; round < ROUNDS; round++) {
		vendor = round & 1 ? 0x68747541 : 0x756e6547;
		mk_scrub_make(plan, any_cpuid);
		KUNIT_ASSERT_LE(test, plan->count, (u32)MK_SCRUB_MAX);
		shortest = min(shortest, plan->count);
		longest = max(longest, plan->count);
		for (i = 0; i < plan->count; i++)
			for (k = 0; k < i; k++)
				KUNIT_ASSERT_NE(test, plan->registers[i], plan->registers[k]);
	}
	kunit_info(test, "%u to %u registers", shortest, longest);
	KUNIT_EXPECT_LT(test, shortest, 8U);	/* it was not always the same plan */
	KUNIT_EXPECT_GT(test, longest, 16U);
}

static struct kunit_case scrub_cases[] = {
	KUNIT_CASE(registers_of_this_cpu_are_there),
	KUNIT_CASE(plan_is_bounded_whatever_cpuid_says),
	{}
};

struct kunit_suite mk_scrub_suite = {
	.name = "multikernel_scrub",
	.test_cases = scrub_cases,
};
