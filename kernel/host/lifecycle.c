// SPDX-License-Identifier: GPL-2.0-only
/*
 * What can be done to a partition as a whole: load, start, stop, ask, query,
 * destroy. The steps are elsewhere; here is their order, and which state comes
 * out of it.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/rculist.h>
#include <linux/timekeeping.h>

#include "host.h"

#define ALL_STATES	(~0UL)
#define DOWN_STATES	(BIT(MK_STATE_POWEROFF) | BIT(MK_STATE_REBOOT) | \
			 BIT(MK_STATE_HALTED) | BIT(MK_STATE_PANIC))
#define LOAD_STATES	(BIT(MK_STATE_CREATED) | BIT(MK_STATE_LOADED) | \
			 BIT(MK_STATE_STOPPED) | DOWN_STATES)

static void set_state(struct mk_partition *p, u32 state)
{
	mutex_lock(&p->lock);
	mk_partition_set_state(p, state);
	mutex_unlock(&p->lock);
}

/* Resets the CPUs if they run or wait; the caller is the only call. */
static int stop(struct mk_partition *p)
{
	if (p->state == MK_STATE_LOST)
		return -EIO;
	if (!mk_state_live(p->state))
		return 0;
	mk_nmi_leave(p);
	/* after a request that is being made; from now on none makes a CPU one that is run on */
	mutex_lock(&p->lock);
	mk_nmi_allow(p, false);
	mutex_unlock(&p->lock);
	if (mk_cpu_reset(p)) {
		pr_err("%s: lost: nothing of it can be given back until the machine restarts\n",
		       p->label);
		set_state(p, MK_STATE_LOST);
		return -EIO;
	}
	mutex_lock(&p->lock);
	mk_console_drain(p);
	mk_memory_stopped(p);
	mk_window_end(p);
	mk_cpu_stopped(p);
	mk_partition_set_state(p, MK_STATE_STOPPED);
	mutex_unlock(&p->lock);
	return 0;
}

/**
 * mk_partition_load - MK_LOAD
 * @p: the partition
 * @args: the files
 * @cmdline: the user's words, NUL-terminated
 * @message: filled on failure
 *
 * Context: may sleep.
 * Return: 0 or an error of MK_LOAD.
 */
int mk_partition_load(struct mk_partition *p, const struct mk_load *args,
		      const char *cmdline, struct mk_message *message)
{
	struct mk_chunks before = {};
	u64 begin = ktime_get_ns();
	int ret;

	ret = mk_partition_begin(p, LOAD_STATES, message);
	if (ret)
		return ret;
	if (!p->run_count || !p->memory->owned.count) {
		ret = mk_fail(message, -EBUSY, "the partition has no %s yet",
			      p->run_count ? "memory" : "CPU");
		goto end;
	}
	ret = stop(p);
	if (ret) {
		mk_fail(message, ret, "a CPU does not answer the reset, the partition is lost");
		goto end;
	}
	mutex_lock(&p->lock);
	ret = mk_memory_load(p, &before);
	mutex_unlock(&p->lock);
	ret = ret ?: mk_boot_load(p, args, cmdline, message);
	mutex_lock(&p->lock);
	mk_memory_loaded(p, &before, !ret);
	if (!ret) {
		p->load_ns = ktime_get_ns() - begin;
		mk_partition_set_state(p, MK_STATE_LOADED);
	} else if (p->state == MK_STATE_LOADED && !p->entry) {
		mk_partition_set_state(p, p->boots ? MK_STATE_STOPPED : MK_STATE_CREATED);
	}
	mutex_unlock(&p->lock);
end:
	mk_partition_end(p);
	return ret;
}

/* The pages that both kernels map, as the app kernel is to find them. */
static void write_host_page(struct mk_partition *p)
{
	struct mk_host_page *host = mk_host_page(p);

	lockdep_assert_held(&p->lock);
	memset(p->control, 0, MK_SHARED_BYTES);
	memset(p->control + MK_LIVE, 0, MK_LIVE_BYTES);
	p->nmi_seq = 0;
	p->nmi_op = 0;
	mk_nmi_allow(p, true);
	host->version = MK_SHARED_VERSION;
	memcpy(host->apic_ids, p->known, p->known_count * sizeof(*p->known));
	host->cpus = p->known_count;
	memset(host->granted, 1, p->run_count);
	memcpy(host->uuid, p->uuid, sizeof(host->uuid));
	host->low_window_start = p->home.window->start;
	host->low_window_bytes = MK_WINDOW_PAGES * PAGE_SIZE;
	host->window_lent = MK_WINDOW_BOOT;
	host->image_start = p->control_start;
	host->image_bytes = p->image_end - p->control_start;
	host->initrd_bytes = p->initrd_bytes;
	mk_doorbell_start(p);
	host->magic = MK_SHARED_MAGIC;
}

