// SPDX-License-Identifier: GPL-2.0-only
/*
 * Doorbells: an interrupt of the host for each app kernel, which that may raise,
 * and the interrupt of an app kernel that the host may. The handler wakes who waits
 * for an answer, schedules work, and stops who rings too often; what the news is, is
 * partition.c's matter.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/interrupt.h>
#include <linux/irq.h>
#include <linux/irqdesc.h>
#include <linux/irqdomain.h>
#include <linux/ktime.h>
#include <linux/minmax.h>
#include <linux/module.h>
#include <linux/string.h>
#include <asm/hw_irq.h>
#include <asm/irqdomain.h>
#include <asm/smp.h>

#include "host.h"

#define WINDOWS_PER_SECOND	20
#define WINDOW_NS		(NSEC_PER_SEC / WINDOWS_PER_SECOND)
#define OBEY_NS			(50 * NSEC_PER_MSEC)
/* Who is silent for the time of so many at the limit has stopped; less than OBEY_NS. */
#define QUIET_RINGS		4
/* Not as a thread (threadirqs): see stop_flood(). PREEMPT_RT cannot wake from an interrupt. */
#define RUNG_FLAGS		(IRQF_NOBALANCING | \
				 (IS_ENABLED(CONFIG_PREEMPT_RT) ? 0 : IRQF_NO_THREAD))

static unsigned int doorbells_per_second = 20000;
module_param(doorbells_per_second, uint, 0644);
MODULE_PARM_DESC(doorbells_per_second, "a partition that rings more often is paused");

static struct fwnode_handle *fwnode;
static struct irq_domain *domain;

/*
 * The physical id of the CPU: irq_cfg has a logical one on a host with a flat
 * APIC. Whoever has read the old word rings in vain: it wrote its news before it
 * read, with a full barrier in between, as we have one between the new word and
 * the look. So one of the two sees the other.
 */
static void publish(struct mk_partition *p, struct irq_data *irq)
{
	unsigned int cpu = cpumask_first(irq_data_get_effective_affinity_mask(irq));
	struct irq_cfg *config = irqd_cfg(irq);
	void *control;

	if (!config || cpu >= nr_cpu_ids)
		return;
	WRITE_ONCE(p->bell.word, mk_doorbell_pack(per_cpu(x86_cpu_to_apicid, cpu),
						  config->vector));
	smp_mb();	/* pairs with mk_doorbell_start(): the word before the page */
	control = READ_ONCE(p->control);
	if (control)
		WRITE_ONCE(((struct mk_host_page *)control)->doorbell, p->bell.word);
	smp_mb();	/* pairs with the app kernel's: see above */
	queue_work(mk_queue, &p->work);
}

static int set_affinity(struct irq_data *irq, const struct cpumask *mask,
			bool force)
{
	int ret = irq_chip_set_affinity_parent(irq, mask, force);

	if (ret >= 0 && irq->chip_data)
		publish(irq->chip_data, irq);
	return ret;
}

static void ignore(struct irq_data *irq)
{
}

static void compose_nothing(struct irq_data *irq, struct msi_msg *message)
{
}

/* There is no device behind it: nothing to mask, nothing to program. */
static struct irq_chip chip = {
	.name = "multikernel",
	.irq_ack = irq_chip_ack_parent,
	.irq_set_affinity = set_affinity,
	.irq_retrigger = irq_chip_retrigger_hierarchy,
	.irq_mask = ignore,
	.irq_unmask = ignore,
	.irq_compose_msi_msg = compose_nothing,
};

static int domain_alloc(struct irq_domain *d, unsigned int irq,
			unsigned int count, void *arg)
{
	int ret = irq_domain_alloc_irqs_parent(d, irq, count, arg);

	if (!ret)
		irq_domain_set_info(d, irq, 0, &chip, NULL, handle_edge_irq,
				    NULL, "edge");
	return ret;
}

static void domain_free(struct irq_domain *d, unsigned int irq,
			unsigned int count)
{
	irq_domain_free_irqs_common(d, irq, count);
}

static const struct irq_domain_ops domain_ops = {
	.alloc = domain_alloc,
	.free = domain_free,
};

/*
 * In the interrupt, because a host that is rung at full speed may get to nothing
 * else. First all CPUs of the sender are held; if it rings on, they get INIT.
 */
