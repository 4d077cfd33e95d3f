/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * User space contract of multikernel_host.ko: partitions of one machine, each
 * of which runs a second, complete kernel on CPUs and memory that the host
 * kernel gave up.
 *
 * Objects and file descriptors
 * ----------------------------
 *
 * /dev/multikernel (root only) is the control file. MK_CREATE makes a partition
 * and returns a partition file; MK_OPEN returns another one for a partition
 * that exists. A partition belongs to the module, not to a file: closing every
 * file leaves it running, because a workload must survive the death (or the
 * upgrade) of the daemon that started it. The next daemon finds it with
 * MK_LIST and MK_OPEN, by UUID. A partition ends with MK_DESTROY only. The
 * module cannot be unloaded while a partition exists.
 *
 * Memory and console are files of their own; they hold what they show, so
 * partition memory is freed (scrubbed) when the partition is destroyed *and*
 * the last memory file and mapping of it are gone.
 *
 * Structures
 * ----------
 *
 * Each ioctl takes one structure that begins with its own size. A kernel that
 * knows a shorter structure accepts a longer one if the tail is zero
 * (E2BIG otherwise); a longer one than user space knows is filled with zeros.
 * Padding and unknown flags must be zero (EINVAL, EOPNOTSUPP).
 *
 * Some structures carry a message buffer (@message, @message_bytes, may be
 * 0): on failure the kernel writes a NUL-terminated English sentence that says
 * what is wrong and what to do, cut to the buffer. It is untouched on success.
 *
 * Meaning of errno, for all calls
 * -------------------------------
 *
 *  * EFAULT      a pointer is bad
 *  * EINVAL      a value is bad: reserved field set, count of 0, bad CPU number
 *  * E2BIG       the structure has a tail that this kernel does not know
 *  * EOPNOTSUPP  a flag that this kernel does not know
 *  * ENOTTY      an ioctl that this file does not have
 *  * ENOENT      no such partition
 *  * EEXIST      a partition with this UUID exists already
 *  * ENODEV      the partition was destroyed (through another file)
 *  * EBUSY       wrong state for this call; or held by another partition
 *  * EPERM       a precondition of the host does not hold, see &mk_info.blockers
 *  * ENOMEM      kernel memory; or the memory asked for cannot be had
 *  * EINTR       a fatal signal arrived while waiting, nothing was taken
 *  * ECANCELED   MK_CANCEL ended the call, nothing was taken
 *  * EMSGSIZE    a list does not fit; @count says how many entries there are
 *
 * Times are nanoseconds, sizes are bytes, CPU numbers are Linux's logical CPU
 * numbers of the host, physical addresses are the machine's.
 */
#ifndef _UAPI_LINUX_MULTIKERNEL_H
#define _UAPI_LINUX_MULTIKERNEL_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define MK_DEVICE		"/dev/multikernel"
#define MK_ABI_VERSION		2

#define MK_UUID_BYTES		16
#define MK_NAME_BYTES		64	/* with the final NUL; callers cut longer ones */
#define MK_PANIC_BYTES		256
#define MK_RELEASE_BYTES	65
#define MK_HOSTNAME_BYTES	65
#define MK_CMDLINE_BYTES	2048	/* of the whole command line, with the final NUL */

/**
 * enum mk_blocker - why this host cannot run partitions, &mk_info.blockers
 * @MK_BLOCKER_IPI_BROADCAST: the host was booted without no_ipi_broadcast=1;
 *	its broadcast interrupts would reach CPUs that a partition owns.
 * @MK_BLOCKER_X2APIC: the host runs in x2APIC mode; boot it with nox2apic.
 * @MK_BLOCKER_LOCKDOWN: the kernel is locked down, or built to run signed
 *	images only, and image signatures are not verified yet.
 * @MK_BLOCKER_LOW_MEMORY: no free RAM was found below 1 MiB.
 * @MK_BLOCKER_CPU: the processor has no usable time stamp counter or APIC, or
 *	encrypts memory.
 */
enum mk_blocker {
	MK_BLOCKER_IPI_BROADCAST	= 1 << 0,
	MK_BLOCKER_X2APIC		= 1 << 1,
	MK_BLOCKER_LOCKDOWN		= 1 << 2,
	MK_BLOCKER_LOW_MEMORY		= 1 << 3,
	MK_BLOCKER_CPU			= 1 << 4,
};

/**
 * enum mk_state - state of a partition
 * @MK_STATE_CREATED: exists; may be given memory and CPUs
 * @MK_STATE_LOADED: an image is in place; MK_START will run it
 * @MK_STATE_BOOTING: its first CPU runs; its module has not reported yet
 * @MK_STATE_RUNNING: its module has reported
 * @MK_STATE_POWEROFF: it powered off; its CPUs wait, parked
 * @MK_STATE_REBOOT: it asked for a reboot; its CPUs wait, parked
 * @MK_STATE_HALTED: it halted; its CPUs wait, parked
 * @MK_STATE_PANIC: it crashed; &mk_query.panic has the reason if known
 * @MK_STATE_STOPPED: MK_STOP ended it; resources are kept, MK_LOAD may follow
 * @MK_STATE_LOST: a CPU did not answer INIT; nothing of it can be given back
 * @MK_STATE_PAUSED: its CPUs are held by MK_PAUSE, or because it flooded the host
 *	with doorbells (see &mk_info.doorbells_per_second); MK_RESUME lets them go on
 */
