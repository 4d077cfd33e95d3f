// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the host asks for: takes the request of each channel, has the file that it
 * belongs to do it, and answers. A request that takes its time, or never ends,
 * keeps its own channel only.
 */
#include <linux/errno.h>
#include <linux/reboot.h>
#include <linux/sched.h>
#include <linux/sysrq.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <asm/barrier.h>

#include "app.h"

struct channel {
	struct work_struct work;
	u32 seen;
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

static int take(const struct mk_request_copy *request, u64 *value)
{
	switch (request->op) {
	/* both only queue work that runs /sbin/poweroff or /sbin/reboot, and forces it */
	case MK_APP_REQUEST_POWEROFF:
		orderly_poweroff(true);
		return 0;
	case MK_APP_REQUEST_REBOOT:
		orderly_reboot();
		return 0;
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

static void take_request(struct work_struct *work)
{
	struct channel *channel = container_of(work, struct channel, work);
	u32 number = channel - channels;
	const struct mk_host_request *from = &mk_shared.host->requests[number];
	struct mk_app_answer *answer = &mk_shared.page->answers[number];
	struct mk_request_copy request = { .channel = number };
	u64 value = 0;

	request.seq = virt_load_acquire(&from->seq); /* before what it is about */
	if (request.seq == channel->seen)
		return;
	request.op = READ_ONCE(from->op);
	request.arg = READ_ONCE(from->arg);
	request.bytes = READ_ONCE(from->bytes);
	WRITE_ONCE(answer->result, take(&request, &value));
	WRITE_ONCE(answer->value, value);
	/* the result before its number */
	virt_store_release(&answer->done, request.seq);
	WRITE_ONCE(channel->seen, request.seq);
	virt_mb();	/* the answer before the ring */
	mk_ring_host();
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
		if (READ_ONCE(mk_shared.host->requests[i].seq) != READ_ONCE(channels[i].seen))
			queue_work(system_unbound_wq, &channels[i].work);
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
