// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * /multikernel/init: the first program of an app kernel. Loads the app module,
 * which brings the console, forbids kexec, removes its own traces and becomes
 * the user's /init, with the arguments and environment that the user gave. It
 * decides nothing else: what the user's initramfs does is the user's matter.
 *
 * Static, because it runs in whatever initramfs the user names.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define HOME	"/multikernel"
#define MODULE	HOME "/multikernel_app.ko"
#define PROC	HOME "/proc"
#define KMSG	HOME "/kmsg"
#define INIT	"/init"

enum {
	KERN_ERR = 3,
	KERN_WARNING = 4,
};

static int kmsg = -1;

/* One write is one kernel message. */
static void log_message(int level, const char *format, va_list args)
{
	char text[512];
	int length = snprintf(text, sizeof(text), "<%d>multikernel: ", level);

	vsnprintf(text + length, sizeof(text) - length - 1, format, args);
	strcat(text, "\n");
	if (kmsg >= 0 && write(kmsg, text, strlen(text)) < 0)
		kmsg = -1;
}

__attribute__((format(printf, 1, 2)))
static void warn(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	log_message(KERN_WARNING, format, args);
	va_end(args);
}

/* The end of process 1 is a panic, which tells the host if the module is there. */
__attribute__((format(printf, 1, 2), noreturn))
static void die(const char *format, ...)
{
	va_list args;
	int console;

	va_start(args, format);
	log_message(KERN_ERR, format, args);
	va_end(args);

	/* once more for a kernel that was told to be quiet */
	console = open("/dev/console", O_WRONLY | O_NOCTTY | O_CLOEXEC);
	if (console >= 0) {
		va_start(args, format);
		dprintf(console, "\r\nmultikernel: ");
		vdprintf(console, format, args);
		dprintf(console, "\r\n");
		va_end(args);
	}
	exit(EXIT_FAILURE);
}

/*
 * The node is our own and goes away again: /dev is the user's. Descriptors 0 to
 * 2 are kept free: the kernel leaves them closed if it had no console.
 */
static void open_kmsg(void)
{
	int fd;

	if (mknod(KMSG, S_IFCHR | 0600, makedev(1, 11)) && errno != EEXIST)
		return;
	fd = open(KMSG, O_WRONLY | O_CLOEXEC);
	unlink(KMSG);
	if (fd < 0)
		return;
	kmsg = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	close(fd);
}

static void mount_proc(void)
{
	if (mkdir(PROC, 0555) && errno != EEXIST)
		die("cannot make %s: %s", PROC, strerror(errno));
	if (mount("proc", PROC, "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL))
		die("cannot mount proc on %s: %s", PROC, strerror(errno));
}

/* The first one is the host's: it lets nobody name another in front of it. */
static void find_shm(char *value, size_t bytes)
{
	static char line[4096];
	static const char key[] = "multikernel.shm=";
	const char *found = NULL;
	char *word, *rest;
	ssize_t length;
	int fd;

	fd = open(PROC "/cmdline", O_RDONLY | O_CLOEXEC);
	length = fd < 0 ? -1 : read(fd, line, sizeof(line) - 1);
	if (length < 0)
		die("cannot read the command line: %s", strerror(errno));
	close(fd);
	for (word = strtok_r(line, " \n", &rest); word; word = strtok_r(NULL, " \n", &rest)) {
		if (!strncmp(word, key, strlen(key))) {
			found = word + strlen(key);
			break;
		}
	}
	if (!found)
		die("no %s… on the command line: not started by a multikernel host", key);
	if (strncmp(found, "0x", 2) || !found[2] || strlen(found) > 18 ||
	    found[2 + strspn(found + 2, "0123456789abcdefABCDEF")])
		die("%s%s on the command line is not an address", key, found);
	snprintf(value, bytes, "shm=%s", found);
}

static const char *why_not_loaded(int error)
{
	switch (error) {
	case ENOEXEC:
		return "it was built for another kernel";
	case EKEYREJECTED:
	case ENOKEY:
	case EPERM:
		return "this kernel wants it signed with a key that it knows";
	case EINVAL:
	case ENODEV:
	case EPROTO:
	case EPROTONOSUPPORT:
		return "it refused, see its message above";
	default:
		return strerror(error);
	}
}

static void load_module(const char *parameters)
{
	int fd = open(MODULE, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		die("cannot open %s: %s", MODULE, strerror(errno));
	if (syscall(SYS_finit_module, fd, parameters, 0) && errno != EEXIST)
		die("cannot load %s: %s", MODULE, why_not_loaded(errno));
	close(fd);
}

/*
 * A kernel that was started by kexec would reset the machine's interrupt
 * controllers and know nothing of partitions. One way: nothing sets it back.
 */
static void forbid_kexec(void)
{
	int fd = open(PROC "/sys/kernel/kexec_load_disabled", O_WRONLY | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT)
		return;	/* a kernel without kexec */
	if (fd < 0 || write(fd, "1", 1) != 1)
		die("cannot forbid kexec: %s", strerror(errno));
	close(fd);
}

/*
 * The kernel opened /dev/console before there was one: 0 to 2 are closed, or
 * another console. From here on they are ours.
 */
static void open_console(void)
{
	int fd;

	if (mkdir("/dev", 0755) && errno != EEXIST)
		warn("cannot make /dev: %s", strerror(errno));
	if (mknod("/dev/console", S_IFCHR | 0600, makedev(5, 1)) && errno != EEXIST)
		warn("cannot make /dev/console: %s", strerror(errno));
	fd = open("/dev/console", O_RDWR | O_NOCTTY);
	if (fd < 0) {
		warn("cannot open /dev/console: %s", strerror(errno));
		return;
	}
	dup2(fd, STDIN_FILENO);
	dup2(fd, STDOUT_FILENO);
	dup2(fd, STDERR_FILENO);
	if (fd > STDERR_FILENO)
		close(fd);
}

/* Gives the memory back and leaves the initramfs as the user made it. */
static void remove_traces(void)
{
	if (umount(PROC))
		warn("cannot unmount %s: %s", PROC, strerror(errno));
	rmdir(PROC);
	unlink(MODULE);
	unlink(HOME INIT);
	rmdir(HOME);
}

/*
 * The kernel passes words that it does not know to init. This one the host
 * added (arch/x86 looks for it before words are parsed): the user did not.
 */
static void drop_host_word(char **argv)
{
	char **to = argv;

	for (; *argv; argv++)
		if (strcmp(*argv, "dis_ucode_ldr"))
			*to++ = *argv;
	*to = NULL;
}

int main(int argc, char **argv, char **envp)
{
	static char init[] = INIT;
	char parameters[32];

	if (getpid() != 1 || argc < 1) {
		fprintf(stderr, "%s/init is started by an app kernel, as process 1\n", HOME);
		return EXIT_FAILURE;
	}
	open_kmsg();
	mount_proc();
	find_shm(parameters, sizeof(parameters));
	load_module(parameters);
	forbid_kexec();
	remove_traces();
	open_console();

	argv[0] = init;
	drop_host_word(argv);
	execve(INIT, argv, envp);
	if (errno == ENOENT && access(INIT, F_OK))
		die("the initramfs has no " INIT);
	die("cannot run " INIT " of the initramfs: %s%s", strerror(errno),
	    errno == ENOENT ? " (its interpreter is missing)" : "");
}
