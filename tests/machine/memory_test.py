# SPDX-License-Identifier: LGPL-2.1-or-later
"""Memory that moves while an app kernel runs, at /dev/multikernel itself."""

import unittest

from lib.testing import INITRD, LIMIT_S, MachineTest

MIB = 1 << 20
PRELUDE = f"""
import mmap, signal
MIB = 1 << 20
BLOCK = 128 << 20
partition = Device().create(uuid.uuid4().bytes, "moving")
# A kernel does not fit in what is claimed first: it goes to the largest range of all claims.
partition.add_memory(32 << 20)
partition.add_memory(BLOCK, align=BLOCK)
partition.add_memory(160 << 20)
partition.add_cpus([3])
initrd = with_loader("{INITRD}", "/tmp/test.img", app_release())

def boot():
    partition.load("/vmlinuz", initrd, "quiet")
    partition.start()
    partition.wait_for("running")
    return Shell(partition)

def app_total():
    # It is written four times a second, and once more with each answer.
    return partition.query().app_total_bytes

def words_in(start, size):
    # Of the host's memory, as /proc/kcore shows the direct map.
    with open("/proc/kcore", "rb", 0) as kcore:
        header = os.pread(kcore.fileno(), 64, 0)
        table, = struct.unpack_from("<Q", header, 32)
        length, count = struct.unpack_from("<HH", header, 54)
        for index in range(count):
            entry = os.pread(kcore.fileno(), length, table + length * index)
            kind, _, at, _, physical, there, *_ = struct.unpack("<IIQQQQQQ", entry)
            if kind == 1 and physical <= start and start + size <= physical + there:
                at += start - physical
                return sum(os.pread(kcore.fileno(), MIB, at + done).count(b"LEFT-BEHIND-" + b"42")
                           for done in range(0, size, MIB))
    raise AssertionError("kcore does not show it")

def near(value, wanted, what=""):
    assert abs(value - wanted) <= 24 * MIB, (what, value // MIB, wanted // MIB)
"""


# Pages in a pipe are held, so they cannot be moved; the kernel takes them from where added memory
# is, as it does all that can be moved in general.
PIN = """
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

int main(void)
{
    size_t size = 64 << 12;
    struct iovec pages = {.iov_len = size};
    int ends[2];

    pages.iov_base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages.iov_base == MAP_FAILED || pipe(ends) || fcntl(ends[1], F_SETPIPE_SZ, size) < 0)
        return 1;
    memset(pages.iov_base, 1, size);
    if (vmsplice(ends[1], &pages, 1, 0) != (ssize_t)size)
        return 1;
    return pause();
}
"""


