// SPDX-License-Identifier: GPL-2.0-only
/*
 * The host's NMI: holds this kernel and lets it go on, saves registers, prints
 * backtraces, and ends virtualization before the CPU is reset. It reaches a CPU
 * whatever that does, interrupts off or not. What is asked for stands in
 * mk_host_page.nmi; each CPU obeys for itself and says so in its mk_app_cpu.
 *
 * How a CPU sleeps in the handler: an NMI blocks others until the next IRET, so a
 * HLT there would never wake. An IRET to the next instruction unblocks them. One
 * that comes then wakes the HLT; Linux's NMI entry (arch/x86/entry/entry_64.S,
 * exc_nmi() in arch/x86/kernel/nmi.c) sees that it is nested, only notes that, and
 * runs the handlers once more when this one has returned. The host sends again
 * until it is obeyed, so one that comes between the look and the HLT does no harm.
 *
 * What else would notice a pause: RCU's stall detector, which is suppressed until
 * a grace period after it; the soft lockup and workqueue watchdogs, touched on each
 * CPU; the hung task detector, which skips one look; the NMI code's own warning of
 * slow handlers. The clock is the time stamp counter and simply goes on.
 */
#define pr_fmt(fmt) "multikernel: " fmt

#include <linux/atomic.h>
#include <linux/cpuhotplug.h>
#include <linux/hrtimer.h>
#include <linux/irq_work.h>
#include <linux/kernel.h>
#include <linux/limits.h>
#include <linux/nmi.h>
#include <linux/percpu.h>
#include <linux/rcupdate.h>
#include <linux/sched/debug.h>
#include <linux/smp.h>
#include <linux/string.h>
#include <asm/apic.h>
#include <asm/asm.h>
#include <asm/barrier.h>
#include <asm/msr.h>
#include <asm/nmi.h>
#include <asm/ptrace.h>
#include <asm/segment.h>
#include <asm/smp.h>
#include <asm/sync_core.h>
#include <asm/tsc.h>

#include "app.h"
#include "compat.h"

/*
 * Of the NMIs that the host sends until it sees that one was obeyed, this many may
 * still come afterwards: one that was latched, and one that was being sent. They
 * are ours, if they come soon.
 */
#define STRAY_NMIS	2
#define STRAY_MS	10000ULL

#define SUPPRESSED	3	/* rcu_cpu_stall_suppress; RCU itself writes 1 and 2 */
#define SETTLE_SECONDS	30

struct cpu_nmi {
	u32 seen;		/* sequence number of the last one obeyed */
	u32 strays;
	bool park;		/* at the next NMI */
	bool parked;		/* its registers stay what they were */
	u64 obeyed_tsc;
	struct irq_work settle;
};

static DEFINE_PER_CPU(struct cpu_nmi, cpu_nmi);
static int online_state;

static atomic_t backtraces;	/* printed since the last mk_nmi_print() */
static atomic_t holds;		/* counts them */
static atomic_t settling;	/* the callback is queued */
static int settling_for;	/* what @holds was then */
static struct rcu_head settle_head;
static struct hrtimer settle_timer;

static struct mk_app_cpu *own_slot(void)
{
	unsigned int cpu = raw_smp_processor_id();

	return cpu < MK_SHARED_CPUS ? &mk_shared.cpus[cpu] : NULL;
}

static void acknowledge(struct mk_app_cpu *slot, u32 seq)
{
	virt_store_release(&slot->done, seq);	/* after the registers */
}

/* struct pt_regs begins as elf_gregset_t does: r15 to ss, as they were pushed. */
static void save_registers(struct mk_app_cpu *slot, struct pt_regs *regs)
{
	u64 *to = slot->registers;
	unsigned int selector;

	static_assert(sizeof(*regs) == 21 * sizeof(u64));
	memcpy(to, regs, sizeof(*regs));
	to[17] &= 0xffff;	/* cs and ss: newer kernels keep more beside them */
	to[20] &= 0xffff;
	rdmsrl(MSR_FS_BASE, to[21]);
	rdmsrl(user_mode(regs) ? MSR_KERNEL_GS_BASE : MSR_GS_BASE, to[22]);
	savesegment(ds, selector);
	to[23] = selector;
	savesegment(es, selector);
	to[24] = selector;
	savesegment(fs, selector);
	to[25] = selector;
	savesegment(gs, selector);
	to[26] = selector;
	WRITE_ONCE(slot->saved, 1);
}

/* The user's own 1 stays what it is. */
static void suppress_stalls(void)
{
	cmpxchg(&rcu_cpu_stall_suppress, 0, SUPPRESSED);
}

