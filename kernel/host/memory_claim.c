// SPDX-License-Identifier: GPL-2.0-only
/*
 * Claims: memory taken for a partition from the host's free and movable pages, no
 * reservation at boot needed, and scrubbed. Not the choice of node and amount
 * (user space's), nor how it is given back (memory.c).
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/ktime.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/nodemask.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "compat.h"
#include "host.h"

#define LOWEST_PFN	(SZ_16M >> PAGE_SHIFT)	/* leave ZONE_DMA alone */

/*
 * Held for one range at a time: of two claims that want pages of one range each
 * would find the other's half isolated, and both go on to smaller ranges.
 */
static DEFINE_MUTEX(range_lock);

struct claim {
	struct mk_partition *p;
	struct mk_chunks got;
	unsigned long left;	/* pages */
	unsigned long align;	/* pages */
	u32 state;		/* what it is claimed for */
	bool boot;
	u32 id;
};

/*
 * Can these pages be claimed together? If not, *@bad is the lowest one that
 * stands in the way: no range of this size that contains it will do.
 */
static bool usable(unsigned long pfn, unsigned long pages, int node,
		   unsigned long *bad)
{
	struct zone *zone = NULL;
	unsigned long i;

	for (i = 0; i < pages; i++) {
		struct page *page = pfn_to_online_page(pfn + i);

		if (page && !zone)
			zone = page_zone(page);
		if (!page || PageReserved(page) || page_to_nid(page) != node ||
		    page_zone(page) != zone ||
		    (!(i % MK_SMALLEST_PAGES) && mk_page_marked(page))) {
			*bad = pfn + i;
			return false;
		}
		if (!(i % MK_SMALLEST_PAGES))
			cond_resched();
	}
	return true;
}

/*
 * Is there boot memory that the app kernel gave up? It knows these pages, so that
 * they can be given to it as such only. *@bad is the lowest one.
 */
static bool known(struct claim *claim, unsigned long pfn, unsigned long pages,
		  unsigned long *bad)
{
	/* only a call in the partition changes them, and this is it */
	const struct mk_chunks *holes = &claim->p->memory->holes;
	unsigned int i;

	for (i = 0; i < holes->count; i++) {
		const struct mk_chunk *hole = &holes->at[i];

		if (pfn < hole->pfn + hole->pages && hole->pfn < pfn + pages) {
			*bad = max(pfn, hole->pfn);
			return true;
		}
	}
	return false;
}

static int interrupted(struct mk_partition *p)
{
	if (fatal_signal_pending(current))
		return -EINTR;
	return READ_ONCE(p->cancelled) ? -ECANCELED : 0;
}

static int record(struct claim *claim, unsigned long pfn, unsigned long pages,
		  int node)
{
	const struct mk_chunk chunk = {
		.pfn = pfn, .pages = pages, .node = node, .state = claim->state,
		.id = claim->id, .boot = claim->boot,
	};
	int ret = mk_chunks_room(&claim->got, 1);

	if (ret)
		return ret;
	mk_chunks_add(&claim->got, &chunk);
	mk_pages_mark(pfn, pages, true);
	claim->left -= pages;
	WRITE_ONCE(claim->p->claimed_bytes,
		   claim->p->claimed_bytes + (pages << PAGE_SHIFT));
	return 0;
}

/* All of these pages or none; a large block of an app kernel in pieces. */
static int alloc_range(struct mk_partition *p, unsigned long start, unsigned long end)
{
	unsigned long pfn = start, piece;
	int ret;

	while (pfn < end) {
		piece = min(end - pfn, MK_LARGEST_PAGES);
		ret = interrupted(p);
		if (!ret)
			ret = mk_fault("memory: pages") ? -EBUSY :
			      mk_alloc_contig_range(pfn, pfn + piece);
		if (ret) {
			mk_pages_give_back(start, pfn - start);
			return ret;
		}
		pfn += piece;
		cond_resched();
	}
	return 0;
}

/*
 * Claims a range. -EBUSY if that cannot be now; @end is then, as after success,
 * where the next range to try ends.
 */
static int claim_range(struct claim *claim, unsigned long pfn, unsigned long pages,
		       int node, unsigned long *end)
{
	int ret;

	if ((!claim->boot && known(claim, pfn, pages, end)) ||
	    !usable(pfn, pages, node, end))
		return -EBUSY;
	ret = alloc_range(claim->p, pfn, pfn + pages);
	if (ret == -EINTR || ret == -ECANCELED)
		return ret;
	if (ret) {
		*end = pfn + pages - max(pages / 4, MK_SMALLEST_PAGES);
		return -EBUSY;
	}
	ret = record(claim, pfn, pages, node);
	if (ret)
		mk_pages_give_back(pfn, pages);
	*end = pfn;
	return ret;
}

