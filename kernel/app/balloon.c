// SPDX-License-Identifier: GPL-2.0-only
/*
 * The balloon: boot memory that this kernel gives up at the host's wish. Its pages
 * are allocated here and used by nobody, so that the host may have them, and freed
 * here when the host has granted them anew. Never added memory: memory.c.
 */
#define pr_fmt(fmt) "multikernel: " fmt

#include <linux/ioport.h>
#include <linux/log2.h>
#include <linux/memory.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/nodemask.h>
#include <linux/sched.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/vmstat.h>

#include "app.h"
#include "compat.h"

#define PIECE_PAGES	(SZ_2M >> PAGE_SHIFT)
#define MOST_PAGES	(SZ_128M >> PAGE_SHIFT)	/* at once: nobody else runs meanwhile */
#define LOWEST		SZ_1M	/* the low window is not given up */
#define MARGIN_DIVISOR	16	/* of all memory is left available, at least: */
#define MARGIN_PAGES	(SZ_32M >> PAGE_SHIFT)	/* and the size of the initramfs */

struct piece {
	unsigned long pfn;
	unsigned long pages;
};

static struct piece *boot;	/* memory of the memory map, by address; constant */
static unsigned int boot_count;
static struct piece *held;	/* what is in the balloon, by address; the channel's work */
static unsigned int held_count;
static unsigned long held_pages;

static int learn_range(struct resource *resource, void *arg)
{
	u64 image = READ_ONCE(mk_shared.host->image_start), start;
	u64 image_end = image + READ_ONCE(mk_shared.host->image_bytes);
	struct piece *more;

	start = max_t(u64, resource->start, LOWEST);
	if (start >= image && start < image_end)	/* the next boot's */
		start = image_end;
	if (resource->flags & IORESOURCE_SYSRAM_DRIVER_MANAGED || resource->end <= start)
		return 0;
	more = krealloc_array(boot, boot_count + 1, sizeof(*more), GFP_KERNEL);
	if (!more)
		return -ENOMEM;
	boot = more;
	boot[boot_count].pfn = PFN_UP(start);
	boot[boot_count].pages = PFN_DOWN(resource->end + 1) - PFN_UP(start);
	boot_count++;
	return 0;
}

static void publish(void)
{
	unsigned int i;

	for (i = 0; i < held_count; i++) {
		struct mk_shared_range *range = &mk_shared.balloon->ranges[i];

		WRITE_ONCE(range->start, PFN_PHYS(held[i].pfn));
		WRITE_ONCE(range->bytes, PFN_PHYS(held[i].pages));
	}
	WRITE_ONCE(mk_shared.balloon->count, held_count);
}

/* Enters a range that is not in the list; false if the list is full. */
static bool hold(unsigned long pfn, unsigned long pages)
{
	unsigned int i = 0;

	while (i < held_count && held[i].pfn < pfn)
		i++;
	if (i && held[i - 1].pfn + held[i - 1].pages == pfn) {
		held[i - 1].pages += pages;
		if (i < held_count && held[i].pfn == pfn + pages) {
			held[i - 1].pages += held[i].pages;
			memmove(held + i, held + i + 1, (--held_count - i) * sizeof(*held));
		}
		return true;
	}
	if (i < held_count && held[i].pfn == pfn + pages) {
		held[i].pfn = pfn;
		held[i].pages += pages;
		return true;
	}
	if (held_count == MK_SHARED_RANGES)
		return false;
	memmove(held + i + 1, held + i, (held_count++ - i) * sizeof(*held));
	held[i] = (struct piece){ .pfn = pfn, .pages = pages };
	return true;
}

/* Nobody is to look into these pages: not dumps of this kernel, nor /proc/kcore. */
static void mark(unsigned long pfn, unsigned long pages, bool offline)
{
	unsigned long i;

	for (i = 0; i < pages; i++) {
		if (offline)
			mk_set_page_offline(pfn_to_page(pfn + i));
		else
			mk_clear_page_offline(pfn_to_page(pfn + i));
		if (!(i % PIECE_PAGES))
			cond_resched();
	}
	adjust_managed_page_count(pfn_to_page(pfn), offline ? -(long)pages : (long)pages);
}

