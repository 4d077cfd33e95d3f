// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The child stops at every system call (ptrace(2), PTRACE_SYSCALL); the parent counts.
#include "support/crash.h"

#include <fcntl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "util/error.h"

namespace mk::test {
namespace {

bool changes_files(const __ptrace_syscall_info& call) {
    switch (call.entry.nr) {
        case SYS_openat:
            return (call.entry.args[2] & O_CREAT) != 0;
        case SYS_open:
            return (call.entry.args[1] & O_CREAT) != 0;
        case SYS_write:
        case SYS_pwrite64:
        case SYS_fsync:
        case SYS_fdatasync:
        case SYS_rename:
        case SYS_renameat:
        case SYS_renameat2:
        case SYS_unlink:
        case SYS_unlinkat:
        case SYS_symlink:
        case SYS_symlinkat:
        case SYS_ftruncate:
            return true;
        default:
            return false;
    }
}

[[noreturn]] void run_child(const std::function<void()>& operation) {
    if (::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) {
        ::_exit(2);
    }
    ::raise(SIGSTOP);
    try {
        operation();
    } catch (...) {
        ::_exit(1);
    }
    ::_exit(0);
}

int wait_for(pid_t child) {
    int status = 0;
    while (::waitpid(child, &status, 0) < 0) {
        if (errno != EINTR) {
            throw Error::from_errno("waitpid");
        }
    }
    return status;
}

bool finished(int status) {
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
        return true;
    }
    throw Error(VIR_ERR_OPERATION_FAILED, "the traced operation failed");
}

}  // namespace

bool crash_before_change(unsigned step, const std::function<void()>& operation) {
    const pid_t child = ::fork();
    if (child < 0) {
        throw Error::from_errno("fork");
    }
    if (child == 0) {
        run_child(operation);
    }
    int status = wait_for(child);
    if (!WIFSTOPPED(status)) {
        throw Error::from_errno("trace a child", EPERM);
    }
    ::ptrace(PTRACE_SETOPTIONS, child, nullptr, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
    for (unsigned changes = 0;;) {
        ::ptrace(PTRACE_SYSCALL, child, nullptr, nullptr);
        status = wait_for(child);
        if (!WIFSTOPPED(status)) {
            return finished(status);
        }
        struct __ptrace_syscall_info call {};
        if (WSTOPSIG(status) != (SIGTRAP | 0x80) ||
            ::ptrace(PTRACE_GET_SYSCALL_INFO, child, sizeof(call), &call) <= 0) {
            continue;
        }
        if (call.op == PTRACE_SYSCALL_INFO_ENTRY && changes_files(call) && ++changes == step) {
            ::kill(child, SIGKILL);
            wait_for(child);
            return false;
        }
    }
}

}  // namespace mk::test
