# SPDX-License-Identifier: LGPL-2.1-or-later
"""Containment: whatever becomes of one partition, the host and another partition do not notice."""

import time

from lib.testing import LIMIT_S, MachineTest

TOLERANCE_S = 5  # of clocks: one reads them through a terminal, in emulation


class Containment(MachineTest):
    """One domain, db, is unhurt all along; another, web, is broken in each way there is."""

    def setUp(self):
        super().setUp()
        self.other = self.start("db")
        self.identity = self._identity()
        self.define("web", vcpus=2, memory_mib=320, initrd=self.initrd_with_hang_module(),
                    more="<on_crash>preserve</on_crash><on_reboot>destroy</on_reboot>")
        self.web = None

    def test_each_way_to_break_a_partition(self):
        for break_it in (self._hang_of_all_cpus, self._sysrq_crash, self._sysrq_reboot,
                         self._reboot, self._bug, self._stack_overflow):
            with self.subTest(how=break_it.__name__):
                self.web = self.start_defined("web")
                self.web.command("until [ $(nproc) = 2 ]; do usleep 100000; done; "
                                 "insmod /mk_test_hang.ko")
                break_it()
                self._unhurt()
                self.virsh("destroy", "web", check=False)  # it may have ended by itself
                self.web.wait_for_end()
                self.assertIn("shut off", self.state("web"))
                self._unhurt()

    def test_death_before_the_module_is_loaded(self):
        """Without our loader there is no init: a panic that only its memory tells of."""
        self.script("""
            import mmap
            partition = Device().create(uuid.uuid4().bytes, "early")
            try:
                partition.add_memory(128 << 20)
                partition.add_cpus([3])
                with open("/tmp/empty.img", "wb") as image:
                    image.write(cpio([("multikernel", 0o040755, b"")]))
                partition.load("/vmlinuz", "/tmp/empty.img", "")
                partition.start()
                end = time.monotonic() + 60
                with mmap.mmap(partition.memory_fd(), 128 << 20, prot=mmap.PROT_READ) as memory:
                    while memory.find(b"Kernel panic - not syncing: VFS") < 0:
                        assert time.monotonic() < end, "it does not die"
                query = partition.query()
                assert STATES[query.state] == "booting" and query.heartbeat == 0
            finally:
                partition.destroy()
            """)
        self._unhurt()

    # -- ways ----------------------------------------------------------------------------------

    def _break(self, how):
        self.web.type(f"echo {how} >/sys/module/mk_test_hang/parameters/how")

    def _sysrq_crash(self):
        self.web.type("echo c >/proc/sysrq-trigger")
        self._wait_for_state("crashed")

    def _sysrq_reboot(self):
        self.web.type("echo b >/proc/sysrq-trigger")
        self._wait_for_state("shut off")

    def _reboot(self):
        self.web.type("reboot -f")
        self._wait_for_state("shut off")

    def _bug(self):
        self._break("bug")
        self._wait_for_state("crashed")

    def _stack_overflow(self):
        self._break("stack")
        self._wait_for_state("crashed")

    def _hang_of_all_cpus(self):
        self._break("hang-all")
        self.web.wait_for("mk_test_hang: hang-all")

    # -- the others ----------------------------------------------------------------------------

    def _wait_for_state(self, state):
        self.run_in(f"until virsh -c multikernel:///system domstate web | grep -q '{state}'; "
                    "do sleep 0.1; done", limit_s=LIMIT_S)

    def _beats(self):
        return [int(line) for line in self.script("""
            for identity, name, _ in list(Device().list()):
                if name == "db":
                    partition = Device().open(identity)
                    before = partition.query().heartbeat
                    end = time.monotonic() + 30
                    while partition.query().heartbeat == before and time.monotonic() < end:
                        time.sleep(0.05)
                    print(before)
                    print(partition.query().heartbeat)
            """).split()]

    def _identity(self):
        """What would change if a kernel had started anew."""
        boot_id = "cat /proc/sys/kernel/random/boot_id"
        return self.run_in(boot_id), self.other.command(boot_id)

    def _clocks(self):
        """How far the two clocks are apart from each other, and from ours of the beginning."""
        began = time.monotonic()
        host = float(self.run_in("date +%s"))
        other = float(self.other.command("date +%s"))
        return host - other, time.monotonic() - began

    def _unhurt(self):
        before, after = self._beats()
        self.assertGreater(after, before, "the other partition's heart stands still")
        self.assertEqual(self._identity(), self.identity)
        apart, took = self._clocks()
        self.assertLess(abs(apart), TOLERANCE_S + took)