static void prepare_start(struct mk_partition *p, u64 begin)
{
	mutex_lock(&p->lock);
	write_host_page(p);
	mk_cpu_give_all(p, MK_CPU_GIVEN);
	mk_boot_place_window(p);
	mk_console_start(p);
	memset(p->answers, 0, sizeof(p->answers));
	memset(p->panic, 0, sizeof(p->panic));
	p->wake_ns = 0;
	p->module_ns = 0;
	p->start_call_ns = begin;
	mutex_unlock(&p->lock);
}

/**
 * mk_partition_start - MK_START
 * @p: the partition
 * @message: filled on failure
 *
 * Context: may sleep.
 * Return: 0 or an error of MK_START.
 */
int mk_partition_start(struct mk_partition *p, struct mk_message *message)
{
	u64 begin = ktime_get_ns();
	int ret;

	ret = mk_partition_begin(p, BIT(MK_STATE_LOADED), message);
	if (ret)
		return ret;
	ret = mk_window_begin(p, message);
	if (ret)
		goto end;
	prepare_start(p, begin);
	mk_boot_say(p);
	ret = mk_cpu_boot(p);
	mutex_lock(&p->lock);
	if (ret != -ENOMEM)
		mk_partition_set_state(p, MK_STATE_BOOTING);
	else	/* it was not even tried */
		mk_cpu_give_all(p, MK_CPU_TAKEN);
	if (ret == -ENOMEM)
		mk_window_end(p);
	if (!ret) {
		p->wake_ns = ktime_get_ns() - begin;
		p->started_ns = ktime_get_boottime_ns();
		p->boots++;
	}
	mutex_unlock(&p->lock);
	if (!ret) {
		/* it may have rung before the state said that it can */
		queue_work(mk_queue, &p->work);
	} else if (ret == -ENOMEM) {
		mk_fail(message, ret,
			"the kernel is too large for the page tables that it starts on");
	} else {
		mk_fail(message, ret, "the CPU did not wake up, the partition is %s",
			stop(p) ? "lost" : "stopped");
	}
end:
	mk_partition_end(p);
	return ret;
}

/* As mk_partition_begin() in any state, but waits for the call that runs. */
static int begin_waiting(struct mk_partition *p)
{
	int ret;

	for (;;) {
		ret = mk_partition_begin(p, ALL_STATES, NULL);
		if (ret != -EBUSY)
			return ret;
		if (wait_event_killable(p->wait, !READ_ONCE(p->call)))
			return -EINTR;
	}
}

/**
 * mk_partition_stop - MK_STOP
 * @p: the partition
 *
 * Context: may sleep; waits, killably, for another call in the partition.
 * Return: 0, -EIO, -ENODEV or -EINTR.
 */
int mk_partition_stop(struct mk_partition *p)
{
	int ret = begin_waiting(p);

	if (ret)
		return ret;
	ret = stop(p);
	mk_partition_end(p);
	return ret;
}

/**
 * mk_partition_destroy - MK_DESTROY
 * @p: the partition; the caller has a reference of its own
 *
 * Context: may sleep, for seconds.
 * Return: 0, -EIO, -EBUSY or -ENODEV.
 */
int mk_partition_destroy(struct mk_partition *p)
{
	struct mk_memory *memory;
	int ret;

	ret = mk_partition_begin(p, ALL_STATES, NULL);
	if (ret)
		return ret;
	ret = stop(p);
	if (ret) {
		mk_partition_end(p);
		return ret;
	}
	mutex_lock(&p->lock);
	p->destroyed = true;
	p->generation++;
	mutex_unlock(&p->lock);
	mk_partition_remove(p);
	mk_cpu_return(p);
	mutex_lock(&p->lock);
	memory = p->memory;
	p->memory = NULL;
	p->control = NULL;
	mutex_unlock(&p->lock);
	mk_memory_put(memory);
	pr_info("%s: destroyed\n", p->label);
	mk_partition_end(p);
	mk_partition_put(p);	/* the list's */
	module_put(THIS_MODULE);
	return 0;
}

