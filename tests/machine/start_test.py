# SPDX-License-Identifier: LGPL-2.1-or-later
"""One partition: it starts, its console answers, it is what its definition says."""

import re
import subprocess

from lib.testing import STARTED, TOP, MachineTest


class Start(MachineTest):
    def test_console_echoes_what_is_typed(self):
        console = self.start("web")
        self.assertEqual(console.command("echo $((6*7))"), "42")

    def test_app_kernel_is_what_the_definition_says(self):
        console = self.start("web", memory_mib=256)
        self.assertEqual(console.command("uname -r"), self.app_release())
        self.assertEqual(console.command("grep -c ^processor /proc/cpuinfo"), "1")
        total_kib = console.total_kib()
        # Less what the kernel keeps for itself: its image, struct pages, our control area.
        self.assertLess(total_kib, 256 * 1024)
        self.assertGreater(total_kib, 160 * 1024)

    def test_cpu_of_the_app_kernel_is_the_one_virsh_names(self):
        console = self.start("web")
        info = self.virsh("vcpuinfo", "web")
        cpu = re.search(r"^CPU:\s+(\d+)$", info, re.MULTILINE)[1]
        apic_id = console.command("sed -n 's/^initial apicid.*: //p' /proc/cpuinfo")
        self.assertEqual(apic_id, cpu)  # on this machine CPU n has APIC id n
        self.assertEqual(self.run_in(f"cat /sys/devices/system/cpu/cpu{cpu}/online"), "0")
        self.assertIn(f"<vcpu placement='static' cpuset='{cpu}'".replace(" placement='static'", ""),
                      self.virsh("dumpxml", "web").replace(" placement='static'", ""))

    def test_boot_log_is_there_from_the_first_message(self):
        self.start("web")
        log = self.run_in("cat /var/log/libvirt/multikernel/web.log")
        self.assertIn("Linux version", log)
        self.assertIn("Command line:", log)

    def test_console_can_be_left_and_taken_again(self):
        console = self.start("web")
        console.command("marker=still-here")
        console.leave()
        again = self.console("web").wake()
        self.assertEqual(again.command("echo $marker"), "still-here")

    def test_host_cannot_take_the_cpu_back(self):
        self.start("web")
        owned = re.search(r"^CPU:\s+(\d+)$", self.virsh("vcpuinfo", "web"), re.MULTILINE)[1]
        code, output = self.run_in(f"echo 1 >/sys/devices/system/cpu/cpu{owned}/online",
                                   check=False)
        self.assertNotEqual(code, 0)
        self.assertIn("busy", output)

    def test_host_view_counts_owned_cpus_and_stays_the_same(self):
        before = self.host_views()
        self.start("web")
        self.assertEqual(before, self.host_views())

    def test_owner_of_a_partition_shows_in_dominfo(self):
        with self.events() as events:
            self.start("web")
            events.wait_for("web", STARTED)
        info = self.virsh("dominfo", "web")
        for line in (r"State:\s+running", r"CPU\(s\):\s+1", r"Max memory:\s+262144 KiB"):
            self.assertRegex(info, line)
        self.assertEqual(self.state("web"), "running (booted)")

    def test_examples_start_as_they_are(self):
        for path in sorted((TOP / "xml-schema/examples").glob("*.xml")):
            with self.subTest(example=path.name):
                self.put("/root/example.xml", path.read_text(encoding="utf-8"))
                self.virsh("define", "--validate", "/root/example.xml")
                console = self.start_defined(path.stem)
                self.assertEqual(console.command("echo $((6*7))"), "42")
                self.virsh("destroy", path.stem)

    def test_kvm_modules_do_not_load_in_an_app_kernel(self):
        console = self.start("web")
        self.assertIn("module_blacklist=", console.command("cat /proc/cmdline"))
        self.assertIn("kvm_amd", console.command("cat /proc/cmdline"))
        self.assertIn("kvm_intel", console.command("cat /proc/cmdline"))

    def test_kvm_module_is_refused_by_the_app_kernel(self):
        module = subprocess.run(self.command(f"cat /lib/modules/{self.app_release()}/kernel/"
                                             "arch/x86/kvm/kvm-amd.ko"), check=True,
                                stdout=subprocess.PIPE).stdout
        console = self.start("web", initrd=self.initrd_with("kvm-amd.ko", module))
        console.command("insmod /kvm-amd.ko")
        self.assertIn("Module kvm_amd is blacklisted", console.log("kvm_amd"))

    def test_kexec_is_off_in_an_app_kernel(self):
        console = self.start("web")
        self.assertEqual(console.command("cat /proc/sys/kernel/kexec_load_disabled"), "1")
