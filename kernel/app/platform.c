// SPDX-License-Identifier: GPL-2.0-only
/*
 * Keeps this kernel's hands off the parts of the PC platform that belong to the
 * host kernel and that no memory map, ACPI table or command line can hide: the
 * CMOS and the BIOS data area. Not for devices.
 */
#define pr_fmt(fmt) "multikernel: " fmt

#include <linux/mm.h>
#include <linux/vmalloc.h>
#include <asm/x86_init.h>

#include "app.h"

/* -ENODEV makes kernel/time/ntp.c stop trying; the CMOS clock is the host's */
static int no_wallclock(const struct timespec64 *now)
{
	return -ENODEV;
}

/*
 * x86_platform is read-only after init, so it is written through an alias. The
 * alias is unmapped at once; the module is never unloaded, so the function
 * that stays behind does too.
 */
static int patch_platform(void)
{
	phys_addr_t start = __pa_symbol(&x86_platform);
	unsigned int offset = offset_in_page(start);
	struct x86_platform_ops *alias;
	struct page *pages[2];
	unsigned int i, count;
	void *base;

	count = PFN_UP(offset + sizeof(x86_platform));
	if (count > ARRAY_SIZE(pages))
		return -EFBIG;
	for (i = 0; i < count; i++)
		pages[i] = pfn_to_page(PHYS_PFN(start) + i);
	base = vmap(pages, count, VM_MAP, PAGE_KERNEL);
	if (!base)
		return -ENOMEM;
	alias = base + offset;
	WRITE_ONCE(alias->legacy.warm_reset, 0);
	WRITE_ONCE(alias->set_wallclock, no_wallclock);
	vunmap(base);
	return READ_ONCE(x86_platform.legacy.warm_reset) ? -EIO : 0;
}

/**
 * mk_platform_init - leave the host's CMOS and BIOS data area alone
 *
 * Without it do_boot_cpu() writes the warm reset vector (CMOS 0x0f, physical
 * 0x467) for each CPU that it brings up, and an NTP-synchronised kernel sets
 * the CMOS clock every eleven minutes. There is nothing to undo.
 *
 * Context: may sleep. Before another CPU is brought up.
 * Return: 0 or a negative errno.
 */
int mk_platform_init(void)
{
	int ret = patch_platform();

	if (ret)
		pr_err("cannot keep this kernel off the host's CMOS: error %d\n", ret);
	return ret;
}
