// SPDX-License-Identifier: GPL-2.0-only
/*
 * Preconditions: may partitions run on this host at all? Each "no" is a bit of
 * &mk_info.blockers and a sentence that says what to do. The module loads
 * anyway, so that user space can read them. Not the checks of an image (boot.c)
 * or a command line (cmdline.c).
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cc_platform.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mount.h>
#include <linux/security.h>
#include <linux/slab.h>
#include <asm/apic.h>
#include <asm/cpufeature.h>
#include <asm/setup.h>
#include <asm/tsc.h>

#include "cmdline.h"
#include "host.h"

static bool ipi_broadcast_off;

/*
 * /proc/cmdline, through a mount of our own: neither the kernel's variables nor
 * its switch for broadcasts are exported, and the caller's /proc may be absent
 * or something else. Returns the length or a negative errno.
 */
static int read_host_cmdline(char *buffer, size_t size)
{
	struct file_system_type *type = get_fs_type("proc");
	struct vfsmount *mount;
	struct file *file;
	struct path root;
	loff_t offset = 0;
	ssize_t ret;

	if (!type)
		return -ENODEV;
	mount = kern_mount(type);
	if (IS_ERR(mount))
		return PTR_ERR(mount);
	root.mnt = mount;
	root.dentry = mount->mnt_root;
	file = file_open_root(&root, "cmdline", O_RDONLY, 0);
	if (IS_ERR(file)) {
		ret = PTR_ERR(file);
		goto unmount;
	}
	ret = kernel_read(file, buffer, size, &offset);
	fput(file);
unmount:
	kern_unmount(mount);
	return ret;
}

/**
 * mk_verify_init - look once at what cannot change later, at module load
 *
 * Context: may sleep.
 * Return: 0, or -ENOMEM.
 */
int mk_verify_init(void)
{
	char *buffer = kzalloc(COMMAND_LINE_SIZE + 2, GFP_KERNEL);
	int ret;

	if (!buffer)
		return -ENOMEM;
	ret = read_host_cmdline(buffer, COMMAND_LINE_SIZE + 1);
	if (ret < 0)
		pr_err("cannot read the host's command line: error %d\n", -ret);
	else
		ipi_broadcast_off = mk_cmdline_number(buffer, "no_ipi_broadcast") != 0;
	kfree(buffer);
	if (!boot_cpu_has(X86_FEATURE_CONSTANT_TSC))
		pr_warn("the time stamp counter is not constant: clocks of app kernels will drift\n");
	return 0;
}

#define IPI_BROADCAST \
	"the host kernel may send broadcasts to CPUs of a partition: boot it with no_ipi_broadcast=1"
#define X2APIC \
	"the host runs in x2APIC mode, which is not supported yet: boot it with nox2apic"
#define LOCKDOWN \
	"the host wants signed kernels, and images are not verified yet: switch off lockdown (Secure Boot)"
#define LOW_MEMORY \
	"no memory is free below 1 MiB, where CPUs start: see /proc/iomem for what uses it"
#define PROCESSOR \
	"the processor has no usable time stamp counter or APIC, or encrypts memory: use another"

static const struct {
	u32 blocker;
	const char *sentence;
} sentences[] = {
	{ MK_BLOCKER_IPI_BROADCAST, IPI_BROADCAST },
	{ MK_BLOCKER_X2APIC, X2APIC },
	{ MK_BLOCKER_LOCKDOWN, LOCKDOWN },
	{ MK_BLOCKER_LOW_MEMORY, LOW_MEMORY },
	{ MK_BLOCKER_CPU, PROCESSOR },
};

/**
 * mk_verify_blockers - may partitions run on this host, as of now?
 * @message: filled with the first reason if not; may be NULL
 *
 * Context: may sleep.
 * Return: a mask of enum mk_blocker, 0 if they may.
 */
u32 mk_verify_blockers(struct mk_message *message)
{
	u32 blockers = 0, i;

	if (!ipi_broadcast_off)
		blockers |= MK_BLOCKER_IPI_BROADCAST;
	if (x2apic_enabled())
		blockers |= MK_BLOCKER_X2APIC;
	if (IS_ENABLED(CONFIG_KEXEC_SIG_FORCE) || security_locked_down(LOCKDOWN_KEXEC))
		blockers |= MK_BLOCKER_LOCKDOWN;
	if (!mk_window_any())
		blockers |= MK_BLOCKER_LOW_MEMORY;
	if (!boot_cpu_has(X86_FEATURE_APIC) || !boot_cpu_has(X86_FEATURE_TSC) ||
	    !tsc_khz || cc_platform_has(CC_ATTR_MEM_ENCRYPT))
		blockers |= MK_BLOCKER_CPU;
	for (i = 0; message && i < ARRAY_SIZE(sentences); i++)
		if (blockers & sentences[i].blocker) {
			mk_fail(message, -EPERM, "%s", sentences[i].sentence);
			break;
		}
	return blockers;
}
