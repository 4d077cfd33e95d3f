// SPDX-License-Identifier: GPL-2.0-only
/*
 * The words of an app kernel's command line that are not the user's: those that
 * the module adds, and those that it refuses because they could let the app
 * kernel touch what is not its own, or defeat a word that is added. Every other
 * word is passed on. How a line is read is in cmdline.c.
 */
#ifdef __KERNEL__
#include <linux/kernel.h>
#else
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#endif

#include "cmdline.h"

#define OWN_MODULE	MK_WORD_OWN_MODULE
#define OURS		"the module sets it"
#define INTERRUPTS	"interrupt controllers and timers are the host's"
#define FIRMWARE	"the module writes the tables of the machine"
#define MEMORY		"the module writes the memory map"
#define CPUS		"the module decides which CPUs there are"
#define PORTS		"the serial ports are the host's"
#define RESETS		"a restart would reset the whole machine"
#define LOADER		"the module starts its loader first"
#define UNSIGNED	OWN_MODULE " is not signed with a key that the kernel knows"

static const struct mk_word table[] = {
	/* what the module adds; these come last, in this order */
	{ "console", false, MK_WORD_CONSOLE, "console=hvc0", PORTS },
	{ "rdinit", false, MK_WORD_REFUSED, "rdinit=/multikernel/init", LOADER },
	{ "no_ipi_broadcast", false, MK_WORD_REFUSED, "no_ipi_broadcast=1",
	  "a broadcast would interrupt the host" },
	{ "nox2apic", false, MK_WORD_REFUSED, "nox2apic", OURS },
	{ "nopv", false, MK_WORD_REFUSED, "nopv", OURS },
	{ "pci", false, MK_WORD_REFUSED, "pci=off", "the devices are the host's" },
	{ "nohpet", false, MK_WORD_REFUSED, "nohpet", INTERRUPTS },
	{ "swiotlb", false, MK_WORD_REFUSED, "swiotlb=noforce", OURS },
	{ "tsc", false, MK_WORD_REFUSED, "tsc=reliable", INTERRUPTS },
	{ "clocksource", false, MK_WORD_REFUSED, "clocksource=tsc", INTERRUPTS },
	{ "no_timer_check", false, MK_WORD_REFUSED, "no_timer_check", INTERRUPTS },
	{ "panic", false, MK_WORD_REFUSED, "panic=0", RESETS },
	{ "apic_extnmi", false, MK_WORD_REFUSED, "apic_extnmi=none", INTERRUPTS },
	{ "dis_ucode_ldr", false, MK_WORD_REFUSED, "dis_ucode_ldr", OURS },
	{ "8250", true, MK_WORD_REFUSED, "8250.nr_uarts=0", PORTS },
	{ "nmi_watchdog", false, MK_WORD_REFUSED, "nmi_watchdog=0", OURS },
	{ "memhp_default_state", false, MK_WORD_REFUSED,
	  "memhp_default_state=online_movable", OURS },
	{ "maxcpus", false, MK_WORD_REFUSED, "maxcpus=1", CPUS },
	/* SGX: the kernel would reset all enclave pages of the machine */
	{ "nosgx", false, MK_WORD_REFUSED, "nosgx", OURS },
	/* cache and bandwidth control: it would reset the machine's masks */
	{ "rdt", false, MK_WORD_REFUSED,
	  "rdt=!cmt,!mbmtotal,!mbmlocal,!l3cat,!l3cdp,!l2cat,!l2cdp,!mba,!smba,!bmec",
	  OURS },
	/*
	 * the feedback table of hybrid processors: the hardware would write it to this
	 * kernel's memory for ever, instead of to the host's
	 */
	{ "initcall_blacklist", false, MK_WORD_REFUSED,
	  "initcall_blacklist=thermal_throttle_init_device",
	  "the module needs what it could leave out" },
	/* in VMX root operation a CPU does not answer INIT: no KVM in there */
	{ "module_blacklist", false, MK_WORD_MERGED, "kvm_intel,kvm_amd,pcspkr",
	  "it is no list of modules, or names " OWN_MODULE ", without which nothing works" },
	{ "tsc_early_khz", false, MK_WORD_REFUSED, NULL, OURS },
	/* read by the loader, which knows no quotes */
	{ "multikernel.", true, MK_WORD_NOWHERE, NULL, OURS },
	{ OWN_MODULE ".", true, MK_WORD_REFUSED, NULL, OURS },

	{ "apic", true, MK_WORD_REFUSED, NULL, INTERRUPTS },
	{ "noapic", true, MK_WORD_REFUSED, NULL, INTERRUPTS },
	{ "lapic", true, MK_WORD_REFUSED, NULL, INTERRUPTS },
	{ "nolapic", true, MK_WORD_REFUSED, NULL, INTERRUPTS },
	{ "disableapic", false, MK_WORD_REFUSED, NULL, INTERRUPTS },
	{ "x2apic", true, MK_WORD_REFUSED, NULL, INTERRUPTS },
	{ "hpet", true, MK_WORD_REFUSED, NULL, INTERRUPTS },
	/* a prefix: without "=" in its name, a setup function takes all of them */
	{ "notsc", true, MK_WORD_REFUSED, NULL, INTERRUPTS },
	{ "pmtmr", false, MK_WORD_REFUSED, NULL, INTERRUPTS },
	/* an unhandled machine check shuts a CPU down, and that resets the machine */
	{ "nomce", false, MK_WORD_REFUSED, NULL, "machine checks reach all kernels" },
	{ "mce", false, MK_WORD_REFUSED, NULL, "machine checks reach all kernels" },
	{ "clock", false, MK_WORD_REFUSED, NULL, INTERRUPTS },
	{ "disable_timer_pin_1", false, MK_WORD_REFUSED, NULL, INTERRUPTS },
	{ "enable_timer_pin_1", false, MK_WORD_REFUSED, NULL, INTERRUPTS },
	{ "pcie_", true, MK_WORD_REFUSED, NULL, "the devices are the host's" },
	{ "iommu", true, MK_WORD_REFUSED, NULL, "the devices are the host's" },
	{ "intel_iommu", false, MK_WORD_REFUSED, NULL, "the devices are the host's" },
	{ "amd_iommu", true, MK_WORD_REFUSED, NULL, "the devices are the host's" },
	{ "intremap", false, MK_WORD_REFUSED, NULL, "the devices are the host's" },
	{ "iomem", false, MK_WORD_REFUSED, NULL, "the devices are the host's" },
	{ "tpm_tis.", true, MK_WORD_REFUSED, NULL, "the devices are the host's" },

	/* read by the decompressor or before any parser, without quotes and "--" */
	{ "acpi_rsdp", false, MK_WORD_NOWHERE, NULL, FIRMWARE },
	{ "earlyprintk", false, MK_WORD_NOWHERE, NULL, PORTS },
	{ "mem_encrypt", false, MK_WORD_NOWHERE, NULL, MEMORY },

	{ "acpi", true, MK_WORD_REFUSED, NULL, FIRMWARE },
	{ "noacpi", false, MK_WORD_REFUSED, NULL, FIRMWARE },
	{ "pnp", true, MK_WORD_REFUSED, NULL, FIRMWARE },
	{ "isapnp", false, MK_WORD_REFUSED, NULL, FIRMWARE },
	{ "alloc_mptable", false, MK_WORD_REFUSED, NULL, FIRMWARE },
	{ "update_mptable", false, MK_WORD_REFUSED, NULL, FIRMWARE },
	{ "mtrr_", true, MK_WORD_REFUSED, NULL, FIRMWARE },
	{ "enable_mtrr_cleanup", false, MK_WORD_REFUSED, NULL, FIRMWARE },
	{ "earlycon", false, MK_WORD_REFUSED, NULL, PORTS },
	{ "i8042.", true, MK_WORD_REFUSED, NULL, "the keyboard is the host's" },

	{ "mem", false, MK_WORD_REFUSED, NULL, MEMORY },
	{ "memmap", false, MK_WORD_REFUSED, NULL, MEMORY },
	{ "efi_fake_mem", false, MK_WORD_REFUSED, NULL, MEMORY },
	{ "crashkernel", false, MK_WORD_REFUSED, NULL, MEMORY },
	{ "elfcorehdr", false, MK_WORD_REFUSED, NULL, MEMORY },
	{ "initrd", false, MK_WORD_REFUSED, NULL, MEMORY },
	{ "initrdmem", false, MK_WORD_REFUSED, NULL, MEMORY },

	{ "nr_cpus", false, MK_WORD_REFUSED, NULL, CPUS },
	{ "possible_cpus", false, MK_WORD_REFUSED, NULL, CPUS },
	{ "additional_cpus", false, MK_WORD_REFUSED, NULL, CPUS },
	{ "nosmp", false, MK_WORD_REFUSED, NULL, CPUS },
	{ "disable_cpu_apicid", false, MK_WORD_REFUSED, NULL, CPUS },

	{ "reboot", false, MK_WORD_REFUSED, NULL, RESETS },
	/* sysctl.kernel.panic and the like are set before the loader runs */
	{ "sysctl", true, MK_WORD_REFUSED, NULL, "set it from user space" },
	/* its way out of an NMI is another one than that of nmi.c */
	{ "fred", false, MK_WORD_REFUSED, NULL, OURS },
	{ "noinitrd", false, MK_WORD_REFUSED, NULL, LOADER },
	{ "nomodule", false, MK_WORD_REFUSED, NULL, LOADER },
	{ "module.sig_enforce", false, MK_WORD_REFUSED, NULL, UNSIGNED },
	{ "lockdown", false, MK_WORD_REFUSED, NULL, UNSIGNED },
	{ "bootconfig", false, MK_WORD_REFUSED, NULL,
	  "it would bring words that nobody has checked" },
};

/**
 * mk_cmdline_table - the table
 * @count: out: number of rows
 *
 * Return: its first row.
 */
const struct mk_word *mk_cmdline_table(size_t *count)
{
	*count = ARRAY_SIZE(table);
	return table;
}
