/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A partition, as the files of the host module know it; what they call in each
 * other is in calls.h. Not for acpi.c, cmdline.c, memory_list.c and scrub.c, which
 * are tested in user space.
 */
#ifndef MK_HOST_H
#define MK_HOST_H

#include <linux/cpumask.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include <linux/multikernel.h>

#include "acpi.h"
#include "memory_list.h"
#include "multikernel_shared.h"

#define MK_MEMORY_ALIGN		0x200000UL
#define MK_LOG_BYTES		0x40000U

/* Where in the control area, behind what both kernels share, the rest is. */
#define MK_AT_BOOT_PARAMS	0x040000
#define MK_AT_CMDLINE		0x041000
#define MK_AT_ACPI		0x042000
#define MK_AT_ACPI_END		(MK_AT_ACPI + MK_ACPI_BYTES)
#define MK_AT_STUB		0x04f000	/* the last step of trampoline.S */
#define MK_AT_TABLES		0x050000
#define MK_AT_TABLES_END	0x060000
#define MK_AT_E820		0x060000	/* struct setup_data */
#define MK_AT_E820_END		0x080000

/* An English sentence for the caller, see the UAPI's message buffers. */
struct mk_message {
	char text[256];
};

__printf(3, 4)
int mk_fail(struct mk_message *message, int error, const char *format, ...);

/*
 * The largest piece that is asked for, or freed, at once. One attempt cannot be
 * cancelled, may have to move everything that is in its way, and lets nobody else
 * run while it zeroes what it got; neighbours are merged, so a small limit costs
 * little.
 */
#define MK_LARGEST_PAGES	(SZ_128M >> PAGE_SHIFT)
#define MK_SMALLEST_PAGES	(MK_MEMORY_ALIGN >> PAGE_SHIFT)

/**
 * struct mk_memory - memory of a partition
 * @ref: the partition, its memory files
 * @lock: all below; taken in the lock of a partition
 * @owned: what the partition owns; the first one begins with the control area
 * @holes: boot memory that the app kernel gave up and the host has
 * @bytes: of @owned
 * @last_id: of an MK_ADD_MEMORY
 * @release: frees what was still in use when the last reference went
 */
struct mk_memory {
	struct kref ref;
	struct mutex lock;	/* all below */
	struct mk_chunks owned;
	struct mk_chunks holes;
	u64 bytes;
	u32 last_id;
	struct delayed_work release;
};

struct mk_taken_cpu {
	u32 cpu;
	u32 role;
	u32 state;		/* enum mk_cpu_state */
	u32 apic_id;
	bool was_online;
	bool leaves;		/* MK_REMOVE_CPUS works on it */
};

/* A window below 1 MiB, MK_WINDOW_PAGES long; see window.c. */
struct mk_window {
	phys_addr_t start;
	struct mk_partition *holder;	/* to which it is lent now */
	unsigned int homes;		/* app kernels whose real mode code belongs there */
	unsigned int waiting;		/* of these, those that wait for it */
};

/* What a partition has to do with windows; its lock. */
struct mk_home {
	struct mk_window *window;	/* where the real mode code belongs; NULL: none yet */
	void *content;		/* the app kernel's; the host's while it is lent */
	bool lent;
	bool waits;
	bool stays;		/* until the app kernel is stopped */
	u32 wish;		/* for which it was lent */
};

/* Console output, kept in host memory; the lock of the partition. */
struct mk_log {
	char *bytes;
	u64 written;		/* since MK_START */
	u32 stream;		/* counts MK_STARTs, so that readers notice */
	u32 tail;		/* our index into the shared ring */
	u32 head;		/* our index into the shared input ring */
};

/* What was done about a partition that rings too often. */
enum mk_flood {
	MK_FLOOD_NONE	= 0,
	MK_FLOOD_HELD	= 1,	/* an NMI told its CPUs to hold */
	MK_FLOOD_HALTED	= 2,	/* they did not, and got INIT */
};

