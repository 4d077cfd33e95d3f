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

    def test_half_a_core_is_refused(self):
        self.define("web", vcpu_attributes=" cpuset='2'")
        self.refused("start", "web", saying=["core"])
        self.assertEqual(self.online_cpus(), "0-5")

    def test_core_of_the_host_stays(self):
        self.define("web", vcpus=3)
        self.refused("start", "web", saying=["core"])
        self.assertEqual(self.online_cpus(), "0-5")
