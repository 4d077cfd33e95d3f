# SPDX-License-Identifier: LGPL-2.1-or-later
"""How a partition ends: asked, by itself, by a crash, by force. The host is unhurt each time."""

import subprocess

from lib.testing import CRASHED, STOPPED, Console, MachineTest

# libvirt's virDomainEventStoppedDetailType
STOPPED_SHUTDOWN, STOPPED_DESTROYED, STOPPED_CRASHED = 0, 1, 2


class Ending(MachineTest):
    def _ends_as(self, typed, detail, state, more=""):
        with self.events() as events:
            console = self.start("web", more=more)
            console.type(typed)
            self.assertEqual(events.wait_for("web", STOPPED), detail)
        console.wait_for_end()
        self.assertEqual(self.state("web"), state)
        self.assertEqual(self.online_cpus(), self.cpus)

    def test_poweroff_inside(self):
        self._ends_as("poweroff -f", STOPPED_SHUTDOWN, "shut off (shutdown)")

    def test_halt_inside(self):
        self._ends_as("halt -f", STOPPED_SHUTDOWN, "shut off (shutdown)")

    def test_sysrq_poweroff_inside(self):
        self._ends_as("echo o >/proc/sysrq-trigger", STOPPED_SHUTDOWN, "shut off (shutdown)")

    def test_panic_inside(self):
        self._ends_as("echo c >/proc/sysrq-trigger", STOPPED_CRASHED, "shut off (crashed)")

    def test_panic_of_a_kernel_that_would_reboot_after_it(self):
        self._ends_as("echo 1 >/proc/sys/kernel/panic; echo c >/proc/sysrq-trigger",
                      STOPPED_CRASHED, "shut off (crashed)")

    def test_reboot_inside_where_reboot_means_destroy(self):
        self._ends_as("reboot -f", STOPPED_SHUTDOWN, "shut off (shutdown)",
                      more="<on_reboot>destroy</on_reboot>")

    def test_panic_is_told_and_kept_if_the_definition_says_so(self):
        with self.events() as events:
            console = self.start("web", more="<on_crash>preserve</on_crash>")
            console.type("echo c >/proc/sysrq-trigger")
            events.wait_for("web", CRASHED)
        self.assertIn("crashed", self.state("web"))
        log = self.run_in("cat /var/log/libvirt/multikernel/web.log")
        self.assertIn("Kernel panic - not syncing: sysrq triggered crash", log)
        self.assertNotIn("read from its memory", log)  # the console has shown all of it
        self.virsh("destroy", "web")
        self.assertIn("shut off", self.state("web"))

    def test_restart_after_a_panic(self):
        with self.events() as events:
            console = self.start("web", more="<on_crash>restart</on_crash>")
            console.command("marker=old")
            console.type("echo c >/proc/sysrq-trigger")
            events.wait_for("web", CRASHED)
        self._comes_up_again(console)

    def test_reboot_inside_starts_it_again(self):
        console = self.start("web")
        console.type("reboot -f")
        self._comes_up_again(console)

    def test_sysrq_reboot_inside_starts_it_again(self):
        console = self.start("web")
        console.type("echo b >/proc/sysrq-trigger")
        self._comes_up_again(console)

    def test_virsh_reboot(self):
        console = self.start("web")
        self.virsh("reboot", "web")
        self._comes_up_again(console)

    def test_virsh_reset(self):
        console = self.start("web")
        self.virsh("reset", "web")
        self._comes_up_again(console)

    def _comes_up_again(self, console):
        console = console.comes_up_again()
        self.assertEqual(console.command("echo new$marker"), "new")
        self.assertIn("running", self.state("web"))

    def test_virsh_shutdown(self):
        with self.events() as events:
            console = self.start("web")
            self.virsh("shutdown", "web")
            self.assertEqual(events.wait_for("web", STOPPED), STOPPED_SHUTDOWN)
        console.wait_for_end()
        self.assertEqual(self.state("web"), "shut off (shutdown)")

    def test_virsh_shutdown_while_it_boots(self):
        """BusyBox' poweroff takes /proc for a sign that init listens to it."""
        self.define("web", initrd=self.initrd_instead(
            "etc/rcS", b"#!/bin/sh\nmount -t proc proc /proc\necho a slow boot\nsleep 6\n"))
        with self.events() as events:
            console = Console(self, "web", "start", "web", "--console")
            console.wait_for("a slow boot")
            self.virsh("shutdown", "web")
            self.assertEqual(events.wait_for("web", STOPPED), STOPPED_SHUTDOWN)
        console.wait_for_end()

    def test_virsh_destroy(self):
        with self.events() as events:
            console = self.start("web")
            self.virsh("destroy", "web")
            self.assertEqual(events.wait_for("web", STOPPED), STOPPED_DESTROYED)
        console.wait_for_end()
        self.assertEqual(self.state("web"), "shut off (destroyed)")

    def test_app_kernel_without_an_init_panics_and_leaves_the_host_alone(self):
        empty = subprocess.run(["cpio", "--quiet", "-o", "-H", "newc"], input=b".\n", check=True,
                               stdout=subprocess.PIPE).stdout
        self.put("/root/empty.cpio", empty)
        self.define("web", initrd="/root/empty.cpio")
        with self.events() as events:
            self.virsh("start", "web")
            self.assertEqual(events.wait_for("web", STOPPED), STOPPED_CRASHED)
        self.assertEqual(self.online_cpus(), self.cpus)

    def test_hung_app_kernel_is_destroyed(self):
        """Its CPUs spin with interrupts off: nothing but INIT reaches them."""
        for how, vcpus in (("hang", 1), ("hang-all", 2)):
            with self.subTest(how=how):
                console = self.start(f"web-{vcpus}", vcpus=vcpus, memory_mib=320,
                                     initrd=self.initrd_with_hang_module())
                console.command("insmod /mk_test_hang.ko")
                console.type(f"echo {how} >/sys/module/mk_test_hang/parameters/how")
                console.wait_for(f"mk_test_hang: {how}")
                self.virsh("destroy", f"web-{vcpus}")
                console.wait_for_end()
                self.assertEqual(self.online_cpus(), self.cpus)
        again = self.start("again")
        self.assertEqual(again.command("echo $((6*7))"), "42")

    def test_ends_of_two_cpus_leave_another_partition_alone(self):
        """Whatever becomes of one partition, the other does not notice."""
        other = self.start("db")
        other.command("marker=untouched")
        boot = other.command("cat /proc/sys/kernel/random/boot_id")
        self.define("web", vcpus=2, memory_mib=320, more="<on_reboot>destroy</on_reboot>")
        for typed in ("poweroff -f", "halt -f", "reboot -f", "echo c >/proc/sysrq-trigger",
                      "echo b >/proc/sysrq-trigger"):
            with self.subTest(typed=typed), self.events() as events:
                console = self.start_defined("web")
                console.command("until [ $(nproc) = 2 ]; do usleep 100000; done")
                console.type(typed)
                events.wait_for("web", STOPPED)
                console.wait_for_end()
                self.assertEqual(other.command("echo $marker"), "untouched")
        self.assertEqual(other.command("cat /proc/sys/kernel/random/boot_id"), boot)

    def test_oops_and_stack_overflow_end_in_a_panic_or_run_on(self):
        """Whatever such a kernel becomes, it can be destroyed and the host is well."""
        for how in ("oops", "stack"):
            with self.subTest(how=how):
                console = self.start(how, initrd=self.initrd_with_hang_module())
                console.command("insmod /mk_test_hang.ko")
                console.type(f"echo {how} >/sys/module/mk_test_hang/parameters/how")
                console.wait_for("Call Trace")
                self.virsh("destroy", how, check=False)  # it may have ended by itself
                console.wait_for_end()
                self.assertEqual(self.online_cpus(), self.cpus)