/* The interrupt that an app kernel rings with, and how often; its handler's. */
struct mk_bell {
	int irq;
	u64 word;		/* where to ring, mk_doorbell_pack() */
	u64 count;		/* since MK_START */
	u64 window_ns;		/* since when @in_window counts */
	u32 in_window;
	u32 flood;		/* enum mk_flood */
	u32 flood_seq;		/* of the NMI */
	u64 flood_ns;		/* when it was sent */
	u64 rung_ns;		/* the last time */
};

/**
 * struct mk_partition - a partition
 * @ref: files, the list and running calls
 * @link: in the list of all; changed under the list's lock, read under RCU
 * @lock: guards all below; never held while waiting
 * @wait: state changes, console bytes, the end of a call
 * @call: a call that changes the partition runs; others answer EBUSY
 */
struct mk_partition {
	struct kref ref;
	struct list_head link;
	struct rcu_head rcu;
	u8 uuid[MK_UUID_BYTES];
	char name[MK_NAME_BYTES];	/* as given */
	char label[MK_NAME_BYTES];	/* the same, fit for the log */

	struct mutex lock;	/* all below */
	wait_queue_head_t wait;
	bool call;
	bool cancelled;
	bool destroyed;
	u32 state;
	u32 generation;
	u32 boots;

	struct mk_home home;
	struct page *ioapic;	/* what the app kernel takes for one */
	struct mk_memory *memory;
	struct mk_taken_cpu *cpus;
	u32 cpu_count;
	u32 run_count;
	u32 *known;		/* APIC ids of the CPUs that the app kernel can be given */
	u32 known_count;
	void *control;		/* direct map of the control area; NULL before MK_LOAD */
	u64 control_start;
	u64 entry;		/* of the kernel */
	u64 kernel_end;		/* of what it needs mapped when it starts */
	u64 image_end;		/* from @control_start on, what the same files need again */
	u64 initrd_bytes;
	struct mk_log log;
	raw_spinlock_t nmi_lock;
	u32 nmi_seq;		/* of the last NMI; @nmi_lock */
	u32 nmi_op;		/* enum mk_app_nmi of it; @nmi_lock */
	bool in_reset;		/* its CPUs: no NMI to them; @nmi_lock */
	struct mk_bell bell;
	struct work_struct work;
	struct delayed_work room;	/* looks for room in the input ring */

	struct mk_answer answers[MK_CHANNELS];	/* @posted is ours; rung() looks, too */
	u64 asked_bytes;	/* of the last request of the memory channel */
	u32 answered;		/* counts answers, so that poll() notices */
	char panic[MK_PANIC_BYTES];

	u64 wanted_bytes, claimed_bytes;
	u64 claim_ns, scrub_ns, offline_ns, load_ns, wake_ns, module_ns;
	u64 start_call_ns, started_ns;
};

static inline struct mk_host_page *mk_host_page(struct mk_partition *p)
{
	return p->control + MK_HOST_PAGE;
}

/* Hostile: copy a field once with READ_ONCE(), check it, use the copy. */
static inline struct mk_app_page *mk_app_page(struct mk_partition *p)
{
	return p->control + MK_APP_PAGE;
}

/* States in which the CPUs of a partition are not ours: it runs, or waits. */
static inline bool mk_state_live(u32 state)
{
	return (state >= MK_STATE_BOOTING && state <= MK_STATE_PANIC) ||
	       state == MK_STATE_PAUSED;
}

/* States in which resources are given to, and taken from, a running app kernel. */
#define MK_LIVE_STATES	(BIT(MK_STATE_RUNNING) | BIT(MK_STATE_PAUSED))

/* States in which what is typed will be read, later if it is paused. */
static inline bool mk_state_takes_input(u32 state)
{
	return state == MK_STATE_BOOTING || state == MK_STATE_RUNNING ||
	       state == MK_STATE_PAUSED;
}

#include "calls.h"

#endif /* MK_HOST_H */
