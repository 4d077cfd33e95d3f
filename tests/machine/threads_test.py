# SPDX-License-Identifier: LGPL-2.1-or-later
"""Two hardware threads a core: a core is given whole, its idle thread with it."""

from lib.testing import MachineTest


class Threads(MachineTest):
    options = {"cpus": 6, "threads": 2}

    def test_one_vcpu_takes_a_core_and_leaves_its_sibling_idle(self):
        self.assertEqual(self.run_in("cat /sys/devices/system/cpu/cpu2/topology/"
                                     "thread_siblings_list"), "2-3")
        console = self.start("web")
        self.assertEqual(console.command("nproc"), "1")
        self.assertIn(self.online_cpus(), ("0-1,4-5", "0-3"))
        self.virsh("destroy", "web")
        self.assertEqual(self.online_cpus(), "0-5")

    def test_second_thread_of_its_core_becomes_a_vcpu_and_waits_again(self):
        console = self.start("web", vcpus=2, vcpu_attributes=" current='1' cpuset='2-3'")
        self.assertEqual((console.command("nproc"), self.online_cpus()), ("1", "0-1,4-5"))
        self.virsh("setvcpus", "web", "2", "--live")
        self.assertEqual((console.command("nproc"), self.online_cpus()), ("2", "0-1,4-5"))
        cpus = [line.split()[1] for line in self.virsh("vcpuinfo", "web").splitlines()
                if line.startswith("CPU:")]
        self.assertEqual(cpus, ["2", "3"])
        self.virsh("setvcpus", "web", "1", "--live")
        self.assertEqual((console.command("nproc"), self.online_cpus()), ("1", "0-1,4-5"))
        # An app kernel that starts again has what the one before it had.
        self.virsh("reset", "web")
        console = console.comes_up_again()
        self.assertEqual(console.command("nproc"), "1")
        self.assertEqual(self.virsh("vcpucount", "web", "--live", "--active"), "1")
        self.virsh("setvcpus", "web", "2", "--live")
        self.assertEqual((console.command("nproc"), self.online_cpus()), ("2", "0-1,4-5"))
        self.virsh("destroy", "web")
        self.assertEqual(self.online_cpus(), "0-5")

    def test_thread_that_the_definition_does_not_name_stays_idle(self):
        console = self.start("web", vcpus=2, vcpu_attributes=" current='1'")
        self.virsh("setvcpus", "web", "2", "--live")  # a core of its own
        self.assertEqual((console.command("nproc"), self.online_cpus()), ("2", "0-1"))
        self.refused("vcpupin", "web", "1", "3", "--live", saying=["start the domain again"])
        self.assertEqual(console.command("nproc"), "2")

    def test_half_a_core_is_refused(self):
        self.define("web", vcpu_attributes=" cpuset='2'")
        self.refused("start", "web", saying=["core"])
        self.assertEqual(self.online_cpus(), "0-5")

    def test_core_of_the_host_stays(self):
        self.define("web", vcpus=3)
        self.refused("start", "web", saying=["core"])
        self.assertEqual(self.online_cpus(), "0-5")