static void allow_stalls(void)
{
	cmpxchg(&rcu_cpu_stall_suppress, SUPPRESSED, 0);
}

/*
 * A grace period that began before a pause has ended, and the next has its own
 * time limit. Once more if there was another pause.
 */
static void settled(struct rcu_head *head)
{
	int now = atomic_read(&holds);

	if (now != settling_for) {
		settling_for = now;
		call_rcu(head, settled);
		return;
	}
	atomic_set(&settling, 0);
	allow_stalls();
}

/* A CPU that hangs since before the pause lets no grace period end: that may be told. */
static enum hrtimer_restart settle_late(struct hrtimer *timer)
{
	allow_stalls();
	return HRTIMER_NORESTART;
}

/* In an interrupt, behind the NMI in which the pause ended. */
static void settle(struct irq_work *work)
{
	hrtimer_start(&settle_timer, ktime_set(SETTLE_SECONDS, 0), HRTIMER_MODE_REL);
	if (!atomic_cmpxchg(&settling, 0, 1)) {
		settling_for = atomic_read(&holds);
		call_rcu(&settle_head, settled);
	}
}

/*
 * In VMX root operation a CPU blocks INIT. SVM does not, but for moments; without
 * it there is no way back into such a moment. Faults of an instruction that is
 * wrong here after all are stepped over.
 */
static void end_virtualization(void)
{
	u64 efer;

	if (native_read_cr4() & X86_CR4_VMXE)
		asm volatile("1: vmxoff\n"
			     "2:\n"
			     _ASM_EXTABLE(1b, 2b)
			     : : : "cc", "memory");
	if (!rdmsrl_safe(MSR_EFER, &efer) && (efer & EFER_SVME))
		wrmsrl_safe(MSR_EFER, efer & ~EFER_SVME);
}

/* A hypervisor that finds its CPU out of VMX operation would crash: never returns. */
static void __noreturn leave(struct mk_app_cpu *slot, u32 seq)
{
	end_virtualization();
	acknowledge(slot, seq);
	for (;;)
		native_halt();
}

static void hold(struct mk_app_cpu *slot, struct cpu_nmi *me)
{
	u64 word;

	atomic_inc(&holds);
	suppress_stalls();
	acknowledge(slot, me->seen);
	iret_to_self();
	for (;;) {
		word = READ_ONCE(mk_shared.host->nmi);
		if (lower_32_bits(word) != me->seen) {
			me->seen = lower_32_bits(word);
			if (upper_32_bits(word) == MK_APP_NMI_RELEASE)
				break;
			if (upper_32_bits(word) == MK_APP_NMI_LEAVE)
				leave(slot, me->seen);
			acknowledge(slot, me->seen);
		}
		native_halt();
	}
	touch_softlockup_watchdog();
	reset_hung_task_detector();
	irq_work_queue(&me->settle);
	acknowledge(slot, me->seen);
}

static void obey(struct mk_app_cpu *slot, struct cpu_nmi *me, u32 op,
		 struct pt_regs *regs)
{
	if (!me->parked && (op == MK_APP_NMI_HOLD || op == MK_APP_NMI_REGISTERS ||
			    op == MK_APP_NMI_LEAVE))
		save_registers(slot, regs);
	switch (op) {
	case MK_APP_NMI_HOLD:
		hold(slot, me);
		return;
	case MK_APP_NMI_LEAVE:
		leave(slot, me->seen);
	case MK_APP_NMI_BACKTRACE:
		pr_warn("NMI backtrace for cpu %d\n", raw_smp_processor_id());
		dump_stack();
		atomic_inc(&backtraces);
		break;
	}
	acknowledge(slot, me->seen);
}

/* Is there something that this CPU has not obeyed yet? Then it does. */
static bool check(struct pt_regs *regs)
{
	struct cpu_nmi *me = this_cpu_ptr(&cpu_nmi);
	u64 word = READ_ONCE(mk_shared.host->nmi);
	struct mk_app_cpu *slot = own_slot();

	if (!slot || lower_32_bits(word) == me->seen)
		return false;
	me->seen = lower_32_bits(word);
	if (READ_ONCE(slot->online))	/* else the host would not let it go on */
		obey(slot, me, upper_32_bits(word), regs);
	me->strays = STRAY_NMIS;
	me->obeyed_tsc = rdtsc();
	return true;
}

/**
 * mk_nmi_print - bring backtraces to the console
 *
 * What is printed in an NMI is in the log; the CPU brings it to the console in its
 * next interrupt. One that hangs has none, so another CPU does it with a line of its
 * own.
 *
 * Context: interrupt, from the doorbell.
 */
void mk_nmi_print(void)
{
	int count = atomic_xchg(&backtraces, 0);

	if (count)
		pr_warn("NMI backtraces of %d cpus\n", count);
}

