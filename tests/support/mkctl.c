// SPDX-License-Identifier: LGPL-2.1-or-later
//
// mkctl: drives /dev/multikernel without the daemon, for tests of the host module. A partition's
// UUID is its name, padded. Each call prints one line and exits 0, or the kernel's sentence and
// exits 1. Not a tool for operators: nothing here chooses CPUs, keeps books or cleans up.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <linux/multikernel.h>

static char message[256];
static const char *const states[] = {"created", "loaded", "booting", "running", "poweroff",
                                     "reboot", "halted", "panic", "stopped", "lost"};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define MESSAGE .message = (uintptr_t)message, .message_bytes = sizeof(message)

static int call(const char *what, int fd, unsigned long command, void *args) {
    message[0] = '\0';
    if (ioctl(fd, command, args) == 0) {
        return 0;
    }
    int error = errno;
    fprintf(stderr, "%s: %s%s%s\n", what, strerror(error), message[0] ? ": " : "", message);
    errno = error;
    return -1;
}

static int control(void) {
    int fd = open(MK_DEVICE, O_RDWR | O_CLOEXEC);
    if (fd < 0) {
        perror(MK_DEVICE);
        exit(1);
    }
    return fd;
}

static int open_partition(const char *name) {
    struct mk_open args = {.size = sizeof(args)};
    strncpy((char *)args.uuid, name, sizeof(args.uuid));
    if (call("open", control(), MK_OPEN, &args)) {
        exit(1);
    }
    return args.fd;
}

static struct mk_query query(int fd) {
    struct mk_query args = {.size = sizeof(args)};
    if (call("query", fd, MK_QUERY, &args)) {
        exit(1);
    }
    return args;
}

static int info(void) {
    struct mk_info args = {.size = sizeof(args), MESSAGE};
    if (call("info", control(), MK_GET_INFO, &args)) {
        return 1;
    }
    printf("abi %u blockers %#x partitions %u of %u tsc_khz %u %s\n", args.abi_version,
           args.blockers, args.partitions, args.max_partitions, args.tsc_khz, message);
    return 0;
}

static int create(const char *name) {
    struct mk_create args = {.size = sizeof(args), MESSAGE};
    strncpy((char *)args.uuid, name, sizeof(args.uuid));
    strncpy((char *)args.name, name, sizeof(args.name) - 1);
    return call("create", control(), MK_CREATE, &args) ? -1 : args.fd;
}

static int list(void) {
    struct mk_list_entry entries[64];
    struct mk_list args = {
        .size = sizeof(args), .entries = (uintptr_t)entries, .count = COUNT(entries)};
    if (call("list", control(), MK_LIST, &args)) {
        return 1;
    }
    for (unsigned i = 0; i < args.count; i++) {
        printf("%s %s\n", (char *)entries[i].name, states[entries[i].state]);
    }
    return 0;
}

static int add_memory(int fd, unsigned mib, int node) {
    struct mk_add_memory args = {
        .size = sizeof(args), .bytes = (__u64)mib << 20, .node = node, MESSAGE};
    return call("add-memory", fd, MK_ADD_MEMORY, &args);
}

// "2,3" takes CPUs to run on; "2,3:idle" to keep idle.
static int add_cpus(int fd, const char *text) {
    __u32 cpus[256];
    unsigned count = 0;
    for (char *end; *text && *text != ':' && count < COUNT(cpus); text = end + (*end == ',')) {
        cpus[count++] = strtoul(text, &end, 10);
    }
    struct mk_add_cpus args = {.size = sizeof(args), .cpus = (uintptr_t)cpus, .count = count,
                               .role = *text == ':' ? MK_CPU_IDLE : MK_CPU_RUN, MESSAGE};
    return call("add-cpus", fd, MK_ADD_CPUS, &args);
}

static int load(int fd, const char *kernel, const char *initrd, const char *cmdline) {
    struct mk_load args = {.size = sizeof(args), .kernel_fd = open(kernel, O_RDONLY),
                           .initrd_fd = open(initrd, O_RDONLY), .cmdline = (uintptr_t)cmdline,
                           .cmdline_bytes = strlen(cmdline), MESSAGE};
    return call("load", fd, MK_LOAD, &args);
}

static int start(int fd) {
    struct mk_start args = {.size = sizeof(args), MESSAGE};
    return call("start", fd, MK_START, &args);
}

static int plain(const char *what, int fd, unsigned long command) {
    struct mk_stop args = {.size = sizeof(args)};  // all of them are size and flags
    return call(what, fd, command, &args);
}

static int ask(int fd, __u32 op) {
    struct mk_request args = {.size = sizeof(args), .op = op};
    return call("request", fd, MK_REQUEST, &args);
}

// create, memory, CPUs, load, start; what fails is destroyed again.
static int run(char **v) {
    int fd = create(v[0]);
    if (fd < 0) {
        return 1;
    }
    if (add_memory(fd, atoi(v[1]), -1) || add_cpus(fd, v[2]) || load(fd, v[3], v[4], v[5]) ||
        start(fd)) {
        plain("destroy", fd, MK_DESTROY);
        return 1;
    }
    struct mk_query q = query(fd);
    printf("%s: claim %.1f scrub %.1f offline %.1f load %.1f wake %.1f ms\n", v[0],
           q.claim_ns / 1e6, q.scrub_ns / 1e6, q.offline_ns / 1e6, q.load_ns / 1e6,
           q.wake_ns / 1e6);
    return 0;
}

