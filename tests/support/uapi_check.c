// SPDX-License-Identifier: LGPL-2.1-or-later
//
// uapi_check: breaks each rule of linux/multikernel.h that can be broken without a kernel image,
// and checks which errno comes back. Runs as root on a host with multikernel_host.ko loaded and
// CPU 1 spare; prints one line for each failure and "N checks, N failed". Not a test of app
// kernels.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/multikernel.h>

static int checks, failed;
static int control;
static char message[256];

#define MIB (1024ull * 1024)

static int result(int fd, unsigned long command, void *args) {
    message[0] = '\0';
    return ioctl(fd, command, args) ? errno : 0;
}

static void expect(int line, const char *what, long got, long wanted) {
    checks++;
    if (got != wanted) {
        failed++;
        printf("line %d: %s: %ld, not %ld: %s\n", line, what, got, wanted, message);
    }
}
#define EXPECT(got, wanted) expect(__LINE__, #got, got, wanted)
#define CALL(fd, command, args, wanted) \
    expect(__LINE__, #command, result(fd, command, args), wanted)
#define SIZED(type, name, ...) struct type name = {.size = sizeof(name), __VA_ARGS__}
#define SAY .message = (uintptr_t)message, .message_bytes = sizeof(message)

static int create(char id) {
    SIZED(mk_create, args, .uuid = {id}, .name = "check", SAY);
    CALL(control, MK_CREATE, &args, 0);
    return args.fd;
}

static void destroy(int fd, int wanted) {
    SIZED(mk_destroy, args, .flags = 0);
    CALL(fd, MK_DESTROY, &args, wanted);
}

static struct mk_query query(int fd) {
    SIZED(mk_query, args, .flags = 0);
    CALL(fd, MK_QUERY, &args, 0);
    return args;
}

static void check_structures(void) {
    SIZED(mk_info, info, SAY);
    CALL(control, MK_GET_INFO, &info, 0);
    EXPECT(info.abi_version, MK_ABI_VERSION);
    EXPECT(info.blockers, 0);
    info.flags = 1;
    CALL(control, MK_GET_INFO, &info, EOPNOTSUPP);
    info.flags = 0;
    info.pad = 1;
    CALL(control, MK_GET_INFO, &info, EINVAL);
    info.size = 4;
    CALL(control, MK_GET_INFO, &info, EINVAL);
    CALL(control, MK_GET_INFO, (void *)16, EFAULT);
    CALL(control, MK_STOP, &info, ENOTTY);
    CALL(control, _IO('x', 1), &info, ENOTTY);

    struct {
        struct mk_info info;
        uint64_t tail;
    } longer = {.info = {.size = sizeof(longer)}};
    CALL(control, MK_GET_INFO, &longer, 0);
    longer.info.pad = 0;
    longer.tail = 1;
    CALL(control, MK_GET_INFO, &longer, E2BIG);
    longer.info.size = 1u << 30;
    CALL(control, MK_GET_INFO, &longer, E2BIG);

    struct mk_info shorter;
    memset(&shorter, 0xaa, sizeof(shorter));
    shorter.size = 16;
    shorter.flags = 0;
    CALL(control, MK_GET_INFO, &shorter, 0);
    EXPECT(shorter.abi_version, MK_ABI_VERSION);
    EXPECT(shorter.tsc_khz == 0xaaaaaaaa, 1);
}

static void check_create(void) {
    SIZED(mk_create, zero, .name = "x", SAY);
    CALL(control, MK_CREATE, &zero, EINVAL);
    SIZED(mk_create, nameless, .uuid = {1}, SAY);
    CALL(control, MK_CREATE, &nameless, EINVAL);
    memset(nameless.name, 'x', sizeof(nameless.name));
    CALL(control, MK_CREATE, &nameless, EINVAL);
    SIZED(mk_open, nobody, .uuid = {1});
    CALL(control, MK_OPEN, &nobody, ENOENT);

    int fd = create(1);
    EXPECT(fcntl(fd, F_GETFD), FD_CLOEXEC);
    SIZED(mk_create, twice, .uuid = {1}, .name = "x", SAY);
    CALL(control, MK_CREATE, &twice, EEXIST);
    SIZED(mk_list, list, .count = 0);
    CALL(control, MK_LIST, &list, EMSGSIZE);
    EXPECT(list.count, 1);
    close(fd);

    // Who cannot be told what was made gets none.
    struct mk_create *silent = mmap(NULL, sizeof(*silent), PROT_READ | PROT_WRITE,
                                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    *silent = (struct mk_create){.size = sizeof(*silent), .uuid = {2}, .name = "y"};
    mprotect(silent, sizeof(*silent), PROT_READ);
    CALL(control, MK_CREATE, silent, EFAULT);
    munmap(silent, sizeof(*silent));
    list.count = 0;
    CALL(control, MK_LIST, &list, EMSGSIZE);
    EXPECT(list.count, 1);

    SIZED(mk_open, again, .uuid = {1});
    CALL(control, MK_OPEN, &again, 0);
    EXPECT(query(again.fd).state, MK_STATE_CREATED);
    destroy(again.fd, 0);
    SIZED(mk_query, gone, .flags = 0);
    CALL(again.fd, MK_QUERY, &gone, ENODEV);
    destroy(again.fd, ENODEV);
    struct pollfd p = {.fd = again.fd, .events = POLLIN};
    EXPECT(poll(&p, 1, 0), 1);
    EXPECT(p.revents, POLLHUP);
    close(again.fd);
}

static void check_limit(void) {
    SIZED(mk_info, info, .flags = 0);
    CALL(control, MK_GET_INFO, &info, 0);
    int fds[64];
    unsigned count = info.max_partitions;
    for (unsigned i = 0; i < count; i++) {
        fds[i] = create(i + 1);
    }
    SIZED(mk_create, more, .uuid = {99}, .name = "x", SAY);
    CALL(control, MK_CREATE, &more, ENOSPC);
    for (unsigned i = 0; i < count; i++) {
        destroy(fds[i], 0);
        close(fds[i]);
    }
}

static void check_memory(int fd) {
    SIZED(mk_add_memory, odd, .bytes = MIB, .node = -1, SAY);
    CALL(fd, MK_ADD_MEMORY, &odd, EINVAL);
    odd.bytes = 0;
    CALL(fd, MK_ADD_MEMORY, &odd, EINVAL);
    odd.bytes = 2 * MIB;
    odd.node = 99;
    CALL(fd, MK_ADD_MEMORY, &odd, EINVAL);
    odd.node = -2;
    CALL(fd, MK_ADD_MEMORY, &odd, EINVAL);
    odd.node = 0;
    odd.bytes = 1ull << 50;
    CALL(fd, MK_ADD_MEMORY, &odd, ENOMEM);
    odd.bytes = ~(2 * MIB - 1);
    CALL(fd, MK_ADD_MEMORY, &odd, ENOMEM);
    SIZED(mk_add_memory, aligned, .bytes = 24 * MIB, .node = -1, .align_bytes = 3 * MIB, SAY);
    CALL(fd, MK_ADD_MEMORY, &aligned, EINVAL);
    aligned.align_bytes = MIB;
    CALL(fd, MK_ADD_MEMORY, &aligned, EINVAL);
    aligned.align_bytes = 16 * MIB;
    CALL(fd, MK_ADD_MEMORY, &aligned, EINVAL);
    aligned.align_bytes = 0;
    aligned.flags = MK_MEMORY_RETURN;
    CALL(fd, MK_ADD_MEMORY, &aligned, EBUSY);
    aligned.flags = 1u << 31;
    CALL(fd, MK_ADD_MEMORY, &aligned, EOPNOTSUPP);
    SIZED(mk_memory_fd, none, .flags = 0);
    CALL(fd, MK_MEMORY_FD, &none, EBUSY);

    SIZED(mk_add_memory, add, .bytes = 8 * MIB, .node = -1, SAY);
    CALL(fd, MK_ADD_MEMORY, &add, 0);
    add.bytes = 6 * MIB;
    CALL(fd, MK_ADD_MEMORY, &add, 0);
    EXPECT(query(fd).memory_bytes, 14 * MIB);
    struct mk_range ranges[16];
    SIZED(mk_query_memory, list, .ranges = (uintptr_t)ranges, .count = 0);
    CALL(fd, MK_QUERY_MEMORY, &list, EMSGSIZE);
    list.count = 16;
    CALL(fd, MK_QUERY_MEMORY, &list, 0);
    EXPECT(ranges[0].bytes >= 8 * MIB, 1);  // more, if both claims are neighbours
    uint64_t sum = 0;
    for (unsigned i = 0; i < list.count; i++) {
        sum += ranges[i].bytes;
        EXPECT(ranges[i].bytes <= ranges[0].bytes, 1);  // the largest is the first
    }
    EXPECT(sum, 14 * MIB);
    list.ranges = 16;
    list.count = 16;
    CALL(fd, MK_QUERY_MEMORY, &list, EFAULT);

    SIZED(mk_remove_memory, gone, .start = ranges[0].start, .bytes = 2 * MIB, SAY);
    CALL(fd, MK_REMOVE_MEMORY, &gone, EBUSY);
    gone.start += MIB;
    CALL(fd, MK_REMOVE_MEMORY, &gone, EINVAL);
    gone.start = 1ull << 50;
    CALL(fd, MK_REMOVE_MEMORY, &gone, EINVAL);
    gone.bytes = -gone.start;
    CALL(fd, MK_REMOVE_MEMORY, &gone, EINVAL);
    gone.bytes = 0;
    CALL(fd, MK_REMOVE_MEMORY, &gone, EINVAL);
    gone.start = 0;
    CALL(fd, MK_REMOVE_MEMORY, &gone, 0);  // all that nobody uses: nothing
    EXPECT(gone.freed_bytes, 0);
}

static void check_memory_file(int fd) {
    SIZED(mk_memory_fd, args, .flags = 0);
    CALL(fd, MK_MEMORY_FD, &args, 0);
    EXPECT(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, args.fd, 0) == MAP_FAILED, 1);
    unsigned char *at = mmap(NULL, 16 * MIB, PROT_READ | PROT_WRITE, MAP_SHARED, args.fd, 0);
    EXPECT(at != MAP_FAILED, 1);
    close(args.fd);
    at[0] = at[14 * MIB - 1] = 1;
    pid_t child = fork();
    if (!child) {
        signal(SIGBUS, SIG_DFL);
        at[14 * MIB] = 1;
        _exit(0);
    }
    int status;
    waitpid(child, &status, 0);
    EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS, 1);
    destroy(fd, 0);
    EXPECT(at[0], 1);  // the mapping holds it
    munmap(at, 16 * MIB);
}

