/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Lists of chunks: growing, cutting, merging. Pure logic: it is compiled for user
 * space, too, where tests/unit/kernel/ compares a list with an array.
 */
#ifndef MK_HOST_MEMORY_LIST_H
#define MK_HOST_MEMORY_LIST_H

#ifdef __KERNEL__
#include <linux/types.h>
#else
#include <stdbool.h>
typedef unsigned int u32;
#endif

/* Contiguous host memory. */
struct mk_chunk {
	unsigned long pfn;
	unsigned long pages;
	int node;
	u32 state;		/* enum mk_range_state */
	u32 id;			/* of the MK_ADD_MEMORY that claimed it */
	bool boot;		/* in the memory map that the app kernel boots with */
};

struct mk_chunks {
	struct mk_chunk *at;
	unsigned int count;
	unsigned int room;
};

int mk_chunks_room(struct mk_chunks *chunks, unsigned int more);
void mk_chunks_add(struct mk_chunks *chunks, const struct mk_chunk *chunk);
struct mk_chunk *mk_chunks_find(const struct mk_chunks *chunks, unsigned long pfn,
				unsigned long pages);
struct mk_chunk *mk_chunks_cut(struct mk_chunks *chunks, unsigned long pfn,
			       unsigned long pages);
void mk_chunks_drop(struct mk_chunks *chunks, unsigned int index);
void mk_chunks_merge(struct mk_chunks *chunks, unsigned int first);

#endif /* MK_HOST_MEMORY_LIST_H */
