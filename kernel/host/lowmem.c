// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory below 1 MiB: a CPU can only start there, so an app kernel is lent a
 * window of it for its own trampoline, and the host module has one for its
 * own. Which pages those are is decided here, once, from the machine's memory
 * map; who has a window when is decided in window.c.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/bitmap.h>
#include <linux/io.h>
#include <linux/ioport.h>
#include <linux/mm.h>
#include <asm/pgtable.h>
#include <asm/special_insns.h>

#include "host.h"

#define LOW_PAGES	256U			/* 1 MiB */
/*
 * A kernel keeps the first 64 KiB for the firmware and puts no trampoline
 * there (memblock_reserve() in arch/x86/kernel/setup.c).
 */
#define FIRST_WINDOW	16U
#define TRAMPOLINE_SPAN	16U			/* pages that a kernel's real mode code may take */
#define EBDA_POINTER	0x40e
#define MAX_WINDOWS	32U

static struct mk_window windows[MAX_WINDOWS];
static unsigned int window_count;
static phys_addr_t trampoline_start;

static bool page_is_idle_ram(unsigned int page)
{
	phys_addr_t start = (phys_addr_t)page << PAGE_SHIFT;

	return region_intersects(start, PAGE_SIZE, IORESOURCE_SYSTEM_RAM,
				 IORES_DESC_NONE) == REGION_INTERSECTS &&
	       !memchr_inv(__va(start), 0, PAGE_SIZE);
}

/* The extended BIOS data area ends usable memory, where there is one. */
static unsigned int first_firmware_page(void)
{
	unsigned int page = (*(u16 *)__va(EBDA_POINTER) << 4) >> PAGE_SHIFT;

	return page >= 128 && page < 160 ? page : 160;
}

/*
 * The host's own trampoline is in use whenever it brings up a CPU, and parts of
 * it are zero. It contains a top level page table that maps the kernel as ours
 * does (setup_real_mode() in arch/x86/realmode/init.c): that page shows where
 * the trampoline is. Without it, keep clear of all the top of low memory, where
 * the kernel looks for a place first.
 */
static void exclude_host_trampoline(unsigned long *usable, unsigned int end)
{
	u64 *own = __va(read_cr3_pa());
	u64 kernel = own[PTRS_PER_PGD - 1] & PTE_PFN_MASK;
	bool found = false;
	unsigned int page;

	for (page = 1; page < end; page++) {
		u64 *table = __va((phys_addr_t)page << PAGE_SHIFT);
		unsigned int first = page - min(page, TRAMPOLINE_SPAN);

		if ((table[PTRS_PER_PGD - 1] & PTE_PFN_MASK) != kernel)
			continue;
		found = true;
		pr_info("host trampoline near %#x\n", page << PAGE_SHIFT);
		bitmap_clear(usable, first,
			     min(page + TRAMPOLINE_SPAN, LOW_PAGES) - first);
	}
	if (!found)
		bitmap_clear(usable, end - 2 * TRAMPOLINE_SPAN,
			     2 * TRAMPOLINE_SPAN);
}

/* The lowest @count usable pages in a row from @from on, or LOW_PAGES. */
static unsigned long find_pages(const unsigned long *usable, unsigned long from,
				unsigned long count)
{
	unsigned long bad;

	while (from + count <= LOW_PAGES) {
		bad = find_next_zero_bit(usable, LOW_PAGES, from);
		if (bad >= from + count)
			return from;
		from = bad + 1;
	}
	return LOW_PAGES;
}

/**
 * mk_lowmem_find - choose the pages below 1 MiB, at module load
 *
 * Context: may sleep.
 * Return: 0, or -ENOSPC if there is not even one window.
 */
int mk_lowmem_find(void)
{
	DECLARE_BITMAP(usable, LOW_PAGES) = {};
	unsigned int end = first_firmware_page();
	unsigned long page;

	for (page = 1; page < end; page++)
		if (page_is_idle_ram(page))
			__set_bit(page, usable);
	exclude_host_trampoline(usable, end);

	page = find_pages(usable, FIRST_WINDOW, MK_TRAMPOLINE_PAGES);
	if (page == LOW_PAGES)
		page = find_pages(usable, 1, MK_TRAMPOLINE_PAGES);
	if (page == LOW_PAGES)
		return -ENOSPC;
	trampoline_start = page << PAGE_SHIFT;
	bitmap_clear(usable, page, MK_TRAMPOLINE_PAGES);

	page = FIRST_WINDOW;
	while (window_count < MAX_WINDOWS) {
		page = find_pages(usable, page, MK_WINDOW_PAGES);
		if (page == LOW_PAGES)
			break;
		windows[window_count++].start = page << PAGE_SHIFT;
		page += MK_WINDOW_PAGES;
	}
	if (!window_count)
		return -ENOSPC;
	pr_info("low memory: trampoline at %#llx, %u windows of %lu KiB from %#llx\n",
		(u64)trampoline_start, window_count,
		MK_WINDOW_PAGES * PAGE_SIZE / 1024, (u64)windows[0].start);
	return 0;
}

/**
 * mk_lowmem_exit - leave the trampoline's pages as they were found: zero
 *
 * Context: no CPU may run in them any more.
 */
void mk_lowmem_exit(void)
{
	if (trampoline_start)
		memset(__va(trampoline_start), 0, MK_TRAMPOLINE_PAGES * PAGE_SIZE);
}

/**
 * mk_lowmem_trampoline - where the host module's trampoline is
 *
 * Return: its physical address, MK_TRAMPOLINE_PAGES pages long; 0 if none.
 */
phys_addr_t mk_lowmem_trampoline(void)
{
	return trampoline_start;
}

/**
 * mk_lowmem_windows - the windows
 * @count: out: how many there are
 *
 * Return: an array; who has one is window.c's matter.
 */
struct mk_window *mk_lowmem_windows(unsigned int *count)
{
	*count = window_count;
	return windows;
}
