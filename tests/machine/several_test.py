# SPDX-License-Identifier: LGPL-2.1-or-later
"""Several partitions, and partitions of several CPUs."""

import re

from lib.testing import LIMIT_S, STOPPED, MachineTest


class Several(MachineTest):
    def test_two_run_at_once_and_one_survives_the_other(self):
        first, second = self.start("web"), self.start("db")
        self.assertEqual(first.command("echo I am $((1+0))"), "I am 1")
        self.assertEqual(second.command("echo I am $((1+1))"), "I am 2")
        self.assertEqual(self.virsh("list", "--name").split(), ["web", "db"])
        self.virsh("destroy", "web")
        first.wait_for_end()
        self.assertEqual(second.command("echo still $((40+2))"), "still 42")
        self.assertEqual(self.virsh("list", "--name").split(), ["db"])

    def test_a_stopped_one_starts_again_beside_the_other(self):
        self.start("web").leave()
        second = self.start("db")
        self.virsh("destroy", "web")
        self.virsh("start", "web")
        self.assertEqual(self.state("web"), "running (booted)")
        self.assertEqual(second.command("echo still $((40+2))"), "still 42")

    def test_three_run_at_once(self):
        consoles = [self.start(name) for name in ("a", "b", "c")]
        self.assertEqual(self.online_cpus(), "0")
        for number, console in enumerate(consoles):
            self.assertEqual(console.command(f"echo I am $(({number}+0))"), f"I am {number}")
        owned = {cpu for name in ("a", "b", "c") for cpu in self.owned_cpus(name)}
        self.assertEqual(owned, {"1", "2", "3"})

    def test_memory_of_partitions_does_not_overlap(self):
        ranges = []
        for name in ("a", "b", "c"):
            console = self.start(name, memory_mib=192)
            iomem = console.command("grep 'System RAM' /proc/iomem")
            for start, end in re.findall(r"^\s*([0-9a-f]+)-([0-9a-f]+) :", iomem, re.MULTILINE):
                ranges.append((int(start, 16), int(end, 16), name))
        ranges.sort()
        self.assertGreaterEqual(len(ranges), 3)
        for before, after in zip(ranges, ranges[1:]):
            self.assertLess(before[1], after[0], f"{before} and {after}")

    def test_partition_with_two_cpus_uses_both(self):
        console = self.start("smp", vcpus=2, memory_mib=320)
        # The module brings up the second CPU; the shell may be there before it.
        console.command("until [ $(nproc) = 2 ]; do usleep 100000; done")
        self.assertEqual(console.command("grep -c ^processor /proc/cpuinfo"), "2")
        console.command("taskset 2 true && echo on-second")
        owned = self.owned_cpus("smp")
        self.assertEqual(len(set(owned)), 2)
        ids = console.command("sed -n 's/^initial apicid.*: //p' /proc/cpuinfo").split()
        self.assertEqual(sorted(ids), sorted(owned))

    def test_partition_with_three_cpus_is_destroyed_while_all_are_busy(self):
        console = self.start("smp", vcpus=3, memory_mib=320)
        console.command("until [ $(nproc) = 3 ]; do usleep 100000; done")
        console.command("for i in 1 2 3; do (while :; do :; done) & done")
        self.virsh("destroy", "smp")
        console.wait_for_end()
        self.assertEqual(self.online_cpus(), self.cpus)

    def test_starts_at_the_same_time_get_different_cpus(self):
        for name in ("a", "b", "c"):
            self.define(name)
        self.run_in("for name in a b c; do virsh -c multikernel:///system start $name & "
                    "pids=\"$pids $!\"; done; "
                    "for pid in $pids; do wait $pid || failed=1; done; exit $failed",
                    limit_s=LIMIT_S)
        states = [self.state(name) for name in ("a", "b", "c")]
        self.assertEqual(states, ["running (booted)"] * 3)
        owned = {cpu for name in ("a", "b", "c") for cpu in self.owned_cpus(name)}
        self.assertEqual(owned, {"1", "2", "3"})

    def test_destroy_at_a_random_moment_of_the_boot(self):
        self.define("web")
        with self.events() as events:
            for pause_ms in (0, 50, 200, 700, 1500, 2500, 4000):
                # The pause is the test: where in its boot the app kernel is hit.
                self.run_in("virsh -c multikernel:///system start web && "
                            f"sleep {pause_ms / 1000} && "
                            "virsh -c multikernel:///system destroy web")
                events.wait_for("web", STOPPED)
                self.assertEqual(self.online_cpus(), self.cpus)
