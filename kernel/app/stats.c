// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the host knows of this kernel without asking: heartbeat, memory, time,
 * names, four times a second from a timer, which beats as long as interrupts do;
 * and the statistics page once a second from a worker, which may sleep. Not
 * accounts: the counters are read without locks and may be a moment apart.
 */
#define pr_fmt(fmt) "multikernel: " fmt

#include <linux/cpumask.h>
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/kernel_stat.h>
#include <linux/mm.h>
#include <linux/mount.h>
#include <linux/preempt.h>
#include <linux/sched/loadavg.h>
#include <linux/string.h>
#include <linux/swap.h>
#include <linux/tick.h>
#include <linux/timekeeping.h>
#include <linux/timer.h>
#include <linux/utsname.h>
#include <linux/vmstat.h>
#include <linux/workqueue.h>
#include <asm/barrier.h>
#include <asm/smp.h>

#include "app.h"

#define BEATS_PER_SECOND	4
#define MEMINFO_BYTES		2048	/* SwapTotal is in the first lines */

static u64 beats;
static struct vfsmount *proc;	/* our own, whether or not one is mounted; or NULL */

/* What has to be waited for, so it is read before the page is opened. */
static unsigned long events[NR_VM_EVENT_ITEMS];
static u64 swap_total;

static void times_of(unsigned int cpu, struct mk_stats_cpu_times *times)
{
	struct kernel_cpustat stat;
	u64 *ns = stat.cpustat;
	u64 idle_us = -1;

	kcpustat_cpu_fetch(&stat, cpu);
	/* as fs/proc/stat.c: a tick that is stopped counts no idle time */
	if (cpu_online(cpu))
		idle_us = get_cpu_idle_time_us(cpu, NULL);
	times->user_ns = ns[CPUTIME_USER] + ns[CPUTIME_NICE];
	times->system_ns = ns[CPUTIME_SYSTEM];
	times->irq_ns = ns[CPUTIME_IRQ] + ns[CPUTIME_SOFTIRQ];
	times->idle_ns = idle_us == -1 ? ns[CPUTIME_IDLE] : idle_us * NSEC_PER_USEC;
	times->idle_ns += ns[CPUTIME_IOWAIT];
}

static u64 busy_ns(void)
{
	struct mk_stats_cpu_times times;
	unsigned int cpu;
	u64 sum = 0;

	/* possible, not online: a CPU that left keeps what it has worked */
	for_each_possible_cpu(cpu) {
		times_of(cpu, &times);
		sum += times.user_ns + times.system_ns + times.irq_ns;
	}
	return sum;
}

static u64 bytes(unsigned long pages)
{
	return (u64)pages << PAGE_SHIFT;
}

static void write_cpus(struct mk_stats_page *page)
{
	unsigned int cpu;
	u32 count = 0;

	for_each_possible_cpu(cpu) {
		struct mk_stats_cpu_times times;

		if (cpu >= MK_SHARED_CPUS)
			break;
		times_of(cpu, &times);
		page->apic_ids[cpu] = per_cpu(x86_cpu_to_apicid, cpu);
		page->online[cpu] = cpu_online(cpu);
		page->times[cpu] = times;
		count = cpu + 1;
	}
	page->cpus = count;
}

static void write_memory(struct mk_stats_page *page)
{
	long cached = global_node_page_state(NR_FILE_PAGES);

#ifdef CONFIG_SWAP
	cached -= global_node_page_state(NR_SWAPCACHE);
	page->swap_in_bytes = bytes(events[PSWPIN]);
	page->swap_out_bytes = bytes(events[PSWPOUT]);
#endif
	page->total_bytes = bytes(totalram_pages());
	page->free_bytes = bytes(global_zone_page_state(NR_FREE_PAGES));
	page->available_bytes = bytes(si_mem_available());
	page->cached_bytes = bytes(max(cached, 0L));
	page->swap_total_bytes = swap_total;
	page->swap_free_bytes = min(bytes(max(get_nr_swap_pages(), 0L)), swap_total);
	page->major_faults = events[PGMAJFAULT];
	page->minor_faults = events[PGFAULT] - min(events[PGFAULT], events[PGMAJFAULT]);
}

/* The size of the swap space is not exported, so it is read as people read it. */
static u64 read_swap_total(void)
{
	static char text[MEMINFO_BYTES];
	struct path root;
	struct file *file;
	ssize_t length;
	loff_t at = 0;
	char *found;
	u64 kib;

	if (!proc)
		return 0;
	root.mnt = proc;
	root.dentry = proc->mnt_root;
	file = file_open_root(&root, "meminfo", O_RDONLY, 0);
	if (IS_ERR(file))
		return 0;
	length = kernel_read(file, text, sizeof(text) - 1, &at);
	filp_close(file, NULL);
	if (length < 0)
		return 0;
	text[length] = '\0';
	found = strstr(text, "SwapTotal:");
	if (!found || sscanf(found, "SwapTotal: %llu kB", &kib) != 1)
		return 0;
	return kib << 10;
}

static void write_page(struct mk_stats_page *page)
{
	u32 seq = page->seq;
	unsigned int i;

	WRITE_ONCE(page->seq, seq + 1);
	virt_wmb();	/* odd before what it is about */
	for (i = 0; i < ARRAY_SIZE(page->load); i++)
		page->load[i] = avenrun[i] << (16 - FSHIFT);
	page->realtime_ns = ktime_get_real_ns();
	page->uptime_ns = ktime_get_boottime_ns();
	write_memory(page);
	write_cpus(page);
	virt_wmb();	/* even after it; never 0, which means unwritten */
	WRITE_ONCE(page->seq, seq + 2 ?: 2);
}

static void write_stats(struct work_struct *work)
{
	all_vm_events(events);
	swap_total = read_swap_total();
	preempt_disable();	/* the host does not wait for long */
	write_page(mk_shared.stats);
	preempt_enable();
	queue_delayed_work(system_unbound_wq, to_delayed_work(work), HZ);
}

static DECLARE_DELAYED_WORK(stats_work, write_stats);

/**
 * mk_stats_update - write what is in the app page once
 *
 * Context: any but NMI. si_meminfo() is avoided: it takes a lock that is not
 * safe in a timer.
 */
void mk_stats_update(void)
{
	struct mk_app_page *page = mk_shared.page;

	WRITE_ONCE(page->online_cpus, num_online_cpus());
	WRITE_ONCE(page->total_bytes, bytes(totalram_pages()));
	WRITE_ONCE(page->free_bytes, bytes(global_zone_page_state(NR_FREE_PAGES)));
	WRITE_ONCE(page->available_bytes, bytes(si_mem_available()));
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
	mod_timer(&beat_timer, jiffies + HZ / BEATS_PER_SECOND);
}

static void __init mount_proc(void)
{
	struct file_system_type *type = get_fs_type("proc");
	struct vfsmount *mount = type ? kern_mount(type) : ERR_PTR(-ENODEV);

	if (IS_ERR(mount))
		pr_info("no /proc for statistics: error %ld\n", PTR_ERR(mount));
	else
		proc = mount;
}

/**
 * mk_stats_start - write the first numbers and keep them fresh
 *
 * Context: may sleep. Not undone.
 */
void __init mk_stats_start(void)
{
	mount_proc();
	mk_shared.stats->version = MK_STATS_VERSION;
	mk_stats_update();
	write_stats(&stats_work.work);
	mod_timer(&beat_timer, jiffies + HZ / BEATS_PER_SECOND);
}
