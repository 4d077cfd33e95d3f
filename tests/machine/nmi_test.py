# SPDX-License-Identifier: LGPL-2.1-or-later
"""What NMIs do: CPUs that are held and go on, registers, backtraces; busy, hung and dead ones."""

import time

from lib.testing import MachineTest

# Of slow NMI handlers only ours counts: that line is said of any whose CPU the computer below the
# emulation did not run for a moment, with a pause or without.
SPLAT = ("detected stall|self-detected|soft lockup|blocked for more than|unknown reason|"
         "NMI handler [(]on_nmi.*took too long|Dazed")
PARTITION = """
[identity] = [identity for identity, name, _ in Device().list() if name == "web"]
partition = Device().open(identity)
"""


class Nmi(MachineTest):
    def _start(self, **fields):
        console = self.start("web", vcpus=2, memory_mib=320,
                             initrd=self.initrd_with_hang_module(), **fields)
        console.command("until [ $(nproc) = 2 ]; do usleep 100000; done; "
                        "insmod /mk_test_hang.ko")
        return console

    def test_pause_past_all_limits_leaves_no_splat(self):
        """The limits are lowered, so that the pause need not be one of 90 s."""
        console = self._start(cmdline="rcupdate.rcu_cpu_stall_timeout=3")
        console.command("echo 1 >/proc/sys/kernel/watchdog_thresh; "
                        "echo 4 >/proc/sys/kernel/hung_task_timeout_secs")
        # Grace periods are under way all the time.
        console.command("for i in 1 2 3; do (while :; do (exit); done) & done")
        for _ in range(2):
            self.script(PARTITION, """
                partition.pause()
                assert partition.state() == "paused"
                assert all(values for _, values in partition.registers())
                before = partition.query().heartbeat
                time.sleep(8)  # the pause is the test
                assert partition.query().heartbeat == before
                partition.resume()
                assert partition.state() == "running"
                while partition.query().heartbeat == before:
                    time.sleep(0.05)
                """)
            time.sleep(4)  # a detector that takes offence speaks within its limit
            self.assertEqual(console.log(SPLAT), "")

    def test_hung_cpus_are_paused_go_on_and_are_seen(self):
        console = self._start()
        console.type("echo hang >/sys/module/mk_test_hang/parameters/how")
        console.wait_for("mk_test_hang: hang")
        self.script(PARTITION, """
            for _ in range(3):
                partition.pause()
                assert all(values for _, values in partition.registers())
                partition.resume()
            assert partition.nmi(BACKTRACE) == 0
            """)
        console.wait_for("hang+0x")
        self.assertEqual(console.command("echo $((6*7))"), "42")

    def test_keys_and_the_registers_of_the_dead(self):
        console = self._start(more="<on_crash>preserve</on_crash>")
        # One CPU does not hear interrupts when the other one crashes.
        console.type("echo hang >/sys/module/mk_test_hang/parameters/how")
        console.wait_for("mk_test_hang: hang")
        self.script(PARTITION, """
            assert partition.ask(SYSRQ, ord("h")) == (0, 0)
            partition.request(SYSRQ, ord("c"))
            partition.wait_for("panic")
            assert partition.nmi(REGISTERS) == 0
            registers = partition.registers()
            assert len(registers) == 2
            for _, values in registers:
                assert values and values[16] >> 31 == 0x1ffffffff, registers
                assert values[17] == 0x10, registers
            assert partition.nmi(BACKTRACE) == 0
            """)
