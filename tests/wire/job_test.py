# SPDX-License-Identifier: LGPL-2.1-or-later
"""A call that changes a domain waits for the one before it, but not for ever."""

import threading

import libvirt

from harness import LIMIT_S, WireTest, pairs

LIVE = libvirt.VIR_DOMAIN_AFFECT_LIVE
DIMM = ("<memory model='dimm'><target><size unit='MiB'>128</size><node>0</node></target>"
        "</memory>")
LOCKED = ("Timed out during operation: cannot acquire state change lock "
          "(held by monitor=remoteDispatchDomainSetVcpusFlags)")


class JobTimeout(WireTest):
    daemon_environment = {"MK_JOB_PATIENCE_MS": "200"}

    def setUp(self):
        super().setUp()
        self.start(vcpus="<vcpu current='1'>2</vcpu>",
                   memory="<maxMemory slots='2' unit='MiB'>1024</maxMemory>"
                          "<memory unit='MiB'>256</memory>")
        with self.terminal("console", "web") as console:
            console.expect_exact("userspace is up\r\n# ")
            console.send("hang\r")
            console.expect_exact("hang\r\n")
        # The app kernel never answers it.
        self.long = threading.Thread(target=self.plug, args=(self.connect(),))
        self.long_error = None
        self.long.start()
        self.addCleanup(self.long.join, LIMIT_S)
        self.domain = self.connect().lookupByName("web")
        for _ in range(1000 * LIMIT_S):  # until it has begun; each is quick before
            try:
                self.domain.setAutostart(0)
            except libvirt.libvirtError as error:
                self.assertEqual(error.get_error_code(), libvirt.VIR_ERR_OPERATION_TIMEOUT)
                return
        self.fail("the long call never began")

    def plug(self, connection):
        try:
            connection.lookupByName("web").setVcpusFlags(2, LIVE)
        except libvirt.libvirtError as error:
            self.long_error = error

    def test_a_change_gives_up_and_names_who_is_in_its_way(self):
        for call, *arguments in (
                (self.domain.setAutostart, 1), (self.domain.suspend,), (self.domain.shutdown,),
                (self.domain.reset,),
                (self.domain.create,), (self.domain.undefine,), (self.domain.injectNMI,),
                (self.domain.rename, "shop"), (self.domain.setMemoryFlags, 300 << 10, LIVE),
                (self.domain.pinVcpu, 0, (False, True)),
                (self.domain.attachDeviceFlags, DIMM, LIVE),
                (self.domain.setMetadata, libvirt.VIR_DOMAIN_METADATA_TITLE, "t", None, None)):
            with self.subTest(call.__name__):
                self.assertEqual(
                    self.assert_code(libvirt.VIR_ERR_OPERATION_TIMEOUT, call, *arguments), LOCKED)
        self.refused(LOCKED, "setvcpus", "web", "1", "--live")
        self.assertTrue(self.long.is_alive())
        self.assertEqual(self.domain.autostart(), 0)  # nothing of it has happened

    def test_who_asks_is_answered_and_other_domains_go_on(self):
        self.assertEqual(pairs(self.virsh("dominfo", "web"))["State"], "running")
        self.assertIn("vcpu.current=1", self.virsh("domstats", "web"))
        self.assertIn("web", self.virsh("list"))
        self.assertIn("current='1'>2</vcpu>", self.domain.XMLDesc())
        self.assertEqual(self.domain.jobInfo()[0], libvirt.VIR_DOMAIN_JOB_NONE)
        self.start("shop")
        self.virsh("suspend", "shop")
        self.assertTrue(self.long.is_alive())

    def test_destroying_it_ends_the_wait(self):
        self.destroy()
        self.long.join(LIMIT_S)
        self.assertEqual(self.long_error.get_error_code(), libvirt.VIR_ERR_OPERATION_ABORTED)
        self.domain.setAutostart(1)
        self.assertEqual(self.domain.autostart(), 1)

    def destroy(self):
        """The first one makes the long call give up, but waits no longer for it than others."""
        for _ in range(LIMIT_S):
            try:
                self.domain.destroy()
                return
            except libvirt.libvirtError as error:
                self.assertEqual(error.get_error_code(), libvirt.VIR_ERR_OPERATION_TIMEOUT)
        self.fail("it is never destroyed")

    def tearDown(self):
        if self.domain.isActive():
            self.destroy()
