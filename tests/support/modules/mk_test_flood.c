// SPDX-License-Identifier: GPL-2.0-only
/*
 * mk_test_flood.ko: rings the host's doorbell from every CPU, as fast as they can,
 * with interrupts off, for ever. For the machine tests, in an app kernel only; never
 * installed.
 *
 *   insmod mk_test_flood.ko shm=0x...	as multikernel.shm= of the command line says
 *   deaf=1	from within an NMI, so that no other NMI is heard
 *   unlisted=1	all CPUs but the first are called offline in the table of CPUs
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cpu.h>
#include <linux/err.h>
#include <linux/io.h>
#include <linux/irqflags.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <asm/apic.h>
#include <asm/nmi.h>

/* Of multikernel_shared.h: mk_host_page.doorbell; MK_APP_CPUS, mk_app_cpu and its @online. */
#define DOORBELL_AT	32
#define CPUS_AT		0x110000
#define CPU_BYTES	256
#define ONLINE_AT	4

static unsigned long shm;
module_param(shm, ulong, 0);
MODULE_PARM_DESC(shm, "physical address of the control area");

static bool deaf;
module_param(deaf, bool, 0);
MODULE_PARM_DESC(deaf, "hear no NMI meanwhile");

static bool unlisted;
module_param(unlisted, bool, 0);
MODULE_PARM_DESC(unlisted, "tell the host of no CPU but the first");

static u64 doorbell;
static struct task_struct *threads[NR_CPUS];

static void send(u32 apic_id, u32 command)
{
	while (native_apic_mem_read(APIC_ICR) & APIC_ICR_BUSY)
		cpu_relax();
	native_apic_mem_write(APIC_ICR2, apic_id << 24);
	native_apic_mem_write(APIC_ICR, command);
}

static int flood(void *unused)
{
	local_irq_disable();
	if (deaf)	/* it ends in on_nmi() */
		send(native_apic_mem_read(APIC_ID) >> 24, APIC_DM_NMI);
	for (;;)
		send(upper_32_bits(doorbell), APIC_DM_FIXED | (doorbell & 0xff));
	return 0;
}

/* Ours is the only one that comes before the flood, and until this returns, the last. */
static int on_nmi(unsigned int type, struct pt_regs *regs)
{
	for (;;)
		send(upper_32_bits(doorbell), APIC_DM_FIXED | (doorbell & 0xff));
	return NMI_HANDLED;
}

static int __init leave_table(void)
{
	unsigned int cpu;
	void *cpus = memremap(shm + CPUS_AT, nr_cpu_ids * CPU_BYTES, MEMREMAP_WB);

	if (!cpus)
		return -ENOMEM;
	for_each_online_cpu(cpu)
		if (cpu)
			WRITE_ONCE(*(u32 *)(cpus + cpu * CPU_BYTES + ONLINE_AT), 0);
	memunmap(cpus);
	return 0;
}

static int __init flood_init(void)
{
	unsigned int cpu, me;
	void *page;
	int ret;

	page = memremap(shm, PAGE_SIZE, MEMREMAP_WB);
	if (!page)
		return -ENOMEM;
	doorbell = READ_ONCE(*(u64 *)(page + DOORBELL_AT));
	memunmap(page);
	if (deaf) {
		ret = register_nmi_handler(NMI_LOCAL, on_nmi, NMI_FLAG_FIRST, "mk_flood");
		if (ret)
			return ret;
	}
	if (unlisted) {
		ret = leave_table();
		if (ret)
			return ret;
	}
	pr_info("from %u CPUs\n", num_online_cpus());
	for_each_online_cpu(cpu) {
		threads[cpu] = kthread_create_on_cpu(flood, NULL, cpu, "mk_flood/%u");
		if (IS_ERR(threads[cpu]))
			return PTR_ERR(threads[cpu]);
	}
	/* this CPU's last: it never comes back to start another */
	me = get_cpu();
	for_each_online_cpu(cpu)
		if (cpu != me)
			wake_up_process(threads[cpu]);
	wake_up_process(threads[me]);
	put_cpu();
	return 0;
}
module_init(flood_init);

MODULE_DESCRIPTION("Floods the host with doorbells, for tests");
MODULE_LICENSE("GPL");
