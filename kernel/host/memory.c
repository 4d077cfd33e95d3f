// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory of partitions: claimed from the host's free and movable pages, no
 * reservation at boot needed, and scrubbed whenever it changes hands. Not the
 * choice of node and amount (user space's), nor how user space sees it
 * (memory_file.c).
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/ktime.h>
#include <linux/memory_hotplug.h>
#include <linux/module.h>
#include <linux/mm.h>
#include <linux/nodemask.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/sort.h>

#include "compat.h"
#include "host.h"

/*
 * The largest piece that is asked for at once. One attempt cannot be cancelled
 * and may have to move everything that is in its way; neighbours are merged, so
 * a small limit costs little.
 */
#define LARGEST_PAGES	(SZ_128M >> PAGE_SHIFT)
#define SMALLEST_PAGES	(MK_MEMORY_ALIGN >> PAGE_SHIFT)
#define LOWEST_PFN	(SZ_16M >> PAGE_SHIFT)	/* leave ZONE_DMA alone */
#define RETRY_MS	1000

struct claim {
	struct mk_partition *p;
	struct mk_chunk *chunks;
	unsigned int count;
	unsigned int room;
	unsigned long left;	/* pages */
};

static void release_work(struct work_struct *work);

/**
 * mk_memory_new - an empty memory object
 *
 * Return: it, with one reference, or NULL.
 */
struct mk_memory *mk_memory_new(void)
{
	struct mk_memory *memory;

	memory = mk_fault("create: memory") ? NULL :
		 kzalloc(sizeof(*memory), GFP_KERNEL);
	if (memory) {
		kref_init(&memory->ref);
		mutex_init(&memory->lock);
		INIT_DELAYED_WORK(&memory->release, release_work);
	}
	return memory;
}

static void scrub(unsigned long pfn, unsigned long pages)
{
	unsigned long i;

	for (i = 0; i < pages; i++) {
		clear_page(page_address(pfn_to_page(pfn + i)));
		if (!(i % 256))
			cond_resched();
	}
}

/* Merged ranges have no largest size, and freeing does not reschedule. */
static void give_back(const struct mk_chunk *chunk)
{
	unsigned long pfn = chunk->pfn, left = chunk->pages, pages;

	for (; left; left -= pages, pfn += pages) {
		pages = min(left, LARGEST_PAGES);
		free_contig_range(pfn, pages);
		cond_resched();
	}
}

/* Somebody, e.g. direct I/O, may still hold a page that was mapped. */
static bool in_use(const struct mk_chunk *chunk)
{
	unsigned long i;

	for (i = 0; i < chunk->pages; i++) {
		if (page_count(pfn_to_page(chunk->pfn + i)) != 1)
			return true;
		if (!(i % SMALLEST_PAGES))
			cond_resched();
	}
	return false;
}

static void release_now(struct mk_memory *memory)
{
	unsigned int i, kept = 0;

	for (i = 0; i < memory->count; i++) {
		struct mk_chunk chunk = memory->chunks[i];

		if (in_use(&chunk)) {
			memory->chunks[kept++] = chunk;
			continue;
		}
		scrub(chunk.pfn, chunk.pages);
		give_back(&chunk);
	}
	memory->count = kept;
	if (kept) {
		pr_warn_ratelimited("%u ranges of memory are still in use, will try again\n",
				    kept);
		__module_get(THIS_MODULE);
		queue_delayed_work(mk_queue, &memory->release,
				   msecs_to_jiffies(RETRY_MS));
		return;
	}
	if (memory->bytes)
		pr_info("scrubbed and freed %llu MiB\n", memory->bytes >> 20);
	kvfree(memory->chunks);
	kfree(memory);
}

/* Module exit drains the queue, so this may end after its reference is gone. */
static void release_work(struct work_struct *work)
{
	release_now(container_of(to_delayed_work(work), struct mk_memory,
				 release));
	module_put(THIS_MODULE);
}

static void release_memory(struct kref *ref)
{
	release_now(container_of(ref, struct mk_memory, ref));
}

/**
 * mk_memory_put - drop a reference; with the last one, scrub and free
 * @memory: the memory, not NULL
 *
 * Pages that somebody still holds follow as soon as they are let go.
 *
 * Context: may sleep, for seconds.
 */
void mk_memory_put(struct mk_memory *memory)
{
	kref_put(&memory->ref, release_memory);
}

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
		    page_zone(page) != zone) {
			*bad = pfn + i;
			return false;
		}
		if (!(i % SMALLEST_PAGES))
			cond_resched();
	}
	return true;
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
	struct mk_chunk *more;

	if (claim->count == claim->room) {
		unsigned int room = claim->room ? 2 * claim->room : 64;

		more = mk_fault("memory: list") ? NULL :
		       kvmalloc_array(room, sizeof(*more), GFP_KERNEL);
		if (!more)
			return -ENOMEM;
		if (claim->count)
			memcpy(more, claim->chunks,
			       claim->count * sizeof(*more));
		kvfree(claim->chunks);
		claim->chunks = more;
		claim->room = room;
	}
	claim->chunks[claim->count++] = (struct mk_chunk){
		.pfn = pfn, .pages = pages, .node = node,
	};
	claim->left -= pages;
	WRITE_ONCE(claim->p->claimed_bytes,
		   claim->p->claimed_bytes + (pages << PAGE_SHIFT));
	return 0;
}

