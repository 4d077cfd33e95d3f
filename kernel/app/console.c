// SPDX-License-Identifier: GPL-2.0-only
/*
 * hvc0: a two-way console on the shared rings. The hvc layer replays the printk
 * buffer when the console registers, so the host gets every message from the
 * start of the boot. A host that does not read costs bytes, never progress.
 */
#define pr_fmt(fmt) "multikernel: " fmt

#include <linux/delay.h>
#include <linux/err.h>
#include <linux/minmax.h>
#include <linux/printk.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <asm/barrier.h>

#include "app.h"
#include "compat.h"

#define VTERMNO		0x6d6b		/* any number that no other hvc driver uses */
#define OUTBUF_BYTES	4096
#define TX_WAIT_US	100000		/* how long a full ring may hold up a writer */
#define LOCK_WAIT_US	10000		/* how long a dying kernel waits for the lock */

static struct hvc_struct *hvc;

/* printk and the tty write at the same time: tx_lock guards the next three */
static DEFINE_RAW_SPINLOCK(tx_lock);
static u32 tx_head;
static bool host_stuck;			/* the ring was full for TX_WAIT_US ... */
static u32 stuck_tail;			/* ... and the host's index stood here */

static u32 rx_tail;			/* guarded by the hvc layer's lock */

/* An index that cannot be counts as a full ring. */
static u32 tx_room(u32 *tail)
{
	u32 used;

	/* what the host has read may be overwritten only from here on */
	*tail = virt_load_acquire(&mk_shared.host->tx_tail);
	used = tx_head - *tail;
	return used < MK_TX_RING_BYTES ? MK_TX_RING_BYTES - used : 0;
}

static void ring_if_wanted(void)
{
	virt_mb();	/* the data before the question, see multikernel_shared.h */
	if (READ_ONCE(mk_shared.host->tx_wants))
		mk_ring_host();
}

/* A host that reads gets the time to; one that does not is waited for once. */
static u32 wait_for_room(void)
{
	unsigned int us;
	u32 room, tail;

	room = tx_room(&tail);
	if (room || (host_stuck && tail == stuck_tail))
		return room;
	ring_if_wanted();
	for (us = 0; us < TX_WAIT_US && !room; us += 5) {
		udelay(5);
		room = tx_room(&tail);
	}
	host_stuck = !room;
	stuck_tail = tail;
	return room;
}

static void put_locked(const u8 *data, u32 count)
{
	u64 *dropped = &mk_shared.page->tx_dropped;
	u32 done, at, bytes, room;

	for (done = 0; done < count; done += bytes) {
		room = wait_for_room();
		if (!room) {
			WRITE_ONCE(*dropped, READ_ONCE(*dropped) + count - done);
			break;
		}
		at = tx_head % MK_TX_RING_BYTES;
		bytes = min3(room, count - done, (u32)MK_TX_RING_BYTES - at);
		memcpy(mk_shared.tx + at, data + done, bytes);
		tx_head += bytes;
		/* the data before the index */
		virt_store_release(&mk_shared.page->tx_head, tx_head);
	}
	ring_if_wanted();
}

/*
 * A kernel that crashed while a CPU held the lock must still say why, so after
 * a while it goes on without: the others are stopped by then.
 */
static void put_dying(const u8 *data, u32 count)
{
	unsigned int us;

	for (us = 0; us < LOCK_WAIT_US; us++) {
		if (raw_spin_trylock(&tx_lock)) {
			put_locked(data, count);
			raw_spin_unlock(&tx_lock);
			return;
		}
		udelay(1);
	}
	put_locked(data, count);
}

static void put(const u8 *data, u32 count)
{
	unsigned long flags;

	local_irq_save(flags);
	if (oops_in_progress) {
		put_dying(data, count);
	} else {
		raw_spin_lock(&tx_lock);
		put_locked(data, count);
		raw_spin_unlock(&tx_lock);
	}
	local_irq_restore(flags);
}

/* Copies once, bounded by what the ring can hold; a lie empties the ring. */
static u32 copy_input(u8 *data, u32 count)
{
	u32 i, bytes, head;

	head = virt_load_acquire(&mk_shared.host->rx_head); /* the index before the data */
	bytes = head - rx_tail;
	if (bytes > MK_RX_RING_BYTES) {
		rx_tail = head;
		bytes = 0;
	}
	bytes = min(bytes, count);
	for (i = 0; i < bytes; i++)
		data[i] = mk_shared.rx[rx_tail++ % MK_RX_RING_BYTES];
	/* the host may overwrite what was read only from here on */
	virt_store_release(&mk_shared.page->rx_tail, rx_tail);
	return bytes;
}

/* The hvc layer calls again until there is nothing, and that is when we sleep. */
static u32 get(u8 *data, u32 count)
{
	u32 bytes = copy_input(data, count);

	if (bytes) {
		WRITE_ONCE(mk_shared.page->rx_wants, 0);
		return bytes;
	}
	WRITE_ONCE(mk_shared.page->rx_wants, 1);
	virt_mb();	/* the wish before the last look */
	return copy_input(data, count);
}

MK_HV_OPS(console_ops, get, put);

/**
 * mk_console_check - take console input, and wake a host that overslept
 *
 * Input that finds no reader stays in the ring until the tty is opened.
 *
 * Context: any but NMI; from the doorbell, and once after that has moved to
 * another CPU.
 */
void mk_console_check(void)
{
	struct hvc_struct *hp = READ_ONCE(hvc);

	if (!hp)
		return;
	if (READ_ONCE(mk_shared.host->rx_head) != READ_ONCE(rx_tail) && hvc_poll(hp))
		hvc_kick();	/* more than an interrupt handler may take */
	if (READ_ONCE(mk_shared.host->tx_tail) != READ_ONCE(tx_head))
		ring_if_wanted();
}

/**
 * mk_console_init - register hvc0 and replay the printk buffer
 *
 * Must be the last step that can fail: it is not undone.
 *
 * Context: may sleep.
 * Return: 0 or a negative errno.
 */
int mk_console_init(void)
{
	struct hvc_struct *hp;

	/* both rings begin empty, except for what was typed before we came */
	tx_head = READ_ONCE(mk_shared.host->tx_tail);
	if (READ_ONCE(mk_shared.host->rx_head) > MK_RX_RING_BYTES)
		rx_tail = READ_ONCE(mk_shared.host->rx_head);
	WRITE_ONCE(mk_shared.page->tx_head, tx_head);
	WRITE_ONCE(mk_shared.page->rx_tail, rx_tail);
	WRITE_ONCE(mk_shared.page->rx_wants, 1);

	hp = hvc_alloc(VTERMNO, 0, &console_ops, OUTBUF_BYTES);
	if (IS_ERR(hp)) {
		pr_err("no console: error %ld\n", PTR_ERR(hp));
		return PTR_ERR(hp);
	}
	WRITE_ONCE(hvc, hp);
	return 0;
}
