// SPDX-License-Identifier: GPL-2.0-only
/*
 * The NMI to the CPUs of a partition: what it is about is written to the host
 * page, then it is sent until each CPU has obeyed, for a bounded time. Pausing
 * and resuming, registers, backtraces, and the last word before a reset. What
 * the app kernel does in it is app/nmi.c's matter.
 *
 * Only a CPU that the app kernel's table names, and that the partition owns, is
 * sent one, and none once the host has sent INIT: to a CPU in reset an NMI is more
 * than an interruption. Some machines start there, in the firmware.
 */
#include <linux/delay.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <asm/cpufeature.h>

#include "host.h"

#define ANSWER_MS	1000
#define LEAVE_MS	10
#define POLL_US		200
#define AGAIN_MS	10	/* one may have come just before the CPU went to sleep */

/*
 * What the host page says of an NMI: enum mk_app_nmi of the caller's choice. That CPUs
 * are to hold stays said until they are to go on: a flood may be stopped at any moment.
 * Who asks for registers then gets those that holding saves; backtraces come to nothing.
 */
static u32 tell(struct mk_partition *p, u32 op)
{
	unsigned long flags;
	u32 seq;

	raw_spin_lock_irqsave(&p->nmi_lock, flags);
	if (p->nmi_op != MK_APP_NMI_HOLD || op == MK_APP_NMI_RELEASE || op == MK_APP_NMI_LEAVE) {
		p->nmi_op = op;
		WRITE_ONCE(mk_host_page(p)->nmi, mk_nmi_pack(++p->nmi_seq, op));
	}
	seq = p->nmi_seq;
	raw_spin_unlock_irqrestore(&p->nmi_lock, flags);
	smp_mb();	/* an APIC access does not order memory by itself */
	return seq;
}

static void send(struct mk_partition *p, u32 apic_id)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&p->nmi_lock, flags);
	if (!p->in_reset)
		mk_cpu_nmi(apic_id);
	raw_spin_unlock_irqrestore(&p->nmi_lock, flags);
}

/**
 * mk_nmi_allow - are NMIs allowed from now on?
 * @p: the partition
 * @allow: false before its CPUs get INIT, true before they start
 *
 * Context: any, hard interrupts too.
 * Return: whether they were until now.
 */
bool mk_nmi_allow(struct mk_partition *p, bool allow)
{
	unsigned long flags;
	bool before;

	raw_spin_lock_irqsave(&p->nmi_lock, flags);
	before = !p->in_reset;
	p->in_reset = !allow;
	raw_spin_unlock_irqrestore(&p->nmi_lock, flags);
	return before;
}

static struct mk_app_cpu *slots_of(struct mk_partition *p)
{
	return p->control + MK_APP_CPUS;
}

static const struct mk_taken_cpu *find_cpu(struct mk_partition *p, u32 apic_id)
{
	u32 i;

	for (i = 0; i < p->cpu_count; i++)
		if (p->cpus[i].role == MK_CPU_RUN && p->cpus[i].apic_id == apic_id &&
		    READ_ONCE(p->cpus[i].state) == MK_CPU_GIVEN)
			return &p->cpus[i];
	return NULL;
}

/*
 * One round: which of the partition's CPUs take NMIs, and have not obeyed this
 * one? The table is hostile: no word of it is more than a hint.
 */
static u32 count_missing(struct mk_partition *p, u32 seq, bool again, u32 *online)
{
	struct mk_app_cpu *slots = slots_of(p);
	u32 i, apic_id, missing = 0;

	*online = 0;
	if (READ_ONCE(p->in_reset))
		return 0;
	for (i = 0; i < MK_SHARED_CPUS && *online < p->run_count; i++) {
		if (!READ_ONCE(slots[i].online))
			continue;
		apic_id = READ_ONCE(slots[i].apic_id);
		if (!find_cpu(p, apic_id))
			continue;
		++*online;
		/* before the registers that are read once it is known */
		if ((s32)(smp_load_acquire(&slots[i].done) - seq) >= 0)
			continue;
		missing++;
		if (again)
			send(p, apic_id);
	}
	return missing;
}

