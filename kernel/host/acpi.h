/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The ACPI tables of an app kernel. Pure logic: it is compiled for user space, too,
 * where tests/unit/kernel/ reads the tables back.
 */
#ifndef MK_HOST_ACPI_H
#define MK_HOST_ACPI_H

#ifdef __KERNEL__
#include <linux/types.h>
#else
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
#endif

#define MK_ACPI_BYTES	0xc000

/**
 * struct mk_acpi - what the tables are made of
 * @area: where they go, MK_ACPI_BYTES of zeroes; begins with the RSDP
 * @start: its physical address
 * @apic_ids: of the CPUs that the app kernel has or may be given; each below 0xff
 * @count: of these
 * @ioapic: physical address of what the app kernel takes for one
 * @phantom: an APIC id that no CPU of the machine has, for a kernel that wants one
 *	in front of its own; -1 for others
 */
struct mk_acpi {
	void *area;
	u64 start;
	const u32 *apic_ids;
	u32 count;
	u32 ioapic;
	int phantom;
};

int mk_acpi_build(const struct mk_acpi *acpi);

#endif /* MK_HOST_ACPI_H */
