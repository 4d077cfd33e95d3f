// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ACPI tables of an app kernel, read back: checksums, addresses, and which CPUs
 * they name. That kernels boot with them is shown by the machine tests.
 */
#include <linux/acpi.h>
#include <linux/mm.h>

#include "host.h"
#include "suites.h"

#define AREA_BYTES	(MK_AT_ACPI_END - MK_AT_ACPI)
#define CONTROL_START	0x140000000ULL
#define FADT_X_DSDT	140	/* ACPI 6.3, table 5-33 */
#define PHANTOM		0xfd
/* behind what else the tables have: phantom, IOAPIC; see build_madt() */
#define MOST_CPUS	((AREA_BYTES - 0x800 - sizeof(struct acpi_table_madt)) / \
			 sizeof(struct acpi_madt_local_apic) - 4)

/* The table at a physical address of the app kernel, all of it in the area. */
static void *table_at(struct kunit *test, struct mk_partition *p, u64 address)
{
	u64 offset = address - CONTROL_START;
	struct acpi_table_header *header = p->control + offset;
	u8 sum = 0;
	u32 i;

	KUNIT_ASSERT_GE(test, offset, (u64)MK_AT_ACPI);
	KUNIT_ASSERT_LE(test, offset + sizeof(*header), (u64)MK_AT_ACPI_END);
	KUNIT_ASSERT_LE(test, offset + header->length, (u64)MK_AT_ACPI_END);
	for (i = 0; i < header->length; i++)
		sum += ((u8 *)header)[i];
	KUNIT_EXPECT_EQ_MSG(test, 0, sum, "%.4s", header->signature);
	return header;
}

/* As the kernel finds it: RSDP, XSDT, the table. */
static void *find_table(struct kunit *test, struct mk_partition *p, const char *signature)
{
	struct acpi_table_rsdp *rsdp = p->control + MK_AT_ACPI;
	struct acpi_table_xsdt *xsdt;
	u32 i, count;

	KUNIT_ASSERT_EQ(test, 0, memcmp(rsdp->signature, ACPI_SIG_RSDP, 8));
	xsdt = table_at(test, p, rsdp->xsdt_physical_address);
	count = (xsdt->header.length - sizeof(xsdt->header)) / sizeof(u64);
	for (i = 0; i < count; i++) {
		struct acpi_table_header *table = table_at(test, p, xsdt->table_offset_entry[i]);

		if (!memcmp(table->signature, signature, 4))
			return table;
	}
	KUNIT_FAIL(test, "no %s", signature);
	kunit_try_catch_throw(&test->try_catch);
	return NULL;
}

static void expect_cpus(struct kunit *test, struct mk_partition *p, bool phantom)
{
	struct acpi_table_madt *madt = find_table(test, p, ACPI_SIG_MADT);
	void *at = madt + 1, *end = (void *)madt + madt->header.length;
	u32 cpus = 0, ioapics = 0;

	while (at < end) {
		struct acpi_subtable_header *entry = at;
		struct acpi_madt_local_apic *cpu = at;

		KUNIT_ASSERT_GT(test, (int)entry->length, 1);
		at += entry->length;
		if (entry->type == ACPI_MADT_TYPE_IO_APIC)
			ioapics++;
		if (entry->type != ACPI_MADT_TYPE_LOCAL_APIC)
			continue;
		if (phantom && cpus == 0)
			KUNIT_EXPECT_EQ(test, PHANTOM, (int)cpu->id);
		else
			KUNIT_EXPECT_EQ(test, (u8)p->known[cpus - phantom], cpu->id);
		KUNIT_EXPECT_EQ(test, ACPI_MADT_ENABLED, cpu->lapic_flags);
		cpus++;
	}
	KUNIT_EXPECT_PTR_EQ(test, at, end);
	KUNIT_EXPECT_EQ(test, p->known_count + phantom, cpus);
	KUNIT_EXPECT_EQ(test, 1U, ioapics);
}

static int build(struct mk_partition *p, bool phantom)
{
	const struct mk_acpi acpi = {
		.area = p->control + MK_AT_ACPI,
		.start = CONTROL_START + MK_AT_ACPI,
		.apic_ids = p->known,
		.count = p->known_count,
		.phantom = phantom ? PHANTOM : -1,
	};

	return mk_acpi_build(&acpi);
}

static void tables_name_the_cpus_and_nothing_else(struct kunit *test)
{
	static const u32 counts[] = { 1, 2, 64, 253 };
	struct mk_partition *p = test->priv;
	struct acpi_table_fadt *fadt;
	u64 dsdt;
	u32 i;

	for (i = 0; i < 2 * ARRAY_SIZE(counts); i++) {
		memset(p->control, 0, MK_AT_ACPI_END);
		p->known_count = counts[i / 2];
		KUNIT_ASSERT_EQ(test, 0, build(p, i & 1));
		expect_cpus(test, p, i & 1);
	}
	fadt = find_table(test, p, ACPI_SIG_FADT);
	KUNIT_EXPECT_TRUE(test, fadt->flags & ACPI_FADT_HW_REDUCED);
	KUNIT_EXPECT_TRUE(test, fadt->boot_flags & ACPI_FADT_NO_CMOS_RTC);
	memcpy(&dsdt, (void *)fadt + FADT_X_DSDT, sizeof(dsdt));
	table_at(test, p, dsdt);
}

/* The area ends where the allocation does. */
static void cpus_that_do_not_fit_are_refused(struct kunit *test)
{
	struct mk_partition *p = test->priv;

	p->known_count = MOST_CPUS;
	KUNIT_EXPECT_EQ(test, 0, build(p, true));
	find_table(test, p, ACPI_SIG_MADT);
	p->known_count = MOST_CPUS + 1;
	KUNIT_EXPECT_EQ(test, -E2BIG, build(p, true));
}

static int make_partition(struct kunit *test)
{
	struct mk_partition *p = kunit_kzalloc(test, sizeof(*p), GFP_KERNEL);
	u32 i;

	test->priv = p;
	if (!p)
		return -ENOMEM;
	p->control = kunit_kzalloc(test, MK_AT_ACPI_END, GFP_KERNEL);
	p->known = kunit_kmalloc_array(test, MOST_CPUS, sizeof(*p->known), GFP_KERNEL);
	if (!p->control || !p->known)
		return -ENOMEM;
	for (i = 0; i < MOST_CPUS; i++)
		p->known[i] = 3 * i % 256;
	return 0;
}

static struct kunit_case acpi_cases[] = {
	KUNIT_CASE(tables_name_the_cpus_and_nothing_else),
	KUNIT_CASE(cpus_that_do_not_fit_are_refused),
	{}
};

struct kunit_suite mk_acpi_suite = {
	.name = "multikernel_acpi",
	.init = make_partition,
	.test_cases = acpi_cases,
};
