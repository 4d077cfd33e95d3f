# SPDX-License-Identifier: LGPL-2.1-or-later
"""Memory that moves while an app kernel runs, at /dev/multikernel itself."""

import unittest

from lib.testing import INITRD, LIMIT_S, MachineTest

MIB = 1 << 20
PRELUDE = f"""
import errno, re
MIB = 1 << 20
BLOCK = 128 << 20
partition = Device().create(uuid.uuid4().bytes, "moving")
partition.add_memory(320 << 20)
partition.add_cpus([3])
initrd = with_loader("{INITRD}", "/tmp/test.img", os.uname().release)
poll = select.poll()
poll.register(partition.fd, select.POLLIN | select.POLLPRI)

def boot():
    partition.load("/vmlinuz", initrd, "quiet")
    partition.start()
    while (state := partition.state()) != "running":
        assert state == "booting", state
        assert poll.poll(60000), "no event"
    console = partition.console()
    said = b""
    while b"multikernel: userspace is up" not in said:
        said += os.read(console, 65536)
    return console

def command(console, line):
    # The shell does the sum, so that the echo of what is typed is not what is waited for.
    os.write(console, line.encode() + b"; echo end-$?-$((40+2)).\\r")
    said = b""
    while not (found := re.search(rb"end-(\\d+)-42\\.", said)):
        said += os.read(console, 65536)
    return int(found[1])

def host_free():
    open("/proc/sys/vm/drop_caches", "w").write("3")
    return 1024 * int(re.search(r"MemFree:\\s+(\\d+)", open("/proc/meminfo").read())[1])

def app_total():
    # It is written four times a second, and once more with each answer.
    return partition.query().app_total_bytes

def expect(errno_name, function, *arguments, **named):
    try:
        function(*arguments, **named)
    except OSError as error:
        assert errno.errorcode[error.errno] == errno_name, error
        return str(error)
    raise AssertionError(f"{{errno_name}} was not raised")

def near(value, wanted, what=""):
    assert abs(value - wanted) <= 24 * MIB, (what, value // MIB, wanted // MIB)
"""


