# SPDX-License-Identifier: LGPL-2.1-or-later
"""Partitions outlive the daemon: it is killed, they run on, the next one knows them again."""

import re

from lib.testing import STOPPED, USERSPACE_UP, MachineTest

UNITS = "virtmultikerneld.service virtmultikerneld.socket virtmultikerneld-ro.socket " \
        "virtmultikerneld-admin.socket"


class Daemon(MachineTest):
    def setUp(self):
        super().setUp()
        # Before the domains are removed, also after a failure
        self.addCleanup(self.run_in, f"systemctl reset-failed {UNITS}; systemctl start {UNITS}")

    def kill(self):
        """SIGKILL, and wait for the next daemon (Restart=on-failure) to be ready."""
        old = self.run_in("systemctl show -P MainPID virtmultikerneld.service")
        self.run_in(f"kill -9 {old}")
        self.wait_for_the_next_after(old)

    def wait_for_the_next_after(self, old):
        self.run_in(f"until pid=$(systemctl show -P MainPID virtmultikerneld.service) && "
                    f"[ $pid != {old} ] && [ $pid != 0 ]; do sleep 0.1; done; "
                    "systemctl start virtmultikerneld.service")

    def test_killed_daemon_finds_its_partition_again(self):
        views = self.host_views()
        console = self.start("web")
        console.command("marker=survivor")
        before = self.virsh("vcpuinfo", "web").splitlines()[1], self.virsh("domid", "web")
        self.kill()
        self.assertEqual(self.virsh("list", "--name"), "web")
        self.assertIn("running", self.state("web"))
        after = self.virsh("vcpuinfo", "web").splitlines()[1], self.virsh("domid", "web")
        self.assertEqual(before, after)
        self.assertEqual(views, self.host_views())
        again = self.console("web").wake()
        self.assertEqual(again.command("echo $marker"), "survivor")
        self.virsh("destroy", "web")
        again.wait_for_end()
        self.assertEqual(self.online_cpus(), self.cpus)
        self.assertEqual(views, self.host_views())

    def test_definitions_and_autostart_survive(self):
        self.define("one")
        self.define("two", memory_mib=192)
        self.virsh("autostart", "two")
        before = self.virsh("dumpxml", "one"), self.virsh("dumpxml", "two")
        self.virsh("autostart", "--disable", "two")
        self.kill()
        self.assertEqual(before, (self.virsh("dumpxml", "one"), self.virsh("dumpxml", "two")))
        self.assertEqual(sorted(self.virsh("list", "--all", "--name").split()), ["one", "two"])

    def test_daemon_killed_within_a_claim_leaves_nothing_taken(self):
        self.define("web", memory_mib=256,
                    more="<maxMemory slots='2' unit='MiB'>1280</maxMemory>")
        self.define("big", memory_mib=1024)
        free = self.free_kib()  # the daemon runs, and has what it needs
        self._kill_while_it_claims("big", "start big")
        self.assertIn("shut off", self.state("big"))
        self.script("assert list(Device().list()) == []")
        self.assert_free_again(free)
        console = self.start_defined("web")
        had = console.total_kib()
        self._kill_while_it_claims("web", "setmem web 1280M --live")
        self.assertIn(f"Used memory:    {256 * 1024} KiB", self.virsh("dominfo", "web"))
        console = self.console("web").wake()
        self.assertEqual(console.total_kib(), had)
        self.virsh("destroy", "web")
        self.assert_free_again(free)

    def _kill_while_it_claims(self, name, command):
        """Kills the daemon when it has claimed some of 1 GiB; waits for the next one.

        All is done on one CPU, which the claim has only while this sleeps, and which it lets
        others have at least between its pieces of 128 MiB. So it cannot end unseen.
        """
        old = self.script(f"""
            import signal, subprocess
            device = Device()
            pid = int(subprocess.check_output(["systemctl", "show", "-P", "MainPID",
                                               "virtmultikerneld.service"]))
            for task in os.listdir(f"/proc/{{pid}}/task"):
                os.sched_setaffinity(int(task), [0])
            os.sched_setaffinity(0, [0])
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
            virsh = subprocess.Popen("virsh -q -c multikernel:///system {command}", shell=True,
                                     stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            while not (found := [entry for entry in device.list() if entry[1] == "{name}"]):
                assert virsh.poll() is None, virsh.returncode
                time.sleep(0.02)
            partition = device.open(found[0][0])
            while not (query := partition.query()).claimed_bytes:
                assert virsh.poll() is None, virsh.returncode
                time.sleep(0.005)
            assert 0 < query.claimed_bytes < query.wanted_bytes == 1 << 30, query.claimed_bytes
            os.kill(pid, signal.SIGKILL)
            print(pid)
            virsh.wait()
            """)
        self.wait_for_the_next_after(old)

    def test_autostart_starts_with_the_host_not_with_a_second_daemon(self):
        self.define("web")
        self.virsh("autostart", "web")
        self.run_in("test -L /etc/libvirt/multikernel/autostart/web.xml")
        self.kill()
        self.assertEqual(self.virsh("list", "--name"), "")

    def test_reboot_while_no_daemon_runs_waits_for_the_next(self):
        self._away_while("reboot -f", "reboot")
        self.console("web").wait_for(USERSPACE_UP)
        self.assertIn("running", self.state("web"))

    def test_poweroff_while_no_daemon_runs_is_seen_by_the_next(self):
        self._away_while("poweroff -f", "poweroff")
        self.run_in("until [ -z \"$(virsh -q -c multikernel:///system list --name)\" ]; do "
                    "sleep 0.2; done")
        self.assertIn("shut off", self.state("web"))
        self.assertEqual(self.online_cpus(), self.cpus)

    def _away_while(self, command, state):
        """The app kernel runs `command` while no daemon is there; then one starts."""
        self.start("web").leave()
        self.run_in(f"systemctl stop {UNITS}")
        self.script(f"""
            device = Device()
            [(identity, _, _)] = device.list()
            partition = device.open(identity)
            os.write(partition.console(), b"{command}\\r")
            poll = select.poll()
            poll.register(partition.fd, select.POLLIN | select.POLLPRI)
            while partition.state() != "{state}":
                assert poll.poll(60000), "no event"
            """)
        self.run_in(f"systemctl start {UNITS}")

    def test_output_that_the_daemon_was_too_slow_for_leaves_a_mark(self):
        self.start("web").leave()
        pid = self.run_in("systemctl show -P MainPID virtmultikerneld.service")
        self.run_in(f"kill -STOP {pid}")
        self.addCleanup(self.run_in, f"kill -CONT {pid}")
        written = int(self.script("""
            [(identity, _, _)] = Device().list()
            partition = Device().open(identity)
            console = partition.console(partition.query().console_bytes)
            os.write(console, b"seq 100000; echo the-$((1+0))-end\\r")
            said = b""
            while b"the-1-end" not in said:
                said = said[-100:] + os.read(console, 65536)
            print(partition.query().console_bytes)
            """))
        self.run_in(f"kill -CONT {pid}")
        log = "/var/log/libvirt/multikernel/web.log"
        self.run_in(f"until tail -c 4096 {log} | grep -q the-1-end; do sleep 0.2; done")
        lost = re.findall(r"\[(\d+) bytes of console output were lost here\]",
                          self.run_in(f"cat {log}"))
        self.assertEqual(len(lost), 1)
        self.assertGreater(int(lost[0]), written - 400000)

    def test_stop_and_start_of_units_leaves_partitions_alone(self):
        console = self.start("web")
        console.command("marker=survivor")
        for units in ("virtmultikerneld.service", "virtmultikerneld.socket", UNITS):
            self.run_in(f"systemctl stop {units} && systemctl start {units}")
            again = self.console("web").wake()
            self.assertEqual(again.command("echo $marker"), "survivor")
        self.assertEqual(self.run_in("systemctl is-system-running"), "running")

    def test_module_cannot_be_unloaded_under_a_partition(self):
        self.start("web")
        code, output = self.run_in("rmmod multikernel_host", check=False)
        self.assertNotEqual(code, 0)
        self.assertIn("in use", output)

    def test_events_tell_of_an_end_after_a_restart(self):
        self.start("web")
        self.kill()
        with self.events() as events:
            self.console("web").wake().type("poweroff -f")
            events.wait_for("web", STOPPED)