static void check_cpus(int fd) {
    uint32_t cpus[2] = {1, 1};
    SIZED(mk_add_cpus, add, .cpus = (uintptr_t)cpus, .count = 0, SAY);
    CALL(fd, MK_ADD_CPUS, &add, EINVAL);
    add.count = 1u << 31;
    CALL(fd, MK_ADD_CPUS, &add, EINVAL);
    add.count = 2;
    CALL(fd, MK_ADD_CPUS, &add, EBUSY);  // the second time, by ourselves
    EXPECT(query(fd).cpus, 0);
    add.count = 1;
    add.role = 7;
    CALL(fd, MK_ADD_CPUS, &add, EINVAL);
    add.role = MK_CPU_RUN;
    cpus[0] = 0;
    CALL(fd, MK_ADD_CPUS, &add, EINVAL);
    cpus[0] = 100000;
    CALL(fd, MK_ADD_CPUS, &add, EINVAL);
    add.cpus = 16;
    CALL(fd, MK_ADD_CPUS, &add, EFAULT);
    add.cpus = (uintptr_t)cpus;
    cpus[0] = 1;
    CALL(fd, MK_ADD_CPUS, &add, 0);
    int other = create(9);
    CALL(other, MK_ADD_CPUS, &add, EBUSY);
    destroy(other, 0);
    close(other);
}