/* Claim pieces of @size pages from the top of a node down. */
static int claim_size(struct claim *claim, int node, unsigned long size)
{
	unsigned long start = max(node_start_pfn(node), LOWEST_PFN);
	unsigned long end = node_end_pfn(node), pages, pfn, bad;
	int ret;

	while (claim->left) {
		pages = min(size, claim->left);
		if (end < start + pages)
			return 0;
		pfn = ALIGN_DOWN(end - pages, SMALLEST_PAGES);
		if (pfn < start)
			return 0;
		ret = interrupted(claim->p);
		if (ret)
			return ret;
		if (!usable(pfn, pages, node, &bad)) {
			end = bad;
			continue;
		}
		ret = mk_fault("memory: pages") ? -EBUSY :
		      mk_alloc_contig_range(pfn, pfn + pages);
		if (ret) {
			end = pfn + pages - max(pages / 4, SMALLEST_PAGES);
			continue;
		}
		ret = record(claim, pfn, pages, node);
		if (ret) {
			free_contig_range(pfn, pages);
			return ret;
		}
		end = pfn;
	}
	return 0;
}

static int claim_node(struct claim *claim, int node)
{
	unsigned long size;
	int ret;

	for (size = LARGEST_PAGES; size >= SMALLEST_PAGES; size /= 2) {
		ret = claim_size(claim, node, size);
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

static int by_pfn(const void *a, const void *b)
{
	const struct mk_chunk *x = a, *y = b;

	return x->pfn < y->pfn ? -1 : x->pfn > y->pfn;
}

/* Merge neighbours and put the largest range first: the kernel goes there. */
static void tidy(struct claim *claim)
{
	struct mk_chunk *chunks = claim->chunks;
	unsigned int i, last = 0, largest = 0;

	sort(chunks, claim->count, sizeof(*chunks), by_pfn, NULL);
	for (i = 1; i < claim->count; i++) {
		if (chunks[last].pfn + chunks[last].pages == chunks[i].pfn &&
		    chunks[last].node == chunks[i].node)
			chunks[last].pages += chunks[i].pages;
		else
			chunks[++last] = chunks[i];
	}
	claim->count = last + 1;
	for (i = 1; i < claim->count; i++)
		if (chunks[i].pages > chunks[largest].pages)
			largest = i;
	swap(chunks[0], chunks[largest]);
}

static int scrub_chunk(struct claim *claim, const struct mk_chunk *chunk)
{
	unsigned long pfn = chunk->pfn, left = chunk->pages, pages;
	int ret;

	for (; left; left -= pages, pfn += pages) {
		ret = interrupted(claim->p);
		if (ret)
			return ret;
		pages = min(left, LARGEST_PAGES);
		scrub(pfn, pages);
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
	for (i = 0; i < claim->count; i++) {
		ret = scrub_chunk(claim, &claim->chunks[i]);
		if (ret)
			return ret;
	}
	return 0;
}

static int append(struct mk_memory *memory, struct claim *claim)
{
	unsigned int total = memory->count + claim->count, i;
	struct mk_chunk *chunks;

	chunks = mk_fault("memory: array") ? NULL :
		 kvmalloc_array(total, sizeof(*chunks), GFP_KERNEL);
	if (!chunks)
		return -ENOMEM;
	mutex_lock(&memory->lock);
	if (memory->count)
		memcpy(chunks, memory->chunks, memory->count * sizeof(*chunks));
	memcpy(chunks + memory->count, claim->chunks,
	       claim->count * sizeof(*chunks));
	swap(memory->chunks, chunks);
	memory->count = total;
	for (i = 0; i < claim->count; i++)
		memory->bytes += (u64)claim->chunks[i].pages << PAGE_SHIFT;
	mutex_unlock(&memory->lock);
	kvfree(chunks);
	return 0;
}

static int claim_and_scrub(struct claim *claim, u64 bytes, int node,
			   struct mk_message *message)
{
	struct mk_partition *p = claim->p;
	u64 start = ktime_get_ns(), claimed;
	int ret;

	ret = claim_nodes(claim, node);
	if (ret)
		return ret;
	if (claim->left)
		return mk_fail(message, -ENOMEM,
			       "%llu MiB wanted, %llu MiB could be had",
			       bytes >> 20,
			       (bytes - ((u64)claim->left << PAGE_SHIFT)) >> 20);
	tidy(claim);
	claimed = ktime_get_ns();
	ret = scrub_all(claim);
	if (ret)
		return ret;
	ret = append(p->memory, claim);
	if (ret)
		return ret;
	mutex_lock(&p->lock);
	p->claim_ns = claimed - start;
	p->scrub_ns = ktime_get_ns() - claimed;
	mutex_unlock(&p->lock);
	pr_info("%s: claimed %llu MiB in %u ranges, first at %#lx\n", p->label,
		bytes >> 20, claim->count, claim->chunks[0].pfn << PAGE_SHIFT);
	return 0;
}

/**
 * mk_memory_claim - claim memory from the host for a partition
 * @p: the partition; the caller is its only call
 * @bytes: how much, a multiple of MK_MEMORY_ALIGN
 * @node: from which NUMA node; NUMA_NO_NODE for any
 * @message: filled on failure
 *
 * Context: may sleep, for long; ends early on a fatal signal or MK_CANCEL.
 * Return: 0, -EINVAL, -ENOMEM, -EINTR or -ECANCELED; on failure nothing was
 * taken.
 */
int mk_memory_claim(struct mk_partition *p, u64 bytes, int node,
		    struct mk_message *message)
{
	struct claim claim = { .p = p, .left = bytes >> PAGE_SHIFT };
	u64 available = (u64)si_mem_available() << PAGE_SHIFT;
	unsigned int i;
	int ret;

	if (node != NUMA_NO_NODE &&
	    (node < 0 || node >= MAX_NUMNODES || !node_online(node)))
		return mk_fail(message, -EINVAL, "there is no node %d", node);
	if (bytes > available)
		return mk_fail(message, -ENOMEM,
			       "%llu MiB wanted, the host has %llu MiB available",
			       bytes >> 20, available >> 20);
	mutex_lock(&p->lock);
	p->wanted_bytes = bytes;
	p->claimed_bytes = 0;
	mutex_unlock(&p->lock);
	ret = claim_and_scrub(&claim, bytes, node, message);
	if (ret)
		for (i = 0; i < claim.count; i++)
			give_back(&claim.chunks[i]);
	mutex_lock(&p->lock);
	p->wanted_bytes = 0;
	p->claimed_bytes = 0;
	mutex_unlock(&p->lock);
	kvfree(claim.chunks);
	return ret;
}
