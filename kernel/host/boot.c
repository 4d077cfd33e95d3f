// SPDX-License-Identifier: GPL-2.0-only
/*
 * Placing an image: checks of the bzImage, its kernel and initramfs into the
 * partition's first range, boot_params, memory map and command line (Linux,
 * Documentation/arch/x86/boot.rst, "64-bit Boot Protocol"). Not the wake-up
 * of the CPU that will run it (cpu.c).
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/file.h>
#include <linux/fs.h>
#include <linux/io.h>
#include <linux/kernel_read_file.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/sizes.h>
#include <linux/version.h>
#include <linux/vmalloc.h>
#include <asm/bootparam.h>
#include <asm/cacheflush.h>
#include <asm/e820/types.h>
#include <asm/tsc.h>

#include "cmdline.h"
#include "host.h"

#define HEADER_OFFSET		0x1f1
#define HEADER_MAGIC		0x53726448	/* "HdrS" */
#define ENTRY_64_OFFSET		0x200
#define LARGEST_IMAGE		SZ_512M
#define LOADER_UNDEFINED	0xff
/*
 * Of more ranges of memory than this (INIT_MEMBLOCK_REGIONS in mm/memblock.c,
 * and some of its own) a kernel keeps a longer list, which it allocates in the
 * only memory that it maps by then: below 1 MiB. That is more than a trampoline.
 */
#define RANGES_IN_IMAGE		100

struct image {
	void *bytes;
	size_t size;
	struct setup_header header;
	size_t header_bytes;
	size_t setup_bytes;	/* what is in front of the kernel itself */
	unsigned int version;	/* KERNEL_VERSION(major, minor, 0) */
};

static int read_failed(int error, const char *what, struct mk_message *message)
{
	if (error == -ETXTBSY)
		return mk_fail(message, error,
			       "the %s is open for writing", what);
	return mk_fail(message, error, "the %s cannot be read (error %d)", what,
		       -error);
}

/* Checks that a file can be read as an image; returns its size. */
static ssize_t file_size(struct file *file, const char *what,
			 struct mk_message *message)
{
	loff_t size;

	if (!(file->f_mode & FMODE_READ))
		return mk_fail(message, -EBADF,
			       "the %s is not open for reading", what);
	if (!S_ISREG(file_inode(file)->i_mode))
		return mk_fail(message, -EINVAL, "the %s is not a regular file",
			       what);
	size = i_size_read(file_inode(file));
	if (!size)
		return mk_fail(message, -ENOEXEC, "the %s is empty", what);
	return size;
}

static int no_image(struct mk_message *message, const char *why)
{
	return mk_fail(message, -ENOEXEC, "the kernel is not a bzImage that can be booted: %s",
		       why);
}

static int read_version(struct image *image, struct mk_message *message)
{
	size_t at = 0x200 + (size_t)image->header.kernel_version;
	unsigned int major, minor;
	char text[16];

	if (!image->header.kernel_version ||
	    at + sizeof(text) > image->setup_bytes)
		return no_image(message, "it has no version");
	memcpy(text, image->bytes + at, sizeof(text));
	text[sizeof(text) - 1] = '\0';
	if (sscanf(text, "%u.%u", &major, &minor) != 2 || minor > 255 ||
	    major > 255)
		return no_image(message, "its version makes no sense");
	image->version = KERNEL_VERSION(major, minor, 0);
	return 0;
}

static int check_image(struct image *image, struct mk_message *message)
{
	const u16 wanted = XLF_KERNEL_64 | XLF_CAN_BE_LOADED_ABOVE_4G;
	struct setup_header *h = &image->header;
	u8 *bytes = image->bytes;

	if (image->size < SZ_4K)
		return no_image(message, "it is too short");
	image->header_bytes = min_t(size_t, sizeof(*h),
				    0x202 + bytes[0x201] - HEADER_OFFSET);
	memcpy(h, bytes + HEADER_OFFSET, image->header_bytes);
	if (h->boot_flag != 0xaa55 || h->header != HEADER_MAGIC)
		return no_image(message, "it has no setup header");
	if (h->version < 0x20c)
		return no_image(message, "its boot protocol is older than 2.12");
	if ((h->xloadflags & wanted) != wanted)
		return no_image(message, "it has no 64-bit entry, or cannot be loaded above 4 GiB");
	if (!h->relocatable_kernel || !is_power_of_2(h->kernel_alignment) ||
	    h->kernel_alignment > SZ_1G)
		return no_image(message, "it is not relocatable");
	image->setup_bytes = ((size_t)(h->setup_sects ?: 4) + 1) * 512;
	if (image->setup_bytes + SZ_4K > image->size ||
	    image->size - image->setup_bytes > h->init_size)
		return no_image(message, "it is truncated, or its header is damaged");
	if ((u64)h->payload_offset + h->payload_length >
	    image->size - image->setup_bytes)
		return no_image(message, "it is truncated");
	return read_version(image, message);
}

