/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What trampoline.S and the C code that places it agree on. Each constant is
 * used by both; struct mk_trampoline lies at mk_trampoline_data.
 */
#ifndef MK_HOST_TRAMPOLINE_H
#define MK_HOST_TRAMPOLINE_H

#include "scrub.h"

#define MK_TRAMPOLINE_PARK	0	/* scrub, report, wait for INIT */
#define MK_TRAMPOLINE_BOOT	1	/* scrub, report, enter the kernel */

#define MK_CPU_SILENT		0
#define MK_CPU_AWAKE		1	/* it runs our code */
#define MK_CPU_SCRUBBED		2	/* it went through the plan */
#define MK_CPU_GONE		3	/* it jumps to the kernel */
#define MK_CPU_TRAPPED		4	/* an exception that is not expected */

#define MK_TRAMPOLINE_CS	0x10	/* __BOOT_CS, as the boot protocol wants */
#define MK_TRAMPOLINE_DS	0x18
#define MK_TRAMPOLINE_GATES	32
#define MK_TRAMPOLINE_BYTES	0xc00	/* the rest of the page is its stack */

#ifndef __ASSEMBLY__
#include <linux/types.h>

struct mk_trampoline {
	u32 cr3;
	u32 status;
	u32 mode;
	u32 planned;	/* registers that are to be cleared */
	u32 walked;	/* of these, how many it came to */
	u32 skipped;	/* of these, how many are not there */
	u32 plan[MK_SCRUB_MAX];
	u64 entry;
	u64 boot_params;
	u64 boot_cr3;
	u64 leave;
	u64 stack;
	u16 gdt_limit;
	u32 gdt_base;
	u16 idt_limit;
	u64 idt_base;
	u32 far_offset;
	u16 far_selector;
	u16 pad2;
	u64 gdt[4];
	u64 idt[MK_TRAMPOLINE_GATES][2];
} __packed;

extern const char mk_trampoline_start[], mk_trampoline_end[];
extern const char mk_trampoline_data[], mk_trampoline_64[];
extern const char mk_trampoline_skip[], mk_trampoline_return[];
extern const char mk_trampoline_trap[], mk_trampoline_leave[];
#endif

#endif /* MK_HOST_TRAMPOLINE_H */