class Memory(MachineTest):
    uses_daemon = False

    def setUp(self):
        super().setUp()
        self.addCleanup(self.script, """
            device = Device()
            for identity, _, _ in list(device.list()):
                device.open(identity).destroy()
            """)

    def test_blocks_come_and_go(self):
        self.script(PRELUDE, """
            console = boot()
            query = partition.query()
            assert query.block_bytes == BLOCK, query.block_bytes
            # Refused before anything is taken.
            said = expect("EINVAL", partition.add_memory, BLOCK, align=64 * MIB)
            assert "128 MiB" in said, said
            expect("EINVAL", partition.add_memory, BLOCK + 64 * MIB, align=BLOCK)
            expect("EINVAL", partition.add_memory, BLOCK, align=3 * MIB)
            expect("ENOMEM", partition.add_memory, 1 << 40, align=BLOCK)
            free, total = host_free(), app_total()

            claimed = partition.add_memory(2 * BLOCK, align=BLOCK)
            taken = partition.ranges(TAKEN)
            assert {number for _, _, number in taken} == {claimed.id}, taken
            assert sum(size for _, size, _ in taken) == 2 * BLOCK, taken
            assert not any(start % BLOCK or size % BLOCK for start, size, _ in taken), taken
            near(host_free(), free - 2 * BLOCK, "free after the claim")
            near(app_total(), total, "the app kernel was not told yet")
            for start, size, _ in taken:
                assert partition.ask_memory(MEMORY_ADD, start, size) == (0, size)
            assert partition.ranges(GIVEN) == taken and partition.ranges(TAKEN) == []
            near(app_total(), total + 2 * BLOCK, "the app kernel uses it")

            # Nobody else's, no part of a block, nothing that is in another state.
            other = Device().create(uuid.uuid4().bytes, "other")
            other.add_memory(BLOCK, align=BLOCK)
            [(theirs, _, _)] = other.ranges(BOOT)
            [(own, own_size, _)] = partition.ranges(BOOT)
            inside = -(-own // BLOCK) * BLOCK
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
            assert command(console, "mkdir -p /t && mount -t tmpfs -o size=1g none /t") == 0
            assert command(console, "dd if=/dev/zero of=/t/much bs=1M count=420") == 0
            began = time.monotonic()
            start, size, _ = partition.ranges(GIVEN)[0]
            result, value = partition.ask_memory(MEMORY_REMOVE, start, size)
            assert result == -errno.ENOMEM and value < size, (result, value)
            assert time.monotonic() - began < 60
            assert sum(size for _, size, _ in partition.ranges(GIVEN)) == 2 * BLOCK - value
            assert command(console, "rm /t/much && dmesg | grep -q 'Out of memory'") == 1

            # Emptied, they go back to the host, the upper block of a range alone as well.
            for start, size, _ in reversed(partition.ranges(GIVEN)):
                for block in reversed(range(start, start + size, BLOCK)):
                    assert partition.ask_memory(MEMORY_REMOVE, block, BLOCK) == (0, BLOCK)
                    assert BLOCK == sum(size for _, size, _ in partition.ranges(RELEASED))
                    expect("EBUSY", partition.request, MEMORY_ADD, block, BLOCK)
                    assert partition.remove_memory(block, BLOCK) == BLOCK
            assert partition.ranges(GIVEN) == [] and partition.ranges(RELEASED) == []
            near(app_total(), total, "the app kernel gave it up")
            near(host_free(), free, "the host has it back")
            assert partition.query().memory_bytes == 320 * MIB

            # A partition that is dead does not use what it was given.
            partition.add_memory(BLOCK, align=BLOCK)
            [(start, size, _)] = partition.ranges(TAKEN)
            assert partition.ask_memory(MEMORY_ADD, start, size) == (0, size)
            partition.stop()
            expect("EBUSY", partition.add_memory, BLOCK, align=BLOCK)
            expect("EBUSY", partition.request, MEMORY_ADD, start, size)
            assert partition.ranges(TAKEN)[0][:2] == (start, size)
            assert partition.remove_memory() == BLOCK
            partition.destroy()
            """, limit_s=3 * LIMIT_S)

    def test_balloon_gives_boot_memory_back_and_takes_it_again(self):
        self.script(PRELUDE, """
            console = boot()
            free, total = host_free(), app_total()
            expect("EINVAL", partition.request, BALLOON, 0, 3 * MIB)
            assert partition.ask_memory(BALLOON, 0, 64 * MIB) == (0, 64 * MIB)
            assert partition.query().balloon_bytes == 64 * MIB
            assert sum(size for _, size, _ in partition.ranges(RELEASED)) == 64 * MIB
            near(app_total(), total - 64 * MIB, "free says the truth")
            assert partition.ask_memory(BALLOON, 0, 128 * MIB) == (0, 128 * MIB)
            assert partition.remove_memory() == 128 * MIB
            assert partition.query().memory_bytes == 192 * MIB
            assert partition.query().balloon_bytes == 128 * MIB
            near(host_free(), free + 128 * MIB, "the host has it")
            # More than there is to spare: as far as it goes, and nobody is killed.
            result, value = partition.ask_memory(BALLOON, 0, 316 * MIB)
            assert result == -errno.ENOMEM and 128 * MIB <= value < 280 * MIB, (result, value)
            assert command(console, "dmesg | grep -q 'Out of memory'") == 1
            near(app_total(), total - value)
            # A smaller one: what is still the partition's at once, the rest once it is returned.
            assert partition.ask_memory(BALLOON, 0, 128 * MIB) == (0, 128 * MIB)
            result, value = partition.ask_memory(BALLOON, 0, 0)
            assert (result, value) == (-errno.ENOMEM, 128 * MIB), (result, value)
            returned = partition.add_memory(128 * MIB, flags=RETURN)
            assert 2 * MIB <= returned.bytes <= 128 * MIB, returned.bytes
            assert sum(size for _, size, _ in partition.ranges(TAKEN)) == returned.bytes
            left = 128 * MIB - returned.bytes
            assert partition.ask_memory(BALLOON, 0, left) == (0, left)
            assert partition.query().balloon_bytes == left
            near(app_total(), total - left)
            assert sum(size for _, size, _ in partition.ranges(BOOT)) == 320 * MIB - left
            assert command(console, "dd if=/dev/zero of=/tmp/much bs=1M count=110") == 0
            assert command(console, "rm /tmp/much") == 0
            partition.destroy()
            """, limit_s=3 * LIMIT_S)


if __name__ == "__main__":
    unittest.main()