static int read_image(int fd, struct image *image, struct mk_message *message)
{
	struct file *file = fget(fd);
	ssize_t size, ret;

	if (!file)
		return mk_fail(message, -EBADF, "the kernel is not an open file");
	size = file_size(file, "kernel", message);
	if (size > LARGEST_IMAGE)
		size = no_image(message, "it is larger than 512 MiB");
	if (size < 0) {
		ret = size;
		goto put;
	}
	ret = mk_fault("load: kernel") ? -EIO :
	      kernel_read_file(file, 0, &image->bytes, LARGEST_IMAGE,
			       &image->size, READING_KEXEC_IMAGE);
	if (ret < 0) {
		ret = read_failed(ret, "kernel", message);
		goto put;
	}
	ret = check_image(image, message);
put:
	fput(file);
	return ret;
}

/*
 * Bootconfig data at the end of an initramfs are command line words that the
 * module has not checked (setup_boot_config() in init/main.c).
 */
static bool has_bootconfig(const char *initrd, size_t size)
{
	static const char magic[] = "#BOOTCONFIG\n";
	const size_t length = sizeof(magic) - 1;
	size_t i;

	for (i = 0; i < 4 && length + i <= size; i++)
		if (!memcmp(initrd + size - length - i, magic, length))
			return true;
	return false;
}

/* Straight to the top of the first range, which ends at @end. */
static int place_initrd(int fd, u64 lowest, u64 end, u64 *start, u64 *size,
			struct mk_message *message)
{
	struct file *file = fget(fd);
	ssize_t bytes, ret;
	size_t read = 0;
	void *to;

	if (!file)
		return mk_fail(message, -EBADF, "the initramfs is not an open file");
	bytes = file_size(file, "initramfs", message);
	if (bytes < 0) {
		ret = bytes;
		goto put;
	}
	if (bytes > end - lowest) {
		ret = mk_fail(message, -ENOMEM,
			      "the initramfs has %zd KiB, beside the kernel %llu KiB are left in the largest range of memory",
			      bytes >> 10, (end - lowest) >> 10);
		goto put;
	}
	*start = ALIGN_DOWN(end - bytes, PAGE_SIZE);
	to = __va(*start);
	ret = mk_fault("load: initramfs") ? -EIO :
	      kernel_read_file(file, 0, &to, end - *start, &read,
			       READING_KEXEC_INITRAMFS);
	if (ret >= 0 && (ret != bytes || read != bytes))
		ret = -ETXTBSY;
	if (ret < 0) {
		ret = read_failed(ret, "initramfs", message);
		goto put;
	}
	ret = 0;
	*size = bytes;
	if (has_bootconfig(to, bytes))
		ret = mk_fail(message, -EINVAL,
			      "the initramfs ends in bootconfig data: remove them with bootconfig -d");
put:
	fput(file);
	return ret;
}

static u64 chunk_start(const struct mk_chunk *chunk)
{
	return (u64)chunk->pfn << PAGE_SHIFT;
}

static u64 chunk_bytes(const struct mk_chunk *chunk)
{
	return (u64)chunk->pages << PAGE_SHIFT;
}

