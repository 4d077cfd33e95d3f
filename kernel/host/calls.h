/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The functions that the files of the host module call in each other, one
 * paragraph for each file. Their kernel-doc is where they are defined.
 */
#ifndef MK_HOST_CALLS_H
#define MK_HOST_CALLS_H

#include <linux/fs.h>

#include "fault.h"

/* What a handler of an ioctl gets; see ioctl.c. */
struct mk_call {
	struct mk_message message;
	struct file *file;	/* out: to be installed at @fd */
	int fd;
};

/* main.c */
extern struct workqueue_struct *mk_queue;

/* lowmem.c */
#define MK_TRAMPOLINE_PAGES	4UL	/* code, and three levels of page tables */
#define MK_WINDOW_PAGES		12UL
int mk_lowmem_find(void);
void mk_lowmem_exit(void);
phys_addr_t mk_lowmem_trampoline(void);
struct mk_window *mk_lowmem_windows(unsigned int *count);

/* window.c */
bool mk_window_any(void);
int mk_window_begin(struct mk_partition *p, struct mk_message *message);
void mk_window_look(struct mk_partition *p);
void mk_window_end(struct mk_partition *p);
void mk_window_wake(void);

/* verify.c */
int mk_verify_init(void);
u32 mk_verify_blockers(struct mk_message *message);

/* cpu.c */
void mk_cpu_send_init(u32 apic_id);
void mk_cpu_wait_init(void);
void mk_cpu_interrupt(u32 apic_id, u32 vector);
void mk_cpu_nmi(u32 apic_id);
int mk_cpu_look(unsigned int cpu);
int mk_cpu_probe(u32 cpu, u32 apic_id, u32 *cleared);
int mk_cpu_reset(struct mk_partition *p);
int mk_cpu_boot(struct mk_partition *p);
u32 mk_cpu_phantom_id(void);

/* nmi.c */
bool mk_nmi_allow(struct mk_partition *p, bool allow);
void mk_nmi_leave(struct mk_partition *p);
u32 mk_nmi_hold_now(struct mk_partition *p);
u32 mk_nmi_missing(struct mk_partition *p, u32 seq);
void mk_nmi_registers(struct mk_partition *p, struct mk_registers *registers);
int mk_partition_pause(struct mk_partition *p, u32 *missing, struct mk_message *message);
int mk_partition_resume(struct mk_partition *p, u32 *missing, struct mk_message *message);
int mk_partition_nmi(struct mk_partition *p, u32 op, u32 *missing);

/* hotplug.c */
int mk_cpu_init(void);
void mk_cpu_exit(void);
bool mk_cpu_held_by(u32 apic_id, const struct mk_partition *p);
void mk_cpu_halt(struct mk_partition *p);
void mk_cpu_halt_all(void);
int mk_cpu_take(struct mk_partition *p, const u32 *cpus, u32 count, u32 role,
		struct mk_message *message);
void mk_cpu_return(struct mk_partition *p);
int mk_cpu_remove(struct mk_partition *p, const u32 *cpus, u32 count,
		  struct mk_message *message);
struct mk_taken_cpu *mk_cpu_find(struct mk_taken_cpu *cpus, u32 count, u32 cpu);
void mk_cpu_set_role(struct mk_partition *p, struct mk_taken_cpu *cpu, u32 role);

/* cpu_live.c */
int mk_cpu_slot(struct mk_partition *p, u32 apic_id);
int mk_cpu_know(struct mk_partition *p);
u32 mk_cpu_count(struct mk_partition *p, u32 role);
void mk_cpu_give_all(struct mk_partition *p, u32 state);
void mk_cpu_stopped(struct mk_partition *p);
int mk_cpu_request(struct mk_partition *p, const struct mk_request *request, u64 *arg);
void mk_cpu_answered(struct mk_partition *p, const struct mk_answer *answer);

/* memory.c */
struct mk_memory *mk_memory_new(void);
void mk_memory_put(struct mk_memory *memory);
void mk_pages_scrub(unsigned long pfn, unsigned long pages);
void mk_pages_mark(unsigned long pfn, unsigned long pages, bool claimed);
bool mk_page_marked(struct page *page);
void mk_pages_give_back(unsigned long pfn, unsigned long left);