/* Which channel an operation belongs to; MK_CHANNELS if there is no such one. */
static u32 channel_of(u32 op)
{
	switch (op) {
	case MK_REQUEST_POWEROFF:
	case MK_REQUEST_REBOOT:
		return MK_CHANNEL_POWER;
	case MK_REQUEST_CPU_ADD:
	case MK_REQUEST_CPU_REMOVE:
		return MK_CHANNEL_CPU;
	case MK_REQUEST_MEMORY_ADD:
	case MK_REQUEST_MEMORY_REMOVE:
	case MK_REQUEST_BALLOON:
		return MK_CHANNEL_MEMORY;
	case MK_REQUEST_SYSRQ:
		return MK_CHANNEL_KEY;
	default:
		return MK_CHANNELS;
	}
}

static void post(struct mk_partition *p, u32 channel, const struct mk_request *request,
		 u64 arg)
{
	struct mk_host_request *to = &mk_host_page(p)->requests[channel];
	struct mk_answer *answer = &p->answers[channel];

	WRITE_ONCE(to->op, request->op);
	WRITE_ONCE(to->arg, arg);
	WRITE_ONCE(to->bytes, request->bytes);
	answer->op = request->op;
	answer->arg = request->arg;
	WRITE_ONCE(answer->posted, answer->posted + 1);
	/* after what is asked for, and in front of the interrupt */
	smp_store_release(&to->seq, answer->posted);
	smp_mb();	/* an APIC access does not order memory by itself */
	mk_doorbell_ring(p);
}

/**
 * mk_partition_request - MK_REQUEST
 * @p: the partition
 * @request: what is asked for; out: the number of the request
 *
 * Context: may sleep; does not wait for the app kernel.
 * Return: 0, -ENODEV, -EINVAL, -EBUSY, -ENOMEM or -EAGAIN.
 */
int mk_partition_request(struct mk_partition *p, struct mk_request *request)
{
	u32 channel = channel_of(request->op);
	u64 arg = request->arg;
	int ret = 0;

	if (channel == MK_CHANNELS)
		return -EINVAL;
	if (request->op == MK_REQUEST_SYSRQ && request->arg > 0x7f)
		return -EINVAL;
	mutex_lock(&p->lock);
	if (p->destroyed) {
		ret = -ENODEV;
	} else if (p->state != MK_STATE_RUNNING || READ_ONCE(p->in_reset)) {
		ret = -EBUSY;
	} else if (p->answers[channel].done != p->answers[channel].posted) {
		ret = -EAGAIN;
	} else {
		if (channel == MK_CHANNEL_MEMORY)
			ret = mk_memory_ask(p, request);
		else if (channel == MK_CHANNEL_CPU)
			ret = mk_cpu_request(p, request, &arg);
		if (!ret) {
			post(p, channel, request, arg);
			request->seq = p->answers[channel].posted;
		}
	}
	mutex_unlock(&p->lock);
	return ret;
}

/**
 * mk_partition_withdraw - MK_WITHDRAW
 * @p: the partition
 * @channel: whose request is no longer wanted
 *
 * Context: may sleep; does not wait for the app kernel.
 * Return: 0, -ENODEV or -EINVAL.
 */
int mk_partition_withdraw(struct mk_partition *p, u32 channel)
{
	int ret = 0;

	if (channel >= MK_CHANNELS)
		return -EINVAL;
	mutex_lock(&p->lock);
	if (p->destroyed) {
		ret = -ENODEV;
	} else if (mk_state_live(p->state) &&
		   p->answers[channel].done != p->answers[channel].posted) {
		WRITE_ONCE(mk_host_page(p)->requests[channel].withdrawn,
			   p->answers[channel].posted);
		smp_mb();	/* before the interrupt */
		mk_doorbell_ring(p);
	}
	mutex_unlock(&p->lock);
	return ret;
}