/* What does not fit into boot_params goes to a list of its own. */
static int add_e820(struct mk_partition *p, unsigned int index, u64 start,
		    u64 bytes, u32 type)
{
	struct boot_params *params = p->control + MK_AT_BOOT_PARAMS;
	struct setup_data *more = p->control + MK_AT_E820;
	struct boot_e820_entry *entry;

	if (index < E820_MAX_ENTRIES_ZEROPAGE) {
		entry = &params->e820_table[index];
		params->e820_entries = index + 1;
	} else {
		if (sizeof(*more) + more->len + sizeof(*entry) >
		    MK_AT_E820_END - MK_AT_E820)
			return -E2BIG;
		entry = (void *)more->data + more->len;
		more->type = SETUP_E820_EXT;
		more->len += sizeof(*entry);
		params->hdr.setup_data = p->control_start + MK_AT_E820;
	}
	entry->addr = start;
	entry->size = bytes;
	entry->type = type;
	return 0;
}

static int build_e820(struct mk_partition *p, struct mk_message *message)
{
	const struct mk_chunk *chunks = p->memory->owned.at;
	unsigned int i, n = 0;
	int ret;

	/* the window; where it is, mk_boot_place_window() says */
	add_e820(p, n++, 0, MK_WINDOW_PAGES * PAGE_SIZE, E820_TYPE_RAM);
	add_e820(p, n++, p->control_start, MK_CONTROL_BYTES, E820_TYPE_RESERVED);
	add_e820(p, n++, p->control_start + MK_CONTROL_BYTES,
		 chunk_bytes(&chunks[0]) - MK_CONTROL_BYTES, E820_TYPE_RAM);
	for (i = 1; i < p->memory->owned.count; i++) {
		if (!chunks[i].boot)	/* to be added again while it runs */
			continue;
		ret = add_e820(p, n++, chunk_start(&chunks[i]),
			       chunk_bytes(&chunks[i]), E820_TYPE_RAM);
		if (ret)
			return mk_fail(message, -ENOMEM,
				       "the memory is in %u ranges, more than a memory map can have",
				       p->memory->owned.count);
	}
	return 0;
}

/**
 * mk_boot_place_window - enter the window that was lent into the memory map
 * @p: the partition; loaded, and has a window
 */
void mk_boot_place_window(struct mk_partition *p)
{
	struct boot_params *params = p->control + MK_AT_BOOT_PARAMS;

	params->e820_table[0].addr = p->home.window->start;
}

/**
 * mk_boot_say - what boots, to the kernel's log
 * @p: the partition; loaded
 */
void mk_boot_say(const struct mk_partition *p)
{
	pr_info("%s: boots at %#llx, command line: %s\n", p->label,
		p->entry - ENTRY_64_OFFSET, (char *)p->control + MK_AT_CMDLINE);
}

static void build_params(struct mk_partition *p, const struct image *image,
			 u64 kernel, u64 initrd, u64 initrd_bytes)
{
	struct boot_params *params = p->control + MK_AT_BOOT_PARAMS;
	struct setup_header *h = &params->hdr;
	u64 cmdline = p->control_start + MK_AT_CMDLINE;

	memcpy(h, &image->header, image->header_bytes);
	h->type_of_loader = LOADER_UNDEFINED;
	h->setup_data = 0;
	h->code32_start = kernel;
	h->ramdisk_image = initrd;
	h->ramdisk_size = initrd_bytes;
	params->ext_ramdisk_image = initrd >> 32;
	params->ext_ramdisk_size = initrd_bytes >> 32;
	h->cmd_line_ptr = cmdline;
	params->ext_cmd_line_ptr = cmdline >> 32;
	params->acpi_rsdp_addr = p->control_start + MK_AT_ACPI;
}

/*
 * With one pin, in plain memory: whatever register is selected, it reads version
 * 0x20. The caches are flushed because the app kernel maps it uncached.
 */
static u32 make_ioapic(struct mk_partition *p)
{
	void *registers = page_address(p->ioapic);

	clear_page(registers);
	*(u32 *)(registers + 0x10) = 0x20;
	clflush_cache_range(registers, PAGE_SIZE);
	return page_to_phys(p->ioapic);
}

static int build_acpi(struct mk_partition *p, const struct image *image)
{
	const struct mk_acpi acpi = {
		.area = p->control + MK_AT_ACPI,
		.start = p->control_start + MK_AT_ACPI,
		.apic_ids = p->known,
		.count = p->known_count,
		.ioapic = make_ioapic(p),
		.phantom = image->version >= KERNEL_VERSION(6, 9, 0) ?
			   (int)mk_cpu_phantom_id() : -1,
	};

	return mk_acpi_build(&acpi);
}

