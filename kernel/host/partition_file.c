// SPDX-License-Identifier: GPL-2.0-only
/*
 * Partition files: their calls, unpacked and checked, and poll. Closing one
 * does nothing to the partition. Not what the calls do (lifecycle.c, memory.c,
 * cpu.c).
 */
#include <linux/anon_inodes.h>
#include <linux/fs.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "ioctl.h"

/* What a partition file points to. */
struct handle {
	struct mk_partition *p;
	u32 seen_generation;	/* what the last MK_QUERY told; the lock of @p */
	u32 seen_answers;
};

static int check_add_memory(struct mk_partition *p, const struct mk_add_memory *add,
			    struct mk_message *message)
{
	u64 align = add->align_bytes ?: MK_MEMORY_ALIGN, block;

	if (add->flags & MK_MEMORY_RETURN)
		align = MK_MEMORY_ALIGN;
	if (!is_power_of_2(align) || align < MK_MEMORY_ALIGN)
		return mk_fail(message, -EINVAL,
			       "the alignment is not a power of two, or less than %lu MiB",
			       MK_MEMORY_ALIGN >> 20);
	if (!add->bytes || add->bytes % align)
		return mk_fail(message, -EINVAL, "memory comes in multiples of %llu MiB",
			       align >> 20);
	if (add->flags & MK_MEMORY_RETURN || !(MK_LIVE_STATES & BIT(p->state)))
		return 0;
	mutex_lock(&p->lock);
	block = mk_memory_block_bytes(p);
	mutex_unlock(&p->lock);
	if (!block)
		return mk_fail(message, -EBUSY,
			       "the app kernel has not said in which units it takes memory");
	if (align % block)
		return mk_fail(message, -EINVAL,
			       "the app kernel takes memory in units of %llu MiB, aligned to that",
			       block >> 20);
	return 0;
}

static int do_add_memory(void *context, void *args, struct mk_call *call)
{
	struct handle *handle = context;
	struct mk_add_memory *add = args;
	unsigned long states = MK_LIVE_STATES;
	int ret;

	states |= BIT(add->flags & MK_MEMORY_RETURN ? MK_STATE_STOPPED : MK_STATE_CREATED);
	ret = mk_partition_begin(handle->p, states, &call->message);
	if (ret)
		return ret;
	ret = check_add_memory(handle->p, add, &call->message);
	if (!ret)
		ret = mk_memory_claim(handle->p, add, &call->message);
	mk_partition_end(handle->p);
	return ret;
}

static int do_remove_memory(void *context, void *args, struct mk_call *call)
{
	struct handle *handle = context;
	int ret;

	ret = mk_partition_begin(handle->p, ~BIT(MK_STATE_LOST), &call->message);
	if (ret)
		return ret;
	ret = mk_memory_remove(handle->p, args, &call->message);
	mk_partition_end(handle->p);
	return ret;
}

static u32 *copy_cpus(u64 from, u32 count, struct mk_call *call)
{
	if (!count || count > num_possible_cpus())
		return ERR_PTR(mk_fail(&call->message, -EINVAL, "the list has %u CPUs",
				       count));
	return vmemdup_user(u64_to_user_ptr(from), count * sizeof(u32));
}

static int do_add_cpus(void *context, void *args, struct mk_call *call)
{
	struct handle *handle = context;
	struct mk_add_cpus *add = args;
	unsigned long states = BIT(MK_STATE_CREATED);
	u32 *cpus;
	int ret;

	if (add->role > MK_CPU_STANDBY)
		return mk_fail(&call->message, -EINVAL,
			       "there is no role %u", add->role);
	cpus = copy_cpus(add->cpus, add->count, call);
	if (IS_ERR(cpus))
		return PTR_ERR(cpus);
	if (add->role != MK_CPU_SPARE)
		states |= BIT(MK_STATE_RUNNING) | BIT(MK_STATE_PAUSED);
	ret = mk_partition_begin(handle->p, states, &call->message);
	if (!ret) {
		ret = mk_cpu_take(handle->p, cpus, add->count, add->role,
				  &call->message);
		mk_partition_end(handle->p);
	}
	kvfree(cpus);
	return ret;
}

