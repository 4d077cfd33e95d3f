// SPDX-License-Identifier: GPL-2.0-only
/*
 * The calls of the control file: what the module can do, making partitions,
 * finding them again. Not what is done to one (partition_file.c).
 */
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <asm/tsc.h>

#include "ioctl.h"

static int do_get_info(void *none, void *args, struct mk_call *call)
{
	struct mk_info *info = args;

	info->abi_version = MK_ABI_VERSION;
	info->blockers = mk_verify_blockers(&call->message);
	info->features = 0;
	info->tsc_khz = tsc_khz;
	info->doorbells_per_second = mk_doorbell_limit();
	info->max_partitions = mk_partition_limit();
	mutex_lock(&mk_partition_list_lock);
	info->partitions = mk_partition_count();
	mutex_unlock(&mk_partition_list_lock);
	info->memory_align_bytes = MK_MEMORY_ALIGN;
	info->control_bytes = MK_CONTROL_BYTES;
	return 0;
}

static int do_create(void *none, void *args, struct mk_call *call)
{
	struct mk_create *create = args;
	struct mk_partition *p;
	int ret;

	if (!memchr_inv(create->uuid, 0, sizeof(create->uuid)))
		return mk_fail(&call->message, -EINVAL, "the UUID is zero");
	if (!create->name[0] ||
	    !memchr(create->name, 0, sizeof(create->name)))
		return mk_fail(&call->message, -EINVAL,
			       "the name is empty or not terminated");
	if (mk_verify_blockers(&call->message))
		return -EPERM;
	p = mk_partition_new(create->uuid, create->name, &call->message);
	if (IS_ERR(p))
		return PTR_ERR(p);
	ret = mk_partition_file(p, call);
	if (ret)
		mk_partition_destroy(p);
	mk_partition_put(p);
	return ret;
}

static int do_open_partition(void *none, void *args, struct mk_call *call)
{
	struct mk_open *open = args;
	struct mk_partition *p = mk_partition_find(open->uuid);
	int ret;

	if (!p)
		return -ENOENT;
	ret = mk_partition_file(p, call);
	mk_partition_put(p);
	return ret;
}

static void fill_entry(struct mk_list_entry *entry, struct mk_partition *p)
{
	memcpy(entry->uuid, p->uuid, sizeof(entry->uuid));
	memcpy(entry->name, p->name, sizeof(entry->name));
	entry->state = READ_ONCE(p->state);
}

static int do_list(void *none, void *args, struct mk_call *call)
{
	struct mk_list *list = args;
	struct mk_list_entry *entries;
	struct mk_partition *p;
	u32 count, room = list->count;
	int ret = 0;

	mutex_lock(&mk_partition_list_lock);
	count = mk_partition_count();
	list->count = 0;
	entries = kcalloc(count ?: 1, sizeof(*entries), GFP_KERNEL);
	if (entries)
		list_for_each_entry(p, &mk_partitions, link)
			fill_entry(&entries[list->count++], p);
	mutex_unlock(&mk_partition_list_lock);
	if (!entries)
		return -ENOMEM;
	if (count > room)
		ret = -EMSGSIZE;
	else if (copy_to_user(u64_to_user_ptr(list->entries), entries,
			      count * sizeof(*entries)))
		ret = -EFAULT;
	kfree(entries);
	return ret;
}

static const struct mk_ioctl control_entries[] = {
	{ MK_GET_INFO, do_get_info, { MK_OFFSET(mk_info, pad) },
	  MK_MESSAGE(mk_info) },
	{ MK_CREATE, do_create, { MK_OFFSET(mk_create, pad), MK_OFFSET(mk_create, pad2) },
	  MK_MESSAGE(mk_create), MK_OFFSET(mk_create, fd) },
	{ MK_OPEN, do_open_partition, { MK_OFFSET(mk_open, pad) },
	  .fd = MK_OFFSET(mk_open, fd) },
	{ MK_LIST, do_list, { MK_OFFSET(mk_list, pad) } },
};

static long control_ioctl(struct file *file, unsigned int command,
			  unsigned long argument)
{
	return mk_ioctl(control_entries, ARRAY_SIZE(control_entries), NULL,
			command, argument);
}

const struct file_operations mk_control_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = control_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};
