# SPDX-License-Identifier: LGPL-2.1-or-later
"""Short calls never wait behind long ones."""

import contextlib
import signal
import subprocess

import libvirt

from admin_test import MAIN, AdminTest
from harness import LIMIT_S
from raw import ERROR, GET_TYPE, OK, number, string

SET_VCPUS = 199  # REMOTE_PROC_DOMAIN_SET_VCPUS_FLAGS


class HangTest(AdminTest):
    def start_and_hang(self):
        """web's app kernel answers nothing any more, nor brings up its second vCPU."""
        self.start(vcpus="<vcpu current='1'>2</vcpu>")
        with self.terminal("console", "web") as console:
            console.expect_exact("userspace is up\r\n# ")
            console.send("hang\r")
            console.expect_exact("hang\r\n")


class PriorityWorkers(HangTest):
    daemon_conf = "min_workers = 1\nmax_workers = 1\nprio_workers = 1\nlog_level = 2\n"

    @contextlib.contextmanager
    def long_call(self):
        """A call that waits for an app kernel that never answers."""
        self.start_and_hang()
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


class ClientRequests(HangTest):
    daemon_conf = "max_client_requests = 1\n"

    def test_next_call_of_a_client_waits_and_nobody_elses(self):
        self.start_and_hang()
        client, domain = self.served(), self.connect().lookupByName("web")
        client.ask(SET_VCPUS, string(b"web") + domain.UUID() + number(domain.ID()) + number(2)
                   + number(libvirt.VIR_DOMAIN_AFFECT_LIVE))  # never answered by the app kernel
        client.ask(GET_TYPE)
        for _ in range(10):
            self.assertEqual(self.served().call(GET_TYPE).status, OK)
        domain.destroy()
        replies = [client.receive() for _ in range(2)]
        self.assertEqual([(reply.procedure, reply.status) for reply in replies],
                         [(SET_VCPUS, ERROR), (GET_TYPE, OK)])