/* Claim pieces of @size pages between @start and @end, from the top down. */
static int claim_size(struct claim *claim, int node, unsigned long start,
		      unsigned long end, unsigned long size)
{
	unsigned long pages, pfn;
	int ret;

	while (claim->left) {
		pages = min(size, claim->left);
		if (end < start + pages)
			return 0;
		pfn = ALIGN_DOWN(end - pages, claim->align);
		if (pfn < start)
			return 0;
		ret = interrupted(claim->p);
		if (ret)
			return ret;
		ret = mutex_lock_killable(&range_lock);
		if (ret)
			return ret;
		ret = claim_range(claim, pfn, pages, node, &end);
		mutex_unlock(&range_lock);
		if (ret && ret != -EBUSY)
			return ret;
	}
	return 0;
}

static int claim_node(struct claim *claim, int node)
{
	unsigned long start = max(node_start_pfn(node), LOWEST_PFN), size;
	int ret;

	for (size = max(MK_LARGEST_PAGES, claim->align); size >= claim->align; size /= 2) {
		ret = claim_size(claim, node, start, node_end_pfn(node), size);
		if (ret || !claim->left)
			return ret;
	}
	return 0;
}

static int claim_nodes(struct claim *claim, int node)
{
	int ret;

	if (node != NUMA_NO_NODE)
		return claim_node(claim, node);
	for_each_online_node(node) {
		ret = claim_node(claim, node);
		if (ret || !claim->left)
			return ret;
	}
	return 0;
}

/* The pages that the app kernel gave up, as many as the host can do without. */
static int claim_holes(struct claim *claim)
{
	/* only a call in the partition changes them, and this is it */
	const struct mk_chunks *holes = &claim->p->memory->holes;
	unsigned long size;
	unsigned int i;
	int ret;

	for (i = 0; i < holes->count; i++) {
		const struct mk_chunk *hole = &holes->at[i];

		for (size = MK_LARGEST_PAGES; size >= MK_SMALLEST_PAGES; size /= 2) {
			ret = claim_size(claim, hole->node, hole->pfn,
					 hole->pfn + hole->pages, size);
			if (ret || !claim->left)
				return ret;
		}
	}
	return 0;
}

/* Merge neighbours and put the largest range first: the kernel goes there. */
static void tidy(struct mk_chunks *chunks)
{
	unsigned int i, largest = 0;

	mk_chunks_merge(chunks, 0);
	for (i = 1; i < chunks->count; i++)
		if (chunks->at[i].pages > chunks->at[largest].pages)
			largest = i;
	swap(chunks->at[0], chunks->at[largest]);
}

static int scrub_chunk(struct claim *claim, const struct mk_chunk *chunk)
{
	unsigned long pfn = chunk->pfn, left = chunk->pages, pages;
	int ret;

	for (; left; left -= pages, pfn += pages) {
		ret = interrupted(claim->p);
		if (ret)
			return ret;
		pages = min(left, MK_LARGEST_PAGES);
		mk_pages_scrub(pfn, pages);
	}
	return 0;
}

static int scrub_all(struct claim *claim)
{
	unsigned int i;
	int ret;

	/* Then the allocator has zeroed them just now. */
	if (want_init_on_alloc(GFP_KERNEL))
		return 0;
	for (i = 0; i < claim->got.count; i++) {
		ret = scrub_chunk(claim, &claim->got.at[i]);
		if (ret)
			return ret;
	}
	return 0;
}

/* What was claimed belongs to the partition now, and is no hole any more. */
static int append(struct mk_memory *memory, const struct mk_chunks *got, bool returned)
{
	unsigned int i;
	int ret;

	mutex_lock(&memory->lock);
	ret = mk_chunks_room(&memory->owned, got->count) ?:
	      mk_chunks_room(&memory->holes, 2 * got->count);
	for (i = 0; !ret && i < got->count; i++) {
		const struct mk_chunk *chunk = &got->at[i];
		struct mk_chunk *hole;

		mk_chunks_add(&memory->owned, chunk);
		memory->bytes += (u64)chunk->pages << PAGE_SHIFT;
		hole = mk_chunks_cut(&memory->holes, chunk->pfn, chunk->pages);
		if (hole)
			mk_chunks_drop(&memory->holes, hole - memory->holes.at);
	}
	if (!ret && returned)
		mk_chunks_merge(&memory->owned, 1);
	else if (!ret && got->at[0].state == MK_RANGE_BOOT)	/* no kernel was loaded yet */
		tidy(&memory->owned);
	mutex_unlock(&memory->lock);
	return ret;
}

