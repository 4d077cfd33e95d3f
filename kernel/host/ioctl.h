/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How a file of the module describes its calls to ioctl.c. Not for what the
 * calls do.
 */
#ifndef MK_HOST_IOCTL_H
#define MK_HOST_IOCTL_H

#include "host.h"

/**
 * struct mk_ioctl - one call
 * @command: MK_...
 * @run: gets what the file points to and the structure
 * @pads: offsets of __u32 in the structure that must be 0
 * @message: offset of the address of the message buffer
 * @message_bytes: offset of its size
 * @fd: offset of the file descriptor that the call returns
 * @flags: those that it knows
 * @out: nothing but size and flags is read, all the rest is returned
 *
 * An offset of 0 means "has none": a structure begins with none of these.
 */
struct mk_ioctl {
	unsigned int command;
	int (*run)(void *context, void *args, struct mk_call *call);
	u16 pads[2];
	u16 message;
	u16 message_bytes;
	u16 fd;
	u32 flags;
	bool out;
};

#define MK_OFFSET(type, field)	offsetof(struct type, field)
#define MK_MESSAGE(type)	.message = MK_OFFSET(type, message), \
				.message_bytes = MK_OFFSET(type, message_bytes)

long mk_ioctl(const struct mk_ioctl *table, size_t count, void *context,
	      unsigned int command, unsigned long argument);

#endif /* MK_HOST_IOCTL_H */
