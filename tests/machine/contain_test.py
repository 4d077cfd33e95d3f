# SPDX-License-Identifier: LGPL-2.1-or-later
"""Containment: whatever becomes of one partition, the host and another partition do not notice."""

import os
import random
import time

from lib.testing import CRASHED, LIMIT_S, RESUMED, SUSPENDED, MachineTest

# SEED=… repeats a run that failed.
SEED = int(os.environ.get("SEED") or random.getrandbits(47))
FLOOD = ("insmod /mk_test_flood.ko "
         "shm=$(sed 's/.*multikernel.shm=\\([^ ]*\\).*/\\1/' /proc/cmdline)")
TOLERANCE_S = 5  # of clocks: one reads them through a terminal, in emulation


class Survivors(MachineTest):
    """The host and one domain, db, are to be unhurt all along."""

    def setUp(self):
        super().setUp()
        self.other = self.start("db")
        self.identity = self._identity()

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
        """How far the two clocks are apart, and how long it took to read them."""
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


class Containment(Survivors):
    """Another domain, web, is broken in each way there is."""

    def setUp(self):
        super().setUp()
        self.define("web", vcpus=2, memory_mib=320, initrd=self.initrd_with_hang_module(),
                    more="<on_crash>preserve</on_crash><on_reboot>destroy</on_reboot>")
        self.web = None

    def test_each_way_to_break_a_partition(self):
        for break_it in (self._hang_of_all_cpus, self._sysrq_crash, self._sysrq_reboot,
                         self._reboot, self._bug, self._stack_overflow, self._flood_and_hunger,
                         self._hypervisor, self._garbage):
            with self.subTest(how=break_it.__name__, seed=SEED):
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

    def _flood_and_hunger(self):
        self._console_flood()
        self._out_of_memory()

    def _console_flood(self):
        """Four megabytes; nobody reads, until the shell has to answer again."""
        self.web.type("yes 'a flood of the console' | head -n 150000")
        self.web.wait_for("a flood of the console\r\n" * 100)
        self.web.leave()
        self._unhurt()
        self.web = self.console("web").wake()
        self.assertIn("running", self.state("web"))

    def _out_of_memory(self):
        """A hungry process that is killed, and then one that is fatal."""
        hungry = "awk 'BEGIN { x = \"x\"; for (;;) x = x x }'"
        self.web.command(f"echo 1 >/proc/sys/vm/overcommit_memory; {hungry}")
        self.assertIn("Killed process", self.web.log("Out of memory"))
        self._unhurt()
        self.web.type(f"echo 1 >/proc/sys/vm/panic_on_oom; {hungry}")
        self._wait_for_state("crashed")

    def _hypervisor(self):
        """It is destroyed in VM operation. That its CPUs leave that first does not show: they
        would obey INIT in SVM, and this machine has no VMX."""
        self._break("vm")
        self.web.wait_for("mk_test_hang: 2 CPUs in SVM operation")

    def _garbage(self):
        """Over all that both kernels map. The app kernel may die of it, hang, flood, or live on:
        so its memory is asked, not its console."""
        self.web.type(f"echo {SEED} >/sys/module/mk_test_hang/parameters/seed; "
                      "sed 's/.* multikernel.shm=//; s/ .*//' /proc/cmdline "
                      ">/sys/module/mk_test_hang/parameters/area; "
                      "echo garbage >/sys/module/mk_test_hang/parameters/how")
        self.script(f"""
            import errno, mmap
            def said(text):  # a piece at a time: bytes are searched faster than a mapping
                return any(text in memory[at:at + (2 << 20) + 100]
                           for at in range(0, size, 2 << 20))
            def wait_for(text, limit_s):
                end = time.monotonic() + limit_s
                while not (done := said(text)) and time.monotonic() < end:
                    if partition.state() != "running":
                        return True
                    time.sleep(0.2)
                return done
            try:
                [identity] = [i for i, name, _ in Device().list() if name == "web"] or sys.exit()
                partition = Device().open(identity)
                size = sum(size for _, size, _ in partition.memory())
                memory = mmap.mmap(partition.memory_fd(), size, prot=mmap.PROT_READ)
                assert wait_for(b"mk_test_hang: garbage of seed {SEED}", 60)
                assert wait_for(b"mk_test_hang: 1000000 rounds of garbage", 60)
            except OSError as error:
                assert error.errno in (errno.ENODEV, errno.ENOENT), error  # it ended by itself
            """)

    def _wait_for_state(self, state):
        self.run_in(f"until virsh -c multikernel:///system domstate web | grep -q '{state}'; "
                    "do sleep 0.1; done", limit_s=LIMIT_S)


