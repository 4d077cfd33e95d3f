# SPDX-License-Identifier: LGPL-2.1-or-later
"""/dev/multikernel from Python, as linux/multikernel.h describes it, for tests and benchmarks.

Device and Partition have one method for each ioctl, with errors as OSError in the module's own
sentence, and some that wait. Beside them is what scripts in the machine share: the shell of an app
kernel, free memory, archives. Not for the product; of the daemon's partitions only to look at them
and to type at their consoles.
"""

import ctypes
import errno
import fcntl
import glob
import os
import re
import select
import struct
from ctypes import c_char, c_int32 as s32, c_uint8 as u8, c_uint32 as u32, c_uint64 as u64

STATES = ("created", "loaded", "booting", "running", "poweroff", "reboot", "halted", "panic",
          "stopped", "lost", "paused")
POWEROFF, REBOOT, CPU_ADD, CPU_REMOVE = 1, 2, 3, 4
SYSRQ = 8
MEMORY_ADD, MEMORY_REMOVE, BALLOON = 5, 6, 7
MEMORY_CHANNEL = 2
CHANNELS = {POWEROFF: 0, REBOOT: 0, CPU_ADD: 1, CPU_REMOVE: 1, SYSRQ: 3,
            **dict.fromkeys((MEMORY_ADD, MEMORY_REMOVE, BALLOON), MEMORY_CHANNEL)}
BOOT, TAKEN, GIVEN, RELEASED = range(4)  # of a range of memory
RETURN = 1  # flag of MK_ADD_MEMORY
RUN, IDLE, SPARE, STANDBY = 0, 1, 2, 3
CPU_TAKEN, CPU_GIVEN, CPU_RELEASED = range(3)
BACKTRACE, REGISTERS = 1, 2


def _structure(name, *fields):
    return type(name, (ctypes.Structure,), {"_fields_": [("size", u32), ("flags", u32), *fields]})


_SAY = [("message", u64), ("message_bytes", u32), ("pad2", u32)]
Info = _structure("Info", ("abi_version", u32), ("blockers", u32), ("features", u64),
                  ("tsc_khz", u32), ("max_partitions", u32), ("partitions", u32), ("pad", u32),
                  ("memory_align_bytes", u64), ("control_bytes", u64), *_SAY[:2],
                  ("doorbells_per_second", u32))
Create = _structure("Create", ("uuid", u8 * 16), ("name", c_char * 64), ("fd", s32), ("pad", u32),
                    *_SAY)
Open = _structure("Open", ("uuid", u8 * 16), ("fd", s32), ("pad", u32))
List = _structure("List", ("entries", u64), ("count", u32), ("pad", u32))
AddMemory = _structure("AddMemory", ("bytes", u64), ("node", s32), ("id", u32), *_SAY,
                       ("align_bytes", u64))
RemoveMemory = _structure("RemoveMemory", ("start", u64), ("bytes", u64), ("freed_bytes", u64),
                          *_SAY)
AddCpus = _structure("AddCpus", ("cpus", u64), ("count", u32), ("role", u32), *_SAY)
RemoveCpus = _structure("RemoveCpus", ("cpus", u64), ("count", u32), ("pad", u32), *_SAY)
Load = _structure("Load", ("kernel_fd", s32), ("initrd_fd", s32), ("cmdline", u64),
                  ("cmdline_bytes", u32), ("message_bytes", u32), ("message", u64))
Start = _structure("Start", *_SAY)
Plain = _structure("Plain")
Pause = _structure("Pause", *_SAY[:2], ("missing", u32))
Nmi = _structure("Nmi", ("op", u32), ("missing", u32))
Withdraw = _structure("Withdraw", ("channel", u32), ("pad", u32))
Request = _structure("Request", ("op", u32), ("seq", u32), ("arg", u64), ("bytes", u64))


class Answer(ctypes.Structure):
    """mk_answer"""

    _fields_ = [("posted", u32), ("done", u32), ("result", s32), ("op", u32), ("arg", u64),
                ("value", u64)]