enum mk_state {
	MK_STATE_CREATED	= 0,
	MK_STATE_LOADED		= 1,
	MK_STATE_BOOTING	= 2,
	MK_STATE_RUNNING	= 3,
	MK_STATE_POWEROFF	= 4,
	MK_STATE_REBOOT		= 5,
	MK_STATE_HALTED		= 6,
	MK_STATE_PANIC		= 7,
	MK_STATE_STOPPED	= 8,
	MK_STATE_LOST		= 9,
	MK_STATE_PAUSED		= 10,
};

/**
 * struct mk_info - MK_GET_INFO on the control file: what this module can do
 * @size: sizeof(struct mk_info)
 * @flags: must be 0
 * @abi_version: out: MK_ABI_VERSION of the module
 * @blockers: out: bit mask of enum mk_blocker; 0 if partitions can run
 * @features: out: 0; bits for later additions
 * @tsc_khz: out: frequency of the time stamp counter
 * @max_partitions: out: how many partitions can exist at once: as many as there are
 *	CPUs that can be given away
 * @partitions: out: how many exist
 * @pad: must be 0
 * @memory_align_bytes: out: partition memory comes in multiples of this
 * @control_bytes: out: how much of a partition's memory the module keeps for
 *	itself (command line, tables, shared pages); the app kernel sees the rest
 * @message: user pointer to a message buffer; filled if @blockers is not 0
 * @message_bytes: size of the buffer
 * @doorbells_per_second: out: a partition that rings the host more often than
 *	this is paused
 *
 * Return: 0 or -1 with EFAULT, EINVAL, E2BIG, EOPNOTSUPP.
 */
struct mk_info {
	__u32 size;
	__u32 flags;
	__u32 abi_version;
	__u32 blockers;
	__aligned_u64 features;
	__u32 tsc_khz;
	__u32 max_partitions;
	__u32 partitions;
	__u32 pad;
	__aligned_u64 memory_align_bytes;
	__aligned_u64 control_bytes;
	__aligned_u64 message;
	__u32 message_bytes;
	__u32 doorbells_per_second;
};

/**
 * struct mk_create - MK_CREATE on the control file: a new, empty partition
 * @size: sizeof(struct mk_create)
 * @flags: must be 0
 * @uuid: its identity; all-zero is refused
 * @name: its name for messages, NUL-terminated, not empty, need not be unique
 * @fd: out: the partition file, close-on-exec
 * @pad: must be 0
 * @message: user pointer to a message buffer
 * @message_bytes: size of the buffer
 * @pad2: must be 0
 *
 * Return: 0 or -1 with EEXIST, EPERM (a blocker), ENOSPC
 * (&mk_info.max_partitions exist), EMFILE, ENOMEM and the general ones.
 */
struct mk_create {
	__u32 size;
	__u32 flags;
	__u8 uuid[MK_UUID_BYTES];
	__u8 name[MK_NAME_BYTES];
	__s32 fd;
	__u32 pad;
	__aligned_u64 message;
	__u32 message_bytes;
	__u32 pad2;
};

/**
 * struct mk_open - MK_OPEN on the control file: a file for a partition
 * @size: sizeof(struct mk_open)
 * @flags: must be 0
 * @uuid: which
 * @fd: out: the partition file, close-on-exec
 * @pad: must be 0
 *
 * Return: 0 or -1 with ENOENT, EMFILE, ENOMEM and the general ones.
 */
struct mk_open {
	__u32 size;
	__u32 flags;
	__u8 uuid[MK_UUID_BYTES];
	__s32 fd;
	__u32 pad;
};

/**
 * struct mk_list_entry - one partition
 * @uuid: its identity
 * @name: its name
 * @state: enum mk_state
 * @pad: 0
 */
struct mk_list_entry {
	__u8 uuid[MK_UUID_BYTES];
	__u8 name[MK_NAME_BYTES];
	__u32 state;
	__u32 pad;
};

/**
 * struct mk_list - MK_LIST on the control file: all partitions
 * @size: sizeof(struct mk_list)
 * @flags: must be 0
 * @entries: user pointer to an array of struct mk_list_entry
 * @count: in: length of the array; out: number of partitions
 * @pad: must be 0
 *
 * Return: 0, or -1 with EMSGSIZE (array too short, @count is set, nothing else
 * is written) and the general ones.
 */
struct mk_list {
	__u32 size;
	__u32 flags;
	__aligned_u64 entries;
	__u32 count;
	__u32 pad;
};

/**
 * enum mk_range_state - who uses a range of partition memory
 * @MK_RANGE_BOOT: the app kernel, since it booted
 * @MK_RANGE_TAKEN: nobody; the partition owns it, the app kernel was not told
 * @MK_RANGE_GIVEN: the app kernel, since it answered MK_REQUEST_MEMORY_ADD, or
 *	may do so: it was asked and did not answer yet
 * @MK_RANGE_RELEASED: nobody; the app kernel gave it up (MK_REQUEST_MEMORY_REMOVE,
 *	MK_REQUEST_BALLOON); MK_REMOVE_MEMORY gives it back to the host
 */
enum mk_range_state {
	MK_RANGE_BOOT		= 0,
	MK_RANGE_TAKEN		= 1,
	MK_RANGE_GIVEN		= 2,
	MK_RANGE_RELEASED	= 3,
};

/* Flags of MK_ADD_MEMORY. */
#define MK_MEMORY_RETURN	0x1	/* fill what the balloon gave back to the host */

