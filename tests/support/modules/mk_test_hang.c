// SPDX-License-Identifier: GPL-2.0-only
/*
 * mk_test_hang.ko: breaks the kernel that loads it, on request. For the machine
 * tests, in an app kernel only; never installed.
 *
 *   echo WORD > /sys/module/mk_test_hang/parameters/how
 *
 *   hang      the last CPU spins with interrupts off; it never answers again. Not the first
 *             one, which takes the host's doorbell: all that is asked for would wait
 *   hang-all  every CPU does
 *   oops      a null pointer in a kernel thread
 *   panic     a crash with the message "mk_test_hang"
 *   stack     runs off the end of a kernel thread's stack: a crash, too
 *   bug       a null pointer in an interrupt: a crash
 *   vm        every CPU goes into SVM operation, as a hypervisor's does, and none leaves it
 *   garbage   a million random writes to the 2 MiB at physical address @area, which
 *             both kernels map: single bytes and whole words, made from @seed
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cpumask.h>
#include <linux/err.h>
#include <linux/io.h>
#include <linux/irq_work.h>
#include <linux/irqflags.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/panic.h>
#include <linux/prandom.h>
#include <linux/sched.h>
#include <linux/smp.h>
#include <linux/string.h>
#include <asm/msr.h>

#define AREA_BYTES	0x200000U
#define GARBAGE_ROUNDS	1000000U

static void hang(void)
{
	local_irq_disable();
	for (;;)
		cpu_relax();
}

static void hang_last(void)
{
	if (!set_cpus_allowed_ptr(current, cpumask_of(cpumask_last(cpu_online_mask))))
		hang();
}

static void hang_call(void *arg)
{
	hang();
}

static void hang_all(void)
{
	smp_call_function(hang_call, NULL, 0);
	hang();
}

static void crash(void)
{
	panic("mk_test_hang");
}

/* Not a tail call: the compiler may not turn it into a loop. */
static noinline int recurse(int depth)
{
	unsigned char frame[256];

	memset(frame, depth, sizeof(frame));
	OPTIMIZER_HIDE_VAR(depth);
	if (depth < 0)
		return 0;
	return recurse(depth + 1) + READ_ONCE(frame[depth % sizeof(frame)]);
}

static void run_off_stack(void)
{
	recurse(0);
}

static void oops(void)
{
	int *nowhere = NULL;

	OPTIMIZER_HIDE_VAR(nowhere);
	WRITE_ONCE(*nowhere, 0);
}

static void bug_call(struct irq_work *work)
{
	oops();
}

static DEFINE_IRQ_WORK(bug_work, bug_call);

static void bug_in_interrupt(void)
{
	irq_work_queue(&bug_work);
}

static unsigned long area;
module_param(area, ulong, 0600);
MODULE_PARM_DESC(area, "physical address for garbage");

static unsigned long seed;
module_param(seed, ulong, 0600);
MODULE_PARM_DESC(seed, "what garbage is made from");

static void scatter_garbage(void)
{
	u8 *base = memremap(area, AREA_BYTES, MEMREMAP_WB);
	struct rnd_state state;
	unsigned int i;

	if (!base)
		return;
	pr_info("garbage of seed %lu\n", seed);
	prandom_seed_state(&state, seed);
	for (i = 0; i < GARBAGE_ROUNDS; i++) {
		u32 at = prandom_u32_state(&state) % AREA_BYTES;
		u64 value = (u64)prandom_u32_state(&state) << 32 | prandom_u32_state(&state);

		if (value & 1)
			WRITE_ONCE(base[at], value >> 8);
		else
			WRITE_ONCE(*(u64 *)&base[at & ~7U], value >> 8);
	}
	pr_info("%u rounds of garbage\n", i);
}

static void enter_vm_operation(void *unused)
{
	u64 efer;

	if (!rdmsrl_safe(MSR_EFER, &efer))
		wrmsrl_safe(MSR_EFER, efer | EFER_SVME);
}

static void run_hypervisor(void)
{
	unsigned int cpu, count = 0;
	u64 efer;

	on_each_cpu(enter_vm_operation, NULL, 1);
	for_each_online_cpu(cpu)
		if (!rdmsrl_safe_on_cpu(cpu, MSR_EFER, &efer) && efer & EFER_SVME)
			count++;
	pr_info("%u CPUs in SVM operation\n", count);
}

struct action {
	const char *word;
	void (*run)(void);
};

static const struct action actions[] = {
	{ "hang",	hang_last },
	{ "hang-all",	hang_all },
	{ "oops",	oops },
	{ "panic",	crash },
	{ "stack",	run_off_stack },
	{ "bug",	bug_in_interrupt },
	{ "vm",		run_hypervisor },
	{ "garbage",	scatter_garbage },
};

static int run_action(void *arg)
{
	const struct action *action = arg;

	action->run();
	return 0;
}

/* In a thread of its own, because whoever writes holds the lock of all parameters. */
static int how_set(const char *word, const struct kernel_param *param)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(actions); i++) {
		if (!sysfs_streq(word, actions[i].word))
			continue;
		pr_info("%s\n", actions[i].word);
		return PTR_ERR_OR_ZERO(kthread_run(run_action, (void *)&actions[i], "mk_hang"));
	}
	return -EINVAL;
}

static const struct kernel_param_ops how_ops = {
	.set = how_set,
};
module_param_cb(how, &how_ops, NULL, 0200);
MODULE_PARM_DESC(how, "hang, hang-all, oops, panic, stack, bug, vm or garbage");

MODULE_DESCRIPTION("Breaks a kernel on request, for tests");
MODULE_LICENSE("GPL");
