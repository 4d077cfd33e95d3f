// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit suites of those parts of the host module that need no machine. User space
 * has the tables of cases (tests/unit/kernel/); here the same functions run with
 * the kernel's own helpers, in allocations that KASAN watches, and are compared
 * with models, or with what the kernel makes of the same input. Loaded by hand:
 * see ../README.md.
 */
#include <linux/module.h>

#include "suites.h"

kunit_test_suites(&mk_cmdline_suite, &mk_scrub_suite, &mk_memory_list_suite, &mk_acpi_suite);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("KUnit suites of the multikernel host module");
