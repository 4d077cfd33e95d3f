// SPDX-License-Identifier: GPL-2.0-only
/*
 * CPUs of partitions as hardware: starting them, resetting them, and the proof
 * that they stopped. Not whose they are (hotplug.c) nor what a started CPU runs
 * (boot.c).
 *
 * trampoline_lock is innermost and taken without a partition's lock.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/delay.h>
#include <linux/io.h>
#include <linux/ktime.h>
#include <asm/apic.h>
#include <asm/processor.h>
#include <asm/smp.h>

#include "host.h"
#include "trampoline.h"

/* Intel SDM vol. 3, "MP Initialization Example": 10 ms between INIT and SIPI. */
#define INIT_DELAY_US		10000
#define SIPI_DELAY_US		200
#define ANSWER_TIMEOUT_MS	5000
#define PGDIR_SHIFT_4		39	/* of four levels, whatever the host has */

static DEFINE_MUTEX(trampoline_lock);	/* the page at mk_lowmem_trampoline() */
static DEFINE_PER_CPU(struct mk_scrub_plan, scrub_plan);

static void apic_command(u32 low, u32 apic_id)
{
	unsigned long flags;
	unsigned int tries;

	local_irq_save(flags);
	for (tries = 0; tries < 100000; tries++) {
		if (!(native_apic_mem_read(APIC_ICR) & APIC_ICR_BUSY))
			break;
		cpu_relax();
	}
	native_apic_mem_write(APIC_ICR2, SET_XAPIC_DEST_FIELD(apic_id));
	native_apic_mem_write(APIC_ICR, low);
	local_irq_restore(flags);
}

/**
 * mk_cpu_send_init - stop a CPU, whatever it does
 * @apic_id: which; the caller has checked that it is no CPU of a kernel that lives
 *
 * Context: any. The CPU may need INIT_DELAY_US until it can be started again.
 */
void mk_cpu_send_init(u32 apic_id)
{
	apic_command(APIC_INT_LEVELTRIG | APIC_INT_ASSERT | APIC_DM_INIT,
		     apic_id);
	udelay(SIPI_DELAY_US);
	apic_command(APIC_INT_LEVELTRIG | APIC_DM_INIT, apic_id);
}

/**
 * mk_cpu_wait_init - wait until CPUs that got INIT can be started
 *
 * Context: may sleep.
 */
void mk_cpu_wait_init(void)
{
	usleep_range(INIT_DELAY_US, INIT_DELAY_US + 1000);
}

/**
 * mk_cpu_interrupt - send a fixed interrupt
 * @apic_id: to which CPU; the caller has checked that it is the partition's
 * @vector: 32 to 255
 *
 * Context: any.
 */
void mk_cpu_interrupt(u32 apic_id, u32 vector)
{
	apic_command(APIC_DM_FIXED | vector, apic_id);
}

/**
 * mk_cpu_nmi - send an NMI
 * @apic_id: to which CPU; the caller has checked that it is the partition's, and
 *	not in reset
 *
 * Context: any.
 */
void mk_cpu_nmi(u32 apic_id)
{
	apic_command(APIC_DM_NMI, apic_id);
}

static bool any_cpu_has(u32 apic_id)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu)
		if (per_cpu(x86_cpu_to_apicid, cpu) == apic_id)
			return true;
	return false;
}

/**
 * mk_cpu_phantom_id - an APIC id of one byte that no CPU of this machine has
 *
 * Return: the id; no CPU has it, online or not.
 */
u32 mk_cpu_phantom_id(void)
{
	u32 apic_id = 0xfe;

	while (any_cpu_has(apic_id))
		apic_id--;
	return apic_id;
}

static void read_cpuid(u32 leaf, u32 subleaf, u32 *values)
{
	cpuid_count(leaf, subleaf, &values[MK_EAX], &values[MK_EBX],
		    &values[MK_ECX], &values[MK_EDX]);
}

