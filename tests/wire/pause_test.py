# SPDX-License-Identifier: LGPL-2.1-or-later
"""Interrupting an app kernel without ending it: suspend, resume, NMI, keys."""

import libvirt

from harness import WireTest, run_until
from lifecycle_test import LifecycleEvents


class Pause(WireTest):
    def setUp(self):
        super().setUp()
        self.start()
        with self.terminal("console", "web", "--force") as console:
            console.expect("userspace is up")

    def test_suspend_and_resume(self):
        with LifecycleEvents(self.connect()) as seen:
            self.virsh("suspend", "web")
            self.assertEqual(self.state(), "paused (user)")
            self.virsh("suspend", "web")  # as qemu: nothing to do, no event
            self.virsh("dominfo", "web")
            self.virsh("dumpxml", "web")
            self.virsh("resume", "web")
            self.assertEqual(self.state(), "running (unpaused)")
            self.refused("Requested operation is not valid: domain is already running",
                         "resume", "web")
            run_until(lambda: len(seen) >= 2)
        self.assertEqual(seen, [
            (libvirt.VIR_DOMAIN_EVENT_SUSPENDED, libvirt.VIR_DOMAIN_EVENT_SUSPENDED_PAUSED),
            (libvirt.VIR_DOMAIN_EVENT_RESUMED, libvirt.VIR_DOMAIN_EVENT_RESUMED_UNPAUSED)])

    def test_reset_and_destroy_of_a_paused_domain(self):
        self.virsh("suspend", "web")
        self.virsh("reset", "web")
        self.assertEqual(self.state(), "running (booted)")
        self.virsh("destroy", "web")
        self.assertEqual(self.state(), "shut off (destroyed)")

    def test_shutdown_of_a_paused_domain_happens_when_it_goes_on(self):
        self.virsh("suspend", "web")
        self.virsh("shutdown", "web")
        self.assertEqual(self.state(), "paused (user)")
        with LifecycleEvents(self.connect()) as seen:
            self.virsh("resume", "web")
            run_until(lambda: (libvirt.VIR_DOMAIN_EVENT_STOPPED,
                               libvirt.VIR_DOMAIN_EVENT_STOPPED_SHUTDOWN) in seen)

    def test_shutdown_of_a_paused_domain_outlives_the_daemon(self):
        self.virsh("suspend", "web")
        self.virsh("shutdown", "web")
        self.daemon.restart()
        self.assertEqual(self.state(), "paused (user)")
        self.daemon.restart()  # it knows what it did not hear itself
        with LifecycleEvents(self.connect()) as seen:
            self.virsh("resume", "web")
            run_until(lambda: (libvirt.VIR_DOMAIN_EVENT_STOPPED,
                               libvirt.VIR_DOMAIN_EVENT_STOPPED_SHUTDOWN) in seen)

    def test_nmi_prints_where_the_cpus_are(self):
        with self.terminal("console", "web", "--force") as console:
            self.virsh("inject-nmi", "web")
            console.expect("NMI backtrace for cpu 0")
        self.virsh("suspend", "web")
        self.assertIn("is paused", self.virsh_fails("inject-nmi", "web"))

    def test_only_sysrq_is_a_key(self):
        self.virsh("send-key", "web", "KEY_LEFTALT", "KEY_SYSRQ", "KEY_H")
        self.virsh("send-key", "web", "--codeset", "usb", "226", "70", "11")
        for words in (["KEY_H"], ["KEY_LEFTALT", "KEY_SYSRQ"], ["KEY_LEFTALT", "KEY_F1", "KEY_H"],
                      ["KEY_LEFTALT", "KEY_SYSRQ", "KEY_F1"], ["--codeset", "os_x", "1"]):
            with self.subTest(keys=words):
                self.assertIn("error: Operation not supported: ",
                              self.virsh_fails("send-key", "web", *words))
        self.assertIn("Operation not supported: an app kernel has no guest agent",
                      self.virsh_fails("send-process-signal", "web", "1", "sigterm"))

    def test_what_has_ended_or_does_not_run_cannot_be_paused(self):
        self.virsh("destroy", "web")
        for words in (["suspend", "web"], ["resume", "web"], ["inject-nmi", "web"],
                      ["send-key", "web", "KEY_LEFTALT", "KEY_SYSRQ", "KEY_H"]):
            with self.subTest(command=words[0]):
                self.refused("Requested operation is not valid: domain is not running", *words)