static int build_tables(struct mk_partition *p, const struct image *image,
			u64 kernel, u64 initrd, u64 initrd_bytes,
			const char *cmdline, struct mk_message *message)
{
	int ret;

	memset(p->control, 0, MK_CONTROL_BYTES);
	p->home.stays = p->memory->owned.count > RANGES_IN_IMAGE;
	build_params(p, image, kernel, initrd, initrd_bytes);
	strscpy(p->control + MK_AT_CMDLINE, cmdline, MK_CMDLINE_BYTES);
	ret = build_e820(p, message);
	if (ret)
		return ret;
	ret = mk_cpu_know(p);
	if (ret)
		return ret;
	ret = mk_fault("load: tables") ? -E2BIG : build_acpi(p, image);
	if (ret)
		return mk_fail(message, ret, "%u CPUs are more than the ACPI tables can have",
			       p->known_count);
	return 0;
}

static int build_cmdline(struct mk_partition *p, char *to, const char *user,
			 struct mk_message *message)
{
	char added[64];

	snprintf(added, sizeof(added), "tsc_early_khz=%u multikernel.shm=0x%llx",
		 tsc_khz, p->control_start);
	return mk_cmdline_build(to, MK_CMDLINE_BYTES, user, added,
				message->text, sizeof(message->text));
}

static int place(struct mk_partition *p, const struct mk_load *args,
		 struct image *image, const char *cmdline,
		 struct mk_message *message)
{
	struct mk_chunk *first = &p->memory->owned.at[0];
	u64 end = chunk_start(first) + chunk_bytes(first);
	u64 kernel, kernel_end, initrd, initrd_bytes;
	int ret;

	kernel = ALIGN(p->control_start + MK_CONTROL_BYTES,
		       image->header.kernel_alignment);
	kernel_end = kernel + image->header.init_size;
	if (kernel_end > end)
		return mk_fail(message, -ENOMEM,
			       "the kernel needs %llu MiB in one range, the largest one has %llu MiB",
			       (kernel_end - p->control_start) >> 20,
			       chunk_bytes(first) >> 20);
	p->entry = 0;	/* from here on, what was loaded before is gone */
	ret = place_initrd(args->initrd_fd, kernel_end, end, &initrd,
			   &initrd_bytes, message);
	if (ret)
		return ret;
	memcpy(__va(kernel), image->bytes + image->setup_bytes,
	       image->size - image->setup_bytes);
	ret = build_tables(p, image, kernel, initrd, initrd_bytes, cmdline,
			   message);
	if (ret)
		return ret;
	p->entry = kernel + ENTRY_64_OFFSET;
	p->kernel_end = kernel_end;
	p->image_end = ALIGN(kernel_end + PAGE_ALIGN(initrd_bytes), MK_MEMORY_ALIGN);
	p->initrd_bytes = initrd_bytes;
	return 0;
}

/**
 * mk_boot_load - place a kernel, an initramfs and all they need in a partition
 * @p: the partition; it has memory and a CPU, which does not run; the caller is
 *	its only call
 * @args: the files
 * @user_cmdline: the user's words, NUL-terminated
 * @message: filled on failure
 *
 * Context: may sleep: it reads files.
 * Return: 0 or an error of MK_LOAD.
 */
int mk_boot_load(struct mk_partition *p, const struct mk_load *args,
		 const char *user_cmdline, struct mk_message *message)
{
	struct image image = {};
	char *cmdline;
	int ret;

	cmdline = mk_fault("load: command line") ? NULL :
		  kmalloc(MK_CMDLINE_BYTES, GFP_KERNEL);
	if (!cmdline)
		return -ENOMEM;
	p->control_start = chunk_start(&p->memory->owned.at[0]);
	p->control = __va(p->control_start);
	ret = build_cmdline(p, cmdline, user_cmdline, message);
	if (ret)
		goto free;
	ret = read_image(args->kernel_fd, &image, message);
	if (ret)
		goto free;
	ret = place(p, args, &image, cmdline, message);
free:
	vfree(image.bytes);
	kfree(cmdline);
	return ret;
}
