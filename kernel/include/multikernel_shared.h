/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The pages that a host kernel and an app kernel both map: the contract between
 * multikernel_host.ko and multikernel_app.ko. Either side may be built for
 * another kernel version than the other, so all is fixed width and versioned.
 *
 * The first MK_CONTROL_BYTES of a partition's first memory range are its
 * control area; the app kernel's memory map calls it reserved. Each page has
 * one writer, so that neither side ever has to trust a word it wrote itself:
 *
 *   MK_HOST_PAGE   written by the host, read by the app kernel
 *   MK_APP_PAGE    written by the app kernel, read by the host: hostile. The
 *                  host copies a field once, checks it, and uses the copy.
 *   MK_TX_RING     console output: data by the app kernel
 *   MK_RX_RING     console input: data by the host
 *   MK_GRANT_TABLE    written by the host: memory that may be added or taken back
 *   MK_BALLOON_TABLE  written by the app kernel: boot memory that it has given up
 *   MK_STATS_PAGE  written by the app kernel; statistics, hostile
 *   MK_APP_CPUS       written by the app kernel: what each CPU says in an NMI
 *
 * A ring is a power of two of bytes with free-running 32 bit indices: the
 * producer owns head, the consumer owns tail, each in its own page; head - tail
 * is what is in it and a difference above the size is a lie. The rest of the
 * control area (boot_params, ACPI tables, page tables) is the host's matter.
 */
#ifndef _MULTIKERNEL_SHARED_H
#define _MULTIKERNEL_SHARED_H

#include <linux/build_bug.h>
#include <linux/stddef.h>
#include <linux/types.h>

#define MK_SHARED_MAGIC		0x3130304c4e524b4dULL	/* "MKRNL001" */
#define MK_SHARED_VERSION	2

#define MK_CONTROL_BYTES	0x200000
#define MK_HOST_PAGE		0x0000		/* struct mk_host_page, 4 pages */
#define MK_APP_PAGE		0x4000		/* struct mk_app_page */
#define MK_RX_RING		0x6000
#define MK_RX_RING_BYTES	0x1000
#define MK_TX_RING		0x10000
#define MK_TX_RING_BYTES	0x20000
#define MK_STATS_PAGE		0x30000		/* struct mk_stats_page */
#define MK_STATS_PAGE_END	0x3a000
#define MK_SHARED_BYTES		0x40000		/* what the app module maps, and: */
#define MK_LIVE			0x100000	/* its second window: tables of what moves */
#define MK_LIVE_BYTES		0x50000
#define MK_GRANT_TABLE		0x100000	/* struct mk_grant_table, by the host */
#define MK_BALLOON_TABLE	0x108000	/* struct mk_balloon_table, by the app kernel */
#define MK_APP_CPUS		0x110000	/* struct mk_app_cpu, MK_SHARED_CPUS of them */

#define MK_SHARED_CPUS		1024		/* CPUs that fit into struct mk_host_page */
#define MK_SHARED_CHANNELS	4		/* enum mk_channel of the UAPI */
#define MK_SHARED_RANGES	2047		/* memory ranges that fit into a table */

/* What the app module says of itself, mk_app_page.state; 0 until it is loaded. */
enum mk_app_state {
	MK_APP_NONE	= 0,
	MK_APP_RUNNING	= 1,
	MK_APP_POWEROFF	= 2,
	MK_APP_REBOOT	= 3,
	MK_APP_HALTED	= 4,
	MK_APP_PANIC	= 5,
};

/* mk_host_request.op; the same numbers as enum mk_request_op of the UAPI. */
enum mk_app_request {
	MK_APP_REQUEST_NONE		= 0,
	MK_APP_REQUEST_POWEROFF		= 1,
	MK_APP_REQUEST_REBOOT		= 2,
	MK_APP_REQUEST_CPU_ADD		= 3,	/* arg: an APIC id */
	MK_APP_REQUEST_CPU_REMOVE	= 4,	/* arg: an APIC id */
	MK_APP_REQUEST_MEMORY_ADD	= 5,	/* arg, bytes: a range */
	MK_APP_REQUEST_MEMORY_REMOVE	= 6,	/* arg, bytes: a range */
	MK_APP_REQUEST_BALLOON		= 7,	/* bytes: the size that is wanted */
	MK_APP_REQUEST_SYSRQ		= 8,	/* arg: ASCII */
};

