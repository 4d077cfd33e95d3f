// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ACPI tables of an app kernel: the CPUs that it has or may be given (its
 * module's guard keeps it off those that it has not), and that nothing else is
 * there.
 * Hardware-reduced, no AML, no 8259, no legacy devices. Not a copy of the
 * machine's tables: those describe what the host owns. Offsets and values are those
 * of ACPI 6.3, chapter 5.
 */
#ifdef __KERNEL__
#include <linux/bits.h>
#include <linux/build_bug.h>
#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/string.h>
#else
#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>
#define BIT(n)		(1U << (n))
#define __packed
#pragma pack(1)
#endif

#include "acpi.h"

#define AT_XSDT		0x100
#define AT_FADT		0x200
#define AT_DSDT		0x400
#define AT_MADT		0x800

#define LOCAL_APIC	0xfee00000U	/* where it is after a reset, and stays */

struct header {
	char signature[4];
	u32 length;
	u8 revision;
	u8 checksum;
	char oem_id[6];
	char oem_table_id[8];
	u32 oem_revision;
	char creator_id[4];
	u32 creator_revision;
} __packed;

struct rsdp {			/* 5.2.5.3 */
	char signature[8];
	u8 checksum;		/* of the part that revision 1 has */
	char oem_id[6];
	u8 revision;
	u32 rsdt;
	u32 length;
	u64 xsdt;
	u8 extended_checksum;
	u8 reserved[3];
} __packed;

struct xsdt {			/* 5.2.8 */
	struct header header;
	u64 entries[2];
} __packed;

struct fadt {			/* 5.2.9 */
	struct header header;
	u8 legacy[73];
	u16 boot_flags;
	u8 reserved;
	u32 flags;
	u8 reset[15];
	u8 minor_revision;
	u64 x_facs;
	u64 x_dsdt;
	u8 extended[128];
} __packed;

#define BOOT_NO_VGA		BIT(2)
#define BOOT_NO_CMOS_RTC	BIT(5)
#define FLAG_WBINVD		BIT(0)
#define FLAG_APIC_PHYSICAL	BIT(19)
#define FLAG_HW_REDUCED		BIT(20)

struct madt {			/* 5.2.12 */
	struct header header;
	u32 local_apic;
	u32 flags;
} __packed;

struct madt_cpu {		/* 5.2.12.2 */
	u8 type;
	u8 length;
	u8 uid;
	u8 apic_id;
	u32 flags;
} __packed;

#define CPU_ENABLED		BIT(0)

struct madt_ioapic {		/* 5.2.12.3 */
	u8 type;
	u8 length;
	u8 id;
	u8 reserved;
	u32 address;
	u32 gsi_base;
} __packed;

static_assert(sizeof(struct header) == 36, "5.2.6");
static_assert(sizeof(struct rsdp) == 36, "5.2.5.3");
static_assert(offsetof(struct fadt, boot_flags) == 109, "5.2.9");
static_assert(offsetof(struct fadt, x_dsdt) == 140, "5.2.9");
static_assert(sizeof(struct fadt) == 276, "5.2.9");

static u8 checksum(const void *table, size_t size)
{
	const u8 *bytes = table;
	u8 sum = 0;

	while (size--)
		sum += *bytes++;
	return -sum;
}

static void finish(struct header *header, const char *signature, u32 length, u8 revision)
{
	memcpy(header->signature, signature, sizeof(header->signature));
	header->length = length;
	header->revision = revision;
	memcpy(header->oem_id, "MULTIK", sizeof(header->oem_id));
	memcpy(header->oem_table_id, "PARTITIO", sizeof(header->oem_table_id));
	header->oem_revision = 1;
	memcpy(header->creator_id, "MKRN", sizeof(header->creator_id));
	header->creator_revision = 1;
	header->checksum = 0;
	header->checksum = checksum(header, length);
}

static void *add_cpu(void *at, u8 uid, u8 apic_id)
{
	struct madt_cpu *entry = at;

	entry->type = 0;
	entry->length = sizeof(*entry);
	entry->uid = uid;
	entry->apic_id = apic_id;
	entry->flags = CPU_ENABLED;
	return entry + 1;
}

/*
 * Without an IOAPIC in the MADT a kernel writes the host's ELCR and falls back
 * to the MP table, which names the host's real one.
 */
static void *add_ioapic(void *at, u32 address)
{
	struct madt_ioapic *entry = at;

	entry->type = 1;
	entry->length = sizeof(*entry);
	entry->id = 0xfe;
	entry->address = address;
	return entry + 1;
}

static int build_madt(const struct mk_acpi *acpi)
{
	struct madt *madt = acpi->area + AT_MADT;
	void *at = madt + 1, *end = acpi->area + MK_ACPI_BYTES;
	u8 uid = 0;
	u32 i;

	if (acpi->count + 4 > (end - at) / sizeof(struct madt_cpu))
		return -E2BIG;
	madt->local_apic = LOCAL_APIC;
	/*
	 * Since Linux 6.9 a kernel whose boot CPU is not marked as the machine's takes
	 * itself for a crash kernel and stays on one CPU, if its own APIC id comes
	 * first; if another one does, it takes that for the real boot CPU and leaves it
	 * alone (topology_register_boot_apic() in arch/x86/kernel/cpu/topology.c). So
	 * the first one is an id that no CPU has.
	 */
	if (acpi->phantom >= 0)
		at = add_cpu(at, 0xfe, acpi->phantom);
	/* spare ones, too: since 6.9 a kernel accepts none that was not there at boot */
	for (i = 0; i < acpi->count; i++)
		at = add_cpu(at, uid++, acpi->apic_ids[i]);
	at = add_ioapic(at, acpi->ioapic);
	finish(&madt->header, "APIC", at - (void *)madt, 5);
	return 0;
}

/**
 * mk_acpi_build - write the ACPI tables
 * @acpi: where, and of what
 *
 * Return: 0, or -E2BIG if the CPUs do not fit into the tables.
 */
int mk_acpi_build(const struct mk_acpi *acpi)
{
	struct rsdp *rsdp = acpi->area;
	struct xsdt *xsdt = acpi->area + AT_XSDT;
	struct fadt *fadt = acpi->area + AT_FADT;
	struct header *dsdt = acpi->area + AT_DSDT;

	finish(dsdt, "DSDT", sizeof(*dsdt), 2);

	/* physical destinations: logical ids would collide with the host's */
	fadt->flags = FLAG_HW_REDUCED | FLAG_APIC_PHYSICAL | FLAG_WBINVD;
	fadt->boot_flags = BOOT_NO_VGA | BOOT_NO_CMOS_RTC;
	fadt->minor_revision = 3;
	fadt->x_dsdt = acpi->start + AT_DSDT;
	finish(&fadt->header, "FACP", sizeof(*fadt), 6);

	xsdt->entries[0] = acpi->start + AT_FADT;
	xsdt->entries[1] = acpi->start + AT_MADT;
	finish(&xsdt->header, "XSDT", sizeof(*xsdt), 1);

	memcpy(rsdp->signature, "RSD PTR ", sizeof(rsdp->signature));
	memcpy(rsdp->oem_id, "MULTIK", sizeof(rsdp->oem_id));
	rsdp->revision = 2;
	rsdp->length = sizeof(*rsdp);
	rsdp->xsdt = acpi->start + AT_XSDT;
	rsdp->checksum = checksum(rsdp, 20);	/* the part of revision 1 */
	rsdp->extended_checksum = checksum(rsdp, sizeof(*rsdp));
	return build_madt(acpi);
}
