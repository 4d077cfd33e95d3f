# SPDX-License-Identifier: LGPL-2.1-or-later
"""The kernel of Debian's backports: as an app kernel on the stock host, for since 6.9 Linux accepts
only CPUs that ACPI named when it booted; and as the host itself."""

import pathlib
import subprocess
import tempfile

from lib import backports
from lib.testing import TOP, MachineTest


class Newer(MachineTest):
    def setUp(self):
        newer = backports.newest()
        if not newer:
            self.skipTest("Debian's backports cannot be reached")
        super().setUp()
        self.version = newer.version
        with tempfile.TemporaryDirectory() as work:
            subprocess.run([TOP / "kernel/build-modules", TOP / "kernel", work, newer.modules],
                           check=True)
            module = pathlib.Path(work, "multikernel_app.ko").read_bytes()
        folder = f"/usr/lib/modules/{self.version}/updates"
        self.run_in("mkdir", "-p", folder)
        self.put(f"{folder}/multikernel_app.ko", module)
        self.put("/boot/vmlinuz-newer", newer.image.read_bytes())

    def test_cpus_and_memory_come_and_go(self):
        console = self.start("web", vcpus=3, vcpu_attributes=" current='1'", memory_mib=512,
                             kernel_path="/boot/vmlinuz-newer",
                             more="<maxMemory slots='2' unit='MiB'>768</maxMemory>")
        self.assertEqual(console.command("uname -r"), self.version)
        self.assertEqual(console.command("nproc; cat /sys/devices/system/cpu/present"), "1\n0-2")
        # It knows of them, but has them no earlier than they are granted, whoever tries.
        refused = "echo 1 >/sys/devices/system/cpu/cpu2/online || echo refused"
        online = self.online_cpus()
        self.assertTrue(console.command(refused).endswith("refused"))
        self.assertEqual(self.online_cpus(), online)

        self.virsh("setvcpus", "web", "3", "--live")
        self.assertEqual(console.command("nproc; taskset 6 true && echo ran"), "3\nran")
        self.assertEqual(self.online_cpus(), "0")
        self.virsh("setvcpus", "web", "2", "--live")
        self.assertEqual(console.command("nproc"), "2")
        self.assertTrue(console.command(refused).endswith("refused"))
        self.virsh("vcpupin", "web", "1", self._free_cpu(), "--live")
        self.assertEqual(console.command("nproc"), "2")
        self.virsh("setvcpus", "web", "1", "--live")
        self.assertEqual(console.command("nproc"), "1")
        self.assertEqual(self.online_cpus(), online)

        before = console.total_kib()
        self.virsh("setmem", "web", "640M", "--live")
        self.assertEqual(console.total_kib() - before, 128 * 1024)
        self.virsh("setmem", "web", "384M", "--live")  # the balloon, too
        self.assertEqual(console.total_kib(), before - 128 * 1024)
        self.assertEqual(console.log("BUG|WARNING|Oops"), "")

        self.virsh("suspend", "web")
        self.virsh("resume", "web")
        self.assertEqual(console.command("echo $((6*7))"), "42")
        self.virsh("shutdown", "web")
        console.wait_for_end()

    def _free_cpu(self):
        """One of the host's own, not the first."""
        return self.online_cpus().replace("-", ",").split(",")[-1]


class NewerHost(MachineTest):
    options = {"newer": True}

    def setUp(self):
        if not backports.newest():
            self.skipTest("Debian's backports cannot be reached")
        super().setUp()

    def test_partition_of_it_starts_changes_and_ends(self):
        free = self.free_kib()
        console = self.start("web", vcpus=2, vcpu_attributes=" current='1'", memory_mib=384,
                             more="<maxMemory slots='2' unit='MiB'>512</maxMemory>")
        self.assertEqual(console.command("uname -r"), self.run_in("uname -r"))
        self.assertEqual(self.run_in("uname -r"), backports.newest().version)
        self.virsh("setvcpus", "web", "2", "--live")
        self.assertEqual(console.command("nproc"), "2")
        self.virsh("setmem", "web", "512M", "--live")
        self.virsh("setmem", "web", "256M", "--live")  # the balloon, too
        self.assertIn(f"Used memory:    {256 * 1024} KiB", self.virsh("dominfo", "web"))
        self.virsh("suspend", "web")
        self.assertEqual(self.state("web"), "paused (user)")
        self.virsh("resume", "web")
        self.virsh("inject-nmi", "web")
        console.wait_for("NMI backtrace for cpu")
        self.virsh("setvcpus", "web", "1", "--live")
        self.virsh("destroy", "web")
        self.assertEqual(self.online_cpus(), self.cpus)
        self.assert_free_again(free)
