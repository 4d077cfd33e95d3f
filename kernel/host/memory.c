// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory of partitions as objects: scrubbed and given back to the host when
 * nobody needs it any more. Not where it comes from (memory_claim.c), nor how user
 * space sees it (memory_file.c).
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/module.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "host.h"

#define RETRY_MS	1000

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

/**
 * mk_pages_scrub - clear pages
 * @pfn: the first
 * @pages: how many
 *
 * Context: may sleep.
 */
void mk_pages_scrub(unsigned long pfn, unsigned long pages)
{
	unsigned long i;

	for (i = 0; i < pages; i++) {
		clear_page(page_address(pfn_to_page(pfn + i)));
		if (!(i % 256))
			cond_resched();
	}
}

static const char claimed_mark;

/**
 * mk_pages_mark - tell other claims that pages are taken, or no longer are
 * @pfn: the first
 * @pages: how many, a multiple of MK_SMALLEST_PAGES
 * @claimed: which
 *
 * The first page of each piece has the mark in its private word, which nobody but
 * the owner of a page uses: a claim passes over it without asking for it.
 */
void mk_pages_mark(unsigned long pfn, unsigned long pages, bool claimed)
{
	unsigned long i;

	for (i = 0; i < pages; i += MK_SMALLEST_PAGES)
		set_page_private(pfn_to_page(pfn + i),
				 claimed ? (unsigned long)&claimed_mark : 0);
}

/**
 * mk_page_marked - is this the first page of a piece that is taken?
 * @page: a page of the host
 *
 * Return: whether it is.
 */
bool mk_page_marked(struct page *page)
{
	return page_private(page) == (unsigned long)&claimed_mark && page_count(page);
}

/**
 * mk_pages_give_back - return pages to the host, as they are
 * @pfn: the first
 * @left: how many; in pieces, because freeing does not reschedule
 *
 * Context: may sleep.
 */
void mk_pages_give_back(unsigned long pfn, unsigned long left)
{
	unsigned long pages;

	mk_pages_mark(pfn, left, false);
	for (; left; left -= pages, pfn += pages) {
		pages = min(left, MK_LARGEST_PAGES);
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
		if (!(i % MK_SMALLEST_PAGES))
			cond_resched();
	}
	return false;
}

static void release_now(struct mk_memory *memory)
{
	struct mk_chunks *owned = &memory->owned;
	unsigned int i, kept = 0;

	for (i = 0; i < owned->count; i++) {
		struct mk_chunk chunk = owned->at[i];

		if (in_use(&chunk)) {
			owned->at[kept++] = chunk;
			continue;
		}
		mk_pages_scrub(chunk.pfn, chunk.pages);
		mk_pages_give_back(chunk.pfn, chunk.pages);
	}
	owned->count = kept;
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
	kvfree(owned->at);
	kvfree(memory->holes.at);
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
