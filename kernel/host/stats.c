// SPDX-License-Identifier: GPL-2.0-only
/*
 * MK_QUERY_STATS: what an app kernel has written into its statistics page, in the
 * order of the partition's CPUs. All of it is hostile: copied once, bounded, and
 * believed by nobody. No call into the app kernel is made.
 */
#include <linux/errno.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "host.h"

#define TRIES	8	/* a page takes some microseconds to write, once a second */

/* One word at a time: the other kernel may write while we read. */
static void copy_words(void *to, const void *from, size_t bytes)
{
	const u64 *source = from;
	u64 *words = to;
	size_t i;

	for (i = 0; i < bytes / sizeof(*words); i++)
		words[i] = READ_ONCE(source[i]);
}

/* What is in use of the page; whether it did not change meanwhile. */
static bool copy_once(struct mk_stats_page *to, const struct mk_stats_page *from)
{
	u32 seq = smp_load_acquire(&from->seq);	/* before what it is about */
	size_t cpus;

	copy_words(to, from, offsetof(struct mk_stats_page, reserved));
	to->cpus = min_t(u32, to->cpus, MK_SHARED_CPUS);
	cpus = round_up(to->cpus, sizeof(u64));
	copy_words(to->online, from->online, cpus * sizeof(to->online[0]));
	copy_words(to->apic_ids, from->apic_ids, cpus * sizeof(to->apic_ids[0]));
	copy_words(to->times, from->times, cpus * sizeof(to->times[0]));
	smp_rmb();	/* all of it before the second look */
	to->seq = seq;
	return !(seq & 1) && READ_ONCE(from->seq) == seq;
}

/* Bounded: one that never holds still is taken as it is. */
static void copy_steady(struct mk_stats_page *to, const struct mk_stats_page *from)
{
	unsigned int i;

	for (i = 0; i < TRIES && !copy_once(to, from); i++)
		cpu_relax();
}

static void tell_cpu(struct mk_cpu_stats *to, const struct mk_taken_cpu *cpu,
		     const struct mk_stats_page *page)
{
	u32 i;

	to->cpu = cpu->cpu;
	to->app_cpu = -1;
	for (i = 0; i < page->cpus; i++)
		if (page->apic_ids[i] == cpu->apic_id)
			break;
	if (i == page->cpus)
		return;
	to->app_cpu = i;
	to->online = page->online[i] == 1;
	to->user_ns = page->times[i].user_ns;
	to->system_ns = page->times[i].system_ns;
	to->idle_ns = page->times[i].idle_ns;
	to->irq_ns = page->times[i].irq_ns;
}

static void tell(struct mk_query_stats *query, const struct mk_stats_page *page)
{
	unsigned int i;

	query->valid = 1;
	for (i = 0; i < ARRAY_SIZE(query->load); i++)
		query->load[i] = page->load[i];
	query->realtime_ns = page->realtime_ns;
	query->uptime_ns = page->uptime_ns;
	query->total_bytes = page->total_bytes;
	query->free_bytes = min(page->free_bytes, page->total_bytes);
	query->available_bytes = min(page->available_bytes, page->total_bytes);
	query->cached_bytes = min(page->cached_bytes, page->total_bytes);
	query->swap_total_bytes = page->swap_total_bytes;
	query->swap_free_bytes = min(page->swap_free_bytes, page->swap_total_bytes);
	query->swap_in_bytes = page->swap_in_bytes;
	query->swap_out_bytes = page->swap_out_bytes;
	query->major_faults = page->major_faults;
	query->minor_faults = page->minor_faults;
}

/* Copies the page of a partition that has run; what it never wrote is all 0. */
static int copy_stats(struct mk_partition *p, struct mk_stats_page *page)
{
	if (p->destroyed)
		return -ENODEV;
	if (p->control && p->boots && p->state != MK_STATE_LOADED)
		copy_steady(page, p->control + MK_STATS_PAGE);
	if (!page->seq || page->version != MK_STATS_VERSION)
		memset(page, 0, sizeof(*page));
	return 0;
}

/**
 * mk_partition_stats - MK_QUERY_STATS
 * @p: the partition
 * @query: out: everything but the CPUs; @count is the room that the caller has
 *
 * Context: may sleep; does not wait for the app kernel.
 * Return: 0 or an error of MK_QUERY_STATS.
 */
int mk_partition_stats(struct mk_partition *p, struct mk_query_stats *query)
{
	u64 to = query->cpus;
	u32 room = query->count, size = query->size, n = 0, i;
	struct mk_cpu_stats *cpus = NULL;
	struct mk_stats_page *page;
	int ret;

	page = kvzalloc(sizeof(*page), GFP_KERNEL);
	if (!page)
		return -ENOMEM;
	memset(query, 0, sizeof(*query));
	query->size = size;
	query->cpus = to;
	mutex_lock(&p->lock);
	ret = copy_stats(p, page);
	if (!ret) {
		query->count = p->run_count;
		cpus = kvcalloc(p->run_count ?: 1, sizeof(*cpus), GFP_KERNEL);
		ret = cpus ? 0 : -ENOMEM;
	}
	for (i = 0; !ret && i < p->cpu_count && n < p->run_count; i++)
		if (p->cpus[i].role == MK_CPU_RUN)
			tell_cpu(&cpus[n++], &p->cpus[i], page);
	mutex_unlock(&p->lock);
	if (ret)
		goto free;
	if (page->seq)
		tell(query, page);
	if (n > room)
		ret = -EMSGSIZE;
	else if (copy_to_user(u64_to_user_ptr(to), cpus, n * sizeof(*cpus)))
		ret = -EFAULT;
free:
	kvfree(cpus);
	kvfree(page);
	return ret;
}
