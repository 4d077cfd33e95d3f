// SPDX-License-Identifier: GPL-2.0-only
/*
 * mk_test_hang.ko: breaks the kernel that loads it, on request. For the machine
 * tests, in an app kernel only; never installed.
 *
 *   echo WORD > /sys/module/mk_test_hang/parameters/how
 *
 *   hang      a CPU spins with interrupts off; it never answers again
 *   hang-all  every CPU does
 *   oops      a null pointer in a kernel thread
 *   panic     a crash with the message "mk_test_hang"
 *   stack     runs off the end of a kernel thread's stack: a crash, too
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/err.h>
#include <linux/irqflags.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/panic.h>
#include <linux/smp.h>
#include <linux/string.h>

static void hang(void)
{
	local_irq_disable();
	for (;;)
		cpu_relax();
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

struct action {
	const char *word;
	void (*run)(void);
};

static const struct action actions[] = {
	{ "hang",	hang },
	{ "hang-all",	hang_all },
	{ "oops",	oops },
	{ "panic",	crash },
	{ "stack",	run_off_stack },
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
MODULE_PARM_DESC(how, "hang, hang-all, oops, panic or stack");

MODULE_DESCRIPTION("Breaks a kernel on request, for tests");
MODULE_LICENSE("GPL");
