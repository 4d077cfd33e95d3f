# SPDX-License-Identifier: LGPL-2.1-or-later
"""Short calls never wait behind long ones."""

import contextlib
import signal
import subprocess

from admin_test import MAIN, AdminTest
from harness import LIMIT_S


class PriorityWorkers(AdminTest):
    daemon_conf = "min_workers = 1\nmax_workers = 1\nprio_workers = 1\nlog_level = 2\n"

    @contextlib.contextmanager
    def long_call(self):
        """A call that waits for an app kernel that never answers."""
        self.start(vcpus="<vcpu current='1'>2</vcpu>")
        with self.terminal("console", "web") as console:
            console.expect_exact("userspace is up\r\n# ")
            console.send("hang\r")
            console.expect_exact("hang\r\n")
        with subprocess.Popen(["virsh", "-c", self.daemon.uri(), "setvcpus", "web", "2", "--live"],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, env=self.environment()) as long:
            for _ in range(LIMIT_S):
                if self.workers()["freeWorkers"] == 0:
                    break
            yield long

    def test_looking_and_destroying_go_on_while_the_only_worker_waits(self):
        with self.long_call() as long:
            self.assertIn("state.state=1", self.virsh("domstats", "--state"))
            self.assertIn("web", self.virsh("list"))
            self.assertEqual((self.workers()["freeWorkers"], long.poll()), (0, None))
            self.virsh("destroy", "web")
            output = long.communicate(timeout=LIMIT_S)[0]
            self.assertNotEqual(long.returncode, 0, output)
        self.assertEqual(self.state(), "shut off (destroyed)")

    def test_second_signal_does_not_cut_the_end_short(self):
        with self.long_call() as long:
            self.daemon.process.send_signal(signal.SIGTERM)
            while "ending; partitions run on" not in self.daemon.log_text():
                self.assertIsNone(self.daemon.process.poll())
            self.daemon.process.send_signal(signal.SIGTERM)
            self.assertEqual(self.daemon.process.wait(LIMIT_S), 0)
            self.assertNotEqual(long.wait(LIMIT_S), 0)
