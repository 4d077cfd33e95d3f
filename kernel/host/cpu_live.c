// SPDX-License-Identifier: GPL-2.0-only
/*
 * What an app kernel is told of its CPUs: those that it may ever be given, which
 * the tables that it boots with name, and those that it may bring up at this
 * moment. Not taking them and giving them back (hotplug.c).
 */
#include <linux/slab.h>

#include "host.h"

/**
 * mk_cpu_slot - the place of a CPU in the tables that the app kernel boots with
 * @p: the partition
 * @apic_id: of the CPU
 *
 * Context: the partition's lock is held, or the caller is its only call.
 * Return: its index, or -1: the app kernel does not know it.
 */
int mk_cpu_slot(struct mk_partition *p, u32 apic_id)
{
	u32 i;

	for (i = 0; i < p->known_count; i++)
		if (p->known[i] == apic_id)
			return i;
	return -1;
}

/**
 * mk_cpu_know - write down the CPUs that an app kernel will know
 * @p: the partition, about to be loaded; the caller is its only call
 *
 * Those with role run, then those that it may be given; it stays so until the next
 * MK_LOAD.
 *
 * Context: may sleep; takes the partition's lock.
 * Return: 0 or -ENOMEM.
 */
int mk_cpu_know(struct mk_partition *p)
{
	static const u32 roles[] = { MK_CPU_RUN, MK_CPU_STANDBY, MK_CPU_SPARE };
	u32 *known, n = 0, role, i;

	known = mk_fault("load: known CPUs") ? NULL :
		kvcalloc(p->cpu_count, sizeof(*known), GFP_KERNEL);
	if (!known)
		return -ENOMEM;
	for (role = 0; role < ARRAY_SIZE(roles); role++)
		for (i = 0; i < p->cpu_count; i++)
			if (p->cpus[i].role == roles[role])
				known[n++] = p->cpus[i].apic_id;
	mutex_lock(&p->lock);
	swap(p->known, known);
	p->known_count = n;
	mutex_unlock(&p->lock);
	kvfree(known);
	return 0;
}

/**
 * mk_cpu_count - how many CPUs of a role a partition has
 * @p: the partition
 * @role: enum mk_cpu_role
 *
 * Context: the partition's lock is held.
 * Return: their number.
 */
u32 mk_cpu_count(struct mk_partition *p, u32 role)
{
	u32 count = 0, i;

	for (i = 0; i < p->cpu_count; i++)
		count += p->cpus[i].role == role;
	return count;
}

/**
 * mk_cpu_give_all - an app kernel is started, or could not be
 * @p: the partition
 * @state: enum mk_cpu_state of all CPUs that it runs on
 *
 * Context: the partition's lock is held.
 */
void mk_cpu_give_all(struct mk_partition *p, u32 state)
{
	u32 i;

	for (i = 0; i < p->cpu_count; i++)
		if (p->cpus[i].role == MK_CPU_RUN)
			p->cpus[i].state = state;
}

/**
 * mk_cpu_stopped - an app kernel is stopped
 * @p: the partition; its CPUs have been reset
 *
 * The next one starts on those that this one had.
 *
 * Context: the partition's lock is held.
 */
void mk_cpu_stopped(struct mk_partition *p)
{
	u32 n = 0, i;

	for (i = 0; i < p->cpu_count; i++) {
		if (p->cpus[i].role != MK_CPU_RUN)
			continue;
		/* whatever it says, it did not give up the one that it booted on */
		if (n++ && p->cpus[i].state != MK_CPU_GIVEN)
			mk_cpu_set_role(p, &p->cpus[i], MK_CPU_STANDBY);
		p->cpus[i].state = MK_CPU_TAKEN;
	}
}

/* The app kernel's guard looks there whenever it brings up a CPU. */
static void grant(struct mk_partition *p, u32 apic_id, bool granted)
{
	int slot = mk_cpu_slot(p, apic_id);

	if (slot >= 0)
		WRITE_ONCE(mk_host_page(p)->granted[slot], granted);
}

/**
 * mk_cpu_request - a CPU is going to be added to, or removed from, an app kernel
 * @p: the partition, running
 * @request: MK_REQUEST_CPU_ADD or _REMOVE
 * @arg: out: what the app kernel is told
 *
 * A CPU that is to be removed may not be brought up again from now on.
 *
 * Context: the partition's lock is held.
 * Return: 0, -EINVAL if it is not the partition's, -EBUSY in the wrong state.
 */
int mk_cpu_request(struct mk_partition *p, const struct mk_request *request, u64 *arg)
{
	bool add = request->op == MK_REQUEST_CPU_ADD, given;
	struct mk_taken_cpu *cpu = NULL;

	if (request->arg <= U32_MAX)
		cpu = mk_cpu_find(p->cpus, p->cpu_count, request->arg);
	if (!cpu || (cpu->role != MK_CPU_RUN && cpu->role != MK_CPU_STANDBY))
		return -EINVAL;
	given = cpu->state == MK_CPU_GIVEN;
	if (cpu->leaves || given == add)
		return -EBUSY;
	if (add) {
		if (cpu->role == MK_CPU_STANDBY)
			mk_cpu_set_role(p, cpu, MK_CPU_RUN);
		cpu->state = MK_CPU_GIVEN;
	}
	grant(p, cpu->apic_id, add);
	*arg = cpu->apic_id;
	return 0;
}

/**
 * mk_cpu_answered - the app kernel answered such a request
 * @p: the partition
 * @answer: its answer
 *
 * Context: the partition's lock is held.
 */
void mk_cpu_answered(struct mk_partition *p, const struct mk_answer *answer)
{
	struct mk_taken_cpu *cpu = mk_cpu_find(p->cpus, p->cpu_count, answer->arg);
	bool add = answer->op == MK_REQUEST_CPU_ADD;

	if (!cpu || cpu->role != MK_CPU_RUN)
		return;
	if (answer->result)
		grant(p, cpu->apic_id, !add);
	if (add && answer->result)
		cpu->state = MK_CPU_TAKEN;
	else if (!add && !answer->result)
		cpu->state = MK_CPU_RELEASED;
}
