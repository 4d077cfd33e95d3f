/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of multikernel_app.ko call of each other, a block per file. Not
 * the contract with the host kernel: that is multikernel_shared.h.
 */
#ifndef _MULTIKERNEL_APP_H
#define _MULTIKERNEL_APP_H

#include <linux/compiler.h>
#include <linux/init.h>
#include <linux/types.h>
#include <linux/wait.h>

#include "multikernel_shared.h"

/**
 * struct mk_shared - the mapped control area
 * @host: the host's words; read-only by contract
 * @page: our words
 * @tx: console output ring, written by us
 * @rx: console input ring, written by the host
 * @grants: memory that the host lets us have; read-only by contract
 * @balloon: memory that we have given up; our words
 * @stats: our statistics
 * @cpus: what our CPUs say in NMIs; ours
 *
 * Constant once the module is loaded. All access to @host and @page is by
 * READ_ONCE(), WRITE_ONCE() and the virt_ barriers: the other side is another
 * kernel, so the barriers must be real even if this one runs on one CPU, where
 * the smp_ ones may be patched away.
 */
struct mk_shared {
	const struct mk_host_page *host;
	struct mk_app_page *page;
	u8 *tx;
	const u8 *rx;
	const struct mk_grant_table *grants;
	struct mk_balloon_table *balloon;
	struct mk_stats_page *stats;
	struct mk_app_cpu *cpus;
};

/* main.c */
extern struct mk_shared mk_shared;
void mk_announce(enum mk_app_state state);

/* platform.c */
int mk_platform_init(void);

/* doorbell.c */
int mk_doorbell_init(void);
void mk_doorbell_exit(void);
void mk_ring_host(void);
void mk_send_interrupt(u32 apic_id, u32 command);

/* console.c */
int mk_console_init(void);
void mk_console_check(void);

/* lifecycle.c */
void mk_park(void);	/* does not return */
int mk_lifecycle_init(void);
void mk_lifecycle_exit(void);

/* request.c */
struct mk_request_copy {	/* of struct mk_host_request */
	u32 channel;
	u32 seq;
	u32 op;			/* enum mk_app_request */
	u64 arg;
	u64 bytes;
};

void mk_request_init(void);
void mk_request_exit(void);
void mk_request_check(void);
extern struct wait_queue_head mk_request_wait;	/* for a withdrawal */
bool mk_request_withdrawn(const struct mk_request_copy *request);

/* nmi.c */
int mk_nmi_init(void);
void mk_nmi_exit(void);
void mk_nmi_check(void);
void mk_nmi_print(void);
void mk_nmi_park_others(void);

/* memory.c */
void mk_memory_init(void);
int mk_memory_add(const struct mk_request_copy *request, u64 *value);
int mk_memory_remove(const struct mk_request_copy *request, u64 *value);

/* balloon.c */
int mk_balloon_init(void);
void mk_balloon_exit(void);
u64 mk_balloon_bytes(void);
int mk_balloon_set(const struct mk_request_copy *request, u64 *value);

/* cpus.c */
int mk_cpus_init(void);
void mk_cpus_exit(void);
void mk_cpus_bring_up(void);
void mk_cpus_check(void);
int mk_cpus_add(const struct mk_request_copy *request);
int mk_cpus_remove(const struct mk_request_copy *request);

/* stats.c */
void __init mk_stats_start(void);
void mk_stats_update(void);

#endif /* _MULTIKERNEL_APP_H */
