# SPDX-License-Identifier: LGPL-2.1-or-later
"""Starting and destroying over and over costs the host nothing."""

from lib.testing import STOPPED, USERSPACE_UP, Console, MachineTest

CYCLES = 50


class Cycles(MachineTest):
    def test_fifty_starts_and_destroys_leave_cpus_and_memory_as_they_were(self):
        self.define("web", memory_mib=256)
        self._cycle(userspace=True)  # what is made once stays: caches, the log, the module's own
        before, descriptors = self.free_kib(), self._descriptors()
        for number in range(CYCLES):
            self._cycle(userspace=number % 10 == 0)
            self.assertEqual(self.online_cpus(), self.cpus)
        self.assert_free_again(before)
        # The last client may be on its way out.
        self.run_in(f"until [ $(ls /proc/$(pidof virtmultikerneld)/fd | wc -l) -le {descriptors} ]"
                    "; do sleep 0.1; done")

    def _descriptors(self):
        return len(self.run_in("ls /proc/$(pidof virtmultikerneld)/fd").split())

    def _cycle(self, userspace):
        with self.events() as events:
            if userspace:
                Console(self, "web", "start", "web", "--console").wait_for(USERSPACE_UP)
            else:
                self.virsh("start", "web")
            self.virsh("destroy", "web")
            events.wait_for("web", STOPPED)
