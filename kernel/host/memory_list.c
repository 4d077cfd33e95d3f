// SPDX-License-Identifier: GPL-2.0-only
/*
 * Lists of chunks: growing, cutting, merging. Not what a chunk may become
 * (memory_live.c), nor where it comes from (memory_claim.c).
 */
#ifdef __KERNEL__
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/sort.h>

#include "fault.h"
#else
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#define mk_fault(what)				false
#define kvmalloc_array(count, size, how)	calloc(count, size)
#define kvfree(at)				free(at)
#define sort(at, count, size, compare, swap)	qsort(at, count, size, compare)

static inline unsigned int max(unsigned int a, unsigned int b)
{
	return a > b ? a : b;
}
#endif

#include "uapi/linux/multikernel.h"

#include "memory_list.h"

/**
 * mk_chunks_room - make room in a list
 * @chunks: the list
 * @more: how many will be added
 *
 * Return: 0 or -ENOMEM.
 */
int mk_chunks_room(struct mk_chunks *chunks, unsigned int more)
{
	unsigned int room = chunks->count + more;
	struct mk_chunk *at;

	if (room <= chunks->room)
		return 0;
	room = max(room, 2 * chunks->room);
	at = mk_fault("memory: list") ? NULL :
	     kvmalloc_array(room, sizeof(*at), GFP_KERNEL);
	if (!at)
		return -ENOMEM;
	if (chunks->count)
		memcpy(at, chunks->at, chunks->count * sizeof(*at));
	kvfree(chunks->at);
	chunks->at = at;
	chunks->room = room;
	return 0;
}

/**
 * mk_chunks_add - add to the end of a list that has room for it
 * @chunks: the list
 * @chunk: what is added
 */
void mk_chunks_add(struct mk_chunks *chunks, const struct mk_chunk *chunk)
{
	chunks->at[chunks->count++] = *chunk;
}

/**
 * mk_chunks_find - the chunk that a range lies in
 * @chunks: the list
 * @pfn: begin of the range
 * @pages: its length
 *
 * Return: the chunk, or NULL if no single one has all of it.
 */
struct mk_chunk *mk_chunks_find(const struct mk_chunks *chunks, unsigned long pfn,
				unsigned long pages)
{
	unsigned int i;

	for (i = 0; i < chunks->count; i++) {
		struct mk_chunk *chunk = &chunks->at[i];

		if (pfn >= chunk->pfn && pages <= chunk->pages &&
		    pfn - chunk->pfn <= chunk->pages - pages)
			return chunk;
	}
	return NULL;
}

static void split(struct mk_chunks *chunks, struct mk_chunk *chunk, unsigned long pages)
{
	memmove(chunk + 1, chunk, (chunks->at + chunks->count - chunk) * sizeof(*chunk));
	chunks->count++;
	chunk[0].pages = pages;
	chunk[1].pfn += pages;
	chunk[1].pages -= pages;
}

/**
 * mk_chunks_cut - make a range a chunk of its own
 * @chunks: the list; has room for two more
 * @pfn: begin of the range
 * @pages: its length, not 0
 *
 * The order stays, so what was in front of the range stays there.
 *
 * Return: the chunk, or NULL if no single one had all of the range.
 */
struct mk_chunk *mk_chunks_cut(struct mk_chunks *chunks, unsigned long pfn,
			       unsigned long pages)
{
	struct mk_chunk *chunk = mk_chunks_find(chunks, pfn, pages);

	if (!chunk)
		return NULL;
	if (pfn != chunk->pfn) {
		split(chunks, chunk, pfn - chunk->pfn);
		chunk++;
	}
	if (pages != chunk->pages)
		split(chunks, chunk, pages);
	return chunk;
}

/**
 * mk_chunks_drop - take a chunk out of a list
 * @chunks: the list
 * @index: which
 */
void mk_chunks_drop(struct mk_chunks *chunks, unsigned int index)
{
	chunks->count--;
	memmove(chunks->at + index, chunks->at + index + 1,
		(chunks->count - index) * sizeof(*chunks->at));
}

static int by_pfn(const void *a, const void *b)
{
	const struct mk_chunk *x = a, *y = b;

	return x->pfn < y->pfn ? -1 : x->pfn > y->pfn;
}

/* What the app kernel has since it booted is one, whoever claimed it. */
static bool continues(const struct mk_chunk *chunk, const struct mk_chunk *next)
{
	return chunk->pfn + chunk->pages == next->pfn && chunk->node == next->node &&
	       chunk->state == next->state && chunk->boot == next->boot &&
	       (chunk->id == next->id || chunk->state == MK_RANGE_BOOT);
}

/**
 * mk_chunks_merge - sort a list by address, and join what belongs together
 * @chunks: the list
 * @first: index of the first that is moved; those in front of it keep their
 *	place, but the one right in front may grow
 */
void mk_chunks_merge(struct mk_chunks *chunks, unsigned int first)
{
	struct mk_chunk *at = chunks->at;
	unsigned int i, last = first;

	if (first >= chunks->count)
		return;
	sort(at + first, chunks->count - first, sizeof(*at), by_pfn, NULL);
	for (i = first + 1; i < chunks->count; i++) {
		if (continues(&at[last], &at[i]))
			at[last].pages += at[i].pages;
		else
			at[++last] = at[i];
	}
	chunks->count = last + 1;
	for (i = first; first && i < chunks->count; i++) {
		if (continues(&at[first - 1], &at[i])) {
			at[first - 1].pages += at[i].pages;
			mk_chunks_drop(chunks, i);
			break;
		}
	}
}