/**
 * struct mk_host_request - what the host asks for, one at a time for each channel
 * @seq: rises by one with each request, written after the others
 * @op: enum mk_app_request
 * @arg: see there
 * @bytes: see there
 * @withdrawn: @seq of a request that is no longer wanted
 * @pad: 0
 */
struct mk_host_request {
	__u32 seq;
	__u32 op;
	__u64 arg;
	__u64 bytes;
	__u32 withdrawn;
	__u32 pad;
};

/**
 * struct mk_app_answer - the answer to the last request of a channel
 * @done: its seq, written after the others
 * @result: 0 or a negative errno
 * @value: how far it came
 */
struct mk_app_answer {
	__u32 done;
	__s32 result;
	__u64 value;
};

/*
 * Doorbells: a fixed interrupt with @vector at the CPU with @apic_id. Written
 * as one 64 bit word (apic_id in the upper half) so that the reader never sees
 * half of a move to another CPU; 0 means: do not ring.
 *
 * "wants": a consumer that is about to sleep sets its wants word, with a full
 * barrier, looks once more, and then sleeps; the producer publishes data, with
 * a full barrier, and rings only if the word is set. What is not console or
 * state (a request, its answer) is always rung for.
 */
static inline __u32 mk_doorbell_check(__u32 apic_id, __u32 vector)
{
	return (apic_id * 0x9e3779b1U ^ vector * 0x85ebca6bU) & 0xffffff00U;
}

static inline __u64 mk_doorbell_pack(__u32 apic_id, __u32 vector)
{
	return ((__u64)apic_id << 32) | mk_doorbell_check(apic_id, vector) | vector;
}

/*
 * Is it a doorbell, and of which CPU and vector? An interrupt that a stray write
 * made up would hit somebody else: most of the word is a check of the rest.
 */
static inline bool mk_doorbell_unpack(__u64 doorbell, __u32 *apic_id, __u32 *vector)
{
	*apic_id = doorbell >> 32;
	*vector = doorbell & 0xff;
	return *vector >= 32 && doorbell == mk_doorbell_pack(*apic_id, *vector);
}

/* What the host's NMI is about, mk_host_page.nmi. */
enum mk_app_nmi {
	MK_APP_NMI_NONE		= 0,
	MK_APP_NMI_HOLD		= 1,	/* save the registers, sleep until released */
	MK_APP_NMI_RELEASE	= 2,	/* go on */
	MK_APP_NMI_REGISTERS	= 3,	/* save the registers */
	MK_APP_NMI_BACKTRACE	= 4,	/* print where you are */
	MK_APP_NMI_LEAVE	= 5,	/* save the registers, end virtualization, wait for INIT */
};

/*
 * The word of an NMI: written before it is sent, as one 64 bit word (the operation
 * in the upper half), so that no CPU sees half of two. The sequence number rises by
 * one with each word; a CPU has obeyed when mk_app_cpu.done is that number.
 */
static inline __u64 mk_nmi_pack(__u32 seq, __u32 op)
{
	return ((__u64)op << 32) | seq;
}

/*
 * The window below 1 MiB is needed to start a CPU, and lent for that: the app
 * kernel writes a number that it did not use before to its @window_wish and
 * waits until @window_lent is the same. It is done when it writes another one,
 * or 0. It boots with a window, which is lent for this number.
 */
#define MK_WINDOW_BOOT		1

/**
 * struct mk_host_page - written by the host only
 * @magic: MK_SHARED_MAGIC
 * @version: MK_SHARED_VERSION; the app module refuses to load on another one
 * @cpus: number of entries of @apic_ids; [0] booted, the app module adds the rest of
 *	those that are granted
 * @uuid: identity of the partition
 * @doorbell: how to ring the host, mk_doorbell_pack()
 * @pad2: 0
 * @rx_head: console input
 * @tx_tail: console output
 * @tx_wants: the host sleeps until there is console output
 * @window_lent: the wish for which the window is lent now; else another number
 * @low_window_start: physical address of the window below 1 MiB
 * @low_window_bytes: its size
 * @image_start: physical address of the memory in which the kernel and the initramfs
 *	were placed, and will be after a reset: not for the balloon
 * @image_bytes: its size
 * @initrd_bytes: size of the initramfs, for which there must be room, too
 * @apic_ids: of all CPUs that the app kernel can be given, the same until it is
 *	started again
 * @requests: one for each channel
 * @nmi: mk_nmi_pack()
 * @granted: of each of @apic_ids: 1 if it may be brought up at this moment
 */
