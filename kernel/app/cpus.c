// SPDX-License-Identifier: GPL-2.0-only
/*
 * The CPUs of this kernel. It boots with one; the others are brought up here, after
 * platform.c made that safe, and come and go as the host asks. The ACPI tables name all
 * that it may ever be given: one that is not granted at this moment belongs to another
 * kernel, and an INIT would take it away, so such a CPU is never brought up.
 *
 * Which CPUs these are is copied when the module loads, and a grant when the host says
 * with a request that there is one: a stray write to the page alone grants nothing. A
 * grant that the host takes back counts at once.
 *
 * A CPU starts in real mode, in a window below 1 MiB that the host lends for that and
 * uses otherwise in between: none is brought up without it either.
 */
#define pr_fmt(fmt) "multikernel: " fmt

#include <linux/cpu.h>
#include <linux/cpuhotplug.h>
#include <linux/cpumask.h>
#include <linux/errno.h>
#include <linux/mutex.h>
#include <linux/wait.h>
#include <asm/barrier.h>
#include <asm/smp.h>

#include "app.h"

#define WINDOW_WAIT_SECONDS	60	/* other kernels boot in it */
#define LOCAL_WAIT_SECONDS	10	/* with the lock of all CPU hotplug held */

static DECLARE_WAIT_QUEUE_HEAD(window_news);
static DEFINE_MUTEX(window_lock);	/* the four below, and our wish; not held to wait */
static unsigned int window_users;
static unsigned int window_waiters;
static u32 last_wish;
static bool window_stays;		/* a CPU may still be in it */
static int starting = -1;		/* which CPU; the lock of all CPU hotplug */
static int guard_state, online_state;
static u32 known_ids[MK_SHARED_CPUS];	/* constant once the module is loaded */
static u32 known_count;
static bool granted[MK_SHARED_CPUS];	/* written by init, then by the channel's work */

static bool window_is_lent(void)
{
	/* before what is in it */
	return virt_load_acquire(&mk_shared.host->window_lent) ==
	       READ_ONCE(mk_shared.page->window_wish);
}

static void wish(u32 number)
{
	WRITE_ONCE(mk_shared.page->window_wish, number);
	virt_mb();	/* the wish before the ring */
	mk_ring_host();
}

static bool not_wanted(const struct mk_request_copy *request)
{
	return request && mk_request_withdrawn(request);
}

static int wait_for_window(const struct mk_request_copy *request, unsigned int seconds)
{
	for (; seconds && !window_is_lent(); seconds--) {
		wait_event_timeout(window_news, window_is_lent() || not_wanted(request), HZ);
		if (not_wanted(request))
			return -ECANCELED;
		mk_ring_host();	/* the last ring may have come while the host's doorbell moved */
	}
	return window_is_lent() ? 0 : -ETIMEDOUT;
}

static bool window_is_wanted(void)
{
	return window_users || window_waiters || window_stays;
}

/* Borrows the window; @request: what for, if the host asked. Who waits keeps nobody waiting. */
static int get_window(const struct mk_request_copy *request, unsigned int seconds)
{
	int ret;

	mutex_lock(&window_lock);
	if (!window_is_wanted()) {
		if (!++last_wish)
			++last_wish;
		wish(last_wish);
	}
	window_waiters++;
	mutex_unlock(&window_lock);
	ret = wait_for_window(request, seconds);
	mutex_lock(&window_lock);
	window_waiters--;
	if (!ret)
		window_users++;
	else if (!window_is_wanted())
		wish(0);
	mutex_unlock(&window_lock);
	return ret;
}

static void put_window(void)
{
	mutex_lock(&window_lock);
	window_users--;
	if (!window_is_wanted())
		wish(0);
	mutex_unlock(&window_lock);
}

static int slot_of(u32 apic_id)
{
	u32 i;

	for (i = 0; i < known_count; i++)
		if (known_ids[i] == apic_id)
			return i;
	return -ENOENT;
}

/* What the page says of a CPU at this moment. */
static bool page_grants(u32 slot)
{
	const struct mk_host_page *host = mk_shared.host;

	return READ_ONCE(host->apic_ids[slot]) == known_ids[slot] &&
	       READ_ONCE(host->granted[slot]) == 1;
}

static bool is_granted(u32 apic_id)
{
	int slot = slot_of(apic_id);

	return slot >= 0 && READ_ONCE(granted[slot]) && page_grants(slot);
}

static void learn_cpus(void)
{
	u32 i;

	known_count = min_t(u32, READ_ONCE(mk_shared.host->cpus), MK_SHARED_CPUS);
	for (i = 0; i < known_count; i++) {
		known_ids[i] = READ_ONCE(mk_shared.host->apic_ids[i]);
		granted[i] = page_grants(i);
	}
}

/* Somebody, we or a user, brings up a CPU. */
static int may_start(unsigned int cpu)
{
	int ret;

	if (!is_granted(per_cpu(x86_cpu_to_apicid, cpu))) {
		pr_err("CPU %u is not this partition's\n", cpu);
		return -EPERM;
	}
	ret = get_window(NULL, LOCAL_WAIT_SECONDS);
	if (ret) {
		pr_err("CPU %u cannot start: the memory below 1 MiB is in use\n", cpu);
		return ret;
	}
	starting = cpu;
	return 0;
}