static void check_states(int fd) {
    SIZED(mk_start, start, SAY);
    CALL(fd, MK_START, &start, EBUSY);
    SIZED(mk_stop, stop, .flags = 0);
    CALL(fd, MK_STOP, &stop, 0);
    SIZED(mk_request, request, .op = MK_REQUEST_POWEROFF);
    CALL(fd, MK_REQUEST, &request, EBUSY);
    request.op = 99;
    CALL(fd, MK_REQUEST, &request, EINVAL);
    SIZED(mk_cancel, cancel, .flags = 0);
    CALL(fd, MK_CANCEL, &cancel, 0);
    SIZED(mk_load, load, .kernel_fd = -1, .initrd_fd = -1, SAY);
    CALL(fd, MK_LOAD, &load, EBUSY);  // no memory yet
    SIZED(mk_console, console, .position = 5);
    CALL(fd, MK_CONSOLE, &console, 0);
    EXPECT(console.position, 0);
    EXPECT(write(console.fd, "x", 1) < 0 && errno == EBUSY, 1);
    fcntl(console.fd, F_SETFL, O_NONBLOCK);
    EXPECT(read(console.fd, message, 1) < 0 && errno == EAGAIN, 1);
    close(console.fd);
}

static void check_load(int fd) {
    SIZED(mk_load, load, .kernel_fd = -1, .initrd_fd = -1, SAY);
    CALL(fd, MK_LOAD, &load, EBADF);
    load.kernel_fd = open("/proc/self/exe", O_RDONLY);
    CALL(fd, MK_LOAD, &load, ENOEXEC);
    load.kernel_fd = open("/dev/zero", O_RDONLY);
    CALL(fd, MK_LOAD, &load, EINVAL);
    load.cmdline = (uintptr_t) "noapic";
    load.cmdline_bytes = 6;
    CALL(fd, MK_LOAD, &load, EINVAL);
    EXPECT(strstr(message, "'noapic'") != NULL, 1);
    load.cmdline_bytes = 7;
    CALL(fd, MK_LOAD, &load, EINVAL);  // with the NUL
    load.cmdline_bytes = 1u << 31;
    CALL(fd, MK_LOAD, &load, EINVAL);
    load.message_bytes = 5;
    CALL(fd, MK_LOAD, &load, EINVAL);
    EXPECT(strlen(message), 4);
    EXPECT(query(fd).state, MK_STATE_CREATED);
}

