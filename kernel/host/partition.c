// SPDX-License-Identifier: GPL-2.0-only
/*
 * Partitions as objects: the list of them, who refers to them, which call may
 * change one, and what its app kernel tells about itself. Not the calls
 * themselves (lifecycle.c).
 *
 * Lock order: mk_partition_list_lock, then the lock of a partition. A partition
 * has one call at a time that changes it (@call), and the lock of it is held
 * for moments only, so that a query never waits for a call.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/rculist.h>
#include <linux/slab.h>

#include "host.h"

#define OUTPUT_US		1000	/* between looks while output comes */
#define ROOM_CHECK_DELAY	(HZ / 10)
#define SETTLE_US		500	/* what CPUs need to obey an NMI, and more */

static bool host_goes_down;
LIST_HEAD(mk_partitions);
DEFINE_MUTEX(mk_partition_list_lock);	/* mk_partitions */

static const char * const state_names[] = {
	[MK_STATE_CREATED] = "created",	[MK_STATE_LOADED] = "loaded",
	[MK_STATE_BOOTING] = "booting",	[MK_STATE_RUNNING] = "running",
	[MK_STATE_POWEROFF] = "poweroff", [MK_STATE_REBOOT] = "reboot",
	[MK_STATE_HALTED] = "halted",	[MK_STATE_PANIC] = "panic",
	[MK_STATE_STOPPED] = "stopped",	[MK_STATE_LOST] = "lost",
	[MK_STATE_PAUSED] = "paused",
};

/**
 * mk_state_name - the word for a state
 * @state: enum mk_state
 *
 * Return: e.g. "running".
 */
const char *mk_state_name(u32 state)
{
	return state < ARRAY_SIZE(state_names) ? state_names[state] : "?";
}

/**
 * mk_fail - say what is wrong, and return it
 * @message: gets the sentence
 * @error: negative errno
 * @format: the sentence, as for printk()
 *
 * Return: @error.
 */
int mk_fail(struct mk_message *message, int error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(message->text, sizeof(message->text), format, args);
	va_end(args);
	return error;
}

static void learn_panic(struct mk_partition *p)
{
	char text[MK_PANIC_BYTES];

	memcpy(text, mk_app_page(p)->panic, sizeof(text));
	mk_escape(p->panic, sizeof(p->panic), text, sizeof(text));
}

/**
 * mk_partition_set_state - change the state, and tell everybody
 * @p: the partition
 * @state: enum mk_state
 *
 * Context: the partition's lock is held.
 */
void mk_partition_set_state(struct mk_partition *p, u32 state)
{
	if (p->state == state)
		return;
	/* mk_boot_say() tells of a start: the reader of the log takes a CPU for each line */
	if (state != MK_STATE_LOADED && state != MK_STATE_BOOTING)
		pr_info("%s: %s -> %s\n", p->label, mk_state_name(p->state),
			mk_state_name(state));
	p->state = state;
	p->generation++;
	wake_up_all(&p->wait);
}

/* What the app kernel says of its state; hostile, so only some steps are real. */
static void learn_state(struct mk_partition *p, u32 said)
{
	static const u32 states[] = {
		[MK_APP_RUNNING] = MK_STATE_RUNNING,
		[MK_APP_POWEROFF] = MK_STATE_POWEROFF,
		[MK_APP_REBOOT] = MK_STATE_REBOOT,
		[MK_APP_HALTED] = MK_STATE_HALTED,
		[MK_APP_PANIC] = MK_STATE_PANIC,
	};

	if (said < MK_APP_RUNNING || said >= ARRAY_SIZE(states))
		return;
	if (p->state != MK_STATE_BOOTING && p->state != MK_STATE_RUNNING)
		return;
	if (p->state == MK_STATE_BOOTING)
		p->module_ns = ktime_get_ns() - p->start_call_ns;
	if (said == MK_APP_PANIC)
		learn_panic(p);
	mk_partition_set_state(p, states[said]);
}

/* The doorbell rang, or somebody may have rung in vain: is there news? */
static void look(struct work_struct *work)
{
	struct mk_partition *p = container_of(work, struct mk_partition, work);
	struct mk_app_page *app;
	bool more = false, settling = false;
	u32 said;
	u64 written;

	mutex_lock(&p->lock);
	if (p->destroyed || !mk_state_live(p->state))
		goto unlock;
	settling = mk_doorbell_settle(p);
	app = mk_app_page(p);
	said = smp_load_acquire(&app->state);	/* before its console */
	if (READ_ONCE(app->magic) != MK_SHARED_MAGIC ||
	    READ_ONCE(app->version) != MK_SHARED_VERSION)
		said = MK_APP_NONE;
	/* all that was written before the state is in the ring now */
	written = p->log.written;
	more = mk_console_drain(p);
	if (p->log.written != written)
		wake_up_all(&p->wait);
	mk_partition_learn(p);
	learn_state(p, said);
	if (said != MK_APP_NONE)
		mk_window_look(p);
unlock:
	mutex_unlock(&p->lock);
	if (settling)
		usleep_range(SETTLE_US, 2 * SETTLE_US);
	else if (more)
		usleep_range(OUTPUT_US, 2 * OUTPUT_US);
	if (more || settling)
		queue_work(mk_queue, &p->work);
}

