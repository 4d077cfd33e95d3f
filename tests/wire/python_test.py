# SPDX-License-Identifier: LGPL-2.1-or-later
"""The main flows with python3-libvirt, as sys_virt.pl has them with Perl: one life of a domain."""

import libvirt

from harness import WireTest, run_until

LIVE, CONFIG = libvirt.VIR_DOMAIN_AFFECT_LIVE, libvirt.VIR_DOMAIN_AFFECT_CONFIG


class Python(WireTest):
    def setUp(self):
        super().setUp()
        self.connection = self.connect()

    def run_web(self):
        """Starts a domain and waits until its app kernel is there."""
        domain = self.connection.defineXML(self.xml("web", vcpus="<vcpu>2</vcpu>"))
        domain.create()
        stream = self.connection.newStream()
        domain.openConsole(None, stream)
        said = b""
        while b"userspace is up" not in said:
            said += stream.recv(4096)
        stream.finish()
        return domain

    def test_host(self):
        connection = self.connection
        self.assertEqual(connection.getType(), "multikernel")
        self.assertGreaterEqual(connection.getLibVersion(), 9000000)
        self.assertEqual((connection.isSecure(), connection.isAlive()), (1, 1))
        self.assertIn("<domain type='multikernel'/>", connection.getCapabilities())
        self.assertIn("<domain>multikernel</domain>", connection.getDomainCapabilities())
        self.assertEqual(connection.getInfo()[2], 8)
        present, map_, online = connection.getCPUMap()
        self.assertEqual((present, len(map_), online), (8, 8, 8))
        self.assertGreater(connection.getFreeMemory(), 0)
        self.assertEqual(connection.getMaxVcpus(None), 7)
        self.assertEqual(set(connection.getMemoryStats(-1)),
                         {"total", "free", "buffers", "cached", "available"})
        self.assertEqual(connection.listAllDomains(), [])

    def test_life(self):
        told = []
        self.connection.domainEventRegisterAny(
            None, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE,
            lambda _conn, _domain, event, _detail, _opaque: told.append(event), None)
        domain = self.run_web()
        self.assertEqual((domain.name(), domain.OSType()), ("web", "hvm"))
        self.assertEqual((domain.isActive(), domain.isPersistent(), domain.isUpdated()), (1, 1, 0))
        self.assertEqual(domain.state()[0], libvirt.VIR_DOMAIN_RUNNING)
        for same in (self.connection.lookupByID(domain.ID()),
                     self.connection.lookupByName("web"),
                     self.connection.lookupByUUID(domain.UUID()),
                     *self.connection.listAllDomains(libvirt.VIR_CONNECT_LIST_DOMAINS_RUNNING)):
            self.assertEqual(same.UUIDString(), domain.UUIDString())
        domain.suspend()
        self.assertEqual(domain.state()[0], libvirt.VIR_DOMAIN_PAUSED)
        domain.resume()
        domain.reset()
        domain.destroy()
        self.assertEqual(domain.isActive(), 0)
        domain.rename("shop")
        self.assertEqual(self.connection.listDefinedDomains(), ["shop"])
        domain.undefine()
        self.assertEqual(self.connection.listAllDomains(), [])
        run_until(lambda: len(told) >= 8)
        self.assertEqual(told, [
            libvirt.VIR_DOMAIN_EVENT_DEFINED, libvirt.VIR_DOMAIN_EVENT_STARTED,
            libvirt.VIR_DOMAIN_EVENT_SUSPENDED, libvirt.VIR_DOMAIN_EVENT_RESUMED,
            libvirt.VIR_DOMAIN_EVENT_STOPPED, libvirt.VIR_DOMAIN_EVENT_UNDEFINED,
            libvirt.VIR_DOMAIN_EVENT_DEFINED, libvirt.VIR_DOMAIN_EVENT_UNDEFINED])

    def test_what_it_has(self):
        domain = self.run_web()
        self.assertEqual(domain.info()[:4], [1, 256 << 10, 256 << 10, 2])
        self.assertEqual(len(domain.vcpus()[0]), 2)
        domain.setVcpusFlags(1, LIVE)
        self.assertEqual((domain.vcpusFlags(LIVE), domain.vcpusFlags(CONFIG)), (1, 2))
        ((_, stats),) = self.connection.getAllDomainStats()
        self.assertEqual((stats["state.state"], stats["vcpu.current"]), (1, 1))
        self.assertEqual(domain.memoryStats()["actual"], 256 << 10)
        self.assertEqual(set(domain.getCPUStats(True)[0]), {"cpu_time", "user_time", "system_time"})
        self.assertEqual(domain.jobInfo()[0], libvirt.VIR_DOMAIN_JOB_NONE)
        self.assertEqual((domain.listAllSnapshots(), domain.listAllCheckpoints()), ([], []))
        self.assertEqual(domain.hasManagedSaveImage(), 0)
        domain.setMetadata(libvirt.VIR_DOMAIN_METADATA_TITLE, "a title", None, None, LIVE | CONFIG)
        self.assertEqual(domain.metadata(libvirt.VIR_DOMAIN_METADATA_TITLE, None), "a title")
        self.assertIn("<title>a title</title>", domain.XMLDesc())
        domain.setAutostart(1)
        self.assertEqual(domain.autostart(), 1)

    def test_what_cannot_be_done(self):
        domain = self.run_web()
        self.assert_code(libvirt.VIR_ERR_NO_DOMAIN, self.connection.lookupByName, "nobody")
        self.assert_code(libvirt.VIR_ERR_OPERATION_INVALID, domain.create)
        self.assert_code(libvirt.VIR_ERR_OPERATION_UNSUPPORTED, domain.save, "/tmp/mk-never")
        self.assert_code(libvirt.VIR_ERR_OPERATION_UNSUPPORTED, domain.snapshotCreateXML,
                         "<domainsnapshot/>")
        self.assert_code(libvirt.VIR_ERR_XML_DETAIL, self.connection.defineXML, "<domain")
        self.assert_code(libvirt.VIR_ERR_XML_ERROR, self.connection.defineXML, "<network/>")