static void stop_flood(struct mk_partition *p, u64 now)
{
	struct mk_bell *bell = &p->bell;

	if (!mk_state_live(READ_ONCE(p->state)))
		return;
	switch (READ_ONCE(bell->flood)) {
	case MK_FLOOD_NONE:
		bell->flood_ns = now;
		bell->flood_seq = mk_nmi_hold_now(p);
		smp_store_release(&bell->flood, MK_FLOOD_HELD);	/* after the others */
		break;
	case MK_FLOOD_HELD:
		if (now - bell->flood_ns < OBEY_NS)
			break;
		mk_cpu_halt(p);
		WRITE_ONCE(bell->flood, MK_FLOOD_HALTED);
		break;
	}
}

static bool waits_for_answer(const struct mk_partition *p)
{
	u32 i;

	for (i = 0; i < MK_CHANNELS; i++)
		if (READ_ONCE(p->answers[i].posted) != READ_ONCE(p->answers[i].done))
			return true;
	return false;
}

static irqreturn_t rung(int irq, void *arg)
{
	u64 now = ktime_get_mono_fast_ns();
	struct mk_partition *p = arg;
	struct mk_bell *bell = &p->bell;

	WRITE_ONCE(bell->count, bell->count + 1);
	WRITE_ONCE(bell->rung_ns, now);
	if (now - bell->window_ns >= WINDOW_NS) {
		bell->window_ns = now;
		bell->in_window = 0;
	}
	if (++bell->in_window > mk_doorbell_limit() / WINDOWS_PER_SECOND)
		stop_flood(p, now);
	/* who waits for an answer looks himself, the work may take its time */
	if (waits_for_answer(p))
		wake_up_all(&p->wait);
	queue_work(mk_queue, &p->work);
	return IRQ_HANDLED;
}

/**
 * mk_doorbell_limit - how often a partition may ring
 *
 * Return: times a second.
 */
u32 mk_doorbell_limit(void)
{
	return max(READ_ONCE(doorbells_per_second), 100U);
}

/*
 * Is there a CPU that goes on, though all that the table names have obeyed? The
 * table is hostile, the silence is not.
 */
static bool rings_on(const struct mk_bell *bell)
{
	s64 quiet = QUIET_RINGS * NSEC_PER_SEC / mk_doorbell_limit();

	return (s64)(ktime_get_mono_fast_ns() - READ_ONCE(bell->rung_ns)) < quiet;
}

/**
 * mk_doorbell_settle - what came of a flood, if there was one
 * @p: the partition; it is paused, or, if its CPUs did not obey, in state panic
 *
 * Context: the partition's lock is held.
 * Return: whether to look again soon: its CPUs have not obeyed yet, or it is just
 * being resumed.
 */
bool mk_doorbell_settle(struct mk_partition *p)
{
	struct mk_bell *bell = &p->bell;
	u32 flood = smp_load_acquire(&bell->flood); /* before the others */

	lockdep_assert_held(&p->lock);
	if (flood == MK_FLOOD_NONE)
		return false;
	if (flood == MK_FLOOD_HELD &&
	    (mk_nmi_missing(p, bell->flood_seq) || rings_on(bell))) {
		if (ktime_get_mono_fast_ns() - bell->flood_ns < OBEY_NS)
			return true;
		mk_cpu_halt(p);
		flood = MK_FLOOD_HALTED;
		WRITE_ONCE(bell->flood, flood);
	}
	/* MK_RESUME has let it go on already, but says so only when it ends */
	if (p->state == MK_STATE_PAUSED && p->call)
		return true;
	pr_warn("%s: rang more than %u times a second and was %s\n", p->label,
		mk_doorbell_limit(),
		flood == MK_FLOOD_HELD ? "paused" : "stopped: it did not obey");
	if (p->state != MK_STATE_RUNNING && p->state != MK_STATE_BOOTING &&
	    p->state != MK_STATE_PAUSED) {
		/* it is somebody else's, who stops it */
	} else if (flood == MK_FLOOD_HELD) {
		mk_partition_set_state(p, MK_STATE_PAUSED);
	} else {
		strscpy(p->panic, "stopped by the host, which it flooded with doorbells",
			sizeof(p->panic));
		mk_partition_set_state(p, MK_STATE_PANIC);
	}
	WRITE_ONCE(bell->in_window, 0);
	WRITE_ONCE(bell->flood, MK_FLOOD_NONE);
	return false;
}