/* Somebody waits until input can be written again. */
static void look_for_room(struct work_struct *work)
{
	struct mk_partition *p = container_of(to_delayed_work(work),
					      struct mk_partition, room);
	bool again;

	mutex_lock(&p->lock);
	if (mk_console_room(p))
		wake_up_all(&p->wait);
	again = !p->destroyed && mk_state_live(p->state) &&
		!mk_console_room(p) && wq_has_sleeper(&p->wait);
	mutex_unlock(&p->lock);
	if (again)
		queue_delayed_work(mk_queue, &p->room, ROOM_CHECK_DELAY);
}

static void release_partition(struct kref *ref)
{
	struct mk_partition *p = container_of(ref, struct mk_partition, ref);

	kvfree(p->log.bytes);
	kvfree(p->known);
	kvfree_sensitive(p->home.content, MK_WINDOW_PAGES * PAGE_SIZE);
	clear_page(page_address(p->ioapic));
	__free_page(p->ioapic);
	kfree(p);
}

/**
 * mk_partition_get - take another reference
 * @p: the partition
 */
void mk_partition_get(struct mk_partition *p)
{
	kref_get(&p->ref);
}

/**
 * mk_partition_put - drop a reference
 * @p: the partition; it stays as long as it is in the list
 */
void mk_partition_put(struct mk_partition *p)
{
	kref_put(&p->ref, release_partition);
}

static struct mk_partition *find_locked(const u8 *uuid)
{
	struct mk_partition *p;

	list_for_each_entry(p, &mk_partitions, link)
		if (!memcmp(p->uuid, uuid, sizeof(p->uuid)))
			return p;
	return NULL;
}

/**
 * mk_partition_find - a partition by its UUID
 * @uuid: MK_UUID_BYTES
 *
 * Context: may sleep; takes mk_partition_list_lock.
 * Return: the partition with a reference for the caller, or NULL.
 */
struct mk_partition *mk_partition_find(const u8 *uuid)
{
	struct mk_partition *p;

	mutex_lock(&mk_partition_list_lock);
	p = find_locked(uuid);
	if (p)
		mk_partition_get(p);
	mutex_unlock(&mk_partition_list_lock);
	return p;
}

/**
 * mk_partition_count - how many partitions exist
 *
 * Context: mk_partition_list_lock is held.
 * Return: their number.
 */
unsigned int mk_partition_count(void)
{
	struct mk_partition *p;
	unsigned int count = 0;

	list_for_each_entry(p, &mk_partitions, link)
		count++;
	return count;
}

/* What it has of the low memory of the machine, and in its stead. */
static bool allocate_low(struct mk_partition *p)
{
	p->home.content = mk_fault("create: low memory") ? NULL :
			  kvzalloc(MK_WINDOW_PAGES * PAGE_SIZE, GFP_KERNEL);
	/* an IOAPIC has an address of 32 bits */
	p->ioapic = mk_fault("create: I/O APIC") ? NULL :
		    alloc_page(GFP_KERNEL | GFP_DMA32 | __GFP_ZERO);
	if (p->home.content && p->ioapic)
		return true;
	kvfree(p->home.content);
	if (p->ioapic)
		__free_page(p->ioapic);
	return false;
}

static struct mk_partition *allocate(const u8 *uuid, const char *name)
{
	struct mk_partition *p;

	p = mk_fault("create: partition") ? NULL : kzalloc(sizeof(*p), GFP_KERNEL);
	if (!p)
		return NULL;
	if (!allocate_low(p))
		goto free;
	kref_init(&p->ref);
	mutex_init(&p->lock);
	raw_spin_lock_init(&p->nmi_lock);
	init_waitqueue_head(&p->wait);
	INIT_WORK(&p->work, look);
	INIT_DELAYED_WORK(&p->room, look_for_room);
	memcpy(p->uuid, uuid, sizeof(p->uuid));
	strscpy(p->name, name, sizeof(p->name));
	mk_escape(p->label, sizeof(p->label), name, MK_NAME_BYTES);
	p->memory = mk_memory_new();
	if (!p->memory)
		goto free_low;
	if (mk_console_init(p))
		goto put_memory;
	if (mk_doorbell_open(p))
		goto free_log;
	return p;

free_log:
	cancel_work_sync(&p->work);
	kvfree(p->log.bytes);
put_memory:
	mk_memory_put(p->memory);
free_low:
	kvfree(p->home.content);
	__free_page(p->ioapic);
free:
	kfree(p);
	return NULL;
}

/**
 * mk_partition_limit - how many partitions there may be at once
 *
 * Return: as many as there are CPUs that can be given away.
 */
unsigned int mk_partition_limit(void)
{
	return num_possible_cpus() - 1;
}