/**
 * mk_cpu_look - make the plan for scrubbing a CPU that is online
 * @cpu: this CPU: hybrid processors have several models, and each reads its own
 *
 * Context: on @cpu, a callback of CPU hotplug, when the module loads and each
 * time that the CPU comes online; so nobody needs the plan at that moment.
 * Return: 0
 */
int mk_cpu_look(unsigned int cpu)
{
	mk_scrub_make(per_cpu_ptr(&scrub_plan, cpu), read_cpuid);
	return 0;
}

/* One that was never online since the module loaded is taken for one like CPU 0. */
static const struct mk_scrub_plan *plan_of(u32 cpu)
{
	const struct mk_scrub_plan *plan = per_cpu_ptr(&scrub_plan, cpu);

	return plan->count ? plan : per_cpu_ptr(&scrub_plan, 0);
}

static u64 gate(phys_addr_t page, const char *handler)
{
	u64 offset = page + (handler - mk_trampoline_start);

	return (offset & 0xffff) | (u64)MK_TRAMPOLINE_CS << 16 |
	       0x8e00ULL << 32 | (offset & 0xffff0000) << 32;
}

/* Written anew each time: low memory can be written by every app kernel. */
static struct mk_trampoline *prepare_trampoline(u32 cpu, u32 mode)
{
	const struct mk_scrub_plan *plan = plan_of(cpu);
	phys_addr_t page = mk_lowmem_trampoline();
	void *base = __va(page);
	size_t at = mk_trampoline_data - mk_trampoline_start;
	struct mk_trampoline *t = base + at;
	phys_addr_t here = page + at;
	unsigned int i;
	u64 *table;

	memset(base, 0, PAGE_SIZE);
	memcpy(base, mk_trampoline_start, mk_trampoline_end - mk_trampoline_start);
	t->cr3 = page + PAGE_SIZE;
	t->mode = mode;
	t->planned = plan->count;
	memcpy(t->plan, plan->registers, sizeof(t->plan));
	t->stack = page + PAGE_SIZE;
	t->gdt_limit = sizeof(t->gdt) - 1;
	t->gdt_base = here + offsetof(struct mk_trampoline, gdt);
	t->gdt[2] = 0x00af9a000000ffffULL;	/* 64 bit code */
	t->gdt[3] = 0x00cf92000000ffffULL;	/* flat data */
	t->idt_limit = sizeof(t->idt) - 1;
	t->idt_base = here + offsetof(struct mk_trampoline, idt);
	for (i = 0; i < MK_TRAMPOLINE_GATES; i++)
		t->idt[i][0] = gate(page, mk_trampoline_trap);
	t->idt[2][0] = gate(page, mk_trampoline_return);
	t->idt[13][0] = gate(page, mk_trampoline_skip);
	t->far_offset = page + (mk_trampoline_64 - mk_trampoline_start);
	t->far_selector = MK_TRAMPOLINE_CS;

	/* the first 2 MiB, one to one */
	table = base + PAGE_SIZE;
	memset(table, 0, 3 * PAGE_SIZE);
	table[0] = (page + 2 * PAGE_SIZE) | 3;
	table[512] = (page + 3 * PAGE_SIZE) | 3;
	table[1024] = 0x83;
	return t;
}

/* Two SIPIs, as the SDM has it: the second only if the first was not heard. */
static u32 wake_and_wait(struct mk_trampoline *t, u32 apic_id, u32 wanted)
{
	ktime_t end = ktime_add_ms(ktime_get(), ANSWER_TIMEOUT_MS);
	u32 status;
	int i;

	for (i = 0; i < 2 && READ_ONCE(t->status) == MK_CPU_SILENT; i++) {
		apic_command(APIC_DM_STARTUP |
			     (mk_lowmem_trampoline() >> PAGE_SHIFT), apic_id);
		usleep_range(SIPI_DELAY_US, 2 * SIPI_DELAY_US);
	}
	for (;;) {
		status = READ_ONCE(t->status);
		if (status >= wanted || ktime_after(ktime_get(), end))
			return status;
		usleep_range(100, 200);
	}
}