static int do_remove_cpus(void *context, void *args, struct mk_call *call)
{
	struct handle *handle = context;
	struct mk_remove_cpus *remove = args;
	u32 *cpus;
	int ret;

	cpus = copy_cpus(remove->cpus, remove->count, call);
	if (IS_ERR(cpus))
		return PTR_ERR(cpus);
	ret = mk_partition_begin(handle->p, BIT(MK_STATE_RUNNING) | BIT(MK_STATE_PAUSED),
				 &call->message);
	if (!ret) {
		ret = mk_cpu_remove(handle->p, cpus, remove->count, &call->message);
		mk_partition_end(handle->p);
	}
	kvfree(cpus);
	return ret;
}

static int do_load(void *context, void *args, struct mk_call *call)
{
	struct handle *handle = context;
	struct mk_load *load = args;
	char *cmdline;
	int ret;

	if (mk_verify_blockers(&call->message))
		return -EPERM;
	if (load->cmdline_bytes >= MK_CMDLINE_BYTES)
		return mk_fail(&call->message, -EINVAL,
			       "the command line is longer than %u characters",
			       MK_CMDLINE_BYTES - 1);
	cmdline = memdup_user_nul(u64_to_user_ptr(load->cmdline),
				  load->cmdline_bytes);
	if (IS_ERR(cmdline))
		return PTR_ERR(cmdline);
	if (strlen(cmdline) != load->cmdline_bytes)
		ret = mk_fail(&call->message, -EINVAL,
			      "the command line has a NUL in it");
	else
		ret = mk_partition_load(handle->p, load, cmdline,
					&call->message);
	kfree(cmdline);
	return ret;
}

static int do_start(void *context, void *args, struct mk_call *call)
{
	struct handle *handle = context;

	return mk_partition_start(handle->p, &call->message);
}

static int do_stop(void *context, void *args, struct mk_call *call)
{
	struct handle *handle = context;

	return mk_partition_stop(handle->p);
}

static int do_destroy(void *context, void *args, struct mk_call *call)
{
	struct handle *handle = context;

	return mk_partition_destroy(handle->p);
}

static int do_cancel(void *context, void *args, struct mk_call *call)
{
	struct handle *handle = context;
	struct mk_partition *p = handle->p;
	int ret = 0;

	mutex_lock(&p->lock);
	if (p->destroyed)
		ret = -ENODEV;
	else if (p->call)
		WRITE_ONCE(p->cancelled, true);
	mutex_unlock(&p->lock);
	mk_window_wake();
	return ret;
}

static int do_request(void *context, void *args, struct mk_call *call)
{
	struct handle *handle = context;

	return mk_partition_request(handle->p, args);
}

static int do_withdraw(void *context, void *args, struct mk_call *call)
{
	struct handle *handle = context;
	struct mk_withdraw *withdraw = args;

	return mk_partition_withdraw(handle->p, withdraw->channel);
}

static int do_pause(void *context, void *args, struct mk_call *call)
{
	struct handle *handle = context;
	struct mk_pause *pause = args;

	return mk_partition_pause(handle->p, &pause->missing, &call->message);
}

static int do_resume(void *context, void *args, struct mk_call *call)
{
	struct handle *handle = context;
	struct mk_pause *pause = args;

	return mk_partition_resume(handle->p, &pause->missing, &call->message);
}

static int do_nmi(void *context, void *args, struct mk_call *call)
{
	struct handle *handle = context;
	struct mk_nmi *nmi = args;

	return mk_partition_nmi(handle->p, nmi->op, &nmi->missing);
}

static int do_query(void *context, void *args, struct mk_call *call)
{
	struct handle *handle = context;
	struct mk_query *query = args;
	struct mk_partition *p = handle->p;
	int ret = 0;

	mutex_lock(&p->lock);
	if (p->destroyed) {
		ret = -ENODEV;
	} else {
		mk_partition_learn(p);
		mk_partition_query(p, query);
		handle->seen_generation = p->generation;
		handle->seen_answers = p->answered;
	}
	mutex_unlock(&p->lock);
	return ret;
}

/* Copies @count entries of @size to user space, if there is @room for them. */
static int copy_list(u64 to, u32 room, const void *entries, u32 count, size_t size)
{
	if (count > room)
		return -EMSGSIZE;
	return copy_to_user(u64_to_user_ptr(to), entries, count * size) ? -EFAULT : 0;
}

