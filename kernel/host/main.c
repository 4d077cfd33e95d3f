// SPDX-License-Identifier: GPL-2.0-only
/*
 * multikernel_host: gives CPUs and memory of this machine to other kernels.
 * This file is the module itself: its parts in order, its device, and what
 * happens to partitions when the host goes down. The contract with user space
 * is include/uapi/linux/multikernel.h.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/panic_notifier.h>
#include <linux/reboot.h>
#include <linux/suspend.h>
#include <linux/workqueue.h>

#include "host.h"

struct workqueue_struct *mk_queue;

static struct miscdevice device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "multikernel",
	.fops = &mk_control_fops,
	.mode = 0600,
};

/*
 * Reboot, power-off, kexec: what runs next on this machine knows nothing of
 * partitions. Orderly shutdown of app kernels is user space's job and done by
 * now.
 */
static int host_goes_down(struct notifier_block *block, unsigned long event,
			  void *arg)
{
	mk_partition_stop_all();
	mk_cpu_halt_all();
	return NOTIFY_DONE;
}

/*
 * With a crash kernel loaded this is not called (unless the host runs with
 * crash_kexec_post_notifiers); partitions then run on in their own memory until
 * the crash kernel resets the machine.
 */
static int host_panics(struct notifier_block *block, unsigned long event,
		       void *arg)
{
	mk_cpu_halt_all();
	return NOTIFY_DONE;
}

/*
 * No sleep state keeps the CPUs of another kernel alive, and a hibernated image
 * knows nothing of partitions.
 */
static int host_suspends(struct notifier_block *block, unsigned long event,
			 void *arg)
{
	bool any;

	if (event != PM_SUSPEND_PREPARE && event != PM_HIBERNATION_PREPARE &&
	    event != PM_RESTORE_PREPARE)
		return NOTIFY_DONE;
	mutex_lock(&mk_partition_list_lock);
	any = !list_empty(&mk_partitions);
	mutex_unlock(&mk_partition_list_lock);
	if (!any)
		return NOTIFY_DONE;
	pr_err("the host cannot sleep while partitions exist\n");
	return notifier_from_errno(-EBUSY);
}

static struct notifier_block reboot_block = {
	.notifier_call = host_goes_down,
};

static struct notifier_block panic_block = {
	.notifier_call = host_panics,
};

static struct notifier_block suspend_block = {
	.notifier_call = host_suspends,
};

static void unregister_notifiers(void)
{
	unregister_pm_notifier(&suspend_block);
	atomic_notifier_chain_unregister(&panic_notifier_list, &panic_block);
	unregister_reboot_notifier(&reboot_block);
}

static int register_notifiers(void)
{
	int ret;

	ret = register_reboot_notifier(&reboot_block);
	if (ret)
		return ret;
	ret = atomic_notifier_chain_register(&panic_notifier_list,
					     &panic_block);
	if (ret)
		goto reboot;
	ret = register_pm_notifier(&suspend_block);
	if (ret)
		goto panic;
	return 0;

panic:
	atomic_notifier_chain_unregister(&panic_notifier_list, &panic_block);
reboot:
	unregister_reboot_notifier(&reboot_block);
	return ret;
}

static void say_blockers(void)
{
	struct mk_message message;

	if (mk_verify_blockers(&message))
		pr_warn("no partitions can run: %s\n", message.text);
}

static int __init host_init(void)
{
	int ret;

	ret = mk_verify_init();
	if (ret)
		return ret;
	if (mk_lowmem_find())
		pr_warn("no free memory below 1 MiB\n");
	mk_queue = alloc_workqueue("multikernel", WQ_UNBOUND, 0);
	if (!mk_queue)
		return -ENOMEM;
	ret = mk_cpu_init();
	if (ret)
		goto queue;
	ret = mk_doorbell_init();
	if (ret)
		goto cpu;
	ret = register_notifiers();
	if (ret)
		goto doorbell;
	ret = mk_fault_init();
	if (ret)
		goto notifiers;
	ret = misc_register(&device);
	if (ret)
		goto fault;
	say_blockers();
	return 0;

fault:
	mk_fault_exit();
notifiers:
	unregister_notifiers();
doorbell:
	mk_doorbell_exit();
cpu:
	mk_cpu_exit();
queue:
	destroy_workqueue(mk_queue);
	return ret;
}

/* Each partition holds a reference to the module, so there is none by now. */
static void __exit host_exit(void)
{
	misc_deregister(&device);
	mk_fault_exit();
	unregister_notifiers();
	mk_doorbell_exit();
	mk_cpu_exit();
	destroy_workqueue(mk_queue);
	mk_lowmem_exit();
}

module_init(host_init);
module_exit(host_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Runs other kernels on CPUs and memory that this one gives up");