static int show(int fd) {
    struct mk_query q = query(fd);
    printf("%s %s generation %u boots %u cpus %u idle %u ranges %u memory %lluM online %u "
           "heartbeat %llu total %lluM free %lluM uptime %.1f busy %.1f console %llu "
           "module %.0f ms release '%s' hostname '%s' panic '%s'\n",
           (char *)q.name, states[q.state], q.generation, q.boots, q.cpus, q.idle_cpus, q.ranges,
           q.memory_bytes >> 20, q.online_cpus, q.heartbeat, q.app_total_bytes >> 20,
           q.app_free_bytes >> 20, q.app_uptime_ns / 1e9, q.app_busy_ns / 1e9, q.console_bytes,
           q.module_ns / 1e6, q.release, q.hostname, q.panic);
    return 0;
}

static int wait_state(int fd, const char *state, int seconds) {
    time_t end = time(NULL) + seconds;
    for (;;) {
        struct mk_query q = query(fd);
        if (!strcmp(states[q.state], state)) {
            return 0;
        }
        struct pollfd p = {.fd = fd, .events = POLLIN};
        long left = end - time(NULL);
        if (left <= 0 || poll(&p, 1, left * 1000) <= 0) {
            fprintf(stderr, "wait %s: still %s\n", state, states[q.state]);
            return 1;
        }
    }
}

static int open_console(int fd) {
    struct mk_console args = {.size = sizeof(args)};
    return call("console", fd, MK_CONSOLE, &args) ? -1 : args.fd;
}

// Prints the console from its beginning until it says `until`, it ends or `seconds` pass.
static int console(int fd, int seconds, const char *until) {
    static char text[1 << 20];
    size_t length = 0;
    int file = open_console(fd);
    time_t end = time(NULL) + seconds;
    while (file >= 0 && length < sizeof(text) - 1) {
        struct pollfd p = {.fd = file, .events = POLLIN};
        long left = end - time(NULL);
        if (left < 0 || poll(&p, 1, left * 1000) <= 0) {
            break;
        }
        ssize_t n = read(file, text + length, sizeof(text) - 1 - length);
        if (n <= 0) {
            break;
        }
        fwrite(text + length, 1, n, stdout);
        length += n;
        text[length] = '\0';
        if (until && strstr(text, until)) {
            return 0;
        }
    }
    return until ? 1 : 0;
}

static int send_line(int fd, const char *line) {
    int file = open_console(fd);
    char text[1024];
    int length = snprintf(text, sizeof(text), "%s\n", line);
    return file < 0 || write(file, text, length) != length;
}

// Maps all memory; prints whether it is all zero, then writes to its second half.
static int memory(int fd) {
    struct mk_memory_fd args = {.size = sizeof(args)};
    size_t bytes = query(fd).memory_bytes, i;
    if (call("memory-fd", fd, MK_MEMORY_FD, &args)) {
        return 1;
    }
    unsigned char *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, args.fd, 0);
    if (at == MAP_FAILED) {
        perror("mmap");
        return 1;
    }
    for (i = 0; i < bytes && !at[i]; i++) {
    }
    printf("%zu MiB, %s\n", bytes >> 20, i == bytes ? "all zero" : "not zero");
    memset(at + bytes / 2, 0xa5, bytes / 2);
    return 0;
}

static int partition_command(const char *command, int fd, int c, char **v) {
    if (!strcmp(command, "show")) return show(fd);
    if (!strcmp(command, "wait") && c == 2) return wait_state(fd, v[0], atoi(v[1]));
    if (!strcmp(command, "add-memory") && c == 2) return add_memory(fd, atoi(v[0]), atoi(v[1]));
    if (!strcmp(command, "add-cpus") && c == 1) return add_cpus(fd, v[0]);
    if (!strcmp(command, "load") && c == 3) return load(fd, v[0], v[1], v[2]);
    if (!strcmp(command, "start")) return start(fd);
    if (!strcmp(command, "stop")) return plain("stop", fd, MK_STOP);
    if (!strcmp(command, "destroy")) return plain("destroy", fd, MK_DESTROY);
    if (!strcmp(command, "cancel")) return plain("cancel", fd, MK_CANCEL);
    if (!strcmp(command, "poweroff")) return ask(fd, MK_REQUEST_POWEROFF);
    if (!strcmp(command, "reboot")) return ask(fd, MK_REQUEST_REBOOT);
    if (!strcmp(command, "console") && c >= 1) return console(fd, atoi(v[0]), v[1]);
    if (!strcmp(command, "send") && c == 1) return send_line(fd, v[0]);
    if (!strcmp(command, "memory")) return memory(fd);
    fprintf(stderr, "mkctl: what is '%s'?\n", command);
    return 2;
}

int main(int c, char **v) {
    if (c == 2 && !strcmp(v[1], "info")) return info();
    if (c == 2 && !strcmp(v[1], "list")) return list();
    if (c == 3 && !strcmp(v[1], "create")) return create(v[2]) < 0;
    if (c == 8 && !strcmp(v[1], "run")) return run(v + 2);
    if (c >= 3) return !!partition_command(v[1], open_partition(v[2]), c - 3, v + 3);
    fprintf(stderr, "usage: mkctl info|list; mkctl create|show|wait|... NAME [ARGUMENT...]; "
                    "mkctl run NAME MIB CPUS KERNEL INITRD CMDLINE\n");
    return 2;
}
