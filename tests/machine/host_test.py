# SPDX-License-Identifier: LGPL-2.1-or-later
"""The host lives on beside its partitions: its CPUs, its memory, its own end."""

import re

from lib.testing import LIMIT_S, STOPPED, MachineTest

# Many small files, and then only every other: what stays keeps single pages and slabs in use
# all over the memory, so that no long run of free pages is left.
FRAGMENT = """
import os
os.makedirs('/dev/shm/fragments')
number = 0
while int(open('/proc/meminfo').read().split('MemAvailable:')[1].split()[0]) > 200000:
    for _ in range(500):
        with open(f'/dev/shm/fragments/{number}', 'wb') as file:
            file.write(bytes(40960))
        number += 1
for each in range(0, number, 2):
    os.unlink(f'/dev/shm/fragments/{each}')
print(number)
"""


class Host(MachineTest):
    def test_host_is_healthy_beside_a_busy_partition(self):
        console = self.start("web", vcpus=2, memory_mib=320)
        console.command("for i in 1 2; do (while :; do :; done) & done")
        ticks = self._timer_ticks()
        self.run_in("for i in $(seq 200); do /bin/true; done")
        self.assertGreater(self._timer_ticks(), ticks)
        self.run_in("systemctl is-system-running")
        self.assertEqual(console.command("echo $((6*7))"), "42")

    def _timer_ticks(self):
        return int(self.run_in("sed -n 's/^ *LOC: *\\([0-9]*\\).*/\\1/p' /proc/interrupts"))

    def test_host_cpu_goes_off_and_on_while_windows_are_lent(self):
        """The host's own trampoline is below 1 MiB too: it must not be what was lent."""
        console = self.start("web", vcpu_attributes=" cpuset='3'")
        for _ in range(3):
            for value in (0, 1):
                self.run_in(f"echo {value} >/sys/devices/system/cpu/cpu1/online")
        self.assertEqual(self.online_cpus(), "0-2")
        self.assertEqual(console.command("echo $((6*7))"), "42")
        second = self.start("db", vcpu_attributes=" cpuset='1'")
        self.assertEqual(second.command("echo $((6*7))"), "42")

    def test_cpu_found_offline_stays_offline(self):
        self.run_in("echo 0 >/sys/devices/system/cpu/cpu3/online")
        self.addCleanup(self.run_in, "echo 1 >/sys/devices/system/cpu/cpu3/online")
        self.start("web")
        self.virsh("destroy", "web")
        self.assertEqual(self.online_cpus(), "0-2")

    def test_partition_gets_its_memory_from_a_fragmented_host(self):
        self.addCleanup(self.run_in, "rm -rf /dev/shm/fragments")
        self.run_in("mount -o remount,size=95%,nr_inodes=0 /dev/shm")
        self.run_in("python3", "-c", FRAGMENT, limit_s=LIMIT_S * 3)
        console = self.start("web", memory_mib=512)
        total_kib = int(console.command("sed -n 's/MemTotal: *\\([0-9]*\\).*/\\1/p' /proc/meminfo"))
        self.assertGreater(total_kib, 400 * 1024)

    def test_memory_is_scrubbed_before_the_host_has_it_back(self):
        """What a partition wrote is in the machine's memory while it runs, and then nowhere."""
        console = self.start("web")
        # The shell does the sum: the word itself is nowhere but in the partition.
        console.command("yes LEFT-BEHIND-$((40+2)) | head -c 20000000 >/tmp/words")
        find = ("/usr/lib/multikernel-machine/count-in-memory", "LEFT-BEHIND-", "42")
        self.assertGreater(int(self.run_in(*find, limit_s=LIMIT_S * 3)), 1000)
        with self.events() as events:
            self.virsh("destroy", "web")
            events.wait_for("web", STOPPED)
        self.assertEqual(self.run_in(*find, limit_s=LIMIT_S * 3), "0")


class HostEnds(MachineTest):
    """The last tests of their machine: each ends it."""

    ends_machine = True

    def test_orderly_reboot_shuts_partitions_down_first(self):
        self.start("web").leave()
        self.run_in("systemctl reboot", check=False)
        self.assertTrue(self.machine.wait_for_end(LIMIT_S), "the machine did not reboot")
        log = self.machine.serial_log()
        self.assertRegex(log, r"shutting down web")
        self.assertNotIn("by force", log)
        self.assertRegex(log, r"reboot: Restarting system")
        self.assertNotRegex(log, r"BUG:|Oops")

    def test_sudden_reboot_stops_partitions_first(self):
        self.start("web").leave()
        self.run_in("systemctl reboot -ff", check=False)
        self.assertTrue(self.machine.wait_for_end(LIMIT_S), "the machine did not reboot")
        log = self.machine.serial_log()
        stopped = re.search(r"multikernel.*web.*stopped", log)
        self.assertTrue(stopped, log[-3000:])
        self.assertIn("Restarting system", log[stopped.end():])
