// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ACPI tables of an app kernel: the CPUs that it has or may be given (its
 * module's guard keeps it off those that it has not), and that nothing else is
 * there.
 * Hardware-reduced, no AML, no 8259, no legacy devices. Not a copy of the
 * machine's tables: those describe what the host owns.
 */
#include <linux/acpi.h>
#include <linux/mm.h>
#include <asm/apicdef.h>
#include <asm/cacheflush.h>

#include "host.h"

#define AT_XSDT		0x100
#define AT_FADT		0x200
#define AT_DSDT		0x400
#define AT_MADT		0x800
#define FADT_X_DSDT	140	/* ACPI 6.3, table 5-33 */

struct mk_xsdt {
	struct acpi_table_header header;
	u64 entries[2];
} __packed;

static u8 checksum(const void *table, size_t size)
{
	const u8 *bytes = table;
	u8 sum = 0;

	while (size--)
		sum += *bytes++;
	return -sum;
}

static void finish(struct acpi_table_header *header, const char *signature,
		   u32 length, u8 revision)
{
	memcpy(header->signature, signature, sizeof(header->signature));
	header->length = length;
	header->revision = revision;
	memcpy(header->oem_id, "MULTIK", sizeof(header->oem_id));
	memcpy(header->oem_table_id, "PARTITIO", sizeof(header->oem_table_id));
	header->oem_revision = 1;
	memcpy(header->asl_compiler_id, "MKRN", sizeof(header->asl_compiler_id));
	header->asl_compiler_revision = 1;
	header->checksum = 0;
	header->checksum = checksum(header, length);
}

static void *add_cpu_entry(void *at, u8 uid, u8 apic_id)
{
	struct acpi_madt_local_apic *entry = at;

	entry->header.type = ACPI_MADT_TYPE_LOCAL_APIC;
	entry->header.length = sizeof(*entry);
	entry->processor_id = uid;
	entry->id = apic_id;
	entry->lapic_flags = ACPI_MADT_ENABLED;
	return entry + 1;
}

/*
 * Since Linux 6.9 a kernel whose boot CPU is not marked as the machine's takes
 * itself for a crash kernel and stays on one CPU, if its own APIC id comes
 * first; if another one does, it takes that for the real boot CPU and leaves it
 * alone (topology_register_boot_apic() in arch/x86/kernel/cpu/topology.c). So
 * the first one is an id that no CPU has.
 */
static void *add_phantom(void *at)
{
	u32 apic_id = 0xfe;

	while (mk_cpu_has_apic_id(apic_id))
		apic_id--;
	return add_cpu_entry(at, 0xfe, apic_id);
}

/*
 * Without an IOAPIC in the MADT a kernel writes the host's ELCR and falls back
 * to the MP table, which names the host's real one. So there is one, with one
 * pin, which is plain memory. The caches are flushed because the app kernel maps
 * it uncached.
 */
static void *add_ioapic(void *at, struct mk_partition *p)
{
	struct acpi_madt_io_apic *entry = at;
	void *registers = page_address(p->ioapic);

	entry->header.type = ACPI_MADT_TYPE_IO_APIC;
	entry->header.length = sizeof(*entry);
	entry->id = 0xfe;
	entry->address = page_to_phys(p->ioapic);
	clear_page(registers);
	/* whatever register is selected, it reads: version 0x20, one pin */
	*(u32 *)(registers + 0x10) = 0x20;
	clflush_cache_range(registers, PAGE_SIZE);
	return entry + 1;
}

static int build_madt(struct mk_partition *p, void *area, bool phantom)
{
	struct acpi_table_madt *madt = area + AT_MADT;
	void *at = madt + 1, *end = area + MK_AT_ACPI_END - MK_AT_ACPI;
	u8 uid = 0;
	u32 i;

	if (p->known_count + 4 > (end - at) / sizeof(struct acpi_madt_local_apic))
		return -E2BIG;
	madt->address = APIC_DEFAULT_PHYS_BASE;
	if (phantom)
		at = add_phantom(at);
	/* spare ones, too: since 6.9 a kernel accepts none that was not there at boot */
	for (i = 0; i < p->known_count; i++)
		at = add_cpu_entry(at, uid++, p->known[i]);
	at = add_ioapic(at, p);
	finish(&madt->header, ACPI_SIG_MADT, at - (void *)madt, 5);
	return 0;
}

/**
 * mk_acpi_build - write the ACPI tables into the control area
 * @p: the partition
 * @phantom_boot_cpu: the kernel is 6.9 or later
 *
 * Return: 0, or -E2BIG if the CPUs do not fit into the tables.
 */
int mk_acpi_build(struct mk_partition *p, bool phantom_boot_cpu)
{
	void *area = p->control + MK_AT_ACPI;
	u64 start = p->control_start + MK_AT_ACPI;
	u64 dsdt_start = start + AT_DSDT;
	struct acpi_table_rsdp *rsdp = area;
	struct mk_xsdt *xsdt = area + AT_XSDT;
	struct acpi_table_fadt *fadt = area + AT_FADT;
	struct acpi_table_header *dsdt = area + AT_DSDT;

	finish(dsdt, ACPI_SIG_DSDT, sizeof(*dsdt), 2);

	/* physical destinations: logical ids would collide with the host's */
	fadt->flags = ACPI_FADT_HW_REDUCED | ACPI_FADT_APIC_PHYSICAL |
		      ACPI_FADT_WBINVD;
	fadt->boot_flags = ACPI_FADT_NO_VGA | ACPI_FADT_NO_CMOS_RTC;
	fadt->minor_revision = 3;
	memcpy(area + AT_FADT + FADT_X_DSDT, &dsdt_start, sizeof(dsdt_start));
	finish(&fadt->header, ACPI_SIG_FADT, sizeof(*fadt), 6);

	xsdt->entries[0] = start + AT_FADT;
	xsdt->entries[1] = start + AT_MADT;
	finish(&xsdt->header, ACPI_SIG_XSDT, sizeof(*xsdt), 1);

	memcpy(rsdp->signature, ACPI_SIG_RSDP, sizeof(rsdp->signature));
	memcpy(rsdp->oem_id, "MULTIK", sizeof(rsdp->oem_id));
	rsdp->revision = 2;
	rsdp->length = sizeof(*rsdp);
	rsdp->xsdt_physical_address = start + AT_XSDT;
	rsdp->checksum = checksum(rsdp, 20);	/* the part of revision 1 */
	rsdp->extended_checksum = checksum(rsdp, sizeof(*rsdp));
	return build_madt(p, area, phantom_boot_cpu);
}