static int claim_and_scrub(struct claim *claim, struct mk_add_memory *add,
			   struct mk_message *message)
{
	bool returned = add->flags & MK_MEMORY_RETURN;
	struct mk_partition *p = claim->p;
	u64 start = ktime_get_ns(), claimed, left;
	int ret;

	ret = returned ? claim_holes(claim) : claim_nodes(claim, add->node);
	if (ret)
		return ret;
	left = (u64)claim->left << PAGE_SHIFT;
	if (returned ? !claim->got.count : left)
		return mk_fail(message, -ENOMEM, "%llu MiB wanted, %llu MiB could be had",
			       add->bytes >> 20, (add->bytes - left) >> 20);
	tidy(&claim->got);
	claimed = ktime_get_ns();
	ret = scrub_all(claim);
	if (ret)
		return ret;
	ret = append(p->memory, &claim->got, returned);
	if (ret)
		return ret;
	mutex_lock(&p->lock);
	p->claim_ns = claimed - start;
	p->scrub_ns = ktime_get_ns() - claimed;
	mutex_unlock(&p->lock);
	add->bytes -= left;
	add->id = claim->id;
	pr_info("%s: claimed %llu MiB in %u ranges, first at %#lx\n", p->label,
		add->bytes >> 20, claim->got.count, claim->got.at[0].pfn << PAGE_SHIFT);
	return 0;
}

/* What the memory is claimed for; in state created and stopped, to boot with. */
static void begin_claim(struct mk_partition *p, struct claim *claim,
			const struct mk_add_memory *add)
{
	mutex_lock(&p->lock);
	if (p->state == MK_STATE_CREATED || p->state == MK_STATE_STOPPED)
		claim->state = MK_RANGE_BOOT;
	else
		claim->state = MK_RANGE_TAKEN;
	claim->boot = claim->state == MK_RANGE_BOOT || add->flags & MK_MEMORY_RETURN;
	p->wanted_bytes = add->bytes;
	p->claimed_bytes = 0;
	mutex_lock(&p->memory->lock);
	claim->id = ++p->memory->last_id;
	mutex_unlock(&p->memory->lock);
	mutex_unlock(&p->lock);
}

/**
 * mk_memory_claim - claim memory from the host for a partition
 * @p: the partition; the caller is its only call
 * @add: bytes, node, alignment: checked but for the node; out: id, and bytes with
 *	MK_MEMORY_RETURN
 * @message: filled on failure
 *
 * Context: may sleep, for long; ends early on a fatal signal or MK_CANCEL.
 * Return: 0, -EINVAL, -ENOMEM, -EINTR or -ECANCELED; on failure nothing was
 * taken.
 */
int mk_memory_claim(struct mk_partition *p, struct mk_add_memory *add,
		    struct mk_message *message)
{
	struct claim claim = {
		.p = p, .left = add->bytes >> PAGE_SHIFT,
		.align = MK_SMALLEST_PAGES,
	};
	u64 available = (u64)si_mem_available() << PAGE_SHIFT;
	int node = add->node;
	unsigned int i;
	int ret;

	if (add->flags & MK_MEMORY_RETURN)	/* then it is known where: in its holes */
		node = NUMA_NO_NODE;
	else
		claim.align = max(add->align_bytes >> PAGE_SHIFT, (u64)MK_SMALLEST_PAGES);
	if (node != NUMA_NO_NODE &&
	    (node < 0 || node >= MAX_NUMNODES || !node_online(node)))
		return mk_fail(message, -EINVAL, "there is no node %d", node);
	if (add->bytes > available)
		return mk_fail(message, -ENOMEM,
			       "%llu MiB wanted, the host has %llu MiB available",
			       add->bytes >> 20, available >> 20);
	begin_claim(p, &claim, add);
	ret = claim_and_scrub(&claim, add, message);
	if (ret)
		for (i = 0; i < claim.got.count; i++)
			mk_pages_give_back(claim.got.at[i].pfn, claim.got.at[i].pages);
	mutex_lock(&p->lock);
	p->wanted_bytes = 0;
	p->claimed_bytes = 0;
	mutex_unlock(&p->lock);
	kvfree(claim.got.at);
	return ret;
}
