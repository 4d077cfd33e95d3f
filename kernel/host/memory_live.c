// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory that moves while an app kernel runs: who uses a range, by what was asked
 * and what was answered, and how ranges go back to the host. Not how they are
 * claimed and freed (memory_claim.c, memory.c).
 *
 * A range is GIVEN from the moment that the app kernel is asked to use it, and no
 * longer only when it has answered that it does not. What it says is hostile: a
 * size beyond what was asked for is no answer, and a range that is not its boot
 * memory is no balloon.
 */
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include "host.h"

#define LARGEST_BLOCK	SZ_2G

static u64 bytes_of(const struct mk_chunk *chunk)
{
	return (u64)chunk->pages << PAGE_SHIFT;
}

/* Nobody uses it. */
static bool idle(const struct mk_chunk *chunk)
{
	return chunk->state == MK_RANGE_TAKEN || chunk->state == MK_RANGE_RELEASED;
}

static void tidy(struct mk_memory *memory)
{
	mk_chunks_merge(&memory->owned, 1);
}

/**
 * mk_memory_block_bytes - the unit in which the app kernel adds and removes memory
 * @p: the partition
 *
 * Context: the partition's lock is held.
 * Return: a power of two, or 0 if it has not said one that can be.
 */
u64 mk_memory_block_bytes(struct mk_partition *p)
{
	u64 bytes = p->control ? READ_ONCE(mk_app_page(p)->block_bytes) : 0;

	if (!is_power_of_2(bytes) || bytes < MK_MEMORY_ALIGN || bytes > LARGEST_BLOCK)
		return 0;
	return bytes;
}

static u64 balloon_bytes(const struct mk_memory *memory)
{
	unsigned int i;
	u64 bytes = 0;

	for (i = 0; i < memory->holes.count; i++)
		bytes += bytes_of(&memory->holes.at[i]);
	for (i = 0; i < memory->owned.count; i++) {
		const struct mk_chunk *chunk = &memory->owned.at[i];

		if (chunk->boot && chunk->state != MK_RANGE_BOOT)
			bytes += bytes_of(chunk);
	}
	return bytes;
}

/**
 * mk_memory_balloon_bytes - how much boot memory the app kernel does not use
 * @p: the partition
 *
 * Context: the partition's lock is held.
 * Return: by our books, not by what it says.
 */
u64 mk_memory_balloon_bytes(struct mk_partition *p)
{
	u64 bytes;

	mutex_lock(&p->memory->lock);
	bytes = balloon_bytes(p->memory);
	mutex_unlock(&p->memory->lock);
	return bytes;
}

/* The range of a request, if it is a part of one in this state. */
static int find(struct mk_partition *p, const struct mk_request *request, u32 state)
{
	u64 block = mk_memory_block_bytes(p);
	struct mk_chunk *chunk;

	if (!block)
		return -EBUSY;
	if (!request->bytes || request->bytes % block || request->arg % block)
		return -EINVAL;
	chunk = mk_chunks_find(&p->memory->owned, request->arg >> PAGE_SHIFT,
			       request->bytes >> PAGE_SHIFT);
	if (!chunk)
		return -EINVAL;
	return chunk->state == state && !chunk->boot ? 0 : -EBUSY;
}

static int offer(struct mk_partition *p, const struct mk_request *request)
{
	struct mk_chunks *owned = &p->memory->owned;
	struct mk_chunk *chunk;
	int ret;

	ret = find(p, request, MK_RANGE_TAKEN) ?: mk_chunks_room(owned, 2);
	if (ret)
		return ret;
	chunk = mk_chunks_cut(owned, request->arg >> PAGE_SHIFT,
			      request->bytes >> PAGE_SHIFT);
	chunk->state = MK_RANGE_GIVEN;
	return 0;
}

