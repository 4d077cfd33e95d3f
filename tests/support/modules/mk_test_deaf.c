// SPDX-License-Identifier: GPL-2.0-only
/*
 * mk_test_deaf.ko: while it is loaded no CPU answers the reset of the host
 * module, as one in VMX root operation would not. For the machine tests, in the
 * host kernel; never installed. The CPUs do stop: only the answer is lost.
 */
#include <linux/errno.h>
#include <linux/kprobes.h>
#include <linux/module.h>
#include <linux/ptrace.h>

static int lose_answer(struct kretprobe_instance *instance, struct pt_regs *regs)
{
	regs_set_return_value(regs, -EIO);
	return 0;
}

static struct kretprobe probe = {
	.kp.symbol_name = "mk_cpu_probe",
	.handler = lose_answer,
};

static int __init deaf_init(void)
{
	return register_kretprobe(&probe);
}

static void __exit deaf_exit(void)
{
	unregister_kretprobe(&probe);
}

module_init(deaf_init);
module_exit(deaf_exit);
MODULE_DESCRIPTION("Makes CPUs deaf to the reset, for tests");
MODULE_LICENSE("GPL");
