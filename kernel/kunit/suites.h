/* SPDX-License-Identifier: GPL-2.0-only */
/* What the suites share; main.c tells what they are for. */
#ifndef MK_KUNIT_SUITES_H
#define MK_KUNIT_SUITES_H

#include <kunit/test.h>
#include <linux/prandom.h>

#define ROUNDS	20000

extern struct kunit_suite mk_acpi_suite, mk_cmdline_suite, mk_memory_list_suite, mk_scrub_suite;

/* A number from 0 to @limit - 1; the same ones each time. */
static inline u32 mk_below(struct rnd_state *random, u32 limit)
{
	return prandom_u32_state(random) % limit;
}

#endif /* MK_KUNIT_SUITES_H */
