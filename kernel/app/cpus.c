// SPDX-License-Identifier: GPL-2.0-only
/*
 * The partition's CPUs. It boots with one; the others are brought up here, after
 * platform.c made that safe. A CPU that the host did not list belongs to another
 * kernel, and an INIT would take it away: such a CPU is never brought up.
 */
#define pr_fmt(fmt) "multikernel: " fmt

#include <linux/cpu.h>
#include <linux/cpuhotplug.h>
#include <linux/cpumask.h>
#include <linux/errno.h>
#include <asm/smp.h>

#include "app.h"

static struct cpumask granted;
static int guard_state;

static int refuse_foreign(unsigned int cpu)
{
	if (cpumask_test_cpu(cpu, &granted))
		return 0;
	pr_err("CPU %u is not this partition's\n", cpu);
	return -EPERM;
}

static bool grant(u32 apic_id)
{
	unsigned int cpu;

	for_each_present_cpu(cpu) {
		if (per_cpu(x86_cpu_to_apicid, cpu) == apic_id) {
			cpumask_set_cpu(cpu, &granted);
			return true;
		}
	}
	return false;
}

/**
 * mk_cpus_init - learn which CPUs are ours and guard the rest
 *
 * Context: may sleep.
 * Return: 0 or a negative errno.
 */
int mk_cpus_init(void)
{
	u32 i, count = min_t(u32, READ_ONCE(mk_shared.host->cpus), MK_SHARED_CPUS);
	int ret;

	cpumask_copy(&granted, cpu_online_mask);
	for (i = 0; i < count; i++) {
		u32 apic_id = READ_ONCE(mk_shared.host->apic_ids[i]);

		if (!grant(apic_id))
			pr_warn("no CPU with APIC id %u in the ACPI tables\n", apic_id);
	}
	ret = cpuhp_setup_state_nocalls(CPUHP_BP_PREPARE_DYN, "multikernel:guard",
					refuse_foreign, NULL);
	if (ret < 0) {
		pr_err("cannot guard the CPUs: error %d\n", ret);
		return ret;
	}
	guard_state = ret;
	return 0;
}

/**
 * mk_cpus_exit - undo mk_cpus_init() when the module fails to load
 *
 * Context: may sleep.
 */
void mk_cpus_exit(void)
{
	cpuhp_remove_state_nocalls(guard_state);
}

/**
 * mk_cpus_bring_up - bring up all CPUs of the partition
 *
 * A CPU that does not come up is told in the log and in the count of online
 * CPUs; the others run.
 *
 * Context: may sleep; tens of milliseconds for each CPU.
 */
void mk_cpus_bring_up(void)
{
	unsigned int cpu;
	int ret;

	for_each_cpu(cpu, &granted) {
		if (cpu_online(cpu))
			continue;
		ret = add_cpu(cpu);
		if (ret < 0)
			pr_err("CPU %u does not come up: error %d\n", cpu, ret);
		mk_stats_update();
	}
	pr_info("%u of %u CPUs online\n", num_online_cpus(), cpumask_weight(&granted));
}