class Memory(MachineTest):
    uses_daemon = False

    def test_block_that_cannot_be_emptied_is_given_up_after_its_time(self):
        initrd = self.initrd_with("pin", self.program(PIN))
        self.script(PRELUDE.replace(INITRD, initrd), """
            shell = boot()
            partition.add_memory(BLOCK, align=BLOCK)
            [(start, size, _)] = partition.ranges(TAKEN)
            assert partition.ask(MEMORY_ADD, start, size) == (0, size)
            assert shell.status("/pin & sleep 1; kill -0 $!") == 0
            began = time.monotonic()
            assert partition.ask(MEMORY_REMOVE, start, size) == (-errno.EBUSY, 0)
            assert time.monotonic() - began > 25, "it was not tried"
            assert [part[:2] for part in partition.ranges(GIVEN)] == [(start, size)]
            # One that is withdrawn ends at once, whatever holds it.
            partition.request(MEMORY_REMOVE, start, size)
            partition.withdraw(MEMORY_CHANNEL)
            assert partition.answer() == (-errno.EINTR, 0)
            assert shell.status("killall pin; sleep 1") == 0
            assert partition.ask(MEMORY_REMOVE, start, size) == (0, size)
            assert partition.remove_memory() == size
            partition.destroy()
            """, limit_s=2 * LIMIT_S)

    def test_blocks_come_and_go(self):
        self.script(PRELUDE, """
            shell = boot()
            query = partition.query()
            assert query.block_bytes == BLOCK, query.block_bytes
            # Refused before anything is taken.
            said = expect("EINVAL", partition.add_memory, BLOCK, align=64 * MIB)
            assert "128 MiB" in said, said
            expect("EINVAL", partition.add_memory, BLOCK + 64 * MIB, align=BLOCK)
            expect("EINVAL", partition.add_memory, BLOCK, align=3 * MIB)
            expect("ENOMEM", partition.add_memory, 1 << 40, align=BLOCK)
            free, total = host_free_bytes(), app_total()

            claimed = partition.add_memory(2 * BLOCK, align=BLOCK)
            taken = partition.ranges(TAKEN)
            assert {number for _, _, number in taken} == {claimed.id}, taken
            assert sum(size for _, size, _ in taken) == 2 * BLOCK, taken
            assert not any(start % BLOCK or size % BLOCK for start, size, _ in taken), taken
            near(host_free_bytes(), free - 2 * BLOCK, "free after the claim")
            near(app_total(), total, "the app kernel was not told yet")
            for start, size, _ in taken:
                assert partition.ask(MEMORY_ADD, start, size) == (0, size)
            assert partition.ranges(GIVEN) == taken and partition.ranges(TAKEN) == []
            near(app_total(), total + 2 * BLOCK, "the app kernel uses it")

            # Nobody else's, no part of a block, nothing that is in another state.
            other = Device().create(uuid.uuid4().bytes, "other")
            other.add_memory(BLOCK, align=BLOCK)
            theirs = other.ranges(BOOT)[0][0]
            own, own_size, inside = next(
                (boot, length, -(-boot // BLOCK) * BLOCK)
                for boot, length, _ in partition.ranges(BOOT)
                if -(-boot // BLOCK) * BLOCK + BLOCK <= boot + length)
            start = taken[0][0]
            for wrong, arg, size in (
                    ("EINVAL", theirs, BLOCK), ("EINVAL", 1 << 45, BLOCK), ("EINVAL", start, 0),
                    ("EINVAL", start + 2 * MIB, BLOCK), ("EINVAL", start, BLOCK // 2),
                    ("EINVAL", 0, BLOCK), ("EINVAL", start, 1 << 63), ("EBUSY", inside, BLOCK)):
                expect(wrong, partition.request, MEMORY_REMOVE, arg, size)
            expect("EBUSY", partition.request, MEMORY_ADD, start, BLOCK)
            expect("EINVAL", partition.request, MEMORY_ADD, theirs, BLOCK)
            expect("EBUSY", partition.remove_memory, start, BLOCK)
            expect("EBUSY", partition.remove_memory, own, own_size)
            expect("EINVAL", partition.remove_memory, theirs, BLOCK)
            expect("EINVAL", partition.remove_memory, start + MIB, BLOCK)
            assert partition.remove_memory() == 0
            other.destroy()

            # What cannot be emptied stays; what can be, goes; the books say which.
            assert shell.status("mkdir -p /t && mount -t tmpfs -o size=1g none /t") == 0
            assert shell.status("dd if=/dev/zero of=/t/much bs=1M count=420") == 0
            began = time.monotonic()
            start, size, _ = partition.ranges(GIVEN)[0]
            result, value = partition.ask(MEMORY_REMOVE, start, size)
            assert result == -errno.ENOMEM and value < size, (result, value)
            assert time.monotonic() - began < 60
            assert sum(size for _, size, _ in partition.ranges(GIVEN)) == 2 * BLOCK - value
            assert shell.status("rm /t/much && dmesg | grep -q 'Out of memory'") == 1
            if value:
                partition.remove_memory()

            # One that is no longer wanted ends, with how far it came.
            partition.add_memory(BLOCK, align=BLOCK)
            for start, size, _ in partition.ranges(TAKEN):
                assert partition.ask(MEMORY_ADD, start, size) == (0, size)
            assert shell.status("yes LEFT-BEHIND-$((40+2)) | head -c 4000000 >/t/words") == 0
            assert shell.status("for i in 1 2 3 4 5 6 7 8 9; do dd if=/t/words of=/t/$i "
                                "bs=4000000; done") == 0
            start, size, _ = partition.ranges(GIVEN)[-1]
            partition.request(MEMORY_REMOVE, start, size)
            partition.withdraw(MEMORY_CHANNEL)
            result, value = partition.answer()
            assert value == sum(size for _, size, _ in partition.ranges(RELEASED))
            assert (result == 0) == (value == size) and result in (0, -errno.EINTR), result
            partition.remove_memory()
            assert shell.status("rm /t/*") == 0

            # Emptied, they go back to the host, the upper block of a range alone as well.
            words = 0
            for start, size, _ in reversed(partition.ranges(GIVEN)):
                for block in reversed(range(start, start + size, BLOCK)):
                    assert partition.ask(MEMORY_REMOVE, block, BLOCK) == (0, BLOCK)
                    assert BLOCK == sum(size for _, size, _ in partition.ranges(RELEASED))
                    expect("EBUSY", partition.request, MEMORY_ADD, block, BLOCK)
                    words += words_in(block, BLOCK)
                    assert partition.remove_memory(block, BLOCK) == BLOCK
                    assert words_in(block, BLOCK) == 0
            assert words > 1000, words
            assert partition.ranges(GIVEN) == [] and partition.ranges(RELEASED) == []
            near(app_total(), total, "the app kernel gave it up")
            near(host_free_bytes(), free, "the host has it back")
            assert partition.query().memory_bytes == 320 * MIB

            # A partition that is dead does not use what it was given.
            partition.add_memory(BLOCK, align=BLOCK)
            [(start, size, _)] = partition.ranges(TAKEN)
            assert partition.ask(MEMORY_ADD, start, size) == (0, size)
            partition.stop()
            expect("EBUSY", partition.add_memory, BLOCK, align=BLOCK)
            expect("EBUSY", partition.request, MEMORY_ADD, start, size)
            assert partition.ranges(TAKEN)[0][:2] == (start, size)
            assert partition.remove_memory() == BLOCK
            partition.destroy()
            """, limit_s=3 * LIMIT_S)

    def test_memory_file_shows_the_ranges_that_there_were(self):
        self.script(PRELUDE, """
            boot()
            partition.add_memory(BLOCK, align=BLOCK)
            [(start, size, _)] = partition.ranges(TAKEN)
            fd = partition.memory_fd()
            memory = mmap.mmap(fd, 320 * MIB + BLOCK)
            at = 320 * MIB
            memory[at] = 7
            free = host_free_bytes()
            assert partition.remove_memory() == BLOCK
            # What is mapped is held; what is not mapped yet cannot be any more.
            assert memory[at] == 7
            if os.fork() == 0:
                signal.signal(signal.SIGBUS, signal.SIG_DFL)
                memory[at + MIB]
                os._exit(0)
            assert os.WTERMSIG(os.wait()[1]) == signal.SIGBUS
            near(host_free_bytes(), free, "held")
            memory.close()
            os.close(fd)
            while host_free_bytes() < free + BLOCK - 24 * MIB:
                time.sleep(0.1)  # it is tried once a second
            partition.destroy()
            """)

    def test_lies_about_the_balloon_free_nothing(self):
        """The table says nonsense at any time; a test maps it and writes it."""
        self.script(PRELUDE, """
            import random
            boot()
            other = Device().create(uuid.uuid4().bytes, "other")
            other.add_memory(64 * MIB)
            others = other.ranges(BOOT)
            theirs = others[0][0]
            partition.add_memory(BLOCK, align=BLOCK)
            [(start, size, _)] = added = partition.ranges(TAKEN)
            assert partition.ask(MEMORY_ADD, start, size) == (0, size)
            boots = partition.ranges(BOOT)
            own = max(boots, key=lambda boot: boot[1])[0]  # the largest has the control area
            memory = mmap.mmap(partition.memory_fd(), 2 * MIB)
            table = 0x108000  # MK_BALLOON_TABLE of multikernel_shared.h
            lies = [(own, 2 * MIB), (own, 320 * MIB), (own - 2 * MIB, 6 * MIB), (theirs, 2 * MIB),
                    (theirs, 64 * MIB), (start, size), (own + 4096, 2 * MIB), (16 * MIB, MIB),
                    (own + 2 * MIB, (1 << 64) - 2 * MIB), (0, 1 << 63), (16 * MIB, 16 * MIB),
                    (own + 8 * MIB, 4096), (own + 8 * MIB, 0)]
            seed = random.randrange(1 << 32)
            print("seed", seed)
            random.seed(seed)
            ended = threading.Event()
            def lie():
                while not ended.is_set():
                    struct.pack_into("IIQ", memory, table, random.choice((2, 13, 2047, 1 << 31)),
                                     0, 0)
                    for index in range(13):
                        struct.pack_into("QQ", memory, table + 16 + 16 * index,
                                         *random.choice(lies))
            liar = threading.Thread(target=lie)
            liar.start()
            try:
                for number in range(60):
                    partition.ask(BALLOON, 0, (4 if number % 2 else 8) * MIB)
                    for at, size, _ in partition.ranges(RELEASED) + partition.ranges(TAKEN):
                        assert any(boot <= at and at + size <= boot + length
                                   for boot, length, _ in boots), (at, size)
                        assert at >= own + 2 * MIB or at + size <= own, (at, size)
                        assert size <= 8 * MIB, size
                    assert partition.ranges(GIVEN) == added
                    assert other.ranges(BOOT) == others
                    assert partition.query().memory_bytes == 320 * MIB + BLOCK
                    assert own in [start for start, _, _ in partition.ranges(BOOT)]
            finally:
                ended.set()
                liar.join()
            # A block size that is none is none.
            for bad in (0, 1, 3 * MIB, MIB, 1 << 32, (1 << 64) - 1):
                struct.pack_into("Q", memory, 0x4000 + 168, bad)
                assert partition.query().block_bytes == 0
                expect("EBUSY", partition.add_memory, BLOCK, align=BLOCK)
            struct.pack_into("Q", memory, 0x4000 + 168, 2 << 30)  # as on a large machine
            said = expect("EINVAL", partition.add_memory, BLOCK, align=BLOCK)
            assert "2048 MiB" in said, said
            expect("EINVAL", partition.request, MEMORY_REMOVE, start, BLOCK)
            memory.close()
            partition.destroy()
            other.destroy()
            """)

    def test_balloon_gives_boot_memory_back_and_takes_it_again(self):
        self.script(PRELUDE, """
            shell = boot()
            free, total = host_free_bytes(), app_total()
            expect("EINVAL", partition.request, BALLOON, 0, 3 * MIB)
            assert partition.ask(BALLOON, 0, 64 * MIB) == (0, 64 * MIB)
            assert partition.query().balloon_bytes == 64 * MIB
            assert sum(size for _, size, _ in partition.ranges(RELEASED)) == 64 * MIB
            near(app_total(), total - 64 * MIB, "free says the truth")
            assert partition.ask(BALLOON, 0, 128 * MIB) == (0, 128 * MIB)
            assert partition.remove_memory() == 128 * MIB
            assert partition.query().memory_bytes == 192 * MIB
            assert partition.query().balloon_bytes == 128 * MIB
            near(host_free_bytes(), free + 128 * MIB, "the host has it")
            # More than there is to spare: as far as it goes, and nobody is killed.
            result, value = partition.ask(BALLOON, 0, 316 * MIB)
            assert result == -errno.ENOMEM and 128 * MIB <= value < 280 * MIB, (result, value)
            assert shell.status("dmesg | grep -q 'Out of memory'") == 1
            near(app_total(), total - value)
            # A smaller one: what is still the partition's at once, the rest once it is returned.
            assert partition.ask(BALLOON, 0, 128 * MIB) == (0, 128 * MIB)
            result, value = partition.ask(BALLOON, 0, 0)
            assert (result, value) == (-errno.ENOMEM, 128 * MIB), (result, value)
            returned = partition.add_memory(128 * MIB, flags=RETURN)
            assert 2 * MIB <= returned.bytes <= 128 * MIB, returned.bytes
            assert sum(size for _, size, _ in partition.ranges(TAKEN)) == returned.bytes
            left = 128 * MIB - returned.bytes
            assert partition.ask(BALLOON, 0, left) == (0, left)
            assert partition.query().balloon_bytes == left
            near(app_total(), total - left)
            assert sum(size for _, size, _ in partition.ranges(BOOT)) == 320 * MIB - left
            assert shell.status("dd if=/dev/zero of=/tmp/much bs=1M count=110") == 0
            assert shell.status("rm /tmp/much") == 0
            partition.destroy()
            """, limit_s=3 * LIMIT_S)


if __name__ == "__main__":
    unittest.main()