/* Enters it into the list, with a reference to the module. */
static int enter(struct mk_partition *p, struct mk_message *message)
{
	lockdep_assert_held(&mk_partition_list_lock);
	if (find_locked(p->uuid))
		return mk_fail(message, -EEXIST,
			       "a partition with this UUID exists already");
	if (mk_partition_count() >= mk_partition_limit())
		return mk_fail(message, -ENOSPC,
			       "%u partitions exist, and the machine has no CPU for another one",
			       mk_partition_count());
	__module_get(THIS_MODULE);
	mk_partition_get(p);
	list_add_tail_rcu(&p->link, &mk_partitions);
	return 0;
}

/**
 * mk_partition_new - make a partition and enter it into the list
 * @uuid: its identity
 * @name: its name, MK_NAME_BYTES with a NUL
 * @message: filled on failure
 *
 * Context: may sleep; takes mk_partition_list_lock.
 * Return: the partition with a reference for the caller, or ERR_PTR of -EEXIST,
 * -ENOSPC or -ENOMEM.
 */
struct mk_partition *mk_partition_new(const u8 *uuid, const char *name,
				      struct mk_message *message)
{
	struct mk_partition *p = allocate(uuid, name);
	int ret;

	if (!p)
		return ERR_PTR(-ENOMEM);
	mutex_lock(&mk_partition_list_lock);
	ret = enter(p, message);
	mutex_unlock(&mk_partition_list_lock);
	if (!ret) {
		pr_info("%s: created, UUID %pUb\n", p->label, p->uuid);
		return p;
	}
	mk_doorbell_close(p);
	cancel_work_sync(&p->work);
	mk_memory_put(p->memory);
	mk_partition_put(p);
	return ERR_PTR(ret);
}

/**
 * mk_partition_remove - take a destroyed partition out of the list
 * @p: the partition; @destroyed is set and its CPUs are reset
 *
 * When it returns, nobody looks at its shared memory any more.
 *
 * Context: may sleep; takes mk_partition_list_lock.
 */
void mk_partition_remove(struct mk_partition *p)
{
	mutex_lock(&mk_partition_list_lock);
	list_del_rcu(&p->link);
	mutex_unlock(&mk_partition_list_lock);
	synchronize_rcu();
	mk_doorbell_close(p);
	cancel_work_sync(&p->work);
	cancel_delayed_work_sync(&p->room);
}

/**
 * mk_partition_begin - begin a call that changes a partition
 * @p: the partition
 * @states: bit mask of the states in which the call is allowed
 * @message: filled on failure; may be NULL
 *
 * Context: may sleep.
 * Return: 0, then mk_partition_end() must follow; -ENODEV if it was destroyed;
 * -EBUSY in another state or while another call runs.
 */
int mk_partition_begin(struct mk_partition *p, unsigned long states,
		       struct mk_message *message)
{
	struct mk_message ignored;
	int ret;

	if (!message)
		message = &ignored;
	mutex_lock(&p->lock);
	if (p->destroyed)
		ret = mk_fail(message, -ENODEV, "the partition was destroyed");
	/* only what may be done in any state, stopping, may be done now */
	else if (READ_ONCE(host_goes_down) && !(states & BIT(MK_STATE_LOST)))
		ret = mk_fail(message, -EBUSY, "the host goes down");
	else if (p->call)
		ret = mk_fail(message, -EBUSY, "another call is running in the partition");
	else if (!(states & BIT(p->state)))
		ret = mk_fail(message, -EBUSY, "the partition is in state %s",
			      mk_state_name(p->state));
	else
		ret = 0;
	if (!ret) {
		p->call = true;
		p->cancelled = false;
	}
	mutex_unlock(&p->lock);
	return ret;
}

/**
 * mk_partition_end - end what mk_partition_begin() began
 * @p: the partition
 */
void mk_partition_end(struct mk_partition *p)
{
	mutex_lock(&p->lock);
	p->call = false;
	mutex_unlock(&p->lock);
	wake_up_all(&p->wait);
}

static struct mk_partition *find_live(void)
{
	struct mk_partition *p, *found = NULL;

	mutex_lock(&mk_partition_list_lock);
	list_for_each_entry(p, &mk_partitions, link) {
		mutex_lock(&p->lock);
		WRITE_ONCE(p->cancelled, true);
		mk_window_wake();
		if (!found && (p->call || mk_state_live(p->state)))
			found = p;
		mutex_unlock(&p->lock);
	}
	if (found)
		mk_partition_get(found);
	mutex_unlock(&mk_partition_list_lock);
	return found;
}

/**
 * mk_partition_stop_all - the host goes down: stop what runs, begin nothing
 *
 * Context: may sleep; waits for the calls that run, which it cancels.
 */
void mk_partition_stop_all(void)
{
	struct mk_partition *p;
	int ret = 0;

	WRITE_ONCE(host_goes_down, true);
	while (ret != -EINTR) {
		p = find_live();
		if (!p)
			return;
		pr_info("%s: the host goes down\n", p->label);
		ret = mk_partition_stop(p);
		mk_partition_put(p);
	}
}