/**
 * struct mk_add_memory - MK_ADD_MEMORY on a partition file
 * @size: sizeof(struct mk_add_memory)
 * @flags: MK_MEMORY_RETURN or 0
 * @bytes: how much; a multiple of &mk_info.memory_align_bytes, and of @align_bytes
 * @node: NUMA node to take it from; -1 for any
 * @id: out: identifies the ranges of this call in MK_QUERY_MEMORY
 * @message: user pointer to a message buffer
 * @message_bytes: size of the buffer
 * @pad: must be 0
 * @align_bytes: each range begins at, and has, a multiple of this; a power of
 *	two; 0 for &mk_info.memory_align_bytes. Memory that is to be added to a running
 *	app kernel must be in units of its &mk_stats.block_bytes
 *
 * The memory is claimed from the host's free and movable memory, in as few
 * contiguous ranges as can be had, and scrubbed. It may take seconds; the
 * partition's progress is in &mk_query.claimed_bytes, and MK_CANCEL or a fatal
 * signal ends it.
 *
 * In state created: may be called several times, e.g. once for each node. Ranges
 * next to each other become one, whatever call claimed them, and the largest is the
 * first: it must hold the control area, the kernel and the initramfs.
 *
 * In states running and paused: the ranges are taken (state
 * MK_RANGE_TAKEN) and mapped by nobody until MK_REQUEST_MEMORY_ADD. With
 * MK_MEMORY_RETURN the pages are those, at their old addresses, that the app kernel
 * had at its boot and gave up through its balloon; the host may use some of them for
 * good by now, then less than @bytes is claimed and @bytes is set to what it was;
 * the app kernel takes them back when MK_REQUEST_BALLOON asks for a smaller balloon.
 * @node and @align_bytes mean nothing then.
 *
 * When the CPUs are reset, ranges that were added are MK_RANGE_TAKEN again, until
 * MK_LOAD: the next app kernel boots with all that the partition has then. One that
 * fails changes no range.
 * MK_MEMORY_RETURN in state stopped, before MK_LOAD, brings back what the last one
 * gave up. What holds the image is never given up, so the same files can be loaded
 * again.
 *
 * Return: 0 or -1 with ENOMEM (message says how much there was), EBUSY, EINTR,
 * ECANCELED and the general ones; on failure nothing was taken.
 */
struct mk_add_memory {
	__u32 size;
	__u32 flags;
	__aligned_u64 bytes;
	__s32 node;
	__u32 id;
	__aligned_u64 message;
	__u32 message_bytes;
	__u32 pad;
	__aligned_u64 align_bytes;
};

/**
 * struct mk_remove_memory - MK_REMOVE_MEMORY on a partition file: give some back
 * @size: sizeof(struct mk_remove_memory)
 * @flags: must be 0
 * @start: physical address
 * @bytes: length; both 0: all ranges that can be given back
 * @freed_bytes: out: how much was given back
 * @message: user pointer to a message buffer
 * @message_bytes: size of the buffer
 * @pad: must be 0
 *
 * For ranges, and parts of them, that no app kernel uses (MK_RANGE_TAKEN,
 * MK_RANGE_RELEASED), in any state but lost. They are scrubbed, and count as given
 * back; a range of which a mapping of a memory file holds a page is free when that
 * lets go.
 *
 * Return: 0 or -1 with EBUSY (the app kernel uses it), EINVAL (not of this
 * partition) and the general ones.
 */
struct mk_remove_memory {
	__u32 size;
	__u32 flags;
	__aligned_u64 start;
	__aligned_u64 bytes;
	__aligned_u64 freed_bytes;
	__aligned_u64 message;
	__u32 message_bytes;
	__u32 pad;
};

/**
 * enum mk_cpu_role - what a CPU is taken for
 * @MK_CPU_RUN: the app kernel runs on it
 * @MK_CPU_IDLE: nobody runs on it: the second thread of a core whose first
 *	thread the partition uses
 * @MK_CPU_SPARE: not taken, only named to the app kernel when it boots: one that
 *	may be added while it runs. Several partitions may name the same CPU.
 * @MK_CPU_STANDBY: nobody runs on it, but the app kernel knows it:
 *	MK_REQUEST_CPU_ADD gives it, it has role run then. What the app kernel gave
 *	up and still is the partition's when it stops has this role at its next start.
 */
enum mk_cpu_role {
	MK_CPU_RUN	= 0,
	MK_CPU_IDLE	= 1,
	MK_CPU_SPARE	= 2,
	MK_CPU_STANDBY	= 3,
};

/**
 * struct mk_add_cpus - MK_ADD_CPUS on a partition file
 * @size: sizeof(struct mk_add_cpus)
 * @flags: must be 0
 * @cpus: user pointer to an array of __u32 CPU numbers
 * @count: length of the array
 * @role: enum mk_cpu_role
 * @message: user pointer to a message buffer
 * @message_bytes: size of the buffer
 * @pad: must be 0
 *
 * Takes the CPUs offline (as `echo 0 > .../online` does) and guards them: the
 * host cannot bring them online until the partition gives them back. The first
 * CPU with role run is the one that boots. CPU 0 cannot be given away.
 *
 * In state created, and, but for spares, in running and paused. Then a CPU with
 * role run must be one that the app kernel knows since it booted (as own or spare
 * CPU), and it waits in reset until MK_REQUEST_CPU_ADD.
 *
 * Return: 0 or -1 with EBUSY (held by another, or could not be taken offline),
 * EINVAL, ENOSPC (not a CPU that the app kernel knows), EINTR and the general
 * ones; on failure none was taken.
 */
struct mk_add_cpus {
	__u32 size;
	__u32 flags;
	__aligned_u64 cpus;
	__u32 count;
	__u32 role;
	__aligned_u64 message;
	__u32 message_bytes;
	__u32 pad;
};