/* A smaller balloon may be filled from all that the partition owns of it. */
static int offer_balloon(struct mk_partition *p, const struct mk_request *request)
{
	struct mk_chunks *owned = &p->memory->owned;
	unsigned int i;

	if (request->arg || request->bytes % MK_MEMORY_ALIGN)
		return -EINVAL;
	if (request->bytes >= balloon_bytes(p->memory))
		return 0;
	for (i = 0; i < owned->count; i++)
		if (owned->at[i].boot && idle(&owned->at[i]))
			owned->at[i].state = MK_RANGE_GIVEN;
	return 0;
}

static u32 list(struct mk_partition *p, u32 from, bool boot)
{
	struct mk_grant_table *table = p->control + MK_GRANT_TABLE;
	const struct mk_chunks *owned = &p->memory->owned;
	unsigned int i;
	u32 n = from;

	for (i = 0; i < owned->count && n < MK_SHARED_RANGES; i++) {
		const struct mk_chunk *chunk = &owned->at[i];

		if (chunk->state != MK_RANGE_GIVEN || chunk->boot != boot)
			continue;
		WRITE_ONCE(table->ranges[n].start, (u64)chunk->pfn << PAGE_SHIFT);
		WRITE_ONCE(table->ranges[n].bytes, bytes_of(chunk));
		n++;
	}
	return n - from;
}

static void write_grants(struct mk_partition *p)
{
	struct mk_grant_table *table = p->control + MK_GRANT_TABLE;
	u32 added = list(p, 0, false);

	WRITE_ONCE(table->added, added);
	WRITE_ONCE(table->returned, list(p, added, true));
}

/**
 * mk_memory_ask - may this be asked of the app kernel? Then prepare for it
 * @p: the partition, running; the last request of the memory channel is answered
 * @request: one of the memory channel, which the caller posts
 *
 * Context: the partition's lock is held.
 * Return: 0, -EINVAL, -EBUSY or -ENOMEM.
 */
int mk_memory_ask(struct mk_partition *p, const struct mk_request *request)
{
	int ret;

	lockdep_assert_held(&p->lock);
	mutex_lock(&p->memory->lock);
	if (request->op == MK_REQUEST_MEMORY_ADD)
		ret = offer(p, request);
	else if (request->op == MK_REQUEST_MEMORY_REMOVE)
		ret = find(p, request, MK_RANGE_GIVEN);
	else
		ret = offer_balloon(p, request);
	if (!ret) {
		tidy(p->memory);
		write_grants(p);
		p->asked_bytes = request->bytes;
	}
	mutex_unlock(&p->memory->lock);
	return ret;
}

/* The upper part of what was asked for, from @bytes on, has another state now. */
static void set_above(struct mk_partition *p, u64 bytes, u32 state)
{
	struct mk_chunks *owned = &p->memory->owned;
	u64 start = p->answers[MK_CHANNEL_MEMORY].arg;
	struct mk_chunk *chunk;

	/* no memory for it: then it stays GIVEN, which is safe */
	if (bytes == p->asked_bytes || mk_chunks_room(owned, 2))
		return;
	chunk = mk_chunks_cut(owned, (start + bytes) >> PAGE_SHIFT,
			      (p->asked_bytes - bytes) >> PAGE_SHIFT);
	if (chunk && chunk->state == MK_RANGE_GIVEN && !chunk->boot)
		chunk->state = state;
}

/* Boot memory between @pfn and @end is released; never what the next boot needs. */
static void release_boot(struct mk_partition *p, unsigned long pfn, unsigned long end)
{
	struct mk_chunks *owned = &p->memory->owned;
	unsigned int i;

	if (pfn < p->image_end >> PAGE_SHIFT && end > p->control_start >> PAGE_SHIFT)
		return;
	for (i = 0; i < owned->count; i++) {
		const struct mk_chunk *chunk = &owned->at[i];
		unsigned long from = max(pfn, chunk->pfn);
		unsigned long to = min(end, chunk->pfn + chunk->pages);

		if (chunk->state != MK_RANGE_BOOT || from >= to)
			continue;
		mk_chunks_cut(owned, from, to - from)->state = MK_RANGE_RELEASED;
	}
}