struct mk_host_page {
	__u64 magic;
	__u32 version;
	__u32 cpus;
	__u8 uuid[16];
	__u64 doorbell;
	__u64 pad2[2];
	__u32 rx_head;
	__u32 tx_tail;
	__u32 tx_wants;
	__u32 window_lent;
	__u64 low_window_start;
	__u64 low_window_bytes;
	__u64 image_start;
	__u64 image_bytes;
	__u64 initrd_bytes;
	__u8 reserved[136];
	__u32 apic_ids[MK_SHARED_CPUS];
	struct mk_host_request requests[MK_SHARED_CHANNELS];
	__u64 nmi;
	__u8 granted[MK_SHARED_CPUS];
};

/**
 * struct mk_app_page - written by the app kernel only; hostile for the host
 * @magic: MK_SHARED_MAGIC, written last when the app module is ready
 * @version: MK_SHARED_VERSION
 * @state: enum mk_app_state
 * @doorbell: how to ring the app kernel, mk_doorbell_pack()
 * @window_wish: the number of the wish for the window below 1 MiB; 0: not needed
 * @pad: 0
 * @tx_head: console output
 * @rx_tail: console input
 * @rx_wants: the app kernel sleeps until there is console input
 * @online_cpus: number of online CPUs
 * @heartbeat: rises about 4 times a second
 * @total_bytes: memory managed
 * @free_bytes: memory free
 * @available_bytes: memory available
 * @uptime_ns: time since boot
 * @busy_ns: CPU time not idle, sum of all CPUs
 * @tx_dropped: bytes of console output that found the ring full
 * @answers: one for each channel
 * @block_bytes: the unit in which memory is added and removed
 * @release: uname -r, NUL-terminated
 * @hostname: uname -n, NUL-terminated
 * @panic: reason of a panic, NUL-terminated
 */
struct mk_app_page {
	__u64 magic;
	__u32 version;
	__u32 state;
	__u64 doorbell;
	__u32 window_wish;
	__u32 pad;
	__u32 tx_head;
	__u32 rx_tail;
	__u32 rx_wants;
	__u32 online_cpus;
	__u64 heartbeat;
	__u64 total_bytes;
	__u64 free_bytes;
	__u64 available_bytes;
	__u64 uptime_ns;
	__u64 busy_ns;
	__u64 tx_dropped;
	struct mk_app_answer answers[MK_SHARED_CHANNELS];
	__u64 block_bytes;
	__u8 reserved[80];
	char release[72];
	char hostname[72];
	char panic[256];
};

/* A range of physical memory, in multiples of 2 MiB. */
struct mk_shared_range {
	__u64 start;
	__u64 bytes;
};

/**
 * struct mk_grant_table - memory that the app kernel may use since it booted
 * @added: how many of @ranges, from the first on, may be added, or are
 * @returned: how many follow: boot memory in the balloon that may be used again
 * @pad: 0
 * @ranges: the ranges
 *
 * Changed only while no request of the memory channel is unanswered.
 */
struct mk_grant_table {
	__u32 added;
	__u32 returned;
	__u64 pad;
	struct mk_shared_range ranges[MK_SHARED_RANGES];
};

/**
 * struct mk_balloon_table - boot memory that the app kernel does not use
 * @count: how many of @ranges there are
 * @pad: 0
 * @pad2: 0
 * @ranges: the ranges; true when a request of the memory channel is answered
 */
struct mk_balloon_table {
	__u32 count;
	__u32 pad;
	__u64 pad2;
	struct mk_shared_range ranges[MK_SHARED_RANGES];
};

#define MK_STATS_VERSION	1

/**
 * struct mk_stats_cpu_times - what one CPU has done since the app kernel booted
 * @user_ns: in user space
 * @system_ns: in the kernel
 * @idle_ns: idle
 * @irq_ns: in interrupts, hard and soft
 */
struct mk_stats_cpu_times {
	__u64 user_ns;
	__u64 system_ns;
	__u64 idle_ns;
	__u64 irq_ns;
};