static int do_query_memory(void *context, void *args, struct mk_call *call)
{
	struct handle *handle = context;
	struct mk_query_memory *query = args;
	struct mk_partition *p = handle->p;
	u32 room = query->count, i;
	struct mk_range *ranges;
	int ret;

	mutex_lock(&p->lock);
	if (p->destroyed) {
		mutex_unlock(&p->lock);
		return -ENODEV;
	}
	mutex_lock(&p->memory->lock);
	query->count = p->memory->owned.count;
	ranges = kvcalloc(query->count ?: 1, sizeof(*ranges), GFP_KERNEL);
	for (i = 0; ranges && i < query->count; i++) {
		struct mk_chunk *chunk = &p->memory->owned.at[i];

		ranges[i].start = (u64)chunk->pfn << PAGE_SHIFT;
		ranges[i].bytes = (u64)chunk->pages << PAGE_SHIFT;
		ranges[i].node = chunk->node;
		ranges[i].state = chunk->state;
		ranges[i].id = chunk->id;
	}
	mutex_unlock(&p->memory->lock);
	mutex_unlock(&p->lock);
	if (!ranges)
		return -ENOMEM;
	ret = copy_list(query->ranges, room, ranges, query->count, sizeof(*ranges));
	kvfree(ranges);
	return ret;
}

static int do_query_cpus(void *context, void *args, struct mk_call *call)
{
	struct handle *handle = context;
	struct mk_query_cpus *query = args;
	struct mk_partition *p = handle->p;
	u32 room = query->count, i;
	struct mk_cpu *cpus;
	int ret;

	mutex_lock(&p->lock);
	if (p->destroyed) {
		mutex_unlock(&p->lock);
		return -ENODEV;
	}
	query->count = p->cpu_count;
	cpus = kvcalloc(query->count ?: 1, sizeof(*cpus), GFP_KERNEL);
	for (i = 0; cpus && i < query->count; i++) {
		cpus[i].cpu = p->cpus[i].cpu;
		cpus[i].role = p->cpus[i].role;
		cpus[i].state = p->cpus[i].state;
	}
	mutex_unlock(&p->lock);
	if (!cpus)
		return -ENOMEM;
	ret = copy_list(query->cpus, room, cpus, query->count, sizeof(*cpus));
	kvfree(cpus);
	return ret;
}

static int do_query_stats(void *context, void *args, struct mk_call *call)
{
	struct handle *handle = context;

	return mk_partition_stats(handle->p, args);
}

static int do_query_registers(void *context, void *args, struct mk_call *call)
{
	struct handle *handle = context;
	struct mk_query_registers *query = args;
	struct mk_partition *p = handle->p;
	struct mk_registers *registers;
	u32 room = query->count;
	int ret;

	mutex_lock(&p->lock);
	if (p->destroyed) {
		mutex_unlock(&p->lock);
		return -ENODEV;
	}
	query->count = p->run_count;
	registers = kvcalloc(query->count ?: 1, sizeof(*registers), GFP_KERNEL);
	if (registers)
		mk_nmi_registers(p, registers);
	mutex_unlock(&p->lock);
	if (!registers)
		return -ENOMEM;
	ret = copy_list(query->registers, room, registers, query->count,
			sizeof(*registers));
	kvfree(registers);
	return ret;
}

static int do_console(void *context, void *args, struct mk_call *call)
{
	struct handle *handle = context;
	struct mk_console *console = args;

	if (READ_ONCE(handle->p->destroyed))
		return -ENODEV;
	return mk_console_file(handle->p, &console->position, call);
}

static int do_memory_fd(void *context, void *args, struct mk_call *call)
{
	struct handle *handle = context;
	struct mk_partition *p = handle->p;
	int ret;

	mutex_lock(&p->lock);
	if (p->destroyed)
		ret = -ENODEV;
	else if (!p->memory->owned.count)
		ret = -EBUSY;
	else
		ret = mk_memory_file(p->memory, call);
	mutex_unlock(&p->lock);
	return ret;
}