/* Hostile: each word of the table is read once. */
static void learn_balloon(struct mk_partition *p)
{
	struct mk_balloon_table *table = p->control + MK_BALLOON_TABLE;
	struct mk_chunks *owned = &p->memory->owned;
	u32 count = min_t(u32, READ_ONCE(table->count), MK_SHARED_RANGES), i;

	if (mk_chunks_room(owned, 2 * count))
		return;
	for (i = 0; i < owned->count; i++)
		if (owned->at[i].boot && owned->at[i].state == MK_RANGE_GIVEN)
			owned->at[i].state = MK_RANGE_BOOT;
	for (i = 0; i < count; i++) {
		u64 start = READ_ONCE(table->ranges[i].start), end;
		u64 bytes = READ_ONCE(table->ranges[i].bytes);

		if (start % MK_MEMORY_ALIGN || bytes % MK_MEMORY_ALIGN ||
		    check_add_overflow(start, bytes, &end))
			continue;
		release_boot(p, start >> PAGE_SHIFT, end >> PAGE_SHIFT);
	}
}

/**
 * mk_memory_answered - the app kernel has answered a request of the memory channel
 * @p: the partition; its answer is in @answers
 *
 * Context: the partition's lock is held.
 */
void mk_memory_answered(struct mk_partition *p)
{
	const struct mk_answer *answer = &p->answers[MK_CHANNEL_MEMORY];
	u64 value = answer->value;

	lockdep_assert_held(&p->lock);
	mutex_lock(&p->memory->lock);
	if (value > p->asked_bytes || value % MK_MEMORY_ALIGN)
		value = answer->op == MK_REQUEST_MEMORY_ADD ? p->asked_bytes : 0;
	if (answer->op == MK_REQUEST_MEMORY_ADD)
		set_above(p, value, MK_RANGE_TAKEN);
	else if (answer->op == MK_REQUEST_MEMORY_REMOVE)
		set_above(p, p->asked_bytes - value, MK_RANGE_RELEASED);
	else
		learn_balloon(p);
	tidy(p->memory);
	mutex_unlock(&p->memory->lock);
}

/**
 * mk_memory_stopped - no app kernel uses anything any more
 * @p: the partition; its CPUs are reset
 *
 * Context: the partition's lock is held.
 */
void mk_memory_stopped(struct mk_partition *p)
{
	struct mk_chunks *owned = &p->memory->owned;
	unsigned int i;

	mutex_lock(&p->memory->lock);
	for (i = 0; i < owned->count; i++)
		owned->at[i].state = owned->at[i].boot ? MK_RANGE_BOOT : MK_RANGE_TAKEN;
	tidy(p->memory);
	mutex_unlock(&p->memory->lock);
}

/**
 * mk_memory_load - what the partition has is what the next app kernel boots with
 * @p: the partition; its CPUs are reset
 * @before: out: what the list was, for mk_memory_loaded(); zeroed
 *
 * Context: the partition's lock is held; may sleep.
 * Return: 0 or -ENOMEM.
 */
int mk_memory_load(struct mk_partition *p, struct mk_chunks *before)
{
	struct mk_chunks *owned = &p->memory->owned;
	unsigned int i;
	int ret;

	mutex_lock(&p->memory->lock);
	ret = mk_chunks_room(before, owned->count);
	for (i = 0; !ret && i < owned->count; i++) {
		mk_chunks_add(before, &owned->at[i]);
		owned->at[i].state = MK_RANGE_BOOT;
		owned->at[i].boot = true;
	}
	if (!ret)
		tidy(p->memory);
	mutex_unlock(&p->memory->lock);
	return ret;
}

/**
 * mk_memory_loaded - there is a new memory map, without what is not there now
 * @p: the partition
 * @before: of mk_memory_load(); is freed
 * @loaded: false: it was not made, and all is as it was
 *
 * Context: the partition's lock is held.
 */
