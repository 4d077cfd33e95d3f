// SPDX-License-Identifier: GPL-2.0-only
/*
 * The way into and out of the kernel for all calls: the structure is copied in
 * and checked in one place, the message and the returned file are handed out
 * in one place. Not the calls (control.c, partition_file.c).
 */
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "ioctl.h"

/* What every structure begins with. */
struct header {
	u32 size;
	u32 flags;
};

static u32 field32(const void *args, u16 offset)
{
	u32 value;

	memcpy(&value, args + offset, sizeof(value));
	return value;
}

static u64 field64(const void *args, u16 offset)
{
	u64 value;

	memcpy(&value, args + offset, sizeof(value));
	return value;
}

static const struct mk_ioctl *find(const struct mk_ioctl *table, size_t count,
				   unsigned int command)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (_IOC_NR(table[i].command) == _IOC_NR(command) &&
		    _IOC_TYPE(table[i].command) == _IOC_TYPE(command))
			return &table[i];
	return NULL;
}

/* As copy_struct_from_user(), for a structure of which only the header is read. */
static int copy_header(void *args, size_t known, void __user *from, u32 size)
{
	int zero = size > known ? check_zeroed_user(from + known, size - known) : 1;

	if (zero <= 0)
		return zero ?: -E2BIG;
	return copy_from_user(args, from, sizeof(struct header)) ? -EFAULT : 0;
}

/* Copies the structure in; the size inside of it counts, not the command's. */
static int copy_in(const struct mk_ioctl *entry, void *args, void __user *from)
{
	struct header header;
	unsigned int i;
	int ret;

	if (get_user(header.size, (u32 __user *)from))
		return -EFAULT;
	if (header.size < sizeof(header))
		return -EINVAL;
	if (entry->out)
		ret = copy_header(args, _IOC_SIZE(entry->command), from, header.size);
	else
		ret = copy_struct_from_user(args, _IOC_SIZE(entry->command), from,
					    header.size);
	if (ret)
		return ret;
	memcpy(&header, args, sizeof(header));
	if (header.flags & ~entry->flags)
		return -EOPNOTSUPP;
	for (i = 0; i < ARRAY_SIZE(entry->pads); i++)
		if (entry->pads[i] && field32(args, entry->pads[i]))
			return -EINVAL;
	return 0;
}

static int copy_out(const struct mk_ioctl *entry, const void *args, u32 size,
		    void __user *to)
{
	u32 known = _IOC_SIZE(entry->command);

	if (copy_to_user(to, args, min(size, known)))
		return -EFAULT;
	if (size > known && clear_user(to + known, size - known))
		return -EFAULT;
	return 0;
}

/* A caller who cannot be told loses the sentence only, not the error. */
static void hand_out_message(const struct mk_ioctl *entry, const void *args,
			     struct mk_call *call)
{
	u32 room;
	size_t length;

	if (!entry->message || !call->message.text[0])
		return;
	room = field32(args, entry->message_bytes);
	if (!room)
		return;
	length = min_t(size_t, strlen(call->message.text), room - 1);
	call->message.text[length] = '\0';
	if (copy_to_user(u64_to_user_ptr(field64(args, entry->message)),
			 call->message.text, length + 1))
		return;
}

static int run(const struct mk_ioctl *entry, void *context, void *args,
	       void __user *user, struct mk_call *call)
{
	u32 size = field32(args, 0);
	int ret, copied;

	if (entry->fd) {
		call->fd = get_unused_fd_flags(O_CLOEXEC);
		if (call->fd < 0)
			return call->fd;
	}
	ret = entry->run(context, args, call);
	hand_out_message(entry, args, call);
	if (!ret && call->file)
		memcpy(args + entry->fd, &call->fd, sizeof(call->fd));
	/* these two say how many */
	if (!ret || ret == -EMSGSIZE || ret == -ETIMEDOUT) {
		copied = copy_out(entry, args, size, user);
		ret = copied ?: ret;
	}
	if (!ret && call->file) {
		fd_install(call->fd, call->file);
	} else if (entry->fd) {
		put_unused_fd(call->fd);
		if (call->file)
			fput(call->file);
	}
	return ret;
}

/**
 * mk_ioctl - run a call
 * @table: the calls that this kind of file has
 * @count: how many
 * @context: what the file points to
 * @command: of the ioctl
 * @argument: of the ioctl
 *
 * Context: may sleep.
 * Return: 0 or a negative errno, see the UAPI.
 */
long mk_ioctl(const struct mk_ioctl *table, size_t count, void *context,
	      unsigned int command, unsigned long argument)
{
	const struct mk_ioctl *entry = find(table, count, command);
	struct mk_call *call;
	void *args;
	long ret;

	if (!entry)
		return -ENOTTY;
	args = kzalloc(_IOC_SIZE(entry->command), GFP_KERNEL);
	call = kzalloc(sizeof(*call), GFP_KERNEL);
	if (!args || !call) {
		ret = -ENOMEM;
		goto free;
	}
	ret = copy_in(entry, args, (void __user *)argument);
	/* before anything is taken: who cannot be told of it must not get it */
	if (!ret && !entry->out)
		ret = copy_out(entry, args, field32(args, 0), (void __user *)argument);
	if (!ret)
		ret = run(entry, context, args, (void __user *)argument, call);
free:
	kfree(call);
	kfree(args);
	return ret;
}
