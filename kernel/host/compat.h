/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What differs between the kernel versions that the host module is built for
 * (6.1 to 6.12), and nothing else.
 */
#ifndef MK_HOST_COMPAT_H
#define MK_HOST_COMPAT_H

#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/version.h>

/* 6.10 renamed the allocator's functions for allocation profiling. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 10, 0)
#define mk_alloc_contig_range(start, end) \
	alloc_contig_range_noprof(start, end, MIGRATE_MOVABLE, \
				  GFP_KERNEL | __GFP_NOWARN)
#else
#define mk_alloc_contig_range(start, end) \
	alloc_contig_range(start, end, MIGRATE_MOVABLE, \
			   GFP_KERNEL | __GFP_NOWARN)
#endif

/* 6.3 made vm_flags read-only. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0)
static inline void vm_flags_set(struct vm_area_struct *vma, vm_flags_t flags)
{
	vma->vm_flags |= flags;
}
#endif

#endif /* MK_HOST_COMPAT_H */