Query = _structure(
    "Query", ("uuid", u8 * 16), ("name", c_char * 64), ("state", u32), ("generation", u32),
    ("boots", u32), ("cpus", u32), ("idle_cpus", u32), ("ranges", u32), ("online_cpus", u32),
    ("known_cpus", u32), ("pad", u64),
    *((name, u64) for name in (
        "memory_bytes", "wanted_bytes", "claimed_bytes", "heartbeat", "app_total_bytes",
        "app_free_bytes", "app_available_bytes", "app_uptime_ns", "app_busy_ns", "console_bytes",
        "claim_ns", "scrub_ns", "offline_ns", "load_ns", "wake_ns", "module_ns", "started_ns")),
    ("release", c_char * 72), ("hostname", c_char * 72), ("panic", c_char * 256),
    ("balloon_bytes", u64), ("block_bytes", u64), ("doorbells", u64), ("answers", Answer * 4))
Table = _structure("Table", ("entries", u64), ("count", u32), ("pad", u32))
Stats = _structure(
    "Stats", ("cpus", u64), ("count", u32), ("valid", u32), ("load", u32 * 3), ("pad", u32),
    *((name, u64) for name in (
        "realtime_ns", "uptime_ns", "total_bytes", "free_bytes", "available_bytes",
        "cached_bytes", "swap_total_bytes", "swap_free_bytes", "swap_in_bytes", "swap_out_bytes",
        "major_faults", "minor_faults")))
Console = _structure("Console", ("position", u64), ("fd", s32), ("pad", u32))
MemoryFd = _structure("MemoryFd", ("fd", s32), ("pad", u32))


def number(code, size):
    """_IOWR(0xd6, code, a structure of this size)"""
    return 3 << 30 | size << 16 | 0xd6 << 8 | code


def call(fd, code, argument):
    """One ioctl; returns the argument as the module left it."""
    argument.size = ctypes.sizeof(argument)
    text = None
    if hasattr(argument, "message"):
        text = ctypes.create_string_buffer(512)
        argument.message = ctypes.addressof(text)
        argument.message_bytes = len(text)
    try:
        fcntl.ioctl(fd, number(code, argument.size), argument, True)
    except OSError as error:
        said = text.value.decode() if text else ""
        raise OSError(error.errno, f"{os.strerror(error.errno)}: {said}") from None
    argument.said = text.value.decode() if text else ""
    return argument


class Device:
    """The control file."""

    def __init__(self):
        self.fd = os.open("/dev/multikernel", os.O_RDWR | os.O_CLOEXEC)

    def info(self):
        return call(self.fd, 0, Info())

    def create(self, uuid, name):
        return Partition(call(self.fd, 1, Create(uuid=(u8 * 16)(*uuid), name=name.encode())).fd)

    def open(self, uuid):
        return Partition(call(self.fd, 2, Open(uuid=(u8 * 16)(*uuid))).fd)

    def list(self):
        """(uuid, name, state) of each partition"""
        entries = ctypes.create_string_buffer(88 * 256)
        count = call(self.fd, 3, List(entries=ctypes.addressof(entries), count=256)).count
        for index in range(count):
            uuid, name, state, _ = struct.unpack_from("16s64sII", entries, 88 * index)
            yield uuid, name.split(b"\0")[0].decode(), STATES[state]


