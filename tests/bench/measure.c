// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * One measurement: measure WHAT prints the nanoseconds of one operation. It runs on the host and
 * in app kernels, so it is static and needs nothing. WHAT is syscall, switch, pipe, fork, fault or
 * memcpy; on the host also eventfd CPU CPU, or doorbell UUID CPU: a request that an app kernel
 * answers at once, asked for on that CPU. Repeats until LEAST_NS have passed; not what to make of a
 * number.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/multikernel.h>

#define LEAST_NS 100000000.0
#define PAGES 1024
#define COPIED (4 << 20)

static void must(bool good, const char* what) {
    if (!good) {
        fprintf(stderr, "measure: %s: %s\n", what, strerror(errno));
        exit(1);
    }
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1e9 + time.tv_nsec;
}

static void pin(int cpu) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    must(sched_setaffinity(0, sizeof set, &set) == 0, "sched_setaffinity");
}

/* A child that dies with us. */
static pid_t child(void) {
    pid_t pid = fork();
    must(pid >= 0, "fork");
    if (pid == 0)
        prctl(PR_SET_PDEATHSIG, SIGKILL);
    return pid;
}

/* Each does `count` operations; what it needs is made at its first call and kept. */

static void do_syscall(int count) {
    while (count--)
        syscall(SYS_getppid);
}

/* Two processes on one CPU that give way to each other: two switches for each of our turns. */
static void do_switch(int count) {
    static pid_t other;
    if (!other && !(other = child()))
        for (;;)
            sched_yield();
    for (int i = 0; i < count; i += 2)
        sched_yield();
}

static void do_pipe(int count) {
    static pid_t other;
    static int to[2], from[2];
    char byte = 0;
    if (!other) {
        must(pipe(to) == 0 && pipe(from) == 0, "pipe");
        if (!(other = child()))
            while (read(to[0], &byte, 1) == 1 && write(from[1], &byte, 1) == 1) {
            }
    }
    while (count--)
        must(write(to[1], &byte, 1) == 1 && read(from[0], &byte, 1) == 1, "pipe");
}

static void do_fork(int count) {
    while (count--) {
        pid_t pid = fork();
        must(pid >= 0, "fork");
        if (pid == 0)
            _exit(0);
        waitpid(pid, NULL, 0);
    }
}

/* Whether a kernel finds a huge page is luck. */
static char* small_pages(size_t bytes) {
    char* memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    must(memory != MAP_FAILED, "mmap");
    madvise(memory, bytes, MADV_NOHUGEPAGE);
    return memory;
}

static void do_fault(int count) {
    for (int done = 0; done < count; done += PAGES) {
        char* memory = small_pages(PAGES * 4096);
        for (int page = 0; page < PAGES; page++)
            ((volatile char*)memory)[page * 4096] = 1;
        munmap(memory, PAGES * 4096);
    }
}

static void do_memcpy(int count) {
    static char *from, *to;
    if (!from) {
        from = small_pages(COPIED);
        to = small_pages(COPIED);
        memset(from, 1, COPIED);
        memset(to, 2, COPIED);
    }
    while (count--) {
        memcpy(to, from, COPIED);
        __asm__ volatile("" ::"r"(to) : "memory");
    }
}

static int cpus[2];

static void do_eventfd(int count) {
    static pid_t other;
    static int to, from;
    uint64_t one = 1, got;
    if (!other) {
        to = eventfd(0, 0);
        from = eventfd(0, 0);
        if (!(other = child())) {
            pin(cpus[1]);
            while (read(to, &got, 8) == 8 && write(from, &one, 8) == 8) {
            }
        }
        pin(cpus[0]);
    }
    while (count--)
        must(write(to, &one, 8) == 8 && read(from, &got, 8) == 8, "eventfd");
}

static struct mk_open partition = {.size = sizeof partition};

/* A balloon of nothing, as it is: nothing to do for the app kernel, but to answer. */
static void do_doorbell(int count) {
    struct mk_query query = {.size = sizeof query};
    while (count--) {
        struct mk_request request = {.size = sizeof request, .op = MK_REQUEST_BALLOON};
        struct pollfd wait = {.fd = partition.fd, .events = POLLIN | POLLPRI};
        must(ioctl(partition.fd, MK_REQUEST, &request) == 0, "MK_REQUEST");
        do {
            must(poll(&wait, 1, 10000) == 1, "no answer");
            must(ioctl(partition.fd, MK_QUERY, &query) == 0, "MK_QUERY");
        } while (query.answers[MK_CHANNEL_MEMORY].done != request.seq);
    }
}

static void open_partition(const char* uuid) {
    int control = open("/dev/multikernel", O_RDWR | O_CLOEXEC);
    must(control >= 0, "/dev/multikernel");
    for (int i = 0; i < MK_UUID_BYTES; i++)
        must(sscanf(uuid + 2 * i, "%2hhx", &partition.uuid[i]) == 1, "UUID");
    must(ioctl(control, MK_OPEN, &partition) == 0, "MK_OPEN");
}

static const struct {
    const char* name;
    void (*run)(int count);
    int count; /* in one piece */
} measurements[] = {
    {"syscall", do_syscall, 10000}, {"switch", do_switch, 2000},    {"pipe", do_pipe, 500},
    {"fork", do_fork, 20},          {"fault", do_fault, PAGES},     {"memcpy", do_memcpy, 1},
    {"eventfd", do_eventfd, 500},   {"doorbell", do_doorbell, 100},
};

int main(int argc, char** argv) {
    for (size_t i = 0; argc > 1 && i < sizeof measurements / sizeof *measurements; i++) {
        if (strcmp(measurements[i].name, argv[1]))
            continue;
        if (measurements[i].run == do_doorbell && argc == 4)
            open_partition(argv[2]), pin(atoi(argv[3]));
        else if (measurements[i].run == do_eventfd && argc == 4)
            cpus[0] = atoi(argv[2]), cpus[1] = atoi(argv[3]);
        else if (argc == 2)
            pin(0);
        else
            break;
        measurements[i].run(measurements[i].count); /* warm */
        double begin = now(), passed, done = 0;
        do {
            measurements[i].run(measurements[i].count);
            done += measurements[i].count;
            passed = now() - begin;
        } while (passed < LEAST_NS);
        printf("%.1f\n", passed / done);
        return 0;
    }
    fprintf(stderr,
            "usage: measure syscall|switch|pipe|fork|fault|memcpy | eventfd CPU CPU | "
            "doorbell UUID CPU\n");
    return 2;
}