void mk_memory_loaded(struct mk_partition *p, struct mk_chunks *before, bool loaded)
{
	mutex_lock(&p->memory->lock);
	if (loaded)
		p->memory->holes.count = 0;
	else if (before->count)
		swap(p->memory->owned, *before);
	mutex_unlock(&p->memory->lock);
	kvfree(before->at);
}

/* Is all between @pfn and @end the partition's, and idle? */
static int check_idle(const struct mk_chunks *owned, unsigned long pfn, unsigned long end,
		      struct mk_message *message)
{
	unsigned long found = 0;
	unsigned int i;

	for (i = 0; i < owned->count; i++) {
		const struct mk_chunk *chunk = &owned->at[i];
		unsigned long from = max(pfn, chunk->pfn);
		unsigned long to = min(end, chunk->pfn + chunk->pages);

		if (from >= to)
			continue;
		if (!idle(chunk))
			return mk_fail(message, -EBUSY,
				       "the app kernel uses the memory at %#lx, or was asked to",
				       from << PAGE_SHIFT);
		found += to - from;
	}
	if (found != end - pfn)
		return mk_fail(message, -EINVAL,
			       "the partition does not own all of this memory");
	return 0;
}

/* Moves what is idle between @pfn and @end to @gone. There is room for it. */
static void detach(struct mk_memory *memory, unsigned long pfn, unsigned long end,
		   struct mk_memory *gone)
{
	struct mk_chunks *owned = &memory->owned;
	unsigned int i = 0;

	while (i < owned->count) {
		unsigned long from = max(pfn, owned->at[i].pfn);
		unsigned long to = min(end, owned->at[i].pfn + owned->at[i].pages);
		struct mk_chunk *chunk;

		if (from >= to || !idle(&owned->at[i])) {
			i++;
			continue;
		}
		chunk = mk_chunks_cut(owned, from, to - from);
		chunk->state = 0;
		chunk->id = 0;
		mk_chunks_add(&gone->owned, chunk);
		if (chunk->boot)
			mk_chunks_add(&memory->holes, chunk);
		gone->bytes += bytes_of(chunk);
		mk_chunks_drop(owned, chunk - owned->at);
	}
	memory->bytes -= gone->bytes;
	mk_chunks_merge(&memory->holes, 0);
	tidy(memory);
}

/**
 * mk_memory_remove - MK_REMOVE_MEMORY
 * @p: the partition; the caller is its only call
 * @remove: what; out: how much it was
 * @message: filled on failure
 *
 * Context: may sleep, for seconds.
 * Return: 0, -EINVAL, -EBUSY or -ENOMEM.
 */
int mk_memory_remove(struct mk_partition *p, struct mk_remove_memory *remove,
		     struct mk_message *message)
{
	bool all = !remove->start && !remove->bytes;
	struct mk_memory *memory = p->memory, *gone;
	unsigned int most;
	u64 end;
	int ret;

	if (remove->start % MK_MEMORY_ALIGN || remove->bytes % MK_MEMORY_ALIGN ||
	    check_add_overflow(remove->start, remove->bytes, &end) ||
	    (!all && !remove->bytes))
		return mk_fail(message, -EINVAL, "memory comes in multiples of %lu MiB",
			       MK_MEMORY_ALIGN >> 20);
	gone = mk_memory_new();
	if (!gone)
		return -ENOMEM;
	if (all)
		end = U64_MAX;
	mutex_lock(&memory->lock);
	most = memory->owned.count + 2;
	ret = all ? 0 : check_idle(&memory->owned, remove->start >> PAGE_SHIFT,
				   end >> PAGE_SHIFT, message);
	ret = ret ?: mk_chunks_room(&memory->owned, 2) ?:
	      mk_chunks_room(&memory->holes, most) ?: mk_chunks_room(&gone->owned, most);
	if (!ret) {
		detach(memory, remove->start >> PAGE_SHIFT, end >> PAGE_SHIFT, gone);
		remove->freed_bytes = gone->bytes;
	}
	mutex_unlock(&memory->lock);
	mk_memory_put(gone);
	return ret;
}