/**
 * struct mk_remove_cpus - MK_REMOVE_CPUS on a partition file: give some back
 * @size: sizeof(struct mk_remove_cpus)
 * @flags: must be 0
 * @cpus: user pointer to an array of __u32 CPU numbers
 * @count: length of the array
 * @pad: must be 0
 * @message: user pointer to a message buffer
 * @message_bytes: size of the buffer
 * @pad2: must be 0
 *
 * In states running and paused. For CPUs that the app kernel does not use: it was
 * not told of them, or answered MK_REQUEST_CPU_REMOVE. They are reset, scrubbed and
 * the host's again (online, unless they were offline when they were taken).
 *
 * Return: 0 or -1 with EBUSY (the app kernel uses one; none was given back),
 * EINVAL (not this partition's), EIO (one did not answer; it stays) and the
 * general ones.
 */
struct mk_remove_cpus {
	__u32 size;
	__u32 flags;
	__aligned_u64 cpus;
	__u32 count;
	__u32 pad;
	__aligned_u64 message;
	__u32 message_bytes;
	__u32 pad2;
};

/**
 * struct mk_load - MK_LOAD on a partition file: place an image
 * @size: sizeof(struct mk_load)
 * @flags: must be 0
 * @kernel_fd: a bzImage, open for reading and not open for writing anywhere
 * @initrd_fd: an initramfs, likewise; it must bring the module's loader, which
 *	rdinit= starts
 * @cmdline: user pointer to the command line, without what the module adds
 * @cmdline_bytes: its length without a final NUL
 * @message_bytes: size of the message buffer
 * @message: user pointer to a message buffer
 *
 * Allowed in the states created, loaded, stopped, poweroff, reboot, halted and
 * panic with at least one CPU and one memory range. In the last four the CPUs
 * are reset first, as by MK_STOP. Words of the command line that the module
 * owns are refused; the message names the word. The rest of the memory is not
 * touched.
 *
 * Return: 0 or -1 with ENOEXEC (not a bzImage we can boot), ENOMEM (does not
 * fit), EINVAL (command line, not a regular file), EBADF (not open for reading),
 * ETXTBSY, EBUSY, EINTR, what reading a file gives (EIO, EACCES, ...) and the
 * general ones. The
 * state is then loaded or what it was (stopped, if CPUs had to be reset; created
 * or stopped, if an image that was loaded before is damaged by the attempt).
 */
struct mk_load {
	__u32 size;
	__u32 flags;
	__s32 kernel_fd;
	__s32 initrd_fd;
	__aligned_u64 cmdline;
	__u32 cmdline_bytes;
	__u32 message_bytes;
	__aligned_u64 message;
};

/**
 * struct mk_start - MK_START on a partition file, state loaded: wake it
 * @size: sizeof(struct mk_start)
 * @flags: must be 0
 * @message: user pointer to a message buffer
 * @message_bytes: size of the buffer
 * @pad: must be 0
 *
 * Returns when the first CPU has left the trampoline for the kernel (some
 * tens of milliseconds); the rest is told by poll(). A window of memory below
 * 1 MiB is lent to the app kernel until its module has brought up its CPUs. If
 * all are lent the call waits for one, for a minute at most; MK_CANCEL and a
 * fatal signal end that. An app kernel that dies before keeps its window until
 * it is stopped.
 *
 * Return: 0 or -1 with EIO (the CPU did not wake; the state is stopped, or
 * lost), ENOMEM, ETIMEDOUT (no window became free), ECANCELED, EINTR (not tried,
 * the state is still loaded), EBUSY and the general ones.
 */
struct mk_start {
	__u32 size;
	__u32 flags;
	__aligned_u64 message;
	__u32 message_bytes;
	__u32 pad;
};

/**
 * struct mk_stop - MK_STOP on a partition file: reset its CPUs
 * @size: sizeof(struct mk_stop)
 * @flags: must be 0
 *
 * Works on a hung app kernel. CPUs and memory stay with the partition. In the
 * states created, loaded and stopped it does nothing and succeeds.
 *
 * Return: 0 or -1 with EIO (a CPU did not answer: the state is lost) and the
 * general ones.
 */
struct mk_stop {
	__u32 size;
	__u32 flags;
};

/**
 * struct mk_destroy - MK_DESTROY on a partition file: stop it, give all back
 * @size: sizeof(struct mk_destroy)
 * @flags: must be 0
 *
 * When it returns the CPUs are the host's again (online, unless they were
 * offline when they were taken) and the memory is scrubbed and free, unless a
 * memory file or mapping holds it. All files of the partition answer ENODEV
 * from now on, poll() says EPOLLHUP.
 *
 * Return: 0 or -1 with EIO (state lost, nothing was given back), EBUSY (a call
 * is running in it; MK_CANCEL helps) and the general ones.
 */
struct mk_destroy {
	__u32 size;
	__u32 flags;
};

/**
 * struct mk_cancel - MK_CANCEL on a partition file: end a running MK_ADD_MEMORY,
 *	or an MK_START that waits
 * @size: sizeof(struct mk_cancel)
 * @flags: must be 0
 *
 * Return: 0 (also if nothing ran) or -1 with the general ones.
 */
struct mk_cancel {
	__u32 size;
	__u32 flags;
};