class Partition:
    """A partition file."""

    def __init__(self, fd):
        self.fd = fd

    def close(self):
        os.close(self.fd)

    def add_memory(self, size, node=-1, align=0, flags=0):
        """the structure, with .id and .bytes"""
        return call(self.fd, 0x10, AddMemory(bytes=size, node=node, align_bytes=align,
                                             flags=flags))

    def remove_memory(self, start=0, size=0):
        """how much was given back"""
        return call(self.fd, 0x1d, RemoveMemory(start=start, bytes=size)).freed_bytes

    def add_cpus(self, cpus, role=RUN):
        array = (u32 * len(cpus))(*cpus)
        call(self.fd, 0x11, AddCpus(cpus=ctypes.addressof(array), count=len(cpus), role=role))

    def remove_cpus(self, cpus):
        array = (u32 * len(cpus))(*cpus)
        call(self.fd, 0x1e, RemoveCpus(cpus=ctypes.addressof(array), count=len(cpus)))

    def load(self, kernel, initrd, cmdline=""):
        """kernel, initrd: paths; the initrd must have the loader, see with_loader()"""
        line = ctypes.create_string_buffer(cmdline.encode())
        with open(kernel, "rb") as image, open(initrd, "rb") as archive:
            call(self.fd, 0x12, Load(kernel_fd=image.fileno(), initrd_fd=archive.fileno(),
                                     cmdline=ctypes.addressof(line),
                                     cmdline_bytes=len(line) - 1))

    def start(self):
        call(self.fd, 0x13, Start())

    def stop(self):
        call(self.fd, 0x14, Plain())

    def destroy(self):
        call(self.fd, 0x15, Plain())

    def cancel(self):
        call(self.fd, 0x16, Plain())

    def request(self, operation, arg=0, size=0):
        return call(self.fd, 0x17, Request(op=operation, arg=arg, bytes=size)).seq

    def ask(self, operation, arg=0, size=0):
        """A request, and its answer: (result, value)."""
        self.request(operation, arg, size)
        return self.answer(CHANNELS[operation])

    def answer(self, channel=MEMORY_CHANNEL):
        """Waits for the answer to the last request of a channel: (result, value)."""
        def answered():
            answer = self.query().answers[channel]
            return answer.done == answer.posted and (answer.result, answer.value)
        # memory is tried for half a minute before the app kernel gives up
        return self._until(answered, 100 if channel == MEMORY_CHANNEL else 60)

    def pause(self):
        return call(self.fd, 0x20, Pause()).missing

    def resume(self):
        return call(self.fd, 0x21, Pause()).missing

    def nmi(self, operation):
        return call(self.fd, 0x22, Nmi(op=operation)).missing

    def registers(self):
        """(cpu, values or None) of each CPU with role run; values as elf_gregset_t"""
        array = ctypes.create_string_buffer(224 * 256)
        count = call(self.fd, 0x23, Table(entries=ctypes.addressof(array), count=256)).count
        entries = [struct.unpack_from("II27Q", array, 224 * index) for index in range(count)]
        return [(cpu, values if valid else None) for cpu, valid, *values in entries]

    def withdraw(self, channel):
        call(self.fd, 0x1f, Withdraw(channel=channel))

    def query(self):
        return call(self.fd, 0x18, Query())

    def state(self):
        return STATES[self.query().state]

    def wait_for(self, wanted, limit_s=60):
        """Waits until a partition that starts or runs is in this state, `limit_s` for an event."""
        def there():
            state = self.state()
            assert state in (wanted, "booting", "running"), (state, wanted)
            return state == wanted
        self._until(there, limit_s)

    def _until(self, ready, limit_s):
        """What ready() says, once that is true; asks again at each event, `limit_s` for one."""
        poll = select.poll()
        poll.register(self.fd, select.POLLIN | select.POLLPRI)
        while not (value := ready()):
            if not poll.poll(1000 * limit_s):
                raise TimeoutError(f"{self.state()}, and no event")
        return value

    def memory(self):
        """(start, bytes, node) of each range"""
        array = ctypes.create_string_buffer(32 * 1024)
        count = call(self.fd, 0x19, Table(entries=ctypes.addressof(array), count=1024)).count
        return [struct.unpack_from("QQi", array, 32 * index) for index in range(count)]

    def ranges(self, state):
        """(start, bytes, id) of each range in this state, by address"""
        array = ctypes.create_string_buffer(32 * 4096)
        count = call(self.fd, 0x19, Table(entries=ctypes.addressof(array), count=4096)).count
        every = [struct.unpack_from("QQiII", array, 32 * index) for index in range(count)]
        return sorted((start, size, number) for start, size, _, its, number in every
                      if its == state)

    def cpus(self):
        """(cpu, role) of each CPU"""
        return [(cpu, role) for cpu, role, _ in self.cpu_states()]

    def cpu_states(self):
        """(cpu, role, state) of each CPU"""
        array = ctypes.create_string_buffer(16 * 1024)
        count = call(self.fd, 0x1a, Table(entries=ctypes.addressof(array), count=1024)).count
        return [struct.unpack_from("III", array, 16 * index) for index in range(count)]

    def stats(self):
        """What the app kernel says; `each`: (cpu, app_cpu, online, pad, user, system, idle, irq)"""
        array = ctypes.create_string_buffer(48 * 1024)
        stats = call(self.fd, 0x24, Stats(cpus=ctypes.addressof(array), count=1024))
        stats.each = [struct.unpack_from("IiIIQQQQ", array, 48 * index)
                      for index in range(stats.count)]
        return stats

    def console(self, position=0):
        return call(self.fd, 0x1b, Console(position=position)).fd

    def memory_fd(self):
        return call(self.fd, 0x1c, MemoryFd()).fd


