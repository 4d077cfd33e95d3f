// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the host asks for: takes the request of each channel, has the file that it
 * belongs to do it, and answers. What needs no time is answered where it is found,
 * in the doorbell's interrupt; all else by the work of its channel, so that a request
 * that takes its time, or never ends, keeps that channel only.
 */
#include <linux/bitops.h>
#include <linux/errno.h>
#include <linux/reboot.h>
#include <linux/sched.h>
#include <linux/sysrq.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <asm/barrier.h>

#include "app.h"

#define TAKEN	0	/* bit of channel.flags: somebody works on @request */

struct channel {
	struct work_struct work;
	unsigned long flags;
	u32 seen;
	struct mk_request_copy request;
};

static struct channel channels[MK_SHARED_CHANNELS];

/* Woken whenever a request may have been withdrawn. */
DECLARE_WAIT_QUEUE_HEAD(mk_request_wait);

/*
 * As /proc/sysrq-trigger does it: the mask is for keyboards. b and c do not return,
 * their answer is what becomes of this kernel.
 */
static void press_sysrq(u8 key)
{
	int mask = sysrq_mask();

	sysrq_toggle_support(1);
	handle_sysrq(key);
	sysrq_toggle_support(mask);
}

/* Does it, if that is a matter of a moment, and in any context; else -EINPROGRESS. */
static int take_now(const struct mk_request_copy *request, u64 *value)
{
	switch (request->op) {
	/* both only queue work that runs /sbin/poweroff or /sbin/reboot, and forces it */
	case MK_APP_REQUEST_POWEROFF:
		orderly_poweroff(true);
		return 0;
	case MK_APP_REQUEST_REBOOT:
		orderly_reboot();
		return 0;
	case MK_APP_REQUEST_BALLOON:
		if (request->bytes != mk_balloon_bytes())
			return -EINPROGRESS;
		*value = request->bytes;
		return 0;
	default:
		return -EINPROGRESS;
	}
}

static int take(const struct mk_request_copy *request, u64 *value)
{
	switch (request->op) {
	case MK_APP_REQUEST_SYSRQ:
		press_sysrq(request->arg);
		return 0;
	case MK_APP_REQUEST_MEMORY_ADD:
		return mk_memory_add(request, value);
	case MK_APP_REQUEST_MEMORY_REMOVE:
		return mk_memory_remove(request, value);
	case MK_APP_REQUEST_BALLOON:
		return mk_balloon_set(request, value);
	case MK_APP_REQUEST_CPU_ADD:
		return mk_cpus_add(request);
	case MK_APP_REQUEST_CPU_REMOVE:
		return mk_cpus_remove(request);
	default:
		return -EOPNOTSUPP;
	}
}

static void answer(struct channel *channel, int result, u64 value)
{
	struct mk_app_answer *to = &mk_shared.page->answers[channel - channels];
	u32 seq = channel->request.seq;

	WRITE_ONCE(to->result, result);
	WRITE_ONCE(to->value, value);
	WRITE_ONCE(channel->seen, seq);
	/* until the host has the number it asks for nothing else */
	clear_bit_unlock(TAKEN, &channel->flags);
	/* the result before its number */
	virt_store_release(&to->done, seq);
	virt_mb();	/* the answer before the ring */
	mk_ring_host();
}

static void take_request(struct work_struct *work)
{
	struct channel *channel = container_of(work, struct channel, work);
	u64 value = 0;
	int result = take(&channel->request, &value);

	answer(channel, result, value);
}

/* The caller has taken the channel, and keeps it if there is nothing new. */
static bool begin(struct channel *channel)
{
	u32 number = channel - channels;
	const struct mk_host_request *from = &mk_shared.host->requests[number];
	struct mk_request_copy *request = &channel->request;
	u64 value = 0;
	int result;

	request->channel = number;
	request->seq = virt_load_acquire(&from->seq); /* before what it is about */
	if (request->seq == channel->seen)
		return false;
	request->op = READ_ONCE(from->op);
	request->arg = READ_ONCE(from->arg);
	request->bytes = READ_ONCE(from->bytes);
	result = take_now(request, &value);
	if (result == -EINPROGRESS)
		queue_work(system_unbound_wq, &channel->work);
	else
		answer(channel, result, value);
	return true;
}

/* A channel that is taken has no news that its holder does not see. */
static void look(struct channel *channel)
{
	const struct mk_host_request *from = &mk_shared.host->requests[channel - channels];

	while (READ_ONCE(from->seq) != READ_ONCE(channel->seen) &&
	       !test_and_set_bit_lock(TAKEN, &channel->flags)) {
		if (begin(channel))
			return;
		clear_bit_unlock(TAKEN, &channel->flags);
		smp_mb__after_atomic();	/* before the next look: a ring may have come */
	}
}

/**
 * mk_request_withdrawn - does the host no longer want it?
 * @request: what is being worked on
 *
 * Context: any.
 * Return: whether to answer at once, with how far it came.
 */
bool mk_request_withdrawn(const struct mk_request_copy *request)
{
	return READ_ONCE(mk_shared.host->requests[request->channel].withdrawn) == request->seq;
}

/**
 * mk_request_check - take what the host asks for, if it does
 *
 * Context: any but NMI.
 */
void mk_request_check(void)
{
	u32 i;

	for (i = 0; i < MK_SHARED_CHANNELS; i++)
		look(&channels[i]);
	if (wq_has_sleeper(&mk_request_wait))
		wake_up_all(&mk_request_wait);
}

/**
 * mk_request_init - be ready for requests
 *
 * Context: may sleep. Before the doorbell.
 */
void mk_request_init(void)
{
	u32 i;

	for (i = 0; i < MK_SHARED_CHANNELS; i++) {
		INIT_WORK(&channels[i].work, take_request);
		channels[i].seen = READ_ONCE(mk_shared.host->requests[i].seq);
		WRITE_ONCE(mk_shared.page->answers[i].done, channels[i].seen);
	}
}

/**
 * mk_request_exit - undo mk_request_init() when the module fails to load
 *
 * Context: may sleep. After the doorbell is gone.
 */
void mk_request_exit(void)
{
	u32 i;

	for (i = 0; i < MK_SHARED_CHANNELS; i++)
		cancel_work_sync(&channels[i].work);
}
