// SPDX-License-Identifier: GPL-2.0-only
/*
 * The console of a partition: output goes from the ring that the app kernel
 * writes to a log in host memory as soon as the doorbell rings, so that no
 * reader can slow an app kernel down; input goes to the other ring. Not what
 * readers and writers see (console_file.c).
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/mm.h>
#include <linux/slab.h>

#include "host.h"

/**
 * mk_console_init - the log of a new partition
 * @p: the partition
 *
 * Return: 0, or -ENOMEM.
 */
int mk_console_init(struct mk_partition *p)
{
	p->log.bytes = mk_fault("create: console") ? NULL :
		       kvmalloc(MK_LOG_BYTES, GFP_KERNEL);
	return p->log.bytes ? 0 : -ENOMEM;
}

/**
 * mk_console_start - begin a new stream, for MK_START
 * @p: the partition; its control area has been cleared
 *
 * Context: the partition's lock is held.
 */
void mk_console_start(struct mk_partition *p)
{
	p->log.written = 0;
	p->log.stream++;
	p->log.tail = 0;
	p->log.head = 0;
	mk_host_page(p)->tx_wants = 1;
}

static void log_bytes(struct mk_log *log, const char *bytes, u32 count)
{
	while (count) {
		u32 at = log->written % MK_LOG_BYTES;
		u32 part = min_t(u32, count, MK_LOG_BYTES - at);

		memcpy(log->bytes + at, bytes, part);
		log->written += part;
		bytes += part;
		count -= part;
	}
}

/**
 * mk_console_drain - take what the app kernel has written
 * @p: the partition
 *
 * At most one ring full: a flood must not keep us here. While there is output the
 * app kernel does not ring: who writes much would ring for every few bytes.
 *
 * Context: the partition's lock is held.
 * Return: whether to look again soon; else the app kernel rings when it writes.
 */
bool mk_console_drain(struct mk_partition *p)
{
	struct mk_host_page *host = mk_host_page(p);
	struct mk_app_page *app = mk_app_page(p);
	const char *ring = p->control + MK_TX_RING;
	u32 head, count;
	bool any;

	WRITE_ONCE(host->tx_wants, 0);
	head = smp_load_acquire(&app->tx_head);	/* before the bytes */
	count = head - p->log.tail;
	if (count > MK_TX_RING_BYTES) {
		pr_warn_ratelimited("%s: console ring is damaged, output is lost\n",
				    p->label);
		p->log.tail = head;
		count = 0;
	}
	any = count;
	while (count) {
		u32 at = p->log.tail % MK_TX_RING_BYTES;
		u32 part = min_t(u32, count, MK_TX_RING_BYTES - at);

		log_bytes(&p->log, ring + at, part);
		p->log.tail += part;
		count -= part;
	}
	smp_store_release(&host->tx_tail, p->log.tail);	/* after the bytes */
	if (any)
		return true;
	/* say that we sleep, then look once more */
	WRITE_ONCE(host->tx_wants, 1);
	smp_mb();	/* pairs with the writer's: it writes, then looks at tx_wants */
	return READ_ONCE(app->tx_head) != p->log.tail;
}

/**
 * mk_console_room - how much input fits
 * @p: the partition
 *
 * Context: the partition's lock is held.
 * Return: a number of bytes; 0 if the partition does not run.
 */
u32 mk_console_room(struct mk_partition *p)
{
	u32 used;

	if (p->destroyed || !mk_state_takes_input(p->state))
		return 0;
	/* before the bytes may be overwritten */
	used = p->log.head - smp_load_acquire(&mk_app_page(p)->rx_tail);
	return used > MK_RX_RING_BYTES ? 0 : MK_RX_RING_BYTES - used;
}

/**
 * mk_console_input - give input to the app kernel
 * @p: the partition
 * @bytes: the input
 * @count: its length, not more than mk_console_room() said
 *
 * Context: the partition's lock is held.
 * Return: @count.
 */
u32 mk_console_input(struct mk_partition *p, const char *bytes, u32 count)
{
	char *ring = p->control + MK_RX_RING;
	u32 i;

	for (i = 0; i < count; i++)
		ring[p->log.head++ % MK_RX_RING_BYTES] = bytes[i];
	smp_store_release(&mk_host_page(p)->rx_head, p->log.head); /* after the bytes */
	smp_mb();	/* pairs with the reader's: it wants, then looks at rx_head */
	if (READ_ONCE(mk_app_page(p)->rx_wants))
		mk_doorbell_ring(p);
	return count;
}