/* It reported: was it all of the plan? Also low memory may have been written to. */
static int check_scrub(u32 cpu, struct mk_trampoline *t, u32 *cleared)
{
	u32 planned = plan_of(cpu)->count, walked = READ_ONCE(t->walked);
	u32 skipped = READ_ONCE(t->skipped);

	if (walked != planned || skipped > walked) {
		pr_err("CPU %u cleared %u of %u registers\n", cpu, walked, planned);
		return -EIO;
	}
	if (skipped)
		pr_warn_once("CPU %u lacks %u of %u registers that CPUID names\n",
			     cpu, skipped, planned);
	*cleared += walked - skipped;
	return 0;
}

/**
 * mk_cpu_probe - does a CPU that got INIT answer, and is it clean?
 * @cpu: its number
 * @apic_id: its APIC id; it got INIT at least INIT_DELAY_US ago
 * @cleared: the number of registers that it cleared is added to this
 *
 * Sends it through the stub that carries out its plan and reports, and then
 * puts it to sleep with another INIT. A CPU in VMX root operation, for
 * one, blocks INIT and will not answer; what it may still write to is unknown.
 * Not inlined, so that a test can lose the answer.
 *
 * Context: may sleep; takes the trampoline's lock.
 * Return: 0, or -EIO if it did not answer, or not do all of the plan.
 */
noinline int mk_cpu_probe(u32 cpu, u32 apic_id, u32 *cleared)
{
	struct mk_trampoline *t;
	int ret = -EIO;
	u32 status;

	mutex_lock(&trampoline_lock);
	t = prepare_trampoline(cpu, MK_TRAMPOLINE_PARK);
	status = mk_fault("stop: answer") ? MK_CPU_SILENT :
		 wake_and_wait(t, apic_id, MK_CPU_SCRUBBED);
	mk_cpu_send_init(apic_id);
	if (status == MK_CPU_SCRUBBED)
		ret = check_scrub(cpu, t, cleared);
	else
		pr_err("CPU %u (APIC id %u) does not answer: status %u\n", cpu,
		       apic_id, status);
	mutex_unlock(&trampoline_lock);
	return ret;
}

static void init_all(struct mk_partition *p)
{
	u32 i;

	for (i = 0; i < p->cpu_count; i++)
		if (p->cpus[i].role == MK_CPU_RUN)
			mk_cpu_send_init(p->cpus[i].apic_id);
}

/**
 * mk_cpu_reset - stop the CPUs of a partition, whatever they do
 * @p: the partition; the caller is its only call
 *
 * INIT to all of them, then the proof, one by one, that they stopped.
 *
 * Context: may sleep.
 * Return: 0, or -EIO if one did not answer: it may still be running.
 */
int mk_cpu_reset(struct mk_partition *p)
{
	u32 cleared = 0, i;
	int ret = 0;

	/*
	 * Twice: after the first round a CPU that was about to be stopped may
	 * have sent a SIPI to one that was stopped before it.
	 */
	init_all(p);
	init_all(p);
	mk_cpu_wait_init();
	for (i = 0; i < p->cpu_count; i++)
		if (p->cpus[i].role == MK_CPU_RUN &&
		    mk_cpu_probe(p->cpus[i].cpu, p->cpus[i].apic_id, &cleared))
			ret = -EIO;
	if (!ret)
		pr_info("%s: %u CPUs answered the reset and are scrubbed: %u registers\n",
			p->label, p->run_count, cleared);
	return ret;
}

