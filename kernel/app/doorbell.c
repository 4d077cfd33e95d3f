// SPDX-License-Identifier: GPL-2.0-only
/*
 * Doorbells: a fixed interrupt from one kernel to the other. Rings the host, and
 * takes its rings with an interrupt of our own on the CPU vector domain. What a
 * ring is about is found in the shared pages, by the files that own them.
 */
#define pr_fmt(fmt) "multikernel: " fmt

#include <linux/interrupt.h>
#include <linux/irq.h>
#include <linux/irqdesc.h>
#include <linux/irqdomain.h>
#include <linux/smp.h>
#include <linux/workqueue.h>
#include <asm/apic.h>
#include <asm/barrier.h>
#include <asm/hw_irq.h>
#include <asm/irqdomain.h>
#include <asm/msr.h>

#include "app.h"

static struct fwnode_handle *fwnode;
static struct irq_domain *domain;
static int doorbell_irq;

/**
 * mk_send_interrupt - write to the interrupt command register
 * @apic_id: to which CPU
 * @command: delivery mode and vector
 *
 * Context: any, NMI included.
 */
void mk_send_interrupt(u32 apic_id, u32 command)
{
	unsigned long flags;

	local_irq_save(flags);
	if (x2apic_enabled()) {
		/* an x2APIC ICR write is not serialising (Intel SDM vol. 3, 11.12.3) */
		asm volatile("mfence; lfence" ::: "memory");
		wrmsrl(APIC_BASE_MSR + (APIC_ICR >> 4),
		       ((u64)apic_id << 32) | command);
	} else {
		while (native_apic_mem_read(APIC_ICR) & APIC_ICR_BUSY)
			cpu_relax();
		native_apic_mem_write(APIC_ICR2, apic_id << 24);
		native_apic_mem_write(APIC_ICR, command);
	}
	local_irq_restore(flags);
}

/**
 * mk_ring_host - ring the host's doorbell
 *
 * Does nothing while the host does not want to be rung.
 *
 * Context: any, NMI included; also after panic() disabled the local APIC, which
 * can still send then (Intel SDM vol. 3, 11.4.7.2).
 */
void mk_ring_host(void)
{
	u32 apic_id, vector;

	if (mk_doorbell_unpack(READ_ONCE(mk_shared.host->doorbell), &apic_id, &vector))
		mk_send_interrupt(apic_id, APIC_DM_FIXED | vector);
}

/*
 * The host may have rung the old place in vain. It wrote its news before it read
 * where to ring, with a full barrier in between, as we have one between the new
 * place and the look: one of the two sees the other. So nothing has to poll.
 */
static void look_again(struct work_struct *work)
{
	mk_request_check();
	mk_console_check();
}

static DECLARE_WORK(look_work, look_again);

/*
 * irq_cfg.dest_apicid may be a logical id; the host needs the physical one of
 * the CPU where the vector lives.
 */
static void publish(struct irq_data *data)
{
	struct irq_cfg *cfg = irqd_cfg(data);
	unsigned int cpu = cpumask_first(irq_data_get_effective_affinity_mask(data));

	if (!cfg || cpu >= nr_cpu_ids)
		return;
	WRITE_ONCE(mk_shared.page->doorbell,
		   mk_doorbell_pack(per_cpu(x86_cpu_to_apicid, cpu), cfg->vector));
	virt_mb();	/* the place before the look */
	queue_work(system_unbound_wq, &look_work);
}

static int doorbell_set_affinity(struct irq_data *data, const struct cpumask *mask, bool force)
{
	int ret = irq_chip_set_affinity_parent(data, mask, force);

	if (ret >= 0)
		publish(data);
	return ret;
}

/* Nothing stands between the sender and the vector: no message, no mask. */
static void doorbell_compose(struct irq_data *data, struct msi_msg *msg)
{
}

static void doorbell_mask(struct irq_data *data)
{
}

static struct irq_chip doorbell_chip = {
	.name			= "multikernel",
	.irq_ack		= irq_chip_ack_parent,
	.irq_set_affinity	= doorbell_set_affinity,
	.irq_retrigger		= irq_chip_retrigger_hierarchy,
	.irq_compose_msi_msg	= doorbell_compose,
	.irq_mask		= doorbell_mask,
	.irq_unmask		= doorbell_mask,
};

static int domain_alloc(struct irq_domain *dom, unsigned int virq, unsigned int count, void *arg)
{
	int ret = irq_domain_alloc_irqs_parent(dom, virq, count, arg);

	if (!ret)
		irq_domain_set_info(dom, virq, 0, &doorbell_chip, NULL, handle_edge_irq, NULL,
				    "edge");
	return ret;
}

static void domain_free(struct irq_domain *dom, unsigned int virq, unsigned int count)
{
	irq_domain_free_irqs_common(dom, virq, count);
}

static const struct irq_domain_ops domain_ops = {
	.alloc	= domain_alloc,
	.free	= domain_free,
};

static irqreturn_t doorbell_handler(int irq, void *arg)
{
	mk_request_check();
	mk_cpus_check();
	mk_console_check();
	mk_nmi_print();
	return IRQ_HANDLED;
}

static int alloc_irq(void)
{
	struct irq_alloc_info info = { .type = 0 };

	fwnode = irq_domain_alloc_named_fwnode("multikernel");
	if (!fwnode)
		return -ENOMEM;
	domain = irq_domain_create_hierarchy(x86_vector_domain, 0, 0, fwnode, &domain_ops, NULL);
	if (!domain) {
		irq_domain_free_fwnode(fwnode);
		return -ENOMEM;
	}
	doorbell_irq = __irq_domain_alloc_irqs(domain, -1, 1, NUMA_NO_NODE, &info, false, NULL);
	if (doorbell_irq < 0) {
		irq_domain_remove(domain);
		irq_domain_free_fwnode(fwnode);
		return doorbell_irq;
	}
	return 0;
}

static void free_doorbell_irq(void)
{
	irq_dispose_mapping(doorbell_irq);
	irq_domain_remove(domain);
	irq_domain_free_fwnode(fwnode);
}

/**
 * mk_doorbell_init - take the host's doorbell
 *
 * Context: may sleep.
 * Return: 0 or a negative errno.
 */
int mk_doorbell_init(void)
{
	struct irq_data *data;
	struct irq_desc *desc;
	unsigned long flags;
	int ret;

	ret = alloc_irq();
	if (ret)
		goto err;
	/* NOBALANCING: only CPU hotplug moves it; the host is told of each move */
	ret = request_irq(doorbell_irq, doorbell_handler, IRQF_NOBALANCING, "multikernel",
			  &doorbell_irq);
	if (ret)
		goto err_irq;
	data = irq_get_irq_data(doorbell_irq);
	desc = irq_data_to_desc(data);
	raw_spin_lock_irqsave(&desc->lock, flags);	/* as whoever moves it */
	publish(data);
	raw_spin_unlock_irqrestore(&desc->lock, flags);
	return 0;

err_irq:
	free_doorbell_irq();
	cancel_work_sync(&look_work);
err:
	pr_err("no interrupt for the doorbell: error %d\n", ret);
	return ret;
}

/**
 * mk_doorbell_exit - undo mk_doorbell_init() when the module fails to load
 *
 * Context: may sleep.
 */
void mk_doorbell_exit(void)
{
	WRITE_ONCE(mk_shared.page->doorbell, 0);
	free_irq(doorbell_irq, &doorbell_irq);
	free_doorbell_irq();
	cancel_work_sync(&look_work);
}