/* What the kernel itself can have: it cannot use added memory, which is movable. */
static long kernel_pages(void)
{
	long pages = 0;
	int node, i;

	for_each_online_node(node)
		for (i = 0; i < ZONE_MOVABLE; i++) {
			struct zone *zone = &NODE_DATA(node)->node_zones[i];

			pages += zone_page_state(zone, NR_FREE_PAGES) +
				 zone_page_state(zone, NR_ZONE_INACTIVE_FILE) +
				 zone_page_state(zone, NR_ZONE_ACTIVE_FILE);
		}
	return pages;
}

/* The next boot may have no more memory, and has the initramfs twice for a while. */
static bool can_spare(unsigned long pages)
{
	long initrd = PFN_UP(READ_ONCE(mk_shared.host->initrd_bytes));
	long margin = max3((long)(totalram_pages() / MARGIN_DIVISOR), (long)MARGIN_PAGES, initrd);

	return min(si_mem_available(), kernel_pages()) >= (long)pages + margin;
}

/* Can these pages be had together? If not, *@bad is the lowest that cannot. */
static bool usable(unsigned long pfn, unsigned long pages, unsigned long *bad)
{
	struct zone *zone = NULL;
	unsigned long i;

	for (i = 0; i < pages; i++) {
		struct page *page = pfn_to_online_page(pfn + i);

		if (page && !zone)
			zone = page_zone(page);
		if (!page || PageReserved(page) || PageOffline(page) || page_zone(page) != zone) {
			*bad = pfn + i;
			return false;
		}
	}
	cond_resched();
	return true;
}

/* A large block, or several, in parts: others shall run meanwhile. */
static void free_piece(unsigned long pfn, unsigned long pages)
{
	unsigned long part;

	for (; pages; pages -= part, pfn += part) {
		part = min(pages, MOST_PAGES);
		free_contig_range(pfn, part);
		cond_resched();
	}
}

static int alloc_piece(unsigned long pfn, unsigned long pages)
{
	unsigned long done, part;
	int ret;

	for (done = 0; done < pages; done += part) {
		part = min(pages - done, MOST_PAGES);
		ret = mk_alloc_contig_range(pfn + done, pfn + done + part);
		if (ret) {
			free_piece(pfn, done);
			return ret;
		}
		cond_resched();
	}
	return 0;
}

static int take_piece(unsigned long pfn, unsigned long pages)
{
	int ret;

	ret = alloc_piece(pfn, pages);
	if (ret)
		return ret;
	if (!hold(pfn, pages)) {
		free_piece(pfn, pages);
		return -ENOSPC;
	}
	mark(pfn, pages, true);
	held_pages += pages;
	return 0;
}

/* Pieces of @size pages, from the top of a range down. */
static int take_from(const struct mk_request_copy *request, const struct piece *range,
		     unsigned long size)
{
	unsigned long end = range->pfn + range->pages, wanted = PHYS_PFN(request->bytes), pfn, bad;

	while (held_pages + size <= wanted) {
		if (end < range->pfn + size)
			return 0;
		pfn = ALIGN_DOWN(end - size, size);
		if (pfn < range->pfn)
			return 0;
		if (mk_request_withdrawn(request))
			return -EINTR;
		if (!usable(pfn, size, &bad)) {
			end = bad;
			continue;
		}
		if (!can_spare(size))
			return 0;
		if (take_piece(pfn, size) == -ENOSPC)
			return -ENOSPC;
		end = pfn;
	}
	return 0;
}

/* Whole memory blocks first: they are of most use to the host. */
static int inflate(const struct mk_request_copy *request)
{
	unsigned long size = memory_block_size_bytes() >> PAGE_SHIFT;
	unsigned int i;
	int ret;

	for (; size >= PIECE_PAGES; size /= 2)
		for (i = boot_count; i-- > 0;) {
			ret = take_from(request, &boot[i], size);
			if (ret)
				return ret;
		}
	return PFN_PHYS(held_pages) < request->bytes ? -ENOMEM : 0;
}

/* The balloon has a part of these pages; *@pages becomes the length of the first one. */
static bool held_part(unsigned long *pfn, unsigned long *pages)
{
	unsigned int i;

	for (i = 0; i < held_count; i++) {
		unsigned long from = max(*pfn, held[i].pfn);
		unsigned long to = min(*pfn + *pages, held[i].pfn + held[i].pages);

		if (from < to) {
			*pfn = from;
			*pages = to - from;
			return true;
		}
	}
	return false;
}

