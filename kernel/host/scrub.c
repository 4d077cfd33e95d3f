// SPDX-License-Identifier: GPL-2.0-only
/*
 * The plan for a CPU model: which of the registers that INIT leaves as they were
 * (Intel SDM vol. 3, table "IA-32 and Intel 64 Processor States Following
 * Power-up, Reset, or INIT") have to be cleared so that the CPU no longer writes
 * to memory, or interrupts, on behalf of the kernel that ran on it before. A
 * register is in the plan only if CPUID says that it is there. trampoline.S
 * carries the plan out. Not for units that several CPUs share: uncore, L3 and
 * northbridge write to no memory; the feedback table of hybrid processors, which
 * does, is kept out of app kernels by cmdline_table.c. FRED needs nothing: INIT
 * clears CR4, and without it the trampoline's IDT counts.
 */
#ifdef __KERNEL__
#include <linux/bits.h>
#else
#define BIT(n)		(1U << (n))
#endif

#include "scrub.h"

/* The same numbers as in <asm/msr-index.h>, which user space does not have. */
#define PERFEVTSEL0		0x186
#define DEBUGCTL		0x1d9
#define FIXED_CTR_CTRL		0x38d
#define PERF_GLOBAL_CTRL	0x38f
#define PEBS_ENABLE		0x3f1
#define PEBS_BASE		0x3f4
#define PEBS_INDEX		0x3f5
#define RTIT_CTL		0x570
#define DS_AREA			0x600
#define ARCH_LBR_CTL		0x14ce
#define HW_FEEDBACK_THREAD_CONFIG 0x17d4
#define HRESET_ENABLE		0x17da
#define AMD_PERF_CTL0		0xc0010000	/* four, one after the other */
#define AMD_PERF_CTL0_CORE	0xc0010200	/* every other register */
#define AMD_PERF_GLOBAL_CTL	0xc0000301
#define AMD_DBG_EXTN_CFG	0xc000010f
#define AMD_IBS_FETCH_CTL	0xc0011030
#define AMD_IBS_OP_CTL		0xc0011033

#define MOST_COUNTERS		16U	/* 0x198, behind them, is another register */

static void clear(struct mk_scrub_plan *plan, u32 number)
{
	if (plan->count < MK_SCRUB_MAX)
		plan->registers[plan->count++] = number;
}

static void clear_row(struct mk_scrub_plan *plan, u32 first, u32 step, u32 count)
{
	u32 i;

	for (i = 0; i < count; i++)
		clear(plan, first + i * step);
}

/* A leaf above the highest one says what that one says, on Intel: take it for empty. */
static void look(mk_cpuid_t cpuid, u32 leaf, u32 *values)
{
	u32 highest[MK_CPUID_REGISTERS];

	cpuid(leaf & 0x80000000, 0, highest);
	if (highest[MK_EAX] >= leaf && (highest[MK_EAX] ^ leaf) < 0x10000) {
		cpuid(leaf, 0, values);
		return;
	}
	values[MK_EAX] = 0;
	values[MK_EBX] = 0;
	values[MK_ECX] = 0;
	values[MK_EDX] = 0;
}

/* Architectural monitoring; first the register that all counters hang on. */
static void plan_intel_counters(struct mk_scrub_plan *plan, mk_cpuid_t cpuid)
{
	u32 leaf[MK_CPUID_REGISTERS], version, count;

	look(cpuid, 0xa, leaf);
	version = leaf[MK_EAX] & 0xff;
	count = leaf[MK_EAX] >> 8 & 0xff;
	if (version >= 2) {
		clear(plan, PERF_GLOBAL_CTRL);
		/* their number, or since version 5 a bit for each */
		if (leaf[MK_EDX] & 0x1f || (version >= 5 && leaf[MK_ECX]))
			clear(plan, FIXED_CTR_CTRL);
	}
	if (count > MOST_COUNTERS)
		count = MOST_COUNTERS;
	if (version)
		clear_row(plan, PERFEVTSEL0, 1, count);
}

/*
 * Architectural PEBS writes to a buffer of its own, without a debug store. First
 * the index, which has the bit that turns it on, then where the buffer is.
 */
static void plan_architectural_pebs(struct mk_scrub_plan *plan, mk_cpuid_t cpuid)
{
	u32 leaf[MK_CPUID_REGISTERS];

	look(cpuid, 0x23, leaf);
	if (!(leaf[MK_EAX] & (BIT(4) | BIT(5))))	/* its sub-leaves */
		return;
	clear(plan, PEBS_INDEX);
	clear(plan, PEBS_BASE);
}