/* memory_claim.c */
int mk_memory_claim(struct mk_partition *p, struct mk_add_memory *add,
		    struct mk_message *message);

/* memory_live.c */
u64 mk_memory_block_bytes(struct mk_partition *p);
u64 mk_memory_balloon_bytes(struct mk_partition *p);
int mk_memory_ask(struct mk_partition *p, const struct mk_request *request);
void mk_memory_answered(struct mk_partition *p);
void mk_memory_stopped(struct mk_partition *p);
int mk_memory_load(struct mk_partition *p, struct mk_chunks *before);
void mk_memory_loaded(struct mk_partition *p, struct mk_chunks *before, bool loaded);
int mk_memory_remove(struct mk_partition *p, struct mk_remove_memory *remove,
		     struct mk_message *message);

/* memory_file.c */
int mk_memory_file(struct mk_memory *memory, struct mk_call *call);

/* boot.c */
int mk_boot_load(struct mk_partition *p, const struct mk_load *args,
		 const char *user_cmdline, struct mk_message *message);
void mk_boot_place_window(struct mk_partition *p);
void mk_boot_say(const struct mk_partition *p);

/* doorbell.c */
int mk_doorbell_init(void);
void mk_doorbell_exit(void);
int mk_doorbell_open(struct mk_partition *p);
void mk_doorbell_close(struct mk_partition *p);
void mk_doorbell_start(struct mk_partition *p);
bool mk_doorbell_settle(struct mk_partition *p);
u32 mk_doorbell_limit(void);
void mk_doorbell_ring(struct mk_partition *p);

/* console.c and console_file.c */
int mk_console_init(struct mk_partition *p);
void mk_console_start(struct mk_partition *p);
bool mk_console_drain(struct mk_partition *p);
u32 mk_console_room(struct mk_partition *p);
u32 mk_console_input(struct mk_partition *p, const char *bytes, u32 count);
int mk_console_file(struct mk_partition *p, u64 *position, struct mk_call *call);

/* partition.c: the list, references, calls in progress, news from an app kernel */
extern struct list_head mk_partitions;	/* RCU; see mk_partition_list_lock */
extern struct mutex mk_partition_list_lock;
struct mk_partition *mk_partition_new(const u8 *uuid, const char *name,
				      struct mk_message *message);
struct mk_partition *mk_partition_find(const u8 *uuid);
unsigned int mk_partition_count(void);
unsigned int mk_partition_limit(void);
void mk_partition_get(struct mk_partition *p);
void mk_partition_put(struct mk_partition *p);
void mk_partition_remove(struct mk_partition *p);
int mk_partition_begin(struct mk_partition *p, unsigned long states,
		       struct mk_message *message);
void mk_partition_end(struct mk_partition *p);
void mk_partition_stop_all(void);
void mk_partition_set_state(struct mk_partition *p, u32 state);
const char *mk_state_name(u32 state);

/* lifecycle.c: what the ioctls of a partition file do */
int mk_partition_load(struct mk_partition *p, const struct mk_load *args,
		      const char *cmdline, struct mk_message *message);
int mk_partition_start(struct mk_partition *p, struct mk_message *message);
int mk_partition_stop(struct mk_partition *p);
int mk_partition_destroy(struct mk_partition *p);
int mk_partition_request(struct mk_partition *p, struct mk_request *request);
int mk_partition_withdraw(struct mk_partition *p, u32 channel);
void mk_partition_learn(struct mk_partition *p);
void mk_partition_query(struct mk_partition *p, struct mk_query *query);
void mk_escape(char *to, size_t size, const char *from, size_t count);

/* stats.c */
int mk_partition_stats(struct mk_partition *p, struct mk_query_stats *query);

/* control.c and partition_file.c */
extern const struct file_operations mk_control_fops;
int mk_partition_file(struct mk_partition *p, struct mk_call *call);

#endif /* MK_HOST_CALLS_H */