/**
 * enum mk_channel - requests of one channel are answered one after the other
 * @MK_CHANNEL_POWER: MK_REQUEST_POWEROFF, MK_REQUEST_REBOOT
 * @MK_CHANNEL_CPU: MK_REQUEST_CPU_ADD, MK_REQUEST_CPU_REMOVE
 * @MK_CHANNEL_MEMORY: MK_REQUEST_MEMORY_ADD, _MEMORY_REMOVE, _BALLOON
 * @MK_CHANNEL_KEY: MK_REQUEST_SYSRQ
 * @MK_CHANNELS: how many there are
 */
enum mk_channel {
	MK_CHANNEL_POWER	= 0,
	MK_CHANNEL_CPU		= 1,
	MK_CHANNEL_MEMORY	= 2,
	MK_CHANNEL_KEY		= 3,
	MK_CHANNELS		= 4,
};

/**
 * enum mk_request_op - what an app kernel can be asked for
 * @MK_REQUEST_POWEROFF: an orderly power-off, as by a power button
 * @MK_REQUEST_REBOOT: an orderly reboot
 * @MK_REQUEST_CPU_ADD: bring up CPU @arg (host number), which it owns
 * @MK_REQUEST_CPU_REMOVE: take CPU @arg offline; EBUSY for the CPU it booted on
 * @MK_REQUEST_MEMORY_ADD: use the range at @arg, @bytes long, one of MK_QUERY_MEMORY
 *	in state MK_RANGE_TAKEN, or whole blocks of one; the answer's value is how many
 *	bytes of it are used, from its start on; the rest is MK_RANGE_TAKEN again
 * @MK_REQUEST_MEMORY_REMOVE: give up a range in state MK_RANGE_GIVEN, or whole blocks
 *	of one; the value is how many bytes of it were given up, from its end on:
 *	they are MK_RANGE_RELEASED
 * @MK_REQUEST_BALLOON: give up @bytes, in all, of the memory that it had at boot, a
 *	multiple of 2 MiB; the value is how much it has given up after that. A smaller
 *	one than there is takes back what the partition owns of it (MK_RANGE_RELEASED,
 *	and MK_RANGE_TAKEN of MK_MEMORY_RETURN), which is MK_RANGE_GIVEN meanwhile
 * @MK_REQUEST_SYSRQ: act on the SysRq key @arg (ASCII)
 */
enum mk_request_op {
	MK_REQUEST_POWEROFF	= 1,
	MK_REQUEST_REBOOT	= 2,
	MK_REQUEST_CPU_ADD	= 3,
	MK_REQUEST_CPU_REMOVE	= 4,
	MK_REQUEST_MEMORY_ADD	= 5,
	MK_REQUEST_MEMORY_REMOVE = 6,
	MK_REQUEST_BALLOON	= 7,
	MK_REQUEST_SYSRQ	= 8,
};

/**
 * struct mk_request - MK_REQUEST on a partition file, state running
 * @size: sizeof(struct mk_request)
 * @flags: must be 0
 * @op: enum mk_request_op
 * @seq: out: sequence number of this request, in its channel
 * @arg: see @op; 0 where it says nothing
 * @bytes: see @op; 0 where it says nothing
 *
 * Asynchronous: returns once the request is posted. When the app kernel's
 * module has answered, poll() wakes and &mk_answer.done of its channel is @seq.
 * What comes of a power request (state poweroff) is another event. It is never
 * waited for, and an unanswered request blocks its own channel only.
 *
 * Return: 0 or -1 with EBUSY (not running; a CPU or range that is not in the
 * state for it), EAGAIN (the last request of the channel is still unanswered) and
 * the general ones.
 */
struct mk_request {
	__u32 size;
	__u32 flags;
	__u32 op;
	__u32 seq;
	__aligned_u64 arg;
	__aligned_u64 bytes;
};

/**
 * struct mk_withdraw - MK_WITHDRAW on a partition file: no longer wanted
 * @size: sizeof(struct mk_withdraw)
 * @flags: must be 0
 * @channel: enum mk_channel
 * @pad: must be 0
 *
 * Tells the app kernel to stop working on the request, which it answers as soon as
 * it can, with how far it came. The channel stays blocked until then.
 *
 * Return: 0 (also if nothing is unanswered) or -1 with the general ones.
 */
struct mk_withdraw {
	__u32 size;
	__u32 flags;
	__u32 channel;
	__u32 pad;
};

/**
 * struct mk_answer - the last request of a channel, &mk_query.answers
 * @posted: its sequence number; 0 if there was none since MK_START
 * @done: sequence number of the last one that was answered
 * @result: of that: 0 or a negative errno, as the app kernel says
 * @op: of that: enum mk_request_op
 * @arg: of that
 * @value: of that: how far it came, as the app kernel says; see enum mk_request_op
 */
struct mk_answer {
	__u32 posted;
	__u32 done;
	__s32 result;
	__u32 op;
	__aligned_u64 arg;
	__aligned_u64 value;
};

/**
 * struct mk_pause - MK_PAUSE and MK_RESUME on a partition file
 * @size: sizeof(struct mk_pause)
 * @flags: must be 0
 * @message: user pointer to a message buffer
 * @message_bytes: size of the buffer
 * @missing: out: number of CPUs that did not answer
 *
 * MK_PAUSE (state running): an NMI stops all CPUs of the partition, busy ones and
 * ones with interrupts off too, wherever they are; each saves its registers (see
 * MK_QUERY_REGISTERS) and sleeps. All or none: if one does not answer, the others
 * go on. MK_RESUME (state paused) lets them go on.
 *
 * Return: 0 or -1 with ETIMEDOUT (@missing did not answer, the state is what it
 * was), EBUSY and the general ones.
 */
struct mk_pause {
	__u32 size;
	__u32 flags;
	__aligned_u64 message;
	__u32 message_bytes;
	__u32 missing;
};