static void learn_answer(struct mk_partition *p, u32 channel)
{
	struct mk_app_answer *said = &mk_app_page(p)->answers[channel];
	struct mk_answer *answer = &p->answers[channel];
	/* before what belongs to it */
	u32 done = smp_load_acquire(&said->done);

	if (done != answer->posted || done == answer->done)
		return;
	answer->result = clamp(READ_ONCE(said->result), -MAX_ERRNO, 0);
	answer->value = READ_ONCE(said->value);
	WRITE_ONCE(answer->done, done);
	if (channel == MK_CHANNEL_MEMORY)
		mk_memory_answered(p);
	else if (channel == MK_CHANNEL_CPU)
		mk_cpu_answered(p, answer);
	p->answered++;
	wake_up_all(&p->wait);
}

/**
 * mk_partition_learn - has the app kernel answered?
 * @p: the partition
 *
 * Context: the partition's lock is held.
 */
void mk_partition_learn(struct mk_partition *p)
{
	u32 channel;

	if (p->destroyed || !mk_state_live(p->state))
		return;
	for (channel = 0; channel < MK_CHANNELS; channel++)
		learn_answer(p, channel);
}

/**
 * mk_escape - make a string from another kernel fit to be shown
 * @to: out: printable ASCII, NUL-terminated; all else becomes \xNN
 * @size: of @to
 * @from: hostile bytes, a copy; ends at a NUL or after @count bytes
 * @count: of @from
 */
void mk_escape(char *to, size_t size, const char *from, size_t count)
{
	size_t i, used = 0;

	for (i = 0; i < count && from[i]; i++) {
		bool plain = from[i] >= 0x20 && from[i] < 0x7f && from[i] != '\\';

		if (used + (plain ? 1 : 4) >= size)
			break;
		if (plain)
			to[used++] = from[i];
		else
			used += scnprintf(to + used, size - used, "\\x%02x",
					  (u8)from[i]);
	}
	memset(to + used, 0, size - used);
}

/* Each field once; the strings by way of a copy. */
static void query_app(struct mk_partition *p, struct mk_query *query)
{
	struct mk_app_page *app = mk_app_page(p);
	char text[sizeof(app->release)];

	static_assert(sizeof(app->release) == sizeof(app->hostname));
	query->online_cpus = READ_ONCE(app->online_cpus);
	query->heartbeat = READ_ONCE(app->heartbeat);
	query->app_total_bytes = READ_ONCE(app->total_bytes);
	query->app_free_bytes = READ_ONCE(app->free_bytes);
	query->app_available_bytes = READ_ONCE(app->available_bytes);
	query->app_uptime_ns = READ_ONCE(app->uptime_ns);
	query->app_busy_ns = READ_ONCE(app->busy_ns);
	query->block_bytes = mk_memory_block_bytes(p);
	memcpy(text, app->release, sizeof(text));
	mk_escape(query->release, sizeof(query->release), text, sizeof(text));
	memcpy(text, app->hostname, sizeof(text));
	mk_escape(query->hostname, sizeof(query->hostname), text, sizeof(text));
}

/**
 * mk_partition_query - MK_QUERY
 * @p: the partition, not destroyed
 * @query: out: all but size and flags
 *
 * Context: the partition's lock is held.
 */
void mk_partition_query(struct mk_partition *p, struct mk_query *query)
{
	memcpy(query->uuid, p->uuid, sizeof(query->uuid));
	memcpy(query->name, p->name, sizeof(query->name));
	query->state = p->state;
	query->generation = p->generation;
	query->boots = p->boots;
	query->doorbells = READ_ONCE(p->bell.count);
	query->cpus = p->run_count;
	query->idle_cpus = mk_cpu_count(p, MK_CPU_IDLE) + mk_cpu_count(p, MK_CPU_STANDBY);
	query->known_cpus = p->known_count;
	query->ranges = p->memory->owned.count;
	memcpy(query->answers, p->answers, sizeof(query->answers));
	query->memory_bytes = p->memory->bytes;
	query->balloon_bytes = mk_memory_balloon_bytes(p);
	query->wanted_bytes = p->wanted_bytes;
	query->claimed_bytes = READ_ONCE(p->claimed_bytes);
	query->console_bytes = p->log.written;
	query->claim_ns = p->claim_ns;
	query->scrub_ns = p->scrub_ns;
	query->offline_ns = p->offline_ns;
	query->load_ns = p->load_ns;
	query->wake_ns = p->wake_ns;
	query->module_ns = p->module_ns;
	query->started_ns = p->started_ns;
	memcpy(query->panic, p->panic, sizeof(query->panic));
	if (p->boots)
		query_app(p, query);
}