/* Map [@start, @end) one to one; page tables are taken from @next on. */
static int map_range(struct mk_partition *p, u64 *next, u64 start, u64 end)
{
	u64 *root = p->control + MK_AT_TABLES;
	u64 at, *slot, *table;
	int level;

	for (at = start; at < end; at += PMD_SIZE) {
		table = root;
		for (level = PGDIR_SHIFT_4; level > PMD_SHIFT; level -= 9) {
			slot = &table[(at >> level) & 511];
			if (!*slot) {
				if (*next == p->control_start + MK_AT_TABLES_END)
					return -ENOMEM;
				*slot = *next | 3;
				*next += PAGE_SIZE;
			}
			table = __va(*slot & PTE_PFN_MASK);
		}
		table[(at >> PMD_SHIFT) & 511] = at | 0x83;
	}
	return 0;
}

/* What the kernel starts on: its own range, and low memory for the last step. */
static int prepare_boot(struct mk_partition *p, struct mk_trampoline *t)
{
	u64 next = p->control_start + MK_AT_TABLES + PAGE_SIZE;
	int ret;

	memset(p->control + MK_AT_TABLES, 0, MK_AT_TABLES_END - MK_AT_TABLES);
	ret = mk_fault("start: page tables") ? -ENOMEM :
	      map_range(p, &next, 0, PMD_SIZE);
	if (!ret)
		ret = map_range(p, &next, p->control_start, p->kernel_end);
	if (ret)
		return ret;
	memcpy(p->control + MK_AT_STUB, mk_trampoline_start,
	       mk_trampoline_end - mk_trampoline_start);
	t->entry = p->entry;
	t->boot_params = p->control_start + MK_AT_BOOT_PARAMS;
	t->boot_cr3 = p->control_start + MK_AT_TABLES;
	t->leave = p->control_start + MK_AT_STUB +
		   (mk_trampoline_leave - mk_trampoline_start);
	return 0;
}

static u32 first_run_cpu(struct mk_partition *p)
{
	u32 i;

	for (i = 0; p->cpus[i].role != MK_CPU_RUN; i++)
		;
	return i;
}

/* As smp_quirk_init_udelay(): a CPU at rest is ready at once, unless it is an old one. */
static bool rest_needs_init_delay(void)
{
	switch (boot_cpu_data.x86_vendor) {
	case X86_VENDOR_INTEL:
		return boot_cpu_data.x86 != 6;
	case X86_VENDOR_AMD:
	case X86_VENDOR_HYGON:
		return boot_cpu_data.x86 < 0xf;
	default:
		return true;
	}
}

/**
 * mk_cpu_boot - wake the first CPU of a partition into its kernel
 * @p: the partition; loaded; the caller is its only call
 *
 * Context: may sleep; takes the trampoline's lock.
 * Return: 0, -EIO if the CPU did not reach the kernel, or -ENOMEM if the kernel
 * needs more page tables than there is room for.
 */
int mk_cpu_boot(struct mk_partition *p)
{
	struct mk_taken_cpu *cpu = &p->cpus[first_run_cpu(p)];
	struct mk_trampoline *t;
	u32 status;
	int ret;

	mutex_lock(&trampoline_lock);
	t = prepare_trampoline(cpu->cpu, MK_TRAMPOLINE_BOOT);
	ret = prepare_boot(p, t);
	if (!ret) {
		/* it was taken offline or reset before: nothing is to be waited for */
		mk_cpu_send_init(cpu->apic_id);
		if (rest_needs_init_delay())
			mk_cpu_wait_init();
		status = mk_fault("start: wake") ? MK_CPU_SILENT :
			 wake_and_wait(t, cpu->apic_id, MK_CPU_GONE);
		if (status != MK_CPU_GONE) {
			/* it may come yet: not onto the trampoline of the next one */
			mk_cpu_send_init(cpu->apic_id);
			pr_err("%s: CPU %u does not wake: status %u\n", p->label,
			       cpu->cpu, status);
			ret = -EIO;
		}
	}
	mutex_unlock(&trampoline_lock);
	return ret;
}