/**
 * enum mk_nmi_op - what an NMI is sent for
 * @MK_NMI_BACKTRACE: each CPU prints where it is
 * @MK_NMI_REGISTERS: each CPU saves its registers, for MK_QUERY_REGISTERS; for a
 *	partition that is dead (state panic, halted, ...) or hangs
 */
enum mk_nmi_op {
	MK_NMI_BACKTRACE	= 1,
	MK_NMI_REGISTERS	= 2,
};

/**
 * struct mk_nmi - MK_NMI on a partition file: interrupt its CPUs by force
 * @size: sizeof(struct mk_nmi)
 * @flags: must be 0
 * @op: enum mk_nmi_op
 * @missing: out: number of CPUs that did not answer within a second
 *
 * States running, poweroff, reboot, halted, panic; MK_NMI_REGISTERS does
 * nothing in state paused, where they are saved already.
 *
 * Return: 0 (look at @missing) or -1 with EBUSY and the general ones.
 */
struct mk_nmi {
	__u32 size;
	__u32 flags;
	__u32 op;
	__u32 missing;
};

#define MK_REGISTERS		27

/**
 * struct mk_registers - what one CPU was doing
 * @cpu: host CPU number
 * @valid: 1; 0 if the CPU never answered (hung, or never started): the rest is 0
 * @values: as elf_gregset_t of x86-64 has them (arch/x86/include/asm/elf.h), as the
 *	app kernel says
 */
struct mk_registers {
	__u32 cpu;
	__u32 valid;
	__aligned_u64 values[MK_REGISTERS];
};

/**
 * struct mk_query_registers - MK_QUERY_REGISTERS on a partition file
 * @size: sizeof(struct mk_query_registers)
 * @flags: must be 0
 * @registers: user pointer to an array of struct mk_registers, in vCPU order
 * @count: in: length of the array; out: number of CPUs with role run
 * @pad: must be 0
 *
 * Return: 0 or -1 with EMSGSIZE and the general ones.
 */
struct mk_query_registers {
	__u32 size;
	__u32 flags;
	__aligned_u64 registers;
	__u32 count;
	__u32 pad;
};

/**
 * struct mk_query - MK_QUERY on a partition file: all that is known about it
 * @size: sizeof(struct mk_query)
 * @flags: must be 0
 * @uuid: its identity
 * @name: its name
 * @state: enum mk_state
 * @generation: counts state changes; poll() on this file says EPOLLIN|EPOLLPRI
 *	while it, or a @done of @answers, differs from what the last MK_QUERY on
 *	this file returned
 * @boots: how often MK_START succeeded
 * @cpus: number of CPUs with role run
 * @idle_cpus: number of CPUs with role idle or standby
 * @ranges: number of memory ranges
 * @online_cpus: CPUs online in the app kernel, as it says; 0 if unknown
 * @known_cpus: how many different CPUs the app kernel can ever be given, by what
 *	it was booted with; 0 before MK_LOAD
 * @pad: 0
 * @memory_bytes: memory it owns
 * @wanted_bytes: while MK_ADD_MEMORY runs: what it wants in all; else 0
 * @claimed_bytes: while MK_ADD_MEMORY runs: what it has; else 0
 * @heartbeat: counter that the app kernel raises about 4 times a second
 * @app_total_bytes: memory the app kernel manages, as it says; 0 if unknown
 * @app_free_bytes: what of it is free, as it says
 * @app_available_bytes: what of it is available, as it says
 * @app_uptime_ns: its uptime, as it says
 * @app_busy_ns: CPU time spent not idle, all its CPUs, as it says
 * @console_bytes: number of bytes the app kernel has written to its console
 *	since MK_START
 * @claim_ns: how long the last MK_ADD_MEMORY took, without scrubbing
 * @scrub_ns: how long the scrubbing of it took; about 0 on a host with
 *	init_on_alloc=1, where the allocator does it, within @claim_ns
 * @offline_ns: how long taking the CPUs took
 * @load_ns: how long the last MK_LOAD took
 * @wake_ns: last MK_START: from the call to the first instruction of the kernel
 * @module_ns: last MK_START: from the call to the report of the module; or 0
 * @started_ns: CLOCK_BOOTTIME of the last MK_START; 0 if never
 * @release: app kernel's release (uname -r), as it says, escaped ASCII
 * @hostname: app kernel's host name, as it says, escaped ASCII
 * @panic: reason of a crash, as it says, escaped ASCII
 * @balloon_bytes: boot memory that the app kernel does not use, by the module's books
 * @block_bytes: size of the app kernel's memory blocks, checked; 0 if unknown
 * @doorbells: how often the app kernel has rung since MK_START
 * @answers: of each channel
 *
 * Return: 0 or -1 with the general ones.
 */
struct mk_query {
	__u32 size;
	__u32 flags;
	__u8 uuid[MK_UUID_BYTES];
	__u8 name[MK_NAME_BYTES];
	__u32 state;
	__u32 generation;
	__u32 boots;
	__u32 cpus;
	__u32 idle_cpus;
	__u32 ranges;
	__u32 online_cpus;
	__u32 known_cpus;
	__u64 pad;
	__aligned_u64 memory_bytes;
	__aligned_u64 wanted_bytes;
	__aligned_u64 claimed_bytes;
	__aligned_u64 heartbeat;
	__aligned_u64 app_total_bytes;
	__aligned_u64 app_free_bytes;
	__aligned_u64 app_available_bytes;
	__aligned_u64 app_uptime_ns;
	__aligned_u64 app_busy_ns;
	__aligned_u64 console_bytes;
	__aligned_u64 claim_ns;
	__aligned_u64 scrub_ns;
	__aligned_u64 offline_ns;
	__aligned_u64 load_ns;
	__aligned_u64 wake_ns;
	__aligned_u64 module_ns;
	__aligned_u64 started_ns;
	char release[72];
	char hostname[72];
	char panic[MK_PANIC_BYTES];
	__aligned_u64 balloon_bytes;
	__aligned_u64 block_bytes;
	__aligned_u64 doorbells;
	struct mk_answer answers[MK_CHANNELS];
};