/* All CPUs of the partition obey, or the time is over: how many did not. */
static u32 command(struct mk_partition *p, u32 op, unsigned int limit_ms)
{
	ktime_t now = ktime_get(), end = ktime_add_ms(now, limit_ms), next = now;
	u32 seq = tell(p, op), missing, online;
	bool again;

	for (;;) {
		now = ktime_get();
		again = ktime_compare(now, next) >= 0;
		if (again)
			next = ktime_add_ms(now, AGAIN_MS);
		missing = count_missing(p, seq, again, &online);
		if (!online)
			return p->run_count;
		if (!missing || ktime_after(now, end))
			return missing;
		usleep_range(POLL_US, 2 * POLL_US);
	}
}

/**
 * mk_nmi_hold_now - tell all CPUs of a partition to hold, and do not wait
 * @p: the partition; it has been started
 *
 * Context: any, hard interrupts too.
 * Return: what mk_nmi_missing() wants to know.
 */
u32 mk_nmi_hold_now(struct mk_partition *p)
{
	u32 seq = tell(p, MK_APP_NMI_HOLD), apic_id, i;
	struct mk_app_cpu *slots = slots_of(p);

	for (i = 0; i < MK_SHARED_CPUS; i++) {
		if (!READ_ONCE(slots[i].online))
			continue;
		apic_id = READ_ONCE(slots[i].apic_id);
		if (mk_cpu_held_by(apic_id, p))
			send(p, apic_id);
	}
	return seq;
}

/**
 * mk_nmi_missing - how many CPUs have not obeyed; sends to those again
 * @p: the partition
 * @seq: of the NMI
 *
 * Context: the partition's lock is held.
 * Return: their number.
 */
u32 mk_nmi_missing(struct mk_partition *p, u32 seq)
{
	u32 online, missing;

	lockdep_assert_held(&p->lock);
	missing = count_missing(p, seq, true, &online);
	return online ? missing : p->run_count;
}

/**
 * mk_nmi_leave - have the CPUs end virtualization, before they are reset
 * @p: the partition; live; the caller is its only call
 *
 * A CPU in VMX root operation does not answer INIT. One that cannot obey is not
 * waited for: what cannot virtualize needs no such word.
 *
 * Context: may sleep, for LEAVE_MS at most.
 */
void mk_nmi_leave(struct mk_partition *p)
{
	if (boot_cpu_has(X86_FEATURE_VMX) || boot_cpu_has(X86_FEATURE_SVM))
		command(p, MK_APP_NMI_LEAVE, LEAVE_MS);
}

/**
 * mk_partition_pause - MK_PAUSE
 * @p: the partition
 * @missing: out: how many CPUs did not answer
 * @message: filled on failure
 *
 * Context: may sleep; waits for the CPUs, but not with the partition's lock.
 * Return: 0, -ETIMEDOUT, -EBUSY or -ENODEV; on failure it runs on.
 */
int mk_partition_pause(struct mk_partition *p, u32 *missing, struct mk_message *message)
{
	int ret = mk_partition_begin(p, BIT(MK_STATE_RUNNING), message);

	if (ret)
		return ret;
	*missing = command(p, MK_APP_NMI_HOLD, ANSWER_MS);
	if (*missing)
		ret = mk_fail(message, -ETIMEDOUT, "%u of %u CPUs did not answer",
			      *missing, p->run_count);
	mutex_lock(&p->lock);
	if (p->state == MK_STATE_PAUSED)	/* for its doorbells, meanwhile */
		ret = 0;
	else if (!ret && p->state != MK_STATE_RUNNING)
		ret = mk_fail(message, -EBUSY, "the partition is in state %s",
			      mk_state_name(p->state));
	if (!ret)
		mk_partition_set_state(p, MK_STATE_PAUSED);
	mutex_unlock(&p->lock);
	if (ret)
		command(p, MK_APP_NMI_RELEASE, ANSWER_MS);
	mk_partition_end(p);
	return ret;
}

/**
 * mk_partition_resume - MK_RESUME
 * @p: the partition
 * @missing: out: how many CPUs did not answer
 * @message: filled on failure
 *
 * Context: may sleep; waits for the CPUs, but not with the partition's lock.
 * Return: 0, -ETIMEDOUT, -EBUSY or -ENODEV; on failure it is paused still.
 */
