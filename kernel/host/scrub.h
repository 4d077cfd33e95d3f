/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which registers are cleared on a CPU that a partition had, before anybody else
 * gets it: see scrub.c. Pure logic, compiled for user space, too, where
 * tests/unit/kernel/ tests it with what CPUID says on several models.
 */
#ifndef MK_HOST_SCRUB_H
#define MK_HOST_SCRUB_H

#define MK_SCRUB_MAX	32	/* registers; room in the trampoline's page */

#ifndef __ASSEMBLY__
#ifdef __KERNEL__
#include <linux/types.h>
#else
typedef unsigned int u32;
#endif

enum mk_cpuid_register {
	MK_EAX,
	MK_EBX,
	MK_ECX,
	MK_EDX,
	MK_CPUID_REGISTERS,
};

/* The CPUID instruction, or a record of one: fills MK_CPUID_REGISTERS of @values. */
typedef void (*mk_cpuid_t)(u32 leaf, u32 subleaf, u32 *values);

/**
 * struct mk_scrub_plan - registers (MSRs) that get the value 0, in this order
 * @count: how many
 * @registers: their numbers
 */
struct mk_scrub_plan {
	u32 count;
	u32 registers[MK_SCRUB_MAX];
};

void mk_scrub_make(struct mk_scrub_plan *plan, mk_cpuid_t cpuid);
#endif

#endif /* MK_HOST_SCRUB_H */
