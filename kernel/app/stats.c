// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the host knows of this kernel without asking: heartbeat, memory, time,
 * names, four times a second. Statistics, not accounts: they are read without
 * locks and may be a moment apart from each other.
 */
#include <linux/cpumask.h>
#include <linux/kernel_stat.h>
#include <linux/mm.h>
#include <linux/string.h>
#include <linux/timekeeping.h>
#include <linux/timer.h>
#include <linux/utsname.h>
#include <linux/vmstat.h>

#include "app.h"

#define BEATS_PER_SECOND	4

static u64 beats;

static u64 busy_ns(void)
{
	unsigned int cpu;
	u64 sum = 0;

	/* possible, not online: a CPU that left keeps what it has worked */
	for_each_possible_cpu(cpu) {
		struct kernel_cpustat stat;

		kcpustat_cpu_fetch(&stat, cpu);
		sum += stat.cpustat[CPUTIME_USER] + stat.cpustat[CPUTIME_NICE] +
		       stat.cpustat[CPUTIME_SYSTEM] + stat.cpustat[CPUTIME_IRQ] +
		       stat.cpustat[CPUTIME_SOFTIRQ];
	}
	return sum;
}

/**
 * mk_stats_update - write all numbers once
 *
 * Context: any but NMI. si_meminfo() is avoided: it takes a lock that is not
 * safe in a timer.
 */
void mk_stats_update(void)
{
	struct mk_app_page *page = mk_shared.page;

	WRITE_ONCE(page->online_cpus, num_online_cpus());
	WRITE_ONCE(page->total_bytes, (u64)totalram_pages() << PAGE_SHIFT);
	WRITE_ONCE(page->free_bytes, (u64)global_zone_page_state(NR_FREE_PAGES) << PAGE_SHIFT);
	WRITE_ONCE(page->available_bytes, (u64)si_mem_available() << PAGE_SHIFT);
	WRITE_ONCE(page->uptime_ns, ktime_get_boottime_ns());
	WRITE_ONCE(page->busy_ns, busy_ns());
	strscpy(page->hostname, init_utsname()->nodename, sizeof(page->hostname));
}

static void beat(struct timer_list *timer);
static DEFINE_TIMER(beat_timer, beat);

static void beat(struct timer_list *timer)
{
	mk_stats_update();
	WRITE_ONCE(mk_shared.page->heartbeat, ++beats);
	mk_request_check();
	mk_console_check();
	mod_timer(&beat_timer, jiffies + HZ / BEATS_PER_SECOND);
}

/**
 * mk_stats_start - write the first numbers and keep them fresh
 *
 * Context: may sleep. Not undone.
 */
void mk_stats_start(void)
{
	mk_stats_update();
	mod_timer(&beat_timer, jiffies + HZ / BEATS_PER_SECOND);
}
