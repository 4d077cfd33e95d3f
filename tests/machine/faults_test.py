# SPDX-License-Identifier: LGPL-2.1-or-later
"""Each step of each call fails once, in turn: all comes back, and the next try works.

With a host module built for it (FAULTS=1): the n-th step that is reached fails, n goes up until a
call gets through without one. That a CPU does not answer when it is stopped is in host_test.py.
"""

import os
import pathlib
import subprocess
import tempfile

from lib import kernel
from lib.testing import INITRD, TOP, MachineTest

BOUND_KIB = 4 * 1024  # for bookkeeping of the host
PRELUDE = f"""
FAULTS = "/sys/kernel/debug/multikernel/"
BLOCK = 128 << 20
device = Device()
version = app_release()
initrd = with_loader("{INITRD}", "/tmp/test.img", version)

def fail_nth(count):
    with open(FAULTS + "fail_nth", "w") as file:
        file.write(str(count))

def left():
    with open(FAULTS + "fail_nth") as file:
        return int(file.read())

def steps():
    "name: how often it failed"
    with open(FAULTS + "steps") as file:
        lines = [line.rstrip("\\n").split(" ", 2) for line in file]
    return {{name: int(failed) for _, failed, name in lines}}

def tries(call, *arguments):
    "Yields what was raised (None if it got through all the same) for each step that fails."
    number = 0
    while True:
        number += 1
        fail_nth(number)
        error = None
        try:
            result = call(*arguments)
        except OSError as raised:
            error = raised
        if left():  # it has fewer steps than that
            fail_nth(0)
            assert not error, error
            yield None, result
            return
        yield error, None if error else result

def new():
    return device.create(uuid.uuid4().bytes, "test")

def load(partition):
    partition.load("/vmlinuz", initrd, "quiet")

def nothing_is_left():
    assert list(device.list()) == [], list(device.list())
    assert device.info().partitions == 0
    assert online_cpus() == "0-3", online_cpus()
"""


class Faults(MachineTest):
    uses_daemon = False

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.work = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.work.cleanup)

    def setUp(self):
        super().setUp()
        headers = kernel.Kernel(self.run_in("uname -r")).headers
        module = pathlib.Path(self.work.name, "multikernel_host.ko")
        if not module.exists():
            subprocess.run([TOP / "kernel/build-modules", TOP / "kernel", self.work.name,
                            headers.parent],
                           check=True, env={**os.environ, "FAULTS": "1"})
        self.put("/root/multikernel_host.ko", module.read_bytes())
        self.run_in("systemctl stop virtmultikerneld.socket virtmultikerneld-ro.socket "
                    "virtmultikerneld.service && rmmod multikernel_host && "
                    "insmod /root/multikernel_host.ko && "
                    "(mountpoint -q /sys/kernel/debug || "
                    "mount -t debugfs debugfs /sys/kernel/debug)")
        self.addCleanup(self.run_in, "umount /sys/kernel/debug && rmmod multikernel_host && "
                        "modprobe multikernel_host && systemctl start virtmultikerneld.socket "
                        "virtmultikerneld-ro.socket virtmultikerneld.service")
        self.addCleanup(self.check_leaks)  # it names what is loaded now

    def test_every_step_that_fails_leaves_nothing_behind(self):
        before = self.free_kib()
        self.script(PRELUDE, """
            for error, made in tries(new):
                if made:
                    partition = made
                    break
                assert error, "a step failed, and MK_CREATE said that it worked"
                nothing_is_left()
            for error, _ in tries(partition.console):
                pass

            # memory: all or nothing; one piece that cannot be had is had elsewhere
            for error, _ in tries(lambda: partition.add_memory(64 << 20)):
                query = partition.query()
                assert bool(query.memory_bytes) == (not error), error
                if not error:
                    partition.destroy()
                    nothing_is_left()
                    partition = new()
            partition.add_memory(256 << 20)

            # two CPUs, so that the second may fail when the first is taken
            for error, _ in tries(partition.add_cpus, [1, 2]):
                assert len(partition.cpus()) == (0 if error else 2), (partition.cpus(), error)
                assert online_cpus() == ("0-3" if error else "0,3"), (online_cpus(), error)
            partition.add_cpus([3], SPARE)

            for error, _ in tries(load, partition):
                assert partition.state() == ("created" if error else "loaded"), error
            # again, over one that is loaded: what is half of one must not start
            for error, _ in tries(load, partition):
                state = partition.state()
                assert state == "loaded" or error and state == "created", (state, error)
                if error and state == "created":
                    load(partition)

            for error, _ in tries(partition.start):
                if error:
                    assert partition.state() in ("loaded", "stopped"), partition.state()
                    if partition.state() == "stopped":
                        load(partition)
            partition.wait_for("running")

            # while it runs: a CPU and a block of memory come and go
            for error, _ in tries(partition.add_cpus, [3]):
                assert online_cpus() == ("0,3" if error else "0"), (online_cpus(), error)
                assert partition.state() == "running", partition.state()
            assert partition.ask(CPU_ADD, 3) == (0, 0)
            assert partition.query().online_cpus == 3
            assert partition.ask(CPU_REMOVE, 3) == (0, 0)
            for error, _ in tries(partition.remove_cpus, [3]):
                assert online_cpus() == ("0" if error else "0,3"), (online_cpus(), error)

            for error, claimed in tries(lambda: partition.add_memory(BLOCK, align=BLOCK)):
                taken = partition.ranges(TAKEN)
                assert bool(taken) == (not error), (taken, error)
                for start, size, _ in taken:
                    assert partition.remove_memory(start, size) == size
            partition.destroy()
            nothing_is_left()
            failed = steps()
            never = [name for name in failed if not failed[name] and name != "stop: answer"]
            assert not never, never
            for call in ("create", "memory", "cpus", "load", "start", "remove", "stop"):
                assert any(name.startswith(call + ":") for name in failed), (call, failed)
            """, limit_s=600)
        self.assert_free_again(before, BOUND_KIB)
        self.assertEqual(self.online_cpus(), self.cpus)
