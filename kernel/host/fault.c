// SPDX-License-Identifier: GPL-2.0-only
/*
 * Failing steps on purpose, in debug builds only. In debugfs below multikernel/:
 * fail_nth: a number; the n-th step that is reached from then on fails, and it
 * reads 0 again. steps: the steps reached so far, one a line: how often reached,
 * how often failed, name. Not which steps there are: each says so itself.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/debugfs.h>
#include <linux/seq_file.h>
#include <linux/spinlock.h>

#include "fault.h"

static DEFINE_SPINLOCK(fault_lock);	/* all below */
static LIST_HEAD(steps);
static u32 fail_nth;
static struct dentry *folder;

/**
 * mk_fault_now - a step is reached
 * @step: which
 *
 * Context: any but hard interrupts.
 * Return: whether it is to fail.
 */
bool mk_fault_now(struct mk_fault_step *step)
{
	bool fail;

	spin_lock_bh(&fault_lock);
	if (!step->reached++)
		list_add_tail(&step->link, &steps);
	fail = fail_nth && !--fail_nth;
	step->failed += fail;
	spin_unlock_bh(&fault_lock);
	if (fail)
		pr_info("failing on purpose: %s\n", step->name);
	return fail;
}

static int steps_show(struct seq_file *to, void *none)
{
	struct mk_fault_step *step;

	spin_lock_bh(&fault_lock);
	list_for_each_entry(step, &steps, link)
		seq_printf(to, "%u %u %s\n", step->reached, step->failed,
			   step->name);
	spin_unlock_bh(&fault_lock);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(steps);

static int fail_nth_get(void *none, u64 *value)
{
	*value = READ_ONCE(fail_nth);
	return 0;
}

static int fail_nth_set(void *none, u64 value)
{
	if (value > U32_MAX)
		return -EINVAL;
	spin_lock_bh(&fault_lock);
	fail_nth = value;
	spin_unlock_bh(&fault_lock);
	return 0;
}
DEFINE_DEBUGFS_ATTRIBUTE(fail_nth_fops, fail_nth_get, fail_nth_set, "%llu\n");

/**
 * mk_fault_init - make the files, at module load
 *
 * Return: 0 or a negative errno.
 */
int mk_fault_init(void)
{
	folder = debugfs_create_dir("multikernel", NULL);
	if (IS_ERR(folder))
		return PTR_ERR(folder);
	debugfs_create_file("steps", 0400, folder, NULL, &steps_fops);
	debugfs_create_file_unsafe("fail_nth", 0600, folder, NULL,
				   &fail_nth_fops);
	pr_warn("a debug build: steps can be made to fail\n");
	return 0;
}

/**
 * mk_fault_exit - remove the files
 */
void mk_fault_exit(void)
{
	debugfs_remove(folder);
}