int mk_partition_resume(struct mk_partition *p, u32 *missing, struct mk_message *message)
{
	int ret = mk_partition_begin(p, BIT(MK_STATE_PAUSED), message);

	if (ret)
		return ret;
	*missing = command(p, MK_APP_NMI_RELEASE, ANSWER_MS);
	if (*missing) {
		command(p, MK_APP_NMI_HOLD, ANSWER_MS);	/* those that did */
		ret = mk_fail(message, -ETIMEDOUT, "%u of %u CPUs did not answer",
			      *missing, p->run_count);
	} else {
		mutex_lock(&p->lock);
		mk_partition_set_state(p, MK_STATE_RUNNING);
		mutex_unlock(&p->lock);
		/* it may have ended just before it was paused */
		queue_work(mk_queue, &p->work);
	}
	mk_partition_end(p);
	return ret;
}

/**
 * mk_partition_nmi - MK_NMI
 * @p: the partition
 * @op: enum mk_nmi_op
 * @missing: out: how many CPUs did not answer
 *
 * Context: may sleep; waits for the CPUs, but not with the partition's lock.
 * Return: 0, -EINVAL, -EBUSY or -ENODEV.
 */
int mk_partition_nmi(struct mk_partition *p, u32 op, u32 *missing)
{
	unsigned long states = BIT(MK_STATE_RUNNING) | BIT(MK_STATE_POWEROFF) |
			       BIT(MK_STATE_REBOOT) | BIT(MK_STATE_HALTED) |
			       BIT(MK_STATE_PANIC);
	int ret;

	if (op != MK_NMI_BACKTRACE && op != MK_NMI_REGISTERS)
		return -EINVAL;
	if (op == MK_NMI_REGISTERS)
		states |= BIT(MK_STATE_PAUSED);
	ret = mk_partition_begin(p, states, NULL);
	if (ret)
		return ret;
	*missing = 0;
	/* in a paused one they were saved when it was */
	if (p->state != MK_STATE_PAUSED)
		*missing = command(p, op == MK_NMI_BACKTRACE ? MK_APP_NMI_BACKTRACE :
				   MK_APP_NMI_REGISTERS, ANSWER_MS);
	if (op == MK_NMI_BACKTRACE) {	/* a CPU that hangs does not print it itself */
		mutex_lock(&p->lock);
		mk_doorbell_ring(p);
		mutex_unlock(&p->lock);
	}
	mk_partition_end(p);
	return 0;
}

/* The last registers of a CPU; hostile, but any value of a register is one. */
static void copy_registers(struct mk_partition *p, u32 apic_id, struct mk_registers *to)
{
	struct mk_app_cpu *slots = slots_of(p);
	u32 i, j;

	static_assert(MK_REGISTERS == MK_APP_CPU_REGISTERS);
	for (i = 0; i < MK_SHARED_CPUS; i++) {
		if (!READ_ONCE(slots[i].online) || !READ_ONCE(slots[i].saved) ||
		    READ_ONCE(slots[i].apic_id) != apic_id)
			continue;
		for (j = 0; j < MK_REGISTERS; j++)
			to->values[j] = READ_ONCE(slots[i].registers[j]);
		to->valid = 1;
		return;
	}
}

/**
 * mk_nmi_registers - what the CPUs were doing at the last NMI that asked for it
 * @p: the partition; not destroyed
 * @registers: out: of p->run_count CPUs, zeroed by the caller
 *
 * Context: the partition's lock is held.
 */
void mk_nmi_registers(struct mk_partition *p, struct mk_registers *registers)
{
	u32 i, n = 0;

	lockdep_assert_held(&p->lock);
	for (i = 0; i < p->cpu_count; i++) {
		if (p->cpus[i].role != MK_CPU_RUN)
			continue;
		registers[n].cpu = p->cpus[i].cpu;
		if (p->control && p->boots)
			copy_registers(p, p->cpus[i].apic_id, &registers[n]);
		n++;
	}
}
