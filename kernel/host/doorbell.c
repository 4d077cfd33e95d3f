// SPDX-License-Identifier: GPL-2.0-only
/*
 * Doorbells: one interrupt of the host that every app kernel may raise, and
 * the interrupt of an app kernel that the host may. The handler only schedules
 * work; what the news is, is partition.c's matter.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/interrupt.h>
#include <linux/irq.h>
#include <linux/irqdomain.h>
#include <linux/rculist.h>
#include <asm/hw_irq.h>
#include <asm/irqdomain.h>
#include <asm/smp.h>

#include "host.h"

static struct fwnode_handle *fwnode;
static struct irq_domain *domain;
static int doorbell_irq;
static u64 host_doorbell;

static void look_at_all(void)
{
	struct mk_partition *p;

	rcu_read_lock();
	list_for_each_entry_rcu(p, &mk_partitions, link)
		queue_work(mk_queue, &p->work);
	rcu_read_unlock();
}

/*
 * The physical id of the CPU: irq_cfg has a logical one on a host with a flat
 * APIC. Whoever still rings the old place rings in vain, so look for news.
 */
static void publish(struct irq_data *irq)
{
	unsigned int cpu = cpumask_first(irq_data_get_effective_affinity_mask(irq));
	struct irq_cfg *config = irqd_cfg(irq);
	struct mk_partition *p;

	if (!config || cpu >= nr_cpu_ids)
		return;
	WRITE_ONCE(host_doorbell,
		   mk_doorbell_pack(per_cpu(x86_cpu_to_apicid, cpu),
				    config->vector));
	rcu_read_lock();
	list_for_each_entry_rcu(p, &mk_partitions, link) {
		void *control = READ_ONCE(p->control);

		if (control)
			WRITE_ONCE(((struct mk_host_page *)control)->doorbell,
				   host_doorbell);
	}
	rcu_read_unlock();
	look_at_all();
}

static int set_affinity(struct irq_data *irq, const struct cpumask *mask,
			bool force)
{
	int ret = irq_chip_set_affinity_parent(irq, mask, force);

	if (ret >= 0)
		publish(irq);
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

static irqreturn_t rung(int irq, void *arg)
{
	look_at_all();
	return IRQ_HANDLED;
}

/**
 * mk_doorbell_init - get the interrupt, at module load
 *
 * Context: may sleep.
 * Return: 0 or a negative errno.
 */
int mk_doorbell_init(void)
{
	struct irq_alloc_info info = {};
	int ret;

	fwnode = irq_domain_alloc_named_fwnode("multikernel");
	if (!fwnode)
		return -ENOMEM;
	domain = irq_domain_create_hierarchy(x86_vector_domain, 0, 0, fwnode,
					     &domain_ops, NULL);
	if (!domain) {
		ret = -ENOMEM;
		goto free_fwnode;
	}
	ret = __irq_domain_alloc_irqs(domain, -1, 1, NUMA_NO_NODE, &info, false,
				      NULL);
	if (ret < 0)
		goto remove_domain;
	doorbell_irq = ret;
	/* no device can be in the middle of raising it: move it at once */
	irq_set_status_flags(doorbell_irq, IRQ_MOVE_PCNTXT);
	ret = request_irq(doorbell_irq, rung, IRQF_NOBALANCING, "multikernel",
			  &doorbell_irq);
	if (ret)
		goto dispose;
	publish(irq_domain_get_irq_data(domain, doorbell_irq));
	return 0;

dispose:
	irq_dispose_mapping(doorbell_irq);
remove_domain:
	irq_domain_remove(domain);
free_fwnode:
	irq_domain_free_fwnode(fwnode);
	return ret;
}

/**
 * mk_doorbell_exit - give the interrupt back; no partition exists any more
 */
void mk_doorbell_exit(void)
{
	free_irq(doorbell_irq, &doorbell_irq);
	irq_dispose_mapping(doorbell_irq);
	irq_domain_remove(domain);
	irq_domain_free_fwnode(fwnode);
}

/**
 * mk_doorbell_host - where an app kernel has to ring
 *
 * Return: as mk_doorbell_pack() makes it.
 */
u64 mk_doorbell_host(void)
{
	return READ_ONCE(host_doorbell);
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
	u64 doorbell = READ_ONCE(mk_app_page(p)->doorbell);
	u32 apic_id = doorbell >> 32, vector = (u32)doorbell, i;

	if (vector < 32 || vector > 255)
		return;
	for (i = 0; i < p->cpu_count; i++)
		if (p->cpus[i].role == MK_CPU_RUN &&
		    p->cpus[i].apic_id == apic_id) {
			mk_cpu_interrupt(apic_id, vector);
			return;
		}
}
