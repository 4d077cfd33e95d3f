// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory that the host grants while this kernel runs, and takes back: whole memory
 * blocks, which go to ZONE_MOVABLE (memhp_default_state= is on our command line), so
 * that they can be emptied again. Not boot memory: balloon.c.
 */
#define pr_fmt(fmt) "multikernel: " fmt

#include <linux/completion.h>
#include <linux/err.h>
#include <linux/kthread.h>
#include <linux/memory.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/nodemask.h>
#include <linux/overflow.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/sizes.h>
#include <linux/swap.h>
#include <linux/wait.h>

#include "app.h"

#define RESOURCE_NAME	"System RAM (multikernel)"
/* how long one block may take to be emptied before that is given up */
#define BLOCK_TIMEOUT	(30 * HZ)
/* what must be left beside the content of a block; less would wake the OOM killer */
#define MARGIN_PAGES	(SZ_16M >> PAGE_SHIFT)

struct removal {
	const struct mk_request_copy *request;
	u64 removed;
	int result;
	bool stop;
	bool done;
};

/* Is the range one that the host lets us have, in whole blocks? */
static int check_range(const struct mk_request_copy *request)
{
	u64 block = memory_block_size_bytes(), end;
	u32 count = min_t(u32, READ_ONCE(mk_shared.grants->added), MK_SHARED_RANGES), i;

	if (!request->bytes || request->arg % block || request->bytes % block ||
	    check_add_overflow(request->arg, request->bytes, &end))
		return -EINVAL;
	for (i = 0; i < count; i++) {
		const struct mk_shared_range *range = &mk_shared.grants->ranges[i];
		u64 start = READ_ONCE(range->start), bytes = READ_ONCE(range->bytes);

		if (request->arg >= start && end <= start + bytes)
			return 0;
	}
	pr_err("the host did not grant the memory at %#llx\n", request->arg);
	return -EPERM;
}

static int add_block(u64 start, u64 bytes)
{
	int ret = add_memory_driver_managed(first_memory_node, start, bytes, RESOURCE_NAME,
					    MHP_NONE);

	if (ret)
		return ret;
	if (pfn_to_online_page(PHYS_PFN(start)))
		return 0;
	/* it is there, but was not put online */
	if (offline_and_remove_memory(start, bytes))
		pr_err("cannot remove the memory at %#llx, which is offline\n", start);
	return -ENOMEM;
}

/**
 * mk_memory_add - use more memory
 * @request: the range, which the host has granted
 * @value: out: how many bytes of it are used, from its start on
 *
 * Context: may sleep.
 * Return: 0 or a negative errno.
 */
int mk_memory_add(const struct mk_request_copy *request, u64 *value)
{
	u64 block = memory_block_size_bytes();
	int ret = check_range(request);

	while (!ret && *value < request->bytes) {
		if (mk_request_withdrawn(request))
			ret = -EINTR;
		else
			ret = add_block(request->arg + *value, block);
		if (!ret)
			*value += block;
	}
	mk_stats_update();
	if (ret)
		pr_err("of %llu MiB at %#llx, %llu could be added: error %d\n",
		       request->bytes >> 20, request->arg, *value >> 20, ret);
	return ret;
}

/* What a block has in use must fit beside it. */
static bool fits_elsewhere(u64 bytes)
{
	long left = si_mem_available() - (long)(bytes >> PAGE_SHIFT);

	return left + get_nr_swap_pages() >= MARGIN_PAGES;
}

static int remove_blocks(void *context)
{
	u64 block = memory_block_size_bytes();
	struct removal *removal = context;
	const struct mk_request_copy *request = removal->request;
	int ret = 0;

	allow_kernel_signal(SIGKILL);
	while (!ret && removal->removed < request->bytes) {
		u64 end = request->arg + request->bytes - removal->removed;

		if (READ_ONCE(removal->stop))
			ret = -EINTR;
		else if (!fits_elsewhere(block))
			ret = -ENOMEM;
		else
			ret = offline_and_remove_memory(end - block, block);
		if (!ret)
			WRITE_ONCE(removal->removed, removal->removed + block);
	}
	removal->result = ret;
	smp_store_release(&removal->done, true); /* after all else, which is gone then */
	wake_up_all(&mk_request_wait);
	return 0;
}

/*
 * Emptying a block is tried for ever if a page cannot be moved, until there is a
 * signal: send one when the host wants no more, or a block takes too long.
 */
static void watch(struct removal *removal, struct task_struct *task)
{
	u64 removed;
	long left;

	do {
		removed = READ_ONCE(removal->removed);
		left = wait_event_timeout(mk_request_wait,
					  READ_ONCE(removal->done) ||
					  mk_request_withdrawn(removal->request) ||
					  READ_ONCE(removal->removed) != removed,
					  BLOCK_TIMEOUT);
		if (smp_load_acquire(&removal->done)) /* before its result */
			return;
	} while (left && !mk_request_withdrawn(removal->request));
	WRITE_ONCE(removal->stop, true);
	send_sig(SIGKILL, task, 1);
	/* it may sleep between the look at the signal and the next one: bounded */
	wait_event(mk_request_wait, smp_load_acquire(&removal->done)); /* before its result */
}

/**
 * mk_memory_remove - give up memory that was added
 * @request: the range
 * @value: out: how many bytes of it were given up, from its end on
 *
 * Context: may sleep, for as long as moving what is in there takes.
 * Return: 0; -EBUSY, -ENOMEM: its content cannot be moved; or another negative errno.
 */
int mk_memory_remove(const struct mk_request_copy *request, u64 *value)
{
	struct removal removal = { .request = request };
	struct task_struct *task;
	int ret = check_range(request);

	if (ret)
		return ret;
	task = kthread_create(remove_blocks, &removal, "multikernel/mem");
	if (IS_ERR(task))
		return PTR_ERR(task);
	get_task_struct(task);
	wake_up_process(task);
	watch(&removal, task);
	put_task_struct(task);
	*value = removal.removed;
	ret = removal.result;
	if (ret == -EINTR && !mk_request_withdrawn(request))
		ret = -EBUSY;
	mk_stats_update();
	if (ret)
		pr_err("of %llu MiB at %#llx, %llu could be removed: error %d\n",
		       request->bytes >> 20, request->arg, *value >> 20, ret);
	return ret;
}

/**
 * mk_memory_init - tell the host the unit in which memory moves
 *
 * Context: any.
 */
void mk_memory_init(void)
{
	WRITE_ONCE(mk_shared.page->block_bytes, memory_block_size_bytes());
}
