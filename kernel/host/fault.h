/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Steps that a debug build (make FAULTS=1) can be told to fail; elsewhere they
 * cost nothing. A step that can fail in life asks mk_fault() and then does what
 * it does when it fails.
 */
#ifndef MK_HOST_FAULT_H
#define MK_HOST_FAULT_H

#include <linux/types.h>

#ifdef MK_FAULTS
#include <linux/list.h>

struct mk_fault_step {
	const char *name;
	struct list_head link;	/* once it was reached */
	unsigned int reached;
	unsigned int failed;
};

bool mk_fault_now(struct mk_fault_step *step);
int mk_fault_init(void);
void mk_fault_exit(void);

/**
 * mk_fault - is this step to fail now?
 * @what: its name, "call: step"
 *
 * Context: any but hard interrupts.
 * Return: whether it is.
 */
#define mk_fault(what) ({						\
	static struct mk_fault_step mk_step = { .name = (what) };	\
	mk_fault_now(&mk_step); })
#else
#define mk_fault(what) false
static inline int mk_fault_init(void)
{
	return 0;
}

static inline void mk_fault_exit(void)
{
}
#endif

#endif /* MK_HOST_FAULT_H */