class Shell:
    """The shell that /init of the test's initramfs starts, on the console of a partition.

    Lines of the kernel's log, which come between any two bytes of what processes print, are left
    out of all that it returns.
    """

    LOG_LINE = re.compile(rb"\[ *\d+\.\d{6}\][^\r\n]*\r\n")

    def __init__(self, partition):
        self.fd = partition.console()
        self.count = 0
        self.read_until(b"multikernel: userspace is up")

    def close(self):
        os.close(self.fd)

    def read_until(self, text):
        said = b""
        while text not in (printed := self.LOG_LINE.sub(b"", said)):
            came = os.read(self.fd, 65536)
            if not came:
                raise EOFError(f"the console ended before {text}; it said {printed[-6000:]}")
            said += came
        return printed

    def run(self, line):
        """Runs a line; returns what it printed."""
        self.count += 1
        # The shell does the sums, so that the echo of what is typed is not what is waited for.
        os.write(self.fd, f"echo B-$(({self.count}+0))-; {line}; "
                          f"echo E-$(({self.count}+0))-\r".encode())
        begin, end = f"B-{self.count}-", f"E-{self.count}-"
        said = self.read_until(end.encode()).decode(errors="replace")
        return said[said.rindex(begin) + len(begin):said.index(end)].strip()

    def status(self, line):
        """Runs a line; returns the exit status of its last command."""
        return int(self.run(f"{line}; echo $?").split()[-1])


def expect(errno_name, function, *arguments, saying="", **named):
    """Calls what must fail so; returns what was said."""
    try:
        function(*arguments, **named)
    except OSError as error:
        assert errno.errorcode[error.errno] == errno_name, error
        assert saying in str(error), error
        return str(error)
    raise AssertionError(f"{errno_name} was not raised")


def online_cpus():
    """The CPUs that the host has, as a list of ranges."""
    with open("/sys/devices/system/cpu/online", encoding="ascii") as file:
        return file.read().strip()


def host_free_bytes():
    """What the host has left: a leak lowers it, and little else does.

    Without page cache and empty slabs, and with the pages that the allocator keeps for each CPU:
    those are tens of MiB, come and go, and MemFree does not count them.
    """
    os.sync()
    for path in ["/proc/sys/vm/drop_caches", *glob.glob("/sys/kernel/slab/*/shrink")]:
        with open(path, "w", encoding="ascii") as file:
            file.write("3" if path.endswith("caches") else "1")
    with open("/proc/meminfo", encoding="ascii") as file:
        free_kib = int(re.search(r"MemFree:\s+(\d+)", file.read())[1])
    with open("/proc/zoneinfo", encoding="ascii") as file:
        kept = sum(map(int, re.findall(r"^ +count: (\d+)", file.read(), re.MULTILINE)))
    return free_kib * 1024 + kept * os.sysconf("SC_PAGE_SIZE")


def cpio(entries):
    """A newc archive of (name, mode, content)."""
    archive = b""
    for name, mode, content in [*entries, ("TRAILER!!!", 0, b"")]:
        path = name.encode() + b"\0"
        fields = (0, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(path), 0)
        header = b"070701" + b"".join(b"%08X" % field for field in fields) + path
        archive += header + bytes(-len(header) % 4) + content + bytes(-len(content) % 4)
    return archive


def app_release():
    """What `uname -r` says in app kernels that are started from /vmlinuz."""
    return os.readlink("/vmlinuz").split("vmlinuz-")[1]


def with_loader(initrd, path, version):
    """Writes to `path` the initramfs and our loader and module, as the daemon joins them."""
    with open("/usr/libexec/multikernel/init", "rb") as loader, \
            open(f"/usr/lib/modules/{version}/updates/multikernel_app.ko", "rb") as module, \
            open(initrd, "rb") as user, open(path, "wb") as out:
        out.write(user.read())
        out.write(bytes(-out.tell() % 4))
        out.write(cpio([("multikernel", 0o040755, b""),
                        ("multikernel/init", 0o100755, loader.read()),
                        ("multikernel/multikernel_app.ko", 0o100644, module.read())]))
    return path
