/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Every difference between the kernel versions this module builds for (6.1 to
 * 6.12), and the declarations of the hvc layer, whose header is not among the
 * installed ones; so with one word of RCU. No other file looks at the version.
 */
#ifndef _MULTIKERNEL_APP_COMPAT_H
#define _MULTIKERNEL_APP_COMPAT_H

#include <linux/gfp.h>
#include <linux/kmsg_dump.h>
#include <linux/page-flags.h>
#include <linux/types.h>
#include <linux/version.h>

/* kernel/rcu/rcu.h: exported, and a parameter of the kernel */
extern int rcu_cpu_stall_suppress;

/* drivers/tty/hvc/hvc_console.h; bytes and sizes got their own types in 6.8 */
struct hvc_struct;

struct hv_ops {
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 8, 0)
	ssize_t (*get_chars)(u32 vtermno, u8 *buf, size_t count);
	ssize_t (*put_chars)(u32 vtermno, const u8 *buf, size_t count);
#else
	int (*get_chars)(u32 vtermno, char *buf, int count);
	int (*put_chars)(u32 vtermno, const char *buf, int count);
#endif
	int (*flush)(u32 vtermno, bool wait);
	int (*notifier_add)(struct hvc_struct *hp, int irq);
	void (*notifier_del)(struct hvc_struct *hp, int irq);
	void (*notifier_hangup)(struct hvc_struct *hp, int irq);
	int (*tiocmget)(struct hvc_struct *hp);
	int (*tiocmset)(struct hvc_struct *hp, unsigned int set, unsigned int clear);
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 8, 0)
	void (*dtr_rts)(struct hvc_struct *hp, bool active);
#else
	void (*dtr_rts)(struct hvc_struct *hp, int raise);
#endif
};

int hvc_poll(struct hvc_struct *hp);
void hvc_kick(void);

/* MK_HV_OPS(name, u32 get(u8 *, u32), void put(const u8 *, u32)) defines name */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 8, 0)
struct hvc_struct *hvc_alloc(u32 vtermno, int data, const struct hv_ops *ops, size_t outbuf_size);

#define MK_HV_OPS(name, get, put)						\
static ssize_t name##_get(u32 vtermno, u8 *buf, size_t count)			\
{										\
	return get(buf, count);							\
}										\
static ssize_t name##_put(u32 vtermno, const u8 *buf, size_t count)		\
{										\
	put(buf, count);							\
	return count;								\
}										\
static const struct hv_ops name = { .get_chars = name##_get, .put_chars = name##_put }
#else
struct hvc_struct *hvc_alloc(u32 vtermno, int data, const struct hv_ops *ops, int outbuf_size);

#define MK_HV_OPS(name, get, put)						\
static int name##_get(u32 vtermno, char *buf, int count)			\
{										\
	return get((u8 *)buf, count);						\
}										\
static int name##_put(u32 vtermno, const char *buf, int count)			\
{										\
	put((const u8 *)buf, count);						\
	return count;								\
}										\
static const struct hv_ops name = { .get_chars = name##_get, .put_chars = name##_put }
#endif

/* 6.10 renamed the allocator's functions for allocation profiling */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 10, 0)
#define mk_alloc_contig_range(start, end) \
	alloc_contig_range_noprof(start, end, MIGRATE_MOVABLE, GFP_KERNEL | __GFP_NOWARN)
#else
#define mk_alloc_contig_range(start, end) \
	alloc_contig_range(start, end, MIGRATE_MOVABLE, GFP_KERNEL | __GFP_NOWARN)
#endif

/* the kernel has no other names for these */
static inline void mk_set_page_offline(struct page *page)
{
	__SetPageOffline(page);
}

static inline void mk_clear_page_offline(struct page *page)
{
	__ClearPageOffline(page);
}

/* a kmsg_dumper is given a structure since 6.11, the reason alone before */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 11, 0)
#define MK_KMSG_DUMPER(name, on_reason)						\
static void name##_dump(struct kmsg_dumper *dumper, struct kmsg_dump_detail *detail) \
{										\
	on_reason(detail->reason);						\
}										\
static struct kmsg_dumper name = { .dump = name##_dump, .max_reason = KMSG_DUMP_EMERG }
#else
#define MK_KMSG_DUMPER(name, on_reason)						\
static void name##_dump(struct kmsg_dumper *dumper, enum kmsg_dump_reason reason) \
{										\
	on_reason(reason);							\
}										\
static struct kmsg_dumper name = { .dump = name##_dump, .max_reason = KMSG_DUMP_EMERG }
#endif

#endif /* _MULTIKERNEL_APP_COMPAT_H */