/**
 * struct mk_cpu_stats - what one CPU has done, as the app kernel says
 * @cpu: host CPU number
 * @app_cpu: the app kernel's number of it; -1 if it has none
 * @online: 1 if it is online there
 * @pad: 0
 * @user_ns: time spent in user space
 * @system_ns: in the kernel
 * @idle_ns: idle
 * @irq_ns: in interrupts, hard and soft
 */
struct mk_cpu_stats {
	__u32 cpu;
	__s32 app_cpu;
	__u32 online;
	__u32 pad;
	__aligned_u64 user_ns;
	__aligned_u64 system_ns;
	__aligned_u64 idle_ns;
	__aligned_u64 irq_ns;
};

/**
 * struct mk_query_stats - MK_QUERY_STATS on a partition file
 * @size: sizeof(struct mk_query_stats)
 * @flags: must be 0
 * @cpus: user pointer to an array of struct mk_cpu_stats, in vCPU order
 * @count: in: length of the array; out: number of CPUs with role run
 * @valid: 1 if the app kernel has written the page, else all that follows is 0
 * @load: load averages over 1, 5 and 15 minutes, in 1/65536
 * @pad: 0
 * @realtime_ns: its CLOCK_REALTIME when it wrote the page
 * @uptime_ns: its CLOCK_BOOTTIME then
 * @total_bytes: memory it manages
 * @free_bytes: unused
 * @available_bytes: that can be had without swapping
 * @cached_bytes: page cache and buffers
 * @swap_total_bytes: swap space
 * @swap_free_bytes: unused swap space
 * @swap_in_bytes: swapped in since boot
 * @swap_out_bytes: swapped out since boot
 * @major_faults: since boot
 * @minor_faults: since boot
 *
 * Read from a page that the app kernel's module writes about once a second; no
 * call into the app kernel is made.
 *
 * Return: 0 or -1 with EMSGSIZE and the general ones.
 */
struct mk_query_stats {
	__u32 size;
	__u32 flags;
	__aligned_u64 cpus;
	__u32 count;
	__u32 valid;
	__u32 load[3];
	__u32 pad;
	__aligned_u64 realtime_ns;
	__aligned_u64 uptime_ns;
	__aligned_u64 total_bytes;
	__aligned_u64 free_bytes;
	__aligned_u64 available_bytes;
	__aligned_u64 cached_bytes;
	__aligned_u64 swap_total_bytes;
	__aligned_u64 swap_free_bytes;
	__aligned_u64 swap_in_bytes;
	__aligned_u64 swap_out_bytes;
	__aligned_u64 major_faults;
	__aligned_u64 minor_faults;
};

/**
 * struct mk_range - one contiguous piece of partition memory
 * @start: physical address
 * @bytes: length
 * @node: NUMA node
 * @state: enum mk_range_state
 * @id: of the MK_ADD_MEMORY that claimed it; ranges in state MK_RANGE_BOOT that touch
 *	may have become one
 * @pad: 0
 */
struct mk_range {
	__aligned_u64 start;
	__aligned_u64 bytes;
	__s32 node;
	__u32 state;
	__u32 id;
	__u32 pad;
};

/**
 * struct mk_query_memory - MK_QUERY_MEMORY on a partition file
 * @size: sizeof(struct mk_query_memory)
 * @flags: must be 0
 * @ranges: user pointer to an array of struct mk_range
 * @count: in: length of the array; out: number of ranges
 * @pad: must be 0
 *
 * Return: 0 or -1 with EMSGSIZE and the general ones.
 */
struct mk_query_memory {
	__u32 size;
	__u32 flags;
	__aligned_u64 ranges;
	__u32 count;
	__u32 pad;
};

/**
 * enum mk_cpu_state - who uses a CPU of a partition
 * @MK_CPU_TAKEN: nobody; it waits in reset, the app kernel was not told
 * @MK_CPU_GIVEN: the app kernel, or it may: it was asked to and did not answer yet
 * @MK_CPU_RELEASED: nobody; the app kernel answered MK_REQUEST_CPU_REMOVE
 */
enum mk_cpu_state {
	MK_CPU_TAKEN	= 0,
	MK_CPU_GIVEN	= 1,
	MK_CPU_RELEASED	= 2,
};

/**
 * struct mk_cpu - one CPU of a partition
 * @cpu: host CPU number
 * @role: enum mk_cpu_role
 * @state: enum mk_cpu_state; spares are MK_CPU_TAKEN
 * @pad: 0
 */
struct mk_cpu {
	__u32 cpu;
	__u32 role;
	__u32 state;
	__u32 pad;
};

/**
 * struct mk_query_cpus - MK_QUERY_CPUS on a partition file
 * @size: sizeof(struct mk_query_cpus)
 * @flags: must be 0
 * @cpus: user pointer to an array of struct mk_cpu; in the order they were
 *	given, so entry i with role run is vCPU i
 * @count: in: length of the array; out: number of CPUs
 * @pad: must be 0
 *
 * Return: 0 or -1 with EMSGSIZE and the general ones.
 */