/**
 * struct mk_stats_page - statistics, written by the app kernel about once a second
 * @version: MK_STATS_VERSION
 * @seq: a sequence count: 0 until the page is written for the first time, odd
 *	while it is being written
 * @cpus: number of entries of the arrays that are in use; entry i is about the
 *	app kernel's CPU i
 * @load: load averages over 1, 5 and 15 minutes, in 1/65536
 * @pad: 0
 * @realtime_ns: CLOCK_REALTIME when it was written
 * @uptime_ns: CLOCK_BOOTTIME then
 * @total_bytes: memory managed
 * @free_bytes: memory free
 * @available_bytes: memory available without swapping
 * @cached_bytes: page cache and buffers
 * @swap_total_bytes: swap space
 * @swap_free_bytes: unused swap space
 * @swap_in_bytes: swapped in since boot
 * @swap_out_bytes: swapped out since boot
 * @major_faults: since boot
 * @minor_faults: since boot
 * @online: 1 for CPUs that are online
 * @apic_ids: which CPU of the machine it is
 * @times: what it has done
 *
 * What is not known is 0. A host that finds @seq odd, or changed while it
 * copied, tries again some times and then takes what it has.
 */
struct mk_stats_page {
	__u32 version;
	__u32 seq;
	__u32 cpus;
	__u32 load[3];
	__u64 pad;
	__u64 realtime_ns;
	__u64 uptime_ns;
	__u64 total_bytes;
	__u64 free_bytes;
	__u64 available_bytes;
	__u64 cached_bytes;
	__u64 swap_total_bytes;
	__u64 swap_free_bytes;
	__u64 swap_in_bytes;
	__u64 swap_out_bytes;
	__u64 major_faults;
	__u64 minor_faults;
	__u8 reserved[2944];
	__u8 online[MK_SHARED_CPUS];
	__u32 apic_ids[MK_SHARED_CPUS];
	struct mk_stats_cpu_times times[MK_SHARED_CPUS];
};

#define MK_APP_CPU_REGISTERS	27	/* elf_gregset_t of x86-64, 64 bits each */

/**
 * struct mk_app_cpu - one CPU of the app kernel; written by that CPU; hostile for the host
 * @apic_id: which it is
 * @online: it takes NMIs; the host sends none to a CPU that does not say so: to
 *	one in reset it would be more than an interruption
 * @done: sequence number of the last NMI that it obeyed, written after the others
 * @saved: 1 once there are @registers
 * @pad: 0
 * @registers: what it was doing, in the order of elf_gregset_t
 */
struct mk_app_cpu {
	__u32 apic_id;
	__u32 online;
	__u32 done;
	__u32 saved;
	__u64 pad[3];
	__u64 registers[MK_APP_CPU_REGISTERS];
};

static_assert(offsetof(struct mk_host_page, doorbell) == 32);
static_assert(offsetof(struct mk_host_page, rx_head) == 56);
static_assert(offsetof(struct mk_host_page, apic_ids) == 248);
static_assert(sizeof(struct mk_host_page) <= MK_APP_PAGE - MK_HOST_PAGE);
static_assert(offsetof(struct mk_app_page, tx_head) == 32);
static_assert(offsetof(struct mk_app_page, heartbeat) == 48);
static_assert(offsetof(struct mk_app_page, answers) == 104);
static_assert(offsetof(struct mk_app_page, release) == 256);
static_assert(sizeof(struct mk_app_page) <= MK_RX_RING - MK_APP_PAGE);
static_assert(sizeof(struct mk_grant_table) == MK_BALLOON_TABLE - MK_GRANT_TABLE);
static_assert(sizeof(struct mk_balloon_table) == 0x8000);
static_assert(MK_BALLOON_TABLE + sizeof(struct mk_balloon_table) <= MK_LIVE + MK_LIVE_BYTES);
static_assert(MK_LIVE + MK_LIVE_BYTES <= MK_CONTROL_BYTES);
static_assert(offsetof(struct mk_stats_page, realtime_ns) == 32);
static_assert(offsetof(struct mk_stats_page, online) == 3072);
static_assert(offsetof(struct mk_stats_page, times) == 8192);
static_assert(sizeof(struct mk_stats_page) == MK_STATS_PAGE_END - MK_STATS_PAGE);
static_assert(sizeof(struct mk_app_cpu) == 256);
static_assert(MK_APP_CPUS + MK_SHARED_CPUS * sizeof(struct mk_app_cpu) <=
	      MK_LIVE + MK_LIVE_BYTES);

#endif /* _MULTIKERNEL_SHARED_H */
