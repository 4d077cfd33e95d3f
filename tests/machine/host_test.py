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


# kexec_file_load(2) without an initramfs, and reboot(2) into it.
KEXEC = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
line = b'console=ttyS0 panic=-1'
kernel = os.open('/vmlinuz', os.O_RDONLY)
if libc.syscall(320, kernel, -1, len(line) + 1, line, 4):
    raise OSError(ctypes.get_errno(), 'kexec_file_load')
os.sync()
libc.reboot(0x45584543)
"""


class Host(MachineTest):
    def test_host_is_healthy_beside_a_busy_partition(self):
        console = self.start("web", vcpus=2, memory_mib=320)
        console.command("for i in 1 2; do (while :; do :; done) & done")
        ticks = self._timer_ticks()
        self.run_in("for i in $(seq 200); do /bin/true; done")
        self.assertGreater(self._timer_ticks(), ticks)
        self.run_in("systemctl is-system-running")
        # membarrier(MEMBARRIER_CMD_GLOBAL) returns after an RCU grace period.
        self.script("""
            import ctypes
            assert ctypes.CDLL(None).syscall(324, 1, 0, 0) == 0
            """)
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

    def test_host_does_not_sleep_while_a_partition_is_there(self):
        self.start("web").leave()
        self.assertNotEqual(self.run_in("echo freeze >/sys/power/state", check=False)[0], 0)
        self.assertIn("the host cannot sleep while partitions exist", self.run_in("dmesg"))
        self.assertEqual(self.console("web").wake().command("echo $((6*7))"), "42")

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
        self.script("""
            [(identity, _, _)] = Device().list()
            ranges = Device().open(identity).memory()
            assert len(ranges) > 1, ranges
            """)
        total_kib = console.total_kib()
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


class Module(MachineTest):
    def test_unloaded_and_loaded_again_it_finds_the_same_low_memory(self):
        """Also after use: what was lent and what it used itself are as they were."""
        windows = self._windows()
        self.start("web")
        self.virsh("destroy", "web")
        for _ in range(3):
            self.run_in("rmmod multikernel_host && modprobe multikernel_host")
        self.assertEqual(self._windows(), windows)
        self.assertEqual(self.start("again").command("echo $((6*7))"), "42")

    def _windows(self):
        lines = self.run_in("dmesg | grep 'low memory: trampoline'").splitlines()
        return lines[-1].split("] ")[1]


class Lost(MachineTest):
    """A CPU that does not answer the reset: nothing of it can be given away any more."""

    ends_machine = True

    def test_partition_with_a_deaf_cpu_is_lost_and_keeps_everything(self):
        before = self.online_cpus()
        self.start("web", vcpu_attributes=" cpuset='2'").leave()
        module = self.kernel_module("mk_test_deaf", self.run_in("uname -r"))
        self.put("/root/mk_test_deaf.ko", module)
        self.run_in("insmod /root/mk_test_deaf.ko")
        self.refused("destroy", "web", saying=["web", "does not answer", "reset"])
        self.run_in("rmmod mk_test_deaf")
        self.assertEqual(self.state("web"), "crashed (unknown)")
        self.refused("destroy", "web", saying=["does not answer"])
        self.assertEqual((before, self.online_cpus()), ("0-3", "0-1,3"))
        code, output = self.run_in("echo 1 >/sys/devices/system/cpu/cpu2/online", check=False)
        self.assertNotEqual(code, 0)
        self.assertIn("busy", output)
        self.script("""
            [(identity, name, state)] = Device().list()
            assert (name, state) == ("web", "lost"), (name, state)
            assert Device().open(identity).query().memory_bytes == 256 << 20
            """)
        # The rest of the machine goes on.
        self.assertEqual(self.start("db").command("echo $((6*7))"), "42")
        self.refused("start", "web", saying=["active"])
        self.run_in("systemctl restart virtmultikerneld.service")
        self.assertEqual(self.state("web"), "crashed (unknown)")


class Locked(MachineTest):
    ends_machine = True

    def test_host_that_wants_signed_kernels_is_told_so(self):
        self.run_in("mountpoint -q /sys/kernel/security || "
                    "mount -t securityfs none /sys/kernel/security")
        self.run_in("echo integrity >/sys/kernel/security/lockdown")
        self.define("web")
        self.refused("start", "web", saying=["signed", "lockdown"])


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
        self._stops_before(r"Restarting system")

    def test_sudden_poweroff_stops_partitions_first(self):
        self.start("web").leave()
        self.run_in("systemctl poweroff -ff", check=False)
        self.assertTrue(self.machine.wait_for_end(LIMIT_S), "the machine did not power off")
        self._stops_before(r"reboot: Power down")

    def test_kexec_stops_partitions_first(self):
        self.start("web").leave()
        code, output = self.run_in("PYTHONPATH=/dev/null python3 -", check=False, input=KEXEC)
        self.assertNotIn("Error", output, code)
        # The second kernel finds no root file system and resets the machine.
        self.assertTrue(self.machine.wait_for_end(LIMIT_S), "the machine did not end")
        self._stops_before(r"Linux version")

    def _stops_before(self, what):
        log = self.machine.serial_log()
        stopped = re.search(r"multikernel.*web.*stopped", log)
        self.assertTrue(stopped, log[-3000:])
        self.assertRegex(log[stopped.end():], what)
