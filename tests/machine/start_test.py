# SPDX-License-Identifier: LGPL-2.1-or-later
"""One partition: it starts, its console answers, it is what its definition says."""

import subprocess

from lib.testing import STARTED, TOP, MachineTest


class Start(MachineTest):
    def test_app_kernel_is_what_the_definition_says(self):
        console = self.start("web", memory_mib=256)
        self.assertEqual(console.command("echo $((6*7))"), "42")
        self.assertEqual(console.command("uname -r"), self.app_release())
        self.assertEqual(console.command("grep -c ^processor /proc/cpuinfo"), "1")
        total_kib = console.total_kib()
        # Less what the kernel keeps for itself: its image, struct pages, our control area.
        self.assertLess(total_kib, 256 * 1024)
        self.assertGreater(total_kib, 160 * 1024)
        with self.subTest("no KVM, no kexec"):
            words = console.command("cat /proc/cmdline")
            for word in ("module_blacklist=", "kvm_amd", "kvm_intel"):
                self.assertIn(word, words)
            self.assertEqual(console.command("cat /proc/sys/kernel/kexec_load_disabled"), "1")
        with self.subTest("the CPU is the one that virsh names"):
            [cpu] = self.owned_cpus("web")
            apic_id = console.command("sed -n 's/^initial apicid.*: //p' /proc/cpuinfo")
            self.assertEqual(apic_id, cpu)  # on this machine CPU n has APIC id n
            self.assertEqual(self.run_in(f"cat /sys/devices/system/cpu/cpu{cpu}/online"), "0")
            self.assertRegex(self.virsh("dumpxml", "web"),
                             f"<vcpu( placement='static')? cpuset='{cpu}'")

    def test_host_sees_a_running_domain_and_stays_the_same(self):
        before = self.host_views()
        with self.events() as events:
            console = self.start("web")
            events.wait_for("web", STARTED)
        self.assertEqual(self.state("web"), "running (booted)")
        info = self.virsh("dominfo", "web")
        for line in (r"State:\s+running", r"CPU\(s\):\s+1", r"Max memory:\s+262144 KiB"):
            self.assertRegex(info, line)
        with self.subTest("the host counts CPUs that are owned"):
            self.assertEqual(before, self.host_views())
        with self.subTest("the host cannot take the CPU back"):
            online = f"/sys/devices/system/cpu/cpu{self.owned_cpus('web')[0]}/online"
            code, output = self.run_in(f"echo 1 >{online}", check=False)
            self.assertNotEqual(code, 0)
            self.assertIn("busy", output)
        with self.subTest("the log begins with the first message"):
            log = self.run_in("cat /var/log/libvirt/multikernel/web.log")
            self.assertIn("Linux version", log)
            self.assertIn("Command line:", log)
        with self.subTest("the console can be left and taken again"):
            console.command("marker=still-here")
            console.leave()
            again = self.console("web").wake()
            self.assertEqual(again.command("echo $marker"), "still-here")

    def test_examples_start_as_they_are(self):
        for path in sorted((TOP / "xml-schema/examples").glob("*.xml")):
            with self.subTest(example=path.name):
                self.put("/root/example.xml", path.read_text(encoding="utf-8"))
                self.virsh("define", "--validate", "/root/example.xml")
                console = self.start_defined(path.stem)
                self.assertEqual(console.command("echo $((6*7))"), "42")
                self.virsh("destroy", path.stem)

    def test_kvm_module_is_refused_by_the_app_kernel(self):
        module = subprocess.run(self.command(f"cat /lib/modules/{self.app_release()}/kernel/"
                                             "arch/x86/kvm/kvm-amd.ko"), check=True,
                                stdout=subprocess.PIPE).stdout
        console = self.start("web", initrd=self.initrd_with("kvm-amd.ko", module))
        console.command("insmod /kvm-amd.ko")
        self.assertIn("Module kvm_amd is blacklisted", console.log("kvm_amd"))