static void *cancel_soon(void *arg) {
    int fd = *(int *)arg;
    while (!query(fd).claimed_bytes) {
    }
    SIZED(mk_cancel, cancel, .flags = 0);
    ioctl(fd, MK_CANCEL, &cancel);
    return NULL;
}

// Needs a host with more than 1 GiB free, so that the claim is still under way.
static void check_cancel(void) {
    int fd = create(3);
    SIZED(mk_add_memory, add, .bytes = 1024 * MIB, .node = -1, SAY);
    pthread_t thread;
    pthread_create(&thread, NULL, cancel_soon, &fd);
    CALL(fd, MK_ADD_MEMORY, &add, ECANCELED);
    pthread_join(thread, NULL);
    EXPECT(query(fd).memory_bytes, 0);
    EXPECT(query(fd).wanted_bytes, 0);

    pid_t child = fork();
    if (!child) {
        ioctl(fd, MK_ADD_MEMORY, &add);
        _exit(0);
    }
    while (!query(fd).claimed_bytes) {
    }
    destroy(fd, EBUSY);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    EXPECT(query(fd).memory_bytes, 0);
    destroy(fd, 0);
    close(fd);
}

int main(void) {
    control = open(MK_DEVICE, O_RDWR | O_CLOEXEC);
    if (control < 0) {
        perror(MK_DEVICE);
        return 1;
    }
    check_structures();
    check_create();
    check_limit();
    int fd = create(1);
    check_cpus(fd);
    check_states(fd);
    check_memory(fd);
    check_load(fd);
    check_memory_file(fd);
    close(fd);
    check_cancel();
    printf("%d checks, %d failed\n", checks, failed);
    return failed != 0;
}