struct mk_query_cpus {
	__u32 size;
	__u32 flags;
	__aligned_u64 cpus;
	__u32 count;
	__u32 pad;
};

/**
 * struct mk_console - MK_CONSOLE on a partition file: its console
 * @size: sizeof(struct mk_console)
 * @flags: must be 0
 * @position: in: where in the byte stream since MK_START to begin reading;
 *	out: where it begins, which is later if the module no longer has it
 * @fd: out: the console file, close-on-exec
 * @pad: must be 0
 *
 * The module keeps the last 256 KiB of output in host memory, so a slow reader
 * never slows the app kernel: it misses bytes instead. Each file has its own
 * position. read() blocks until there is output, and returns 0 once the
 * partition has stopped and all is read. A reader who missed bytes gets EPIPE
 * once, as from /dev/kmsg, and then the oldest that are kept; MK_CONSOLE with
 * the position where it was tells how many are gone. write() is input for the
 * app kernel and returns a short count, EAGAIN when its ring is full, EBUSY when
 * it does not run, ENODEV once the partition was destroyed; poll() tells
 * EPOLLIN, EPOLLOUT and, after a stop, EPOLLHUP. A new MK_START begins a new
 * stream at 0: files that were open then read on from its beginning.
 *
 * Return: 0 or -1 with EMFILE, ENOMEM and the general ones.
 */
struct mk_console {
	__u32 size;
	__u32 flags;
	__aligned_u64 position;
	__s32 fd;
	__u32 pad;
};

/**
 * struct mk_memory_fd - MK_MEMORY_FD on a partition file: its memory, as a file
 * @size: sizeof(struct mk_memory_fd)
 * @flags: must be 0
 * @fd: out: the memory file, close-on-exec
 * @pad: must be 0
 *
 * The file can be mapped (shared; read or read-write). It is a picture of the ranges
 * that MK_QUERY_MEMORY told when the file was made: offsets run through them, one
 * after the other, without holes, and do not change when ranges come and go. Where
 * the partition does not own the page any more (or again, not yet), touching the mapping
 * is SIGBUS. A page that was touched is held by the mapping: after MK_REMOVE_MEMORY
 * its range is freed when that lets go. After MK_DESTROY, the file and each
 * mapping keep all memory from being freed.
 *
 * Return: 0 or -1 with EBUSY (no memory yet), EMFILE, ENOMEM and the general
 * ones.
 */
struct mk_memory_fd {
	__u32 size;
	__u32 flags;
	__s32 fd;
	__u32 pad;
};

#define MK_IOC_TYPE		0xd6

/* on the control file */
#define MK_GET_INFO		_IOWR(MK_IOC_TYPE, 0x00, struct mk_info)
#define MK_CREATE		_IOWR(MK_IOC_TYPE, 0x01, struct mk_create)
#define MK_OPEN			_IOWR(MK_IOC_TYPE, 0x02, struct mk_open)
#define MK_LIST			_IOWR(MK_IOC_TYPE, 0x03, struct mk_list)

/* on a partition file */
#define MK_ADD_MEMORY		_IOWR(MK_IOC_TYPE, 0x10, struct mk_add_memory)
#define MK_ADD_CPUS		_IOWR(MK_IOC_TYPE, 0x11, struct mk_add_cpus)
#define MK_LOAD			_IOWR(MK_IOC_TYPE, 0x12, struct mk_load)
#define MK_START		_IOWR(MK_IOC_TYPE, 0x13, struct mk_start)
#define MK_STOP			_IOWR(MK_IOC_TYPE, 0x14, struct mk_stop)
#define MK_DESTROY		_IOWR(MK_IOC_TYPE, 0x15, struct mk_destroy)
#define MK_CANCEL		_IOWR(MK_IOC_TYPE, 0x16, struct mk_cancel)
#define MK_REQUEST		_IOWR(MK_IOC_TYPE, 0x17, struct mk_request)
#define MK_QUERY		_IOWR(MK_IOC_TYPE, 0x18, struct mk_query)
#define MK_QUERY_MEMORY		_IOWR(MK_IOC_TYPE, 0x19, struct mk_query_memory)
#define MK_QUERY_CPUS		_IOWR(MK_IOC_TYPE, 0x1a, struct mk_query_cpus)
#define MK_CONSOLE		_IOWR(MK_IOC_TYPE, 0x1b, struct mk_console)
#define MK_MEMORY_FD		_IOWR(MK_IOC_TYPE, 0x1c, struct mk_memory_fd)
#define MK_REMOVE_MEMORY	_IOWR(MK_IOC_TYPE, 0x1d, struct mk_remove_memory)
#define MK_REMOVE_CPUS		_IOWR(MK_IOC_TYPE, 0x1e, struct mk_remove_cpus)
#define MK_WITHDRAW		_IOWR(MK_IOC_TYPE, 0x1f, struct mk_withdraw)
#define MK_PAUSE		_IOWR(MK_IOC_TYPE, 0x20, struct mk_pause)
#define MK_RESUME		_IOWR(MK_IOC_TYPE, 0x21, struct mk_pause)
#define MK_NMI			_IOWR(MK_IOC_TYPE, 0x22, struct mk_nmi)
#define MK_QUERY_REGISTERS	_IOWR(MK_IOC_TYPE, 0x23, struct mk_query_registers)
#define MK_QUERY_STATS		_IOWR(MK_IOC_TYPE, 0x24, struct mk_query_stats)

#endif /* _UAPI_LINUX_MULTIKERNEL_H */
