// SPDX-License-Identifier: GPL-2.0-only
/*
 * Lists of ranges of memory, against a plain array that says for each page whose
 * it is.
 */
#include <linux/mm.h>

#include "host.h"
#include "suites.h"

#define FIRST	0x1000UL
#define PAGES	32U
#define OWNERS	4U	/* 0: it is in no range */

static struct mk_chunk chunk_of(u32 begin, u32 pages, u32 id)
{
	return (struct mk_chunk){ .pfn = FIRST + begin, .pages = pages, .id = id,
				  .state = MK_RANGE_TAKEN };
}

static bool all_the_same(const u8 *owners, u32 begin, u32 pages)
{
	u32 i;

	for (i = 1; i < pages; i++)
		if (owners[begin + i] != owners[begin])
			return false;
	return true;
}

/* Makes @pages another owner's, if they are one's; the array is the truth. */
static void move_range(struct kunit *test, struct mk_chunks *chunks, const u8 *owners,
		       u32 begin, u32 pages, u32 owner)
{
	struct mk_chunk added = chunk_of(begin, pages, owner), *chunk;

	KUNIT_ASSERT_EQ(test, 0, mk_chunks_room(chunks, 2));
	chunk = mk_chunks_cut(chunks, FIRST + begin, pages);
	if (!owners[begin] || !all_the_same(owners, begin, pages)) {
		KUNIT_EXPECT_NULL(test, chunk);
		if (owner)
			mk_chunks_add(chunks, &added);
		return;
	}
	KUNIT_ASSERT_NOT_NULL(test, chunk);
	KUNIT_EXPECT_EQ(test, FIRST + begin, chunk->pfn);
	KUNIT_EXPECT_EQ(test, (unsigned long)pages, chunk->pages);
	if (owner)
		chunk->id = owner;
	else
		mk_chunks_drop(chunks, chunk - chunks->at);
}

/* Sorted, joined, and as the array has it. */
static void list_is(struct kunit *test, const struct mk_chunks *chunks, const u8 *owners)
{
	u32 page, pages, n = 0;

	for (page = 0; page < PAGES; page += pages) {
		for (pages = 1; page + pages < PAGES &&
		     owners[page + pages] == owners[page]; pages++)
			;
		if (!owners[page])
			continue;
		KUNIT_ASSERT_LT(test, n, chunks->count);
		KUNIT_EXPECT_EQ(test, FIRST + page, chunks->at[n].pfn);
		KUNIT_EXPECT_EQ(test, (unsigned long)pages, chunks->at[n].pages);
		KUNIT_EXPECT_EQ(test, (u32)owners[page], chunks->at[n].id);
		n++;
	}
	KUNIT_EXPECT_EQ(test, n, chunks->count);
}

static void list_says_the_same_as_an_array(struct kunit *test)
{
	struct mk_chunks *chunks = test->priv;
	struct rnd_state random;
	u8 owners[PAGES] = {};
	u32 round, longest = 0;

	prandom_seed_state(&random, 3);
	for (round = 0; round < ROUNDS; round++) {
		u32 begin = mk_below(&random, PAGES);
		u32 pages = 1 + mk_below(&random, min(PAGES - begin, 8U));
		u32 owner = mk_below(&random, OWNERS);

		/* two owners' pages cannot become a third's at once */
		if (!all_the_same(owners, begin, pages))
			owner = 0;
		move_range(test, chunks, owners, begin, pages, owner);
		if (all_the_same(owners, begin, pages))
			memset(owners + begin, owner, pages);
		mk_chunks_merge(chunks, 0);
		list_is(test, chunks, owners);
		longest = max(longest, chunks->count);
	}
	KUNIT_EXPECT_GT(test, longest, PAGES / 4);
}

/* The first range begins with the control area, and stays the first. */
static void first_range_keeps_its_place_and_grows(struct kunit *test)
{
	struct mk_chunks *chunks = test->priv;
	static const u32 begins[] = { 16, 24, 0, 20, 8 };
	u32 i;

	KUNIT_ASSERT_EQ(test, 0, mk_chunks_room(chunks, ARRAY_SIZE(begins)));
	for (i = 0; i < ARRAY_SIZE(begins); i++) {
		struct mk_chunk chunk = chunk_of(begins[i], 4, 1);

		mk_chunks_add(chunks, &chunk);
	}
	mk_chunks_merge(chunks, 1);
	KUNIT_ASSERT_EQ(test, 3U, chunks->count);
	KUNIT_EXPECT_EQ(test, FIRST + 16, chunks->at[0].pfn);
	KUNIT_EXPECT_EQ(test, 12UL, chunks->at[0].pages);
	KUNIT_EXPECT_EQ(test, FIRST, chunks->at[1].pfn);
	KUNIT_EXPECT_EQ(test, FIRST + 8, chunks->at[2].pfn);
}

static int make_list(struct kunit *test)
{
	test->priv = kunit_kzalloc(test, sizeof(struct mk_chunks), GFP_KERNEL);
	return test->priv ? 0 : -ENOMEM;
}

static void free_list(struct kunit *test)
{
	struct mk_chunks *chunks = test->priv;

	if (chunks)
		kvfree(chunks->at);
}

static struct kunit_case memory_list_cases[] = {
	KUNIT_CASE(list_says_the_same_as_an_array),
	KUNIT_CASE(first_range_keeps_its_place_and_grows),
	{}
};

struct kunit_suite mk_memory_list_suite = {
	.name = "multikernel_memory_list",
	.init = make_list,
	.exit = free_list,
	.test_cases = memory_list_cases,
};