/* Takes a part of one range out of the list; false if that would need another entry. */
static bool let_go(unsigned long pfn, unsigned long pages)
{
	struct piece *range = held, rest;

	while (pfn - range->pfn >= range->pages)
		range++;
	rest.pfn = pfn + pages;
	rest.pages = range->pfn + range->pages - rest.pfn;
	if (pfn != range->pfn && rest.pages) {
		if (held_count == MK_SHARED_RANGES)
			return false;
		range->pages = pfn - range->pfn;
		return hold(rest.pfn, rest.pages);
	}
	if (pfn != range->pfn)
		range->pages = pfn - range->pfn;
	else if (rest.pages)
		*range = rest;
	else
		memmove(range, range + 1, (held + held_count-- - range - 1) * sizeof(*range));
	return true;
}

/* Uses again what the host has granted of these pages, up to @most of them. */
static void free_range(unsigned long pfn, unsigned long pages, unsigned long most)
{
	unsigned long end = pfn + pages, part = pages;

	for (; most && pfn < end && held_part(&pfn, &part); pfn += part, part = end - pfn) {
		part = min(part, most);
		if (!let_go(pfn, part))
			return;
		mark(pfn, part, false);
		free_piece(pfn, part);
		held_pages -= part;
		most -= part;
	}
}

static int deflate(const struct mk_request_copy *request)
{
	u32 added = min_t(u32, READ_ONCE(mk_shared.grants->added), MK_SHARED_RANGES);
	u32 count = min_t(u32, READ_ONCE(mk_shared.grants->returned), MK_SHARED_RANGES - added), i;

	for (i = 0; i < count && PFN_PHYS(held_pages) > request->bytes; i++) {
		const struct mk_shared_range *range = &mk_shared.grants->ranges[added + i];
		u64 start = READ_ONCE(range->start), bytes = READ_ONCE(range->bytes);

		if (mk_request_withdrawn(request))
			return -EINTR;
		if (start % SZ_2M || bytes % SZ_2M || start + bytes < start)
			return -EINVAL;
		free_range(PHYS_PFN(start), PHYS_PFN(bytes),
			   held_pages - PHYS_PFN(request->bytes));
	}
	return PFN_PHYS(held_pages) > request->bytes ? -ENOMEM : 0;
}

/**
 * mk_balloon_bytes - how large the balloon is
 *
 * Context: any; the memory channel has no other request meanwhile.
 * Return: its size.
 */
u64 mk_balloon_bytes(void)
{
	return PFN_PHYS(held_pages);
}

/**
 * mk_balloon_set - have the balloon be of a size
 * @request: bytes: how large
 * @value: out: how large it is
 *
 * It grows as long as there is memory to spare, without the OOM killer, and shrinks
 * as far as the host has granted its pages anew.
 *
 * Context: may sleep.
 * Return: 0; -ENOMEM: not as far as was wished; or another negative errno.
 */
int mk_balloon_set(const struct mk_request_copy *request, u64 *value)
{
	int ret = 0;

	if (request->bytes % SZ_2M)
		ret = -EINVAL;
	else if (request->bytes > PFN_PHYS(held_pages))
		ret = inflate(request);
	else if (request->bytes < PFN_PHYS(held_pages))
		ret = deflate(request);
	publish();
	*value = PFN_PHYS(held_pages);
	mk_stats_update();
	pr_info("balloon of %llu MiB, %llu were wanted: %d\n", *value >> 20,
		request->bytes >> 20, ret);
	return ret;
}

/**
 * mk_balloon_init - learn which memory is boot memory
 *
 * Context: may sleep. Before memory is added.
 * Return: 0 or -ENOMEM.
 */
int mk_balloon_init(void)
{
	int ret;

	held = kvcalloc(MK_SHARED_RANGES, sizeof(*held), GFP_KERNEL);
	if (!held)
		return -ENOMEM;
	ret = walk_iomem_res_desc(IORES_DESC_NONE, IORESOURCE_SYSTEM_RAM | IORESOURCE_BUSY, 0, -1,
				  NULL, learn_range);
	if (ret < 0)
		mk_balloon_exit();
	return min(ret, 0);
}

/**
 * mk_balloon_exit - undo mk_balloon_init() when the module fails to load
 *
 * Context: may sleep.
 */
void mk_balloon_exit(void)
{
	kfree(boot);
	kvfree(held);
	boot = NULL;
	held = NULL;
}