/* It runs in the kernel proper, and needs the window no more. */
static int cpu_is_up(unsigned int cpu)
{
	if (starting == cpu) {
		starting = -1;
		put_window();
	}
	return 0;
}

/* It went offline; or did not come up, and may be anywhere. */
static int cpu_is_down(unsigned int cpu)
{
	if (starting == cpu) {
		starting = -1;
		window_stays = true;
		put_window();
	}
	return 0;
}

static int find_cpu(u32 apic_id)
{
	unsigned int cpu;

	for_each_present_cpu(cpu)
		if (per_cpu(x86_cpu_to_apicid, cpu) == apic_id)
			return cpu;
	return -ENOENT;
}

/**
 * mk_cpus_check - the host rang: it may have lent the window
 *
 * Context: any but NMI.
 */
void mk_cpus_check(void)
{
	wake_up(&window_news);
}

static int bring_up(const struct mk_request_copy *request, int cpu)
{
	int ret;

	if (cpu_online(cpu))
		return 0;
	/* in front of the lock of all CPU hotplug, which nobody should wait for long */
	ret = get_window(request, WINDOW_WAIT_SECONDS);
	if (ret)
		return ret;
	ret = add_cpu(cpu);
	put_window();
	mk_stats_update();
	return min(ret, 0);
}

/**
 * mk_cpus_add - bring up a CPU that the host granted
 * @request: MK_APP_REQUEST_CPU_ADD
 *
 * Context: may sleep; waits for the window.
 * Return: 0 or a negative errno.
 */
int mk_cpus_add(const struct mk_request_copy *request)
{
	int cpu = find_cpu(request->arg), slot = slot_of(request->arg), ret;

	if (cpu < 0)
		return cpu;
	if (slot < 0 || !page_grants(slot))
		return -EPERM;
	WRITE_ONCE(granted[slot], true);
	ret = bring_up(request, cpu);
	if (ret)
		WRITE_ONCE(granted[slot], false);
	return ret;
}

/**
 * mk_cpus_remove - take a CPU offline
 * @request: MK_APP_REQUEST_CPU_REMOVE
 *
 * When it returns the CPU has left the kernel: it is in its last loop, with interrupts
 * off (takedown_cpu() in kernel/cpu.c waits for that).
 *
 * Context: may sleep.
 * Return: 0 or a negative errno: -EBUSY for the CPU that this kernel booted on.
 */
int mk_cpus_remove(const struct mk_request_copy *request)
{
	int cpu = find_cpu(request->arg), slot = slot_of(request->arg), ret;

	if (cpu < 0)
		return cpu;
	if (cpu == 0)
		return -EBUSY;
	ret = remove_cpu(cpu);
	mk_stats_update();
	if (ret < 0)
		return ret;
	if (cpu_online(cpu))	/* a user was faster */
		return -EBUSY;
	if (slot >= 0)
		WRITE_ONCE(granted[slot], false);
	return 0;
}

/**
 * mk_cpus_init - learn which CPUs are ours and guard the rest
 *
 * Context: may sleep.
 * Return: 0 or a negative errno.
 */
int mk_cpus_init(void)
{
	int ret;
	u32 i;

	learn_cpus();
	for (i = 0; i < known_count; i++)
		if (find_cpu(known_ids[i]) < 0)
			pr_warn("no CPU with APIC id %u in the ACPI tables\n", known_ids[i]);
	/* it was lent when this kernel was started, until mk_cpus_bring_up() is done */
	window_users = 1;
	last_wish = MK_WINDOW_BOOT;
	WRITE_ONCE(mk_shared.page->window_wish, MK_WINDOW_BOOT);
	ret = cpuhp_setup_state_nocalls(CPUHP_BP_PREPARE_DYN, "multikernel:guard",
					may_start, cpu_is_down);
	if (ret < 0)
		goto err;
	guard_state = ret;
	ret = cpuhp_setup_state_nocalls(CPUHP_AP_ONLINE_DYN, "multikernel:online",
					cpu_is_up, NULL);
	if (ret < 0)
		goto err_guard;
	online_state = ret;
	return 0;

err_guard:
	cpuhp_remove_state_nocalls(guard_state);
err:
	pr_err("cannot guard the CPUs: error %d\n", ret);
	return ret;
}

/**
 * mk_cpus_exit - undo mk_cpus_init() when the module fails to load
 *
 * Context: may sleep.
 */
void mk_cpus_exit(void)
{
	cpuhp_remove_state_nocalls(online_state);
	cpuhp_remove_state_nocalls(guard_state);
}

/**
 * mk_cpus_bring_up - bring up all CPUs that this kernel was started with
 *
 * A CPU that does not come up is told in the log and in the count of online
 * CPUs; the others run.
 *
 * Context: may sleep; tens of milliseconds for each CPU.
 */
void mk_cpus_bring_up(void)
{
	unsigned int cpu, granted = 0;
	int ret;

	for_each_present_cpu(cpu) {
		if (!is_granted(per_cpu(x86_cpu_to_apicid, cpu)))
			continue;
		granted++;
		if (cpu_online(cpu))
			continue;
		ret = add_cpu(cpu);
		if (ret < 0)
			pr_err("CPU %u does not come up: error %d\n", cpu, ret);
		mk_stats_update();
	}
	pr_info("%u of %u CPUs online\n", num_online_cpus(), granted);
	put_window();
}
