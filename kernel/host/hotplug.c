// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whose CPUs are whose: taking them from the host, before a partition boots and
 * while it runs, keeping the host from getting them back unnoticed, giving them
 * back. Not the choice of CPUs (user space's), what the app kernel is told of
 * them (cpu_live.c), nor how one is started and reset (cpu.c).
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cpu.h>
#include <linux/cpuhotplug.h>
#include <linux/ktime.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <asm/smp.h>

#include "host.h"

static struct cpumask owned;	/* by any partition; atomic bits */
static struct cpumask returning;	/* of those: on their way back; atomic bits */
/* as it was when it was taken: the firmware may eject a CPU, and its id is gone */
static DEFINE_PER_CPU(u32, owned_apic_id);
static DEFINE_PER_CPU(struct mk_partition *, holder);	/* whose kernel may run on it */
static int guard_state, look_state;

/* The host wants to bring up a CPU: no, if a partition has it. */
static int guard_online(unsigned int cpu)
{
	return cpumask_test_cpu(cpu, &owned) && !cpumask_test_cpu(cpu, &returning) ? -EBUSY : 0;
}

/**
 * mk_cpu_init - set up the guard, and look at each CPU, at module load
 *
 * Return: 0 or a negative errno.
 */
int mk_cpu_init(void)
{
	guard_state = cpuhp_setup_state_nocalls(CPUHP_BP_PREPARE_DYN,
						"multikernel:guard",
						guard_online, NULL);
	if (guard_state < 0)
		return guard_state;
	look_state = cpuhp_setup_state(CPUHP_AP_ONLINE_DYN, "multikernel:look",
				       mk_cpu_look, NULL);
	if (look_state < 0)
		cpuhp_remove_state_nocalls(guard_state);
	return min(look_state, 0);
}

/**
 * mk_cpu_exit - remove the guard; no CPU may be owned any more
 */
void mk_cpu_exit(void)
{
	cpuhp_remove_state_nocalls(look_state);
	cpuhp_remove_state_nocalls(guard_state);
}

/**
 * mk_cpu_halt_all - INIT to every CPU of every partition, now
 *
 * For a host that goes down: no proof, no waiting, nothing is given back. A CPU
 * that is on its way out of the host is left alone: it may be this one.
 *
 * Context: any, also panic.
 */
void mk_cpu_halt_all(void)
{
	unsigned int cpu;

	for_each_cpu(cpu, &owned)
		if (!cpu_online(cpu) && !cpumask_test_cpu(cpu, &returning))
			mk_cpu_send_init(per_cpu(owned_apic_id, cpu));
}

/**
 * mk_cpu_held_by - is this CPU one of that partition's?
 * @apic_id: of the CPU
 * @p: the partition
 *
 * Context: any, hard interrupts too.
 * Return: whether it is, with role run.
 */
bool mk_cpu_held_by(u32 apic_id, const struct mk_partition *p)
{
	unsigned int cpu;

	for_each_cpu(cpu, &owned)
		if (per_cpu(owned_apic_id, cpu) == apic_id)
			return READ_ONCE(per_cpu(holder, cpu)) == p;
	return false;
}

/**
 * mk_cpu_halt - INIT to every CPU of a partition, now
 * @p: the partition
 *
 * Without proof that they stopped: MK_STOP gets that. No NMI follows.
 *
 * Context: any, hard interrupts too.
 */
void mk_cpu_halt(struct mk_partition *p)
{
	unsigned int cpu;

	if (!mk_nmi_allow(p, false))
		return;		/* done already, or by MK_STOP, which would lose a CPU's answer */
	for_each_cpu(cpu, &owned)
		if (READ_ONCE(per_cpu(holder, cpu)) == p && !cpu_online(cpu))
			mk_cpu_send_init(per_cpu(owned_apic_id, cpu));
}

static int check_cpu(u32 cpu, struct mk_message *message)
{
	if (cpu >= nr_cpu_ids || !cpu_present(cpu))
		return mk_fail(message, -EINVAL, "there is no CPU %u", cpu);
	if (cpu == 0)
		return mk_fail(message, -EINVAL,
			       "CPU 0 cannot be given away: an INIT to it resets the machine");
	if (per_cpu(x86_cpu_to_apicid, cpu) >= 255)
		return mk_fail(message, -EINVAL,
			       "CPU %u has APIC id %u: only ids below 255 can be given away",
			       cpu, per_cpu(x86_cpu_to_apicid, cpu));
	return 0;
}

/**
 * mk_cpu_find - a CPU of a list
 * @cpus: the list
 * @count: how many it has
 * @cpu: which
 *
 * Return: its entry, or NULL.
 */
struct mk_taken_cpu *mk_cpu_find(struct mk_taken_cpu *cpus, u32 count, u32 cpu)
{
	u32 i;

	for (i = 0; i < count; i++)
		if (cpus[i].cpu == cpu)
			return &cpus[i];
	return NULL;
}

/*
 * Marked before it goes offline: from the moment it is offline nobody can bring
 * it back, and an onlining that is under way now ends before remove_cpu() begins.
 */
static int take_one(struct mk_taken_cpu *taken, u32 cpu, u32 role,
		    struct mk_message *message)
{
	int ret;

	if (cpumask_test_and_set_cpu(cpu, &owned))
		return mk_fail(message, -EBUSY,
			       "CPU %u is held by a partition already", cpu);
	per_cpu(owned_apic_id, cpu) = per_cpu(x86_cpu_to_apicid, cpu);
	ret = mk_fault("cpus: offline") ? -EBUSY : remove_cpu(cpu);
	if (ret < 0) {
		cpumask_clear_cpu(cpu, &owned);
		return mk_fail(message, -EBUSY,
			       "CPU %u cannot be taken offline (error %d)", cpu,
			       -ret);
	}
	*taken = (struct mk_taken_cpu) {
		.cpu = cpu,
		.role = role,
		.apic_id = per_cpu(owned_apic_id, cpu),
		.was_online = ret == 0,		/* 1: it was offline */
	};
	return 0;
}

static void bring_online(const struct mk_taken_cpu *taken)
{
	int ret;

	if (!taken->was_online)
		return;
	if (!cpu_present(taken->cpu)) {
		pr_warn("CPU %u is gone from this machine\n", taken->cpu);
		return;
	}
	ret = add_cpu(taken->cpu);
	if (ret < 0)
		pr_err("CPU %u is ours again but does not come online: error %d\n",
		       taken->cpu, -ret);
}

/* Owned until it is as it was: who takes it next is to find it so. */
static void return_one(const struct mk_taken_cpu *taken)
{
	if (taken->role == MK_CPU_SPARE)
		return;
	WRITE_ONCE(per_cpu(holder, taken->cpu), NULL);
	cpumask_set_cpu(taken->cpu, &returning);
	bring_online(taken);
	/* first: who takes it next must find it guarded */
	cpumask_clear_cpu(taken->cpu, &returning);
	cpumask_clear_cpu(taken->cpu, &owned);
}

/* Checks a CPU of a list, and takes it unless it is a spare one. */
static int take_next(struct mk_partition *p, struct mk_taken_cpu *taken, u32 n,
		     u32 cpu, u32 role, struct mk_message *message)
{
	int ret = check_cpu(cpu, message);
	u32 apic_id;

	if (ret)
		return ret;
	apic_id = per_cpu(x86_cpu_to_apicid, cpu);
	if ((role == MK_CPU_RUN || role == MK_CPU_STANDBY) && p->state != MK_STATE_CREATED &&
	    mk_cpu_slot(p, apic_id) < 0)
		return mk_fail(message, -ENOSPC,
			       "CPU %u is not one of the %u that the app kernel was booted with: only a restart makes it known",
			       cpu, p->known_count);
	if (role != MK_CPU_SPARE)
		return take_one(&taken[n], cpu, role, message);
	if (mk_cpu_find(p->cpus, p->cpu_count, cpu) || mk_cpu_find(taken, n, cpu))
		return mk_fail(message, -EBUSY, "CPU %u was named already", cpu);
	taken[n] = (struct mk_taken_cpu) {
		.cpu = cpu, .role = role, .apic_id = apic_id,
	};
	return 0;
}

/**
 * mk_cpu_set_role - a CPU is run on from now on, or is not any more
 * @p: the partition
 * @cpu: its CPU
 * @role: MK_CPU_RUN or MK_CPU_STANDBY
 *
 * Context: the partition's lock is held.
 */
void mk_cpu_set_role(struct mk_partition *p, struct mk_taken_cpu *cpu, u32 role)
{
	bool run = role == MK_CPU_RUN;

	cpu->role = role;
	p->run_count += run ? 1 : -1;
	WRITE_ONCE(per_cpu(holder, cpu->cpu), run ? p : NULL);
}

/* Adds what was taken to the list; what was a spare CPU is none any more. */
static void enter(struct mk_partition *p, struct mk_taken_cpu *taken, u32 count,
		  struct mk_taken_cpu *list, u64 offline_ns)
{
	u32 total = 0, i;

	mutex_lock(&p->lock);
	for (i = 0; i < p->cpu_count; i++)
		if (p->cpus[i].role != MK_CPU_SPARE ||
		    !mk_cpu_find(taken, count, p->cpus[i].cpu))
			list[total++] = p->cpus[i];
	memcpy(list + total, taken, count * sizeof(*taken));
	swap(p->cpus, list);
	p->cpu_count = total + count;
	for (i = 0; taken[0].role == MK_CPU_RUN && i < count; i++)
		mk_cpu_set_role(p, &p->cpus[total + i], MK_CPU_RUN);
	p->offline_ns += offline_ns;
	mutex_unlock(&p->lock);
	kvfree(list);
}

/**
 * mk_cpu_take - take CPUs offline and guard them for a partition
 * @p: the partition; the caller is its only call
 * @cpus: which, in vCPU order
 * @count: how many; not 0
 * @role: enum mk_cpu_role of all of them; spares are written down only
 * @message: filled on failure
 *
 * Context: may sleep.
 * Return: 0, -EINVAL, -EBUSY, -ENOSPC, -ENOMEM or -EINTR; on failure none was
 * taken.
 */
int mk_cpu_take(struct mk_partition *p, const u32 *cpus, u32 count, u32 role,
		struct mk_message *message)
{
	u64 begin = ktime_get_ns();
	struct mk_taken_cpu *taken, *list;
	int ret = 0;
	u32 i;

	if (p->cpu_count + count > MK_SHARED_CPUS)
		return mk_fail(message, -EINVAL,
			       "a partition may have %u CPUs", MK_SHARED_CPUS);
	taken = mk_fault("cpus: array") ? NULL :
		kvmalloc_array(count, sizeof(*taken), GFP_KERNEL);
	list = mk_fault("cpus: list") ? NULL :
	       kvmalloc_array(p->cpu_count + count, sizeof(*list), GFP_KERNEL);
	if (!taken || !list)
		ret = -ENOMEM;
	for (i = 0; !ret && i < count; i++) {
		if (fatal_signal_pending(current))
			ret = -EINTR;
		else
			ret = take_next(p, taken, i, cpus[i], role, message);
	}
	if (ret) {
		/* the last one failed */
		for (i = i ? i - 1 : 0; i--;)
			return_one(&taken[i]);
		kvfree(list);
	} else {
		/* in reset, instead of in a loop of the host's */
		for (i = 0; p->state != MK_STATE_CREATED && i < count; i++)
			mk_cpu_send_init(taken[i].apic_id);
		enter(p, taken, count, list, ktime_get_ns() - begin);
		pr_info("%s: %s %u CPUs, %u in all\n", p->label,
			role == MK_CPU_SPARE ? "may be given" : "took", count,
			p->cpu_count);
	}
	kvfree(taken);
	return ret;
}

/**
 * mk_cpu_return - give all CPUs of a partition back to the host
 * @p: the partition; its CPUs have been reset
 *
 * Context: may sleep.
 */
void mk_cpu_return(struct mk_partition *p)
{
	struct mk_taken_cpu *cpus;
	u32 count, i;

	mutex_lock(&p->lock);
	cpus = p->cpus;
	count = p->cpu_count;
	p->cpus = NULL;
	p->cpu_count = 0;
	p->run_count = 0;
	mutex_unlock(&p->lock);
	for (i = 0; i < count; i++)
		return_one(&cpus[i]);
	kvfree(cpus);
	if (count)
		pr_info("%s: gave %u CPUs back\n", p->label, count);
}

static int check_unused(struct mk_partition *p, const u32 *cpus, u32 count,
			struct mk_message *message)
{
	const struct mk_taken_cpu *cpu;
	u32 i, j;

	for (i = 0; i < count; i++) {
		cpu = mk_cpu_find(p->cpus, p->cpu_count, cpus[i]);
		if (!cpu || cpu->role == MK_CPU_SPARE)
			return mk_fail(message, -EINVAL,
				       "CPU %u is not the partition's", cpus[i]);
		for (j = 0; j < i; j++)
			if (cpus[j] == cpus[i])
				return mk_fail(message, -EINVAL,
					       "CPU %u is in the list twice", cpus[i]);
		if (cpu->state == MK_CPU_GIVEN)
			return mk_fail(message, -EBUSY,
				       "the app kernel uses CPU %u", cpus[i]);
	}
	return 0;
}

/* From here on none of them can be given to the app kernel. */
static int begin_leaving(struct mk_partition *p, const u32 *cpus, u32 count,
			 struct mk_message *message)
{
	u32 i;
	int ret;

	mutex_lock(&p->lock);
	ret = check_unused(p, cpus, count, message);
	for (i = 0; !ret && i < count; i++)
		mk_cpu_find(p->cpus, p->cpu_count, cpus[i])->leaves = true;
	mutex_unlock(&p->lock);
	return ret;
}

/* Takes those that are in @gone out of the list; they may be given once more. */
static void leave(struct mk_partition *p, struct mk_taken_cpu *gone, u32 count)
{
	u32 total = 0, i;

	mutex_lock(&p->lock);
	for (i = 0; i < p->cpu_count; i++)
		if (mk_cpu_find(gone, count, p->cpus[i].cpu)) {
			p->run_count -= p->cpus[i].role == MK_CPU_RUN;
		} else {
			p->cpus[total] = p->cpus[i];
			p->cpus[total++].leaves = false;
		}
	for (i = 0; i < count; i++) {
		if (mk_cpu_slot(p, gone[i].apic_id) < 0)
			continue;
		p->cpus[total++] = (struct mk_taken_cpu) {
			.cpu = gone[i].cpu,
			.role = MK_CPU_SPARE,
			.apic_id = gone[i].apic_id,
		};
	}
	p->cpu_count = total;
	mutex_unlock(&p->lock);
}

/**
 * mk_cpu_remove - MK_REMOVE_CPUS: give CPUs back that the app kernel does not use
 * @p: the partition, live; the caller is its only call
 * @cpus: which
 * @count: how many
 * @message: filled on failure
 *
 * Context: may sleep.
 * Return: 0, -EINVAL, -EBUSY or -ENOMEM, then none was given back; or -EIO if one
 * did not answer the reset, then the others were.
 */
int mk_cpu_remove(struct mk_partition *p, const u32 *cpus, u32 count,
		  struct mk_message *message)
{
	struct mk_taken_cpu *gone, *cpu;
	u32 n = 0, cleared = 0, i;
	int ret;

	gone = mk_fault("remove: array") ? NULL :
	       kvmalloc_array(count, sizeof(*gone), GFP_KERNEL);
	if (!gone)
		return -ENOMEM;
	ret = begin_leaving(p, cpus, count, message);
	if (ret) {
		kvfree(gone);
		return ret;
	}
	for (i = 0; i < count; i++)
		mk_cpu_send_init(mk_cpu_find(p->cpus, p->cpu_count, cpus[i])->apic_id);
	mk_cpu_wait_init();
	for (i = 0; i < count; i++) {
		cpu = mk_cpu_find(p->cpus, p->cpu_count, cpus[i]);
		if (!mk_cpu_probe(cpu->cpu, cpu->apic_id, &cleared))
			gone[n++] = *cpu;
		else
			ret = mk_fail(message, -EIO, "CPU %u does not answer the reset",
				      cpu->cpu);
	}
	leave(p, gone, n);
	for (i = 0; i < n; i++)
		return_one(&gone[i]);
	kvfree(gone);
	pr_info("%s: gave %u CPUs back, %u are left; scrubbed: %u registers\n", p->label, n,
		p->run_count, cleared);
	return ret;
}
