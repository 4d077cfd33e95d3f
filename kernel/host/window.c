// SPDX-License-Identifier: GPL-2.0-only
/*
 * Lending the windows below 1 MiB. An app kernel needs its window only while it
 * starts CPUs, so a window is lent for its boot and for each time that it adds a
 * CPU, and taken back in between; it is always the same one, because the real
 * mode code in it was made for that place. So many app kernels share a window,
 * and what is not in it now is kept in memory.
 *
 * The wishes of an app kernel are a number in its page, 0 for none; the host
 * page has the number for which the window is lent (see multikernel_shared.h).
 *
 * Lock order: the lock of a partition, then windows_lock.
 */
#include <linux/io.h>
#include <linux/rculist.h>
#include <linux/sched/signal.h>
#include <linux/string.h>
#include <linux/wait.h>

#include "host.h"

#define BOOT_WAIT_SECONDS	60

static DEFINE_MUTEX(windows_lock);		/* all windows */
static DECLARE_WAIT_QUEUE_HEAD(window_free);
static u32 changes;		/* counts what those who wait to boot wait for */

/**
 * mk_window_any - is there a window at all?
 *
 * Return: whether partitions can be started.
 */
bool mk_window_any(void)
{
	unsigned int count;

	mk_lowmem_windows(&count);
	return count;
}

/* What was in the window is in @p->home.content then, and the other way round. */
static void swap_content(struct mk_partition *p)
{
	u64 *low = __va(p->home.window->start), *kept = p->home.content;
	size_t i;

	for (i = 0; i < MK_WINDOW_PAGES * PAGE_SIZE / sizeof(*low); i++)
		swap(low[i], kept[i]);
}

static void lend(struct mk_partition *p, u32 wish)
{
	p->home.window->holder = p;
	p->home.lent = true;
	p->home.wish = wish;
	swap_content(p);
}

/* Somebody may wait for this one, and somebody for any. */
static void tell_waiters(void)
{
	struct mk_partition *p;

	rcu_read_lock();
	list_for_each_entry_rcu(p, &mk_partitions, link)
		if (READ_ONCE(p->home.waits))
			queue_work(mk_queue, &p->work);
	rcu_read_unlock();
	WRITE_ONCE(changes, changes + 1);
	mk_window_wake();
}

static void stop_waiting(struct mk_partition *p)
{
	if (!p->home.waits)
		return;
	p->home.waits = false;
	p->home.window->waiting--;
	tell_waiters();
}

static void take_back(struct mk_partition *p)
{
	swap_content(p);
	p->home.lent = false;
	p->home.window->holder = NULL;
	tell_waiters();
}

/*
 * The free window that is home to the fewest. One for which an app kernel waits
 * that runs already is left to it: that one can use no other.
 */
static struct mk_window *choose(void)
{
	struct mk_window *windows, *found = NULL;
	unsigned int count, i;

	windows = mk_lowmem_windows(&count);
	for (i = 0; i < count; i++)
		if (!windows[i].holder && !windows[i].waiting &&
		    (!found || windows[i].homes < found->homes))
			found = &windows[i];
	return found;
}

static bool try_begin(struct mk_partition *p)
{
	mutex_lock(&p->lock);
	mutex_lock(&windows_lock);
	p->home.window = choose();
	if (p->home.window) {
		p->home.window->homes++;
		memset(p->home.content, 0, MK_WINDOW_PAGES * PAGE_SIZE);
		lend(p, MK_WINDOW_BOOT);
	}
	mutex_unlock(&windows_lock);
	mutex_unlock(&p->lock);
	return p->home.window;
}

/**
 * mk_window_begin - lend a window, all zero, to a partition that is to boot
 * @p: the partition; it has none; the caller is its only call
 * @message: filled on failure
 *
 * Context: may sleep; waits, killably and until MK_CANCEL, for one that is free.
 * Return: 0, -EINTR, -ECANCELED, or -ETIMEDOUT.
 */
int mk_window_begin(struct mk_partition *p, struct mk_message *message)
{
	long left = BOOT_WAIT_SECONDS * HZ;
	u32 seen;

	if (mk_fault("start: window"))
		left = 0;
	for (;;) {
		seen = READ_ONCE(changes);
		if (left && try_begin(p))
			return 0;
		if (READ_ONCE(p->cancelled))
			return -ECANCELED;
		if (!left)
			break;
		left = wait_event_killable_timeout(window_free,
						   READ_ONCE(changes) != seen ||
						   READ_ONCE(p->cancelled), left);
		if (left < 0)
			return -EINTR;
	}
	return mk_fail(message, -ETIMEDOUT,
		       "all memory below 1 MiB, where CPUs start, is lent to partitions that are booting for %u s: is one of them dead?",
		       BOOT_WAIT_SECONDS);
}

/* Returns whether the window is lent for @wish now, and was not before. */
static bool grant(struct mk_partition *p, u32 wish)
{
	struct mk_home *home = &p->home;

	if (home->lent && home->wish == wish)
		return false;
	if (home->lent) {
		home->wish = wish;
		return true;
	}
	if (!home->window->holder && (home->waits || !home->window->waiting)) {
		lend(p, wish);
		stop_waiting(p);
		return true;
	}
	if (!home->waits) {
		home->waits = true;
		home->window->waiting++;
	}
	return false;
}

/**
 * mk_window_look - lend the window, or take it back, as the app kernel wishes
 * @p: the partition; its app kernel's module has reported
 *
 * One that has ended gets none any more, whatever it wished for.
 *
 * Context: may sleep; the partition's lock is held.
 */
void mk_window_look(struct mk_partition *p)
{
	u32 wish = READ_ONCE(mk_app_page(p)->window_wish);
	bool granted = false;

	mutex_lock(&windows_lock);
	if (p->home.lent && p->home.wish != wish && !p->home.stays) {
		WRITE_ONCE(mk_host_page(p)->window_lent, 0);
		take_back(p);
	}
	if (wish && BIT(p->state) & (BIT(MK_STATE_RUNNING) | BIT(MK_STATE_PAUSED)))
		granted = grant(p, wish);
	else
		stop_waiting(p);
	mutex_unlock(&windows_lock);
	if (!granted)
		return;
	/* after what is in the window */
	smp_store_release(&mk_host_page(p)->window_lent, wish);
	smp_mb();	/* before the interrupt: an APIC access orders nothing */
	mk_doorbell_ring(p);
}

/**
 * mk_window_end - the app kernel is no more: take its window back for good
 * @p: the partition; its CPUs are reset
 *
 * Context: may sleep; the partition's lock is held.
 */
void mk_window_end(struct mk_partition *p)
{
	if (!p->home.window)
		return;
	mutex_lock(&windows_lock);
	stop_waiting(p);
	if (p->home.lent)
		take_back(p);
	p->home.window->homes--;
	p->home.window = NULL;
	mutex_unlock(&windows_lock);
}

/**
 * mk_window_wake - wake those who wait to boot: a window is free, or MK_CANCEL
 *
 * Context: any.
 */
void mk_window_wake(void)
{
	wake_up_all(&window_free);
}