/* Sub-leaf 1 of leaf 7: what is newer. */
static void plan_intel_newer(struct mk_scrub_plan *plan, mk_cpuid_t cpuid)
{
	u32 leaf[MK_CPUID_REGISTERS];

	look(cpuid, 7, leaf);
	if (!leaf[MK_EAX])			/* the highest sub-leaf */
		return;
	cpuid(7, 1, leaf);
	if (leaf[MK_EAX] & BIT(8))		/* leaf 0x23 means monitoring */
		plan_architectural_pebs(plan, cpuid);
	if (leaf[MK_EAX] & BIT(22))		/* HRESET */
		clear(plan, HRESET_ENABLE);
}

static void plan_intel(struct mk_scrub_plan *plan, mk_cpuid_t cpuid)
{
	u32 leaf[MK_CPUID_REGISTERS];

	plan_intel_counters(plan, cpuid);
	look(cpuid, 1, leaf);
	if (leaf[MK_EDX] & BIT(21)) {		/* debug store: BTS, and PEBS with */
		if (leaf[MK_ECX] & BIT(15))	/* PERF_CAPABILITIES, its format */
			clear(plan, PEBS_ENABLE);
		clear(plan, DS_AREA);
	}
	look(cpuid, 7, leaf);
	/*
	 * Processor trace. All at once: no other bit may change while TraceEn is
	 * set, unless the same write clears it.
	 */
	if (leaf[MK_EBX] & BIT(25))
		clear(plan, RTIT_CTL);
	if (leaf[MK_EDX] & BIT(19))
		clear(plan, ARCH_LBR_CTL);
	plan_intel_newer(plan, cpuid);
	look(cpuid, 6, leaf);
	if (leaf[MK_EAX] & BIT(23))		/* this thread's part of the thread director */
		clear(plan, HW_FEEDBACK_THREAD_CONFIG);
}

static void plan_amd(struct mk_scrub_plan *plan, mk_cpuid_t cpuid)
{
	u32 features[MK_CPUID_REGISTERS], leaf[MK_CPUID_REGISTERS];

	look(cpuid, 0x80000001, features);
	look(cpuid, 0x80000022, leaf);
	if (leaf[MK_EAX] & BIT(0))		/* monitoring, version 2 */
		clear(plan, AMD_PERF_GLOBAL_CTL);
	if (leaf[MK_EAX] & BIT(1))		/* LBR, version 2 */
		clear(plan, AMD_DBG_EXTN_CFG);
	if (features[MK_ECX] & BIT(23)) {	/* more counters than four */
		u32 count = leaf[MK_EAX] & BIT(0) ? leaf[MK_EBX] & 0xf : 0;

		clear_row(plan, AMD_PERF_CTL0_CORE, 2, count ? count : 6);
	} else {
		clear_row(plan, AMD_PERF_CTL0, 1, 4);
	}
	if (!(features[MK_ECX] & BIT(10)))	/* instruction based sampling */
		return;
	look(cpuid, 0x8000001b, leaf);
	/* the first ones have both, and nothing in this leaf */
	if (!(leaf[MK_EAX] & BIT(0)) || leaf[MK_EAX] & BIT(1))
		clear(plan, AMD_IBS_FETCH_CTL);
	if (!(leaf[MK_EAX] & BIT(0)) || leaf[MK_EAX] & BIT(2))
		clear(plan, AMD_IBS_OP_CTL);
}

/**
 * mk_scrub_make - make the plan for a CPU
 * @plan: out
 * @cpuid: reads that CPU's CPUID
 *
 * What is neither AMD's nor Hygon's is taken for Intel's: those who build such
 * CPUs, too, follow its architectural leaves.
 */
void mk_scrub_make(struct mk_scrub_plan *plan, mk_cpuid_t cpuid)
{
	u32 leaf[MK_CPUID_REGISTERS], vendor;

	plan->count = 0;
	cpuid(0, 0, leaf);
	vendor = leaf[MK_EBX];
	look(cpuid, 0x80000001, leaf);
	if (!(leaf[MK_EDX] & BIT(29)))		/* long mode: else no host runs here */
		return;
	clear(plan, DEBUGCTL);	/* branch trace stores, LBR; as old as long mode */
	if (vendor == 0x68747541 || vendor == 0x6f677948)	/* "Auth", "Hygo" */
		plan_amd(plan, cpuid);
	else
		plan_intel(plan, cpuid);
}