static const struct mk_ioctl partition_entries[] = {
	{ MK_ADD_MEMORY, do_add_memory,
	  { MK_OFFSET(mk_add_memory, pad) },
	  MK_MESSAGE(mk_add_memory), .flags = MK_MEMORY_RETURN },
	{ MK_REMOVE_MEMORY, do_remove_memory,
	  { MK_OFFSET(mk_remove_memory, pad) },
	  MK_MESSAGE(mk_remove_memory) },
	{ MK_ADD_CPUS, do_add_cpus, { MK_OFFSET(mk_add_cpus, pad) },
	  MK_MESSAGE(mk_add_cpus) },
	{ MK_REMOVE_CPUS, do_remove_cpus,
	  { MK_OFFSET(mk_remove_cpus, pad), MK_OFFSET(mk_remove_cpus, pad2) },
	  MK_MESSAGE(mk_remove_cpus) },
	{ MK_LOAD, do_load, {}, MK_MESSAGE(mk_load) },
	{ MK_START, do_start, { MK_OFFSET(mk_start, pad) }, MK_MESSAGE(mk_start) },
	{ MK_STOP, do_stop },
	{ MK_DESTROY, do_destroy },
	{ MK_CANCEL, do_cancel },
	{ MK_REQUEST, do_request },
	{ MK_WITHDRAW, do_withdraw, { MK_OFFSET(mk_withdraw, pad) } },
	{ MK_PAUSE, do_pause, {}, MK_MESSAGE(mk_pause) },
	{ MK_RESUME, do_resume, {}, MK_MESSAGE(mk_pause) },
	{ MK_NMI, do_nmi },
	{ MK_QUERY_REGISTERS, do_query_registers,
	  { MK_OFFSET(mk_query_registers, pad) } },
	{ MK_QUERY, do_query, .out = true },
	{ MK_QUERY_MEMORY, do_query_memory, { MK_OFFSET(mk_query_memory, pad) } },
	{ MK_QUERY_CPUS, do_query_cpus, { MK_OFFSET(mk_query_cpus, pad) } },
	{ MK_QUERY_STATS, do_query_stats },
	{ MK_CONSOLE, do_console, { MK_OFFSET(mk_console, pad) },
	  .fd = MK_OFFSET(mk_console, fd) },
	{ MK_MEMORY_FD, do_memory_fd, { MK_OFFSET(mk_memory_fd, pad) },
	  .fd = MK_OFFSET(mk_memory_fd, fd) },
};

static long partition_ioctl(struct file *file, unsigned int command,
			    unsigned long argument)
{
	return mk_ioctl(partition_entries, ARRAY_SIZE(partition_entries),
			file->private_data, command, argument);
}

static __poll_t partition_poll(struct file *file, poll_table *wait)
{
	struct handle *handle = file->private_data;
	struct mk_partition *p = handle->p;
	__poll_t events = 0;

	poll_wait(file, &p->wait, wait);
	mutex_lock(&p->lock);
	mk_partition_learn(p);
	if (p->destroyed)
		events = EPOLLHUP;
	else if (handle->seen_generation != p->generation ||
		 handle->seen_answers != p->answered)
		events = EPOLLIN | EPOLLPRI;
	mutex_unlock(&p->lock);
	return events;
}

static int partition_release(struct inode *inode, struct file *file)
{
	struct handle *handle = file->private_data;

	mk_partition_put(handle->p);
	kfree(handle);
	return 0;
}

static const struct file_operations partition_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = partition_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.poll = partition_poll,
	.release = partition_release,
};

/**
 * mk_partition_file - make a partition file
 * @p: the partition; the file takes a reference
 * @call: gets the file, which the caller installs
 *
 * Return: 0 or a negative errno.
 */
int mk_partition_file(struct mk_partition *p, struct mk_call *call)
{
	struct handle *handle;
	struct file *file;

	handle = mk_fault("create: file") ? NULL :
		 kzalloc(sizeof(*handle), GFP_KERNEL);
	if (!handle)
		return -ENOMEM;
	handle->p = p;
	handle->seen_generation = p->generation - 1;
	file = anon_inode_getfile("[multikernel-partition]", &partition_fops,
				  handle, O_RDWR | O_CLOEXEC);
	if (IS_ERR(file)) {
		kfree(handle);
		return PTR_ERR(file);
	}
	mk_partition_get(p);
	call->file = file;
	return 0;
}