/**
 * mk_nmi_park_others - park the CPUs that did not hear an interrupt
 *
 * Context: any.
 */
void mk_nmi_park_others(void)
{
	unsigned int cpu;

	for_each_online_cpu(cpu) {
		struct cpu_nmi *it = per_cpu_ptr(&cpu_nmi, cpu);

		if (cpu == raw_smp_processor_id() || READ_ONCE(it->parked))
			continue;
		WRITE_ONCE(it->park, true);
		smp_mb();	/* an APIC access does not order memory by itself */
		mk_send_interrupt(per_cpu(x86_cpu_to_apicid, cpu), APIC_DM_NMI);
	}
}

static int on_nmi(unsigned int type, struct pt_regs *regs)
{
	struct cpu_nmi *me = this_cpu_ptr(&cpu_nmi);

	if (READ_ONCE(me->park)) {
		me->parked = true;
		if (own_slot())
			save_registers(own_slot(), regs);
		mk_park();
	}
	if (check(regs))
		return NMI_HANDLED;
	if (!me->strays || rdtsc() - me->obeyed_tsc > STRAY_MS * tsc_khz)
		return NMI_DONE;
	me->strays--;
	return NMI_HANDLED;
}

/* Not by register_nmi_handler(): the longest duration keeps a pause from being told as slow. */
static struct nmiaction action = {
	.list = LIST_HEAD_INIT(action.list),
	.handler = on_nmi,
	.max_duration = U64_MAX,
	.name = "multikernel",
};

/**
 * mk_nmi_check - do what the host's NMI asks for, where its handler cannot run
 *
 * Context: a CPU that is parked within an NMI.
 */
void mk_nmi_check(void)
{
	struct pt_regs regs = {
		.ip = _THIS_IP_,
		.cs = __KERNEL_CS,
		.flags = native_save_fl(),
		.sp = current_stack_pointer,
		.ss = __KERNEL_DS,
		.bp = (unsigned long)__builtin_frame_address(0),
	};

	check(&regs);
}

/* On the CPU itself. One that is not told of in the table gets no NMI. */
static int cpu_comes(unsigned int cpu)
{
	struct cpu_nmi *me = this_cpu_ptr(&cpu_nmi);
	struct mk_app_cpu *slot = own_slot();
	u64 word = READ_ONCE(mk_shared.host->nmi);

	if (!slot)
		return 0;
	me->settle = IRQ_WORK_INIT_HARD(settle);
	/* all others may be held already: then it is the next */
	me->seen = lower_32_bits(word) - (upper_32_bits(word) == MK_APP_NMI_HOLD);
	WRITE_ONCE(slot->apic_id, per_cpu(x86_cpu_to_apicid, cpu));
	WRITE_ONCE(slot->saved, 0);
	WRITE_ONCE(slot->done, me->seen);
	virt_store_release(&slot->online, 1);	/* after the rest */
	virt_mb();	/* told before the look: one of both sides sees the other */
	if (lower_32_bits(READ_ONCE(mk_shared.host->nmi)) != me->seen)
		mk_send_interrupt(per_cpu(x86_cpu_to_apicid, cpu), APIC_DM_NMI);
	return 0;
}

static int cpu_goes(unsigned int cpu)
{
	struct mk_app_cpu *slot = own_slot();

	if (slot)
		WRITE_ONCE(slot->online, 0);
	return 0;
}

/**
 * mk_nmi_init - take the host's NMIs
 *
 * Context: may sleep.
 * Return: 0 or a negative errno.
 */
int mk_nmi_init(void)
{
	int ret;

	hrtimer_init(&settle_timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL);
	settle_timer.function = settle_late;
	memset(mk_shared.cpus, 0, MK_SHARED_CPUS * sizeof(*mk_shared.cpus));
	ret = __register_nmi_handler(NMI_LOCAL, &action);
	if (ret)
		goto err;
	ret = cpuhp_setup_state(CPUHP_AP_ONLINE_DYN, "multikernel:nmi", cpu_comes, cpu_goes);
	if (ret < 0)
		goto err_handler;
	online_state = ret;
	return 0;

err_handler:
	unregister_nmi_handler(NMI_LOCAL, action.name);
err:
	pr_err("cannot take NMIs: error %d\n", ret);
	return ret;
}

/**
 * mk_nmi_exit - undo mk_nmi_init() when the module fails to load
 *
 * Context: may sleep.
 */
void mk_nmi_exit(void)
{
	cpuhp_remove_state(online_state);
	unregister_nmi_handler(NMI_LOCAL, action.name);
	hrtimer_cancel(&settle_timer);
}
