// SPDX-License-Identifier: GPL-2.0-only
/*
 * Console files: each reader has its own position in the byte stream of its
 * partition. Not how the bytes get into the log (console.c).
 */
#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/poll.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "host.h"

#define PIECE_BYTES	1024U	/* copied at once, through the kernel's stack */

/* One open console. */
struct console {
	struct mk_partition *p;
	struct mutex lock;	/* the position; orders concurrent readers */
	u64 position;
	u32 stream;
};

/* Where this reader is; later than it was if the log no longer has that. */
static u64 current_position(const struct console *console)
{
	const struct mk_log *log = &console->p->log;
	u64 oldest = log->written > MK_LOG_BYTES ? log->written - MK_LOG_BYTES : 0;
	u64 position = console->stream == log->stream ? console->position : 0;

	return clamp(position, oldest, log->written);
}

/* No more output can come into this stream. */
static bool ended(const struct mk_partition *p)
{
	return p->destroyed || (p->state >= MK_STATE_POWEROFF &&
				p->state != MK_STATE_PAUSED);
}

/* Output that this reader has not seen is gone. */
static bool behind(const struct console *console)
{
	const struct mk_log *log = &console->p->log;

	return console->stream == log->stream &&
	       console->position != current_position(console);
}

/* The same, and it goes on behind the gap: told once. */
static bool catch_up(struct console *console)
{
	struct mk_partition *p = console->p;
	bool missed;

	mutex_lock(&p->lock);
	missed = behind(console);
	if (missed)
		console->position = current_position(console);
	mutex_unlock(&p->lock);
	return missed;
}

/* Copy a piece of the log; the partition's lock is not held over user memory. */
static u32 next_piece(struct console *console, char *piece, size_t want, bool *end)
{
	struct mk_partition *p = console->p;
	u32 count, at, part;

	mutex_lock(&p->lock);
	*end = false;
	if (behind(console)) {	/* by now: the next read tells */
		mutex_unlock(&p->lock);
		return 0;
	}
	console->position = current_position(console);
	console->stream = p->log.stream;
	count = min3((u64)want, (u64)PIECE_BYTES,
		     p->log.written - console->position);
	at = console->position % MK_LOG_BYTES;
	part = min_t(u32, count, MK_LOG_BYTES - at);
	memcpy(piece, p->log.bytes + at, part);
	memcpy(piece + part, p->log.bytes, count - part);
	*end = ended(p);
	mutex_unlock(&p->lock);
	return count;
}

static ssize_t read_some(struct console *console, char __user *to, size_t want,
			 bool *end)
{
	char piece[PIECE_BYTES];
	ssize_t done = 0;
	u32 count;

	while (done < want) {
		count = next_piece(console, piece, want - done, end);
		if (!count)
			break;
		if (copy_to_user(to + done, piece, count))
			return done ?: -EFAULT;
		console->position += count;
		done += count;
	}
	return done;
}

static bool readable(struct console *console)
{
	struct mk_partition *p = console->p;
	bool yes;

	mutex_lock(&p->lock);
	yes = current_position(console) != p->log.written || ended(p);
	mutex_unlock(&p->lock);
	return yes;
}

/* Not wait_event(): what is looked at in between takes the lock, which may sleep, too. */
static int wait_until_readable(struct console *console)
{
	DEFINE_WAIT_FUNC(wait, woken_wake_function);
	wait_queue_head_t *news = &console->p->wait;
	int ret = 0;

	add_wait_queue(news, &wait);
	while (!ret && !readable(console)) {
		wait_woken(&wait, TASK_INTERRUPTIBLE, MAX_SCHEDULE_TIMEOUT);
		if (signal_pending(current))
			ret = -ERESTARTSYS;
	}
	remove_wait_queue(news, &wait);
	return ret;
}

static ssize_t console_read(struct file *file, char __user *to, size_t want,
			    loff_t *offset)
{
	struct console *console = file->private_data;
	bool end = false;
	ssize_t ret;

	if (!want)
		return 0;
	for (;;) {
		if (mutex_lock_interruptible(&console->lock))
			return -ERESTARTSYS;
		ret = catch_up(console) ? -EPIPE :
		      read_some(console, to, want, &end);
		mutex_unlock(&console->lock);
		if (ret || end)
			return ret;
		if (file->f_flags & O_NONBLOCK)
			return -EAGAIN;
		ret = wait_until_readable(console);
		if (ret)
			return ret;
	}
}

static ssize_t console_write(struct file *file, const char __user *from,
			     size_t count, loff_t *offset)
{
	struct console *console = file->private_data;
	struct mk_partition *p = console->p;
	char piece[PIECE_BYTES];
	ssize_t ret;
	u32 room;

	count = min_t(size_t, count, PIECE_BYTES);
	if (copy_from_user(piece, from, count))
		return -EFAULT;
	mutex_lock(&p->lock);
	room = mk_console_room(p);
	if (p->destroyed)
		ret = -ENODEV;
	else if (!mk_state_takes_input(p->state))
		ret = -EBUSY;
	else if (!room && count)
		ret = -EAGAIN;
	else
		ret = mk_console_input(p, piece, min_t(u32, count, room));
	mutex_unlock(&p->lock);
	return ret;
}

static __poll_t console_poll(struct file *file, poll_table *wait)
{
	struct console *console = file->private_data;
	struct mk_partition *p = console->p;
	__poll_t events = 0;

	poll_wait(file, &p->wait, wait);
	mutex_lock(&p->lock);
	if (current_position(console) != p->log.written)
		events |= EPOLLIN | EPOLLRDNORM;
	if (ended(p))
		events |= EPOLLHUP;
	else if (mk_console_room(p))
		events |= EPOLLOUT | EPOLLWRNORM;
	else if (mk_state_takes_input(p->state))
		/* nobody rings when input is taken: look now and then */
		queue_delayed_work(mk_queue, &p->room, HZ / 10);
	mutex_unlock(&p->lock);
	return events;
}

static int console_release(struct inode *inode, struct file *file)
{
	struct console *console = file->private_data;

	mk_partition_put(console->p);
	kfree(console);
	return 0;
}

static const struct file_operations console_fops = {
	.owner = THIS_MODULE,
	.read = console_read,
	.write = console_write,
	.poll = console_poll,
	.release = console_release,
};

/**
 * mk_console_file - make a console file
 * @p: the partition; the file takes a reference
 * @position: in: where to begin; out: where it begins
 * @call: gets the file, which the caller installs
 *
 * Return: 0 or a negative errno.
 */
int mk_console_file(struct mk_partition *p, u64 *position, struct mk_call *call)
{
	struct console *console;
	struct file *file;

	console = mk_fault("console: file") ? NULL :
		  kzalloc(sizeof(*console), GFP_KERNEL);
	if (!console)
		return -ENOMEM;
	mutex_init(&console->lock);
	console->p = p;
	console->position = *position;
	file = anon_inode_getfile("[multikernel-console]", &console_fops,
				  console, O_RDWR | O_CLOEXEC);
	if (IS_ERR(file)) {
		kfree(console);
		return PTR_ERR(file);
	}
	mk_partition_get(p);
	mutex_lock(&p->lock);
	console->stream = p->log.stream;
	console->position = current_position(console);
	*position = console->position;
	mutex_unlock(&p->lock);
	stream_open(file_inode(file), file);
	call->file = file;
	return 0;
}