class Floods(Survivors):
    """Doorbells at full speed from every CPU of another domain, web."""

    def _lower_the_limit(self):
        """An emulated machine does not get to what a real one calls a flood; returns the way back.

        A boot goes past such a limit, too, and so does a line that is typed: the console rings.
        """
        limit = "/sys/module/multikernel_host/parameters/doorbells_per_second"
        before = self.run_in("cat " + limit)

        def restore():
            self.run_in(f"echo {before} >{limit}")

        self.addCleanup(restore)
        self.run_in(f"echo 200 >{limit}")
        return restore

    def _flood(self, console, words=""):
        """Starts a flood; returns the way back to the limit that there was."""
        console.type(f"echo ready-$((1+1)); read && {FLOOD} {words}")
        console.wait_for("ready-2")
        restore = self._lower_the_limit()
        console.type("")
        return restore

    def test_flood_from_cpus_that_do_not_obey_ends_by_reset(self):
        self._ends_by_reset("deaf=1")

    def test_flood_from_a_cpu_that_is_called_offline_ends_by_reset(self):
        self._ends_by_reset("unlisted=1")

    def _ends_by_reset(self, words):
        module = self.kernel_module("mk_test_flood")
        console = self.start("web", vcpus=2, memory_mib=320,
                             initrd=self.initrd_with("mk_test_flood.ko", module),
                             more="<on_crash>preserve</on_crash>")
        console.command("until [ $(nproc) = 2 ]; do usleep 100000; done")
        pauses = "dmesg | grep -c 'and was paused' || :"
        before = self.run_in(pauses)
        with self.events() as events:
            restore_the_limit = self._flood(console, words)
            events.wait_for("web", CRASHED)
        self.assertEqual(self.run_in(pauses), before)  # as long as a CPU rings it is not
        self.assertEqual(self.state("web"), "crashed (panicked)")
        self.assertIn("stopped: it did not obey", self.run_in("dmesg"))
        self.script("""
            [partition] = [Device().open(each) for each, name, _ in Device().list()
                           if name == "web"]
            why = partition.query().panic
            assert why.startswith(b"stopped by the host"), why
            before = partition.query().doorbells
            time.sleep(1)  # the silence is the test
            assert partition.query().doorbells == before
            assert partition.nmi(REGISTERS) == 2  # none is sent: it would wake what is in reset
            """)
        restore_the_limit()
        self._unhurt()
        self.virsh("reset", "web")
        self.assertEqual(console.comes_up_again().command("echo $((6*7))"), "42")

    def test_flood_of_doorbells_pauses_the_sender(self):
        module = self.kernel_module("mk_test_flood")
        console = self.start("web", vcpus=2, memory_mib=320,
                             initrd=self.initrd_with("mk_test_flood.ko", module))
        console.command("until [ $(nproc) = 2 ]; do usleep 100000; done")
        with self.events() as events:
            restore_the_limit = self._flood(console)
            events.wait_for("web", SUSPENDED)
            self.assertIn("paused", self.state("web"))
            self.virsh("resume", "web")  # it rings on, and is paused again
            events.wait_for("web", RESUMED)
            events.wait_for("web", SUSPENDED)
        self.script("""
            partitions = {name: Device().open(identity) for identity, name, _ in Device().list()}
            assert partitions["web"].state() == "paused"
            assert partitions["web"].query().doorbells > 20
            """)
        restore_the_limit()
        self._unhurt()