/**
 * mk_doorbell_init - get what interrupts are made of, at module load
 *
 * Context: may sleep.
 * Return: 0 or a negative errno.
 */
int mk_doorbell_init(void)
{
	fwnode = irq_domain_alloc_named_fwnode("multikernel");
	if (!fwnode)
		return -ENOMEM;
	domain = irq_domain_create_hierarchy(x86_vector_domain, 0, 0, fwnode,
					     &domain_ops, NULL);
	if (!domain) {
		irq_domain_free_fwnode(fwnode);
		return -ENOMEM;
	}
	return 0;
}

/**
 * mk_doorbell_exit - undo mk_doorbell_init(); no partition exists any more
 */
void mk_doorbell_exit(void)
{
	irq_domain_remove(domain);
	irq_domain_free_fwnode(fwnode);
}

/**
 * mk_doorbell_open - get the interrupt that a new partition rings with
 * @p: the partition
 *
 * One for each, so that the sender is known.
 *
 * Context: may sleep.
 * Return: 0 or a negative errno.
 */
int mk_doorbell_open(struct mk_partition *p)
{
	struct irq_alloc_info info = {};
	struct irq_data *data;
	struct irq_desc *desc;
	unsigned long flags;
	int irq, ret;

	irq = mk_fault("create: doorbell") ? -ENOMEM :
	      __irq_domain_alloc_irqs(domain, -1, 1, NUMA_NO_NODE, &info, false, NULL);
	if (irq < 0)
		return irq;
	irq_set_chip_data(irq, p);
	/* no device can be in the middle of raising it: move it at once */
	irq_set_status_flags(irq, IRQ_MOVE_PCNTXT);
	ret = mk_fault("create: interrupt") ? -ENOMEM :
	      request_irq(irq, rung, RUNG_FLAGS, "multikernel", p);
	if (ret) {
		irq_dispose_mapping(irq);
		return ret;
	}
	p->bell.irq = irq;
	data = irq_domain_get_irq_data(domain, irq);
	desc = irq_data_to_desc(data);
	raw_spin_lock_irqsave(&desc->lock, flags);	/* as whoever moves it */
	publish(p, data);
	raw_spin_unlock_irqrestore(&desc->lock, flags);
	return 0;
}

/**
 * mk_doorbell_close - give the interrupt back
 * @p: the partition; its CPUs have been reset
 *
 * Context: may sleep. @work may be queued still.
 */
void mk_doorbell_close(struct mk_partition *p)
{
	free_irq(p->bell.irq, p);
	irq_dispose_mapping(p->bell.irq);
}

/**
 * mk_doorbell_start - tell a new app kernel where to ring
 * @p: the partition; its host page has been cleared
 *
 * Context: the partition's lock is held.
 */
void mk_doorbell_start(struct mk_partition *p)
{
	struct mk_host_page *host = mk_host_page(p);

	WRITE_ONCE(p->bell.count, 0);
	WRITE_ONCE(p->bell.in_window, 0);
	WRITE_ONCE(p->bell.flood, MK_FLOOD_NONE);
	/* again, if it moved while we wrote: the mover did not see our page */
	do {
		WRITE_ONCE(host->doorbell, READ_ONCE(p->bell.word));
		smp_mb();	/* pairs with publish() */
	} while (READ_ONCE(host->doorbell) != READ_ONCE(p->bell.word));
}

/**
 * mk_doorbell_ring - interrupt an app kernel
 * @p: the partition; nothing happens if it has not said how
 *
 * What it says is hostile: it may only name a CPU of its own, and no vector
 * that means an exception.
 *
 * Context: the partition's lock is held.
 */
void mk_doorbell_ring(struct mk_partition *p)
{
	u32 apic_id, vector, i;

	if (!mk_doorbell_unpack(READ_ONCE(mk_app_page(p)->doorbell), &apic_id, &vector))
		return;
	for (i = 0; i < p->cpu_count; i++)
		if (p->cpus[i].role == MK_CPU_RUN &&
		    p->cpus[i].apic_id == apic_id) {
			mk_cpu_interrupt(apic_id, vector);
			return;
		}
}
