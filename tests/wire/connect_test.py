# SPDX-License-Identifier: LGPL-2.1-or-later
"""The connection itself, and what stock virsh can ask of the host."""

import os
import re
import signal
import socket
import threading
import xml.etree.ElementTree as ET

import libvirt

from harness import LIMIT_S, WireTest, pairs, table


class Connect(WireTest):
    def test_version_names_us(self):
        lines = pairs(self.virsh("version"))
        self.assertRegex(lines["Using API"], r"^multikernel \d+\.\d+\.\d+$")
        self.assertRegex(lines["Running hypervisor"], r"^multikernel \d+\.\d+\.\d+$")

    def test_type_is_multikernel(self):
        self.assertEqual(self.connect().getType(), "multikernel")

    def test_library_version_is_one_that_clients_accept(self):
        # virt-manager and Nova turn features off below 9.0
        self.assertGreaterEqual(self.connect().getLibVersion(), 9000000)

    def test_uri_is_the_clients(self):
        self.assertEqual(self.virsh("uri"), self.daemon.uri())

    def test_hostname_is_the_nodes(self):
        self.assertEqual(self.virsh("hostname").split(".")[0], socket.gethostname().split(".")[0])

    def test_connection_is_alive_and_secure_but_not_encrypted(self):
        connection = self.connect()
        self.assertEqual((connection.isAlive(), connection.isSecure(), connection.isEncrypted()),
                         (1, 1, 0))

    def test_session_uri_is_refused_with_a_reason(self):
        uri = self.daemon.uri().replace("/system", "/session")
        with self.assertRaises(libvirt.libvirtError) as caught:
            libvirt.open(uri)
        self.assertIn("multikernel:///system", caught.exception.get_error_message())

    def test_another_scheme_is_not_ours(self):
        uri = self.daemon.uri().replace("multikernel+unix", "qemu+unix")
        with self.assertRaises(libvirt.libvirtError) as caught:
            libvirt.open(uri)
        self.assertEqual(caught.exception.get_error_code(), libvirt.VIR_ERR_NO_CONNECT)

    def test_keepalive_is_answered(self):
        # virsh -k 1 -K 1 gives up on a server that does not answer a ping within two seconds;
        # the event loop of `event` runs for three.
        done = self.run_virsh("-k", "1", "-K", "1", "event", "--timeout", "3",
                              "--event", "lifecycle")
        self.assertIn("event loop timed out", done.stdout)
        self.assertEqual(done.stderr, "")

    def test_client_learns_that_the_daemon_died(self):
        self.assertIn(self.kill_daemon(self.connect()),
                      (libvirt.VIR_CONNECT_CLOSE_REASON_EOF,
                       libvirt.VIR_CONNECT_CLOSE_REASON_ERROR))

    def test_many_clients_at_once_are_all_served(self):
        answers = []

        def ask():
            connection = libvirt.open(self.daemon.uri())
            answers.append(connection.getType())
            connection.close()

        threads = [threading.Thread(target=ask) for _ in range(40)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(LIMIT_S)
        self.assertEqual(answers, ["multikernel"] * 40)

    def test_daemon_ends_politely_with_clients_connected(self):
        self.connect()
        self.daemon.process.send_signal(signal.SIGTERM)
        self.assertEqual(self.daemon.process.wait(LIMIT_S), 0)
        self.assertFalse(os.path.exists(self.daemon.folder / "virtmultikerneld-sock"))


class Host(WireTest):
    def test_capabilities_offer_one_kind_of_domain(self):
        root = ET.fromstring(self.virsh("capabilities"))
        self.assertEqual(root.find("guest/os_type").text, "hvm")
        self.assertEqual(root.find("guest/arch").get("name"), "x86_64")
        self.assertEqual([d.get("type") for d in root.findall("guest/arch/domain")],
                         ["multikernel"])
        cpus = root.findall("host/topology/cells/cell/cpus/cpu")
        self.assertEqual([cpu.get("id") for cpu in cpus], [str(n) for n in range(8)])

    def test_domcapabilities_say_what_a_domain_can_have(self):
        root = ET.fromstring(self.virsh("domcapabilities"))
        self.assertEqual(root.find("domain").text, "multikernel")
        self.assertEqual(root.find("arch").text, "x86_64")
        self.assertEqual(root.find("devices/disk").get("supported"), "no")
        self.virsh("domcapabilities", "--virttype", "multikernel", "--arch", "x86_64")

    def test_domcapabilities_of_what_we_are_not_are_refused(self):
        self.assertIn("kvm", self.virsh_fails("domcapabilities", "--virttype", "kvm"))
        self.assertIn("aarch64", self.virsh_fails("domcapabilities", "--arch", "aarch64"))

    def test_nodeinfo_is_the_whole_machine(self):
        before = pairs(self.virsh("nodeinfo"))
        self.assertEqual(before["CPU model"], "x86_64")
        self.assertEqual(before["CPU(s)"], "8")
        self.assertEqual(before["Memory size"], f"{8192 * 1024} KiB")
        self.start("web", vcpus="<vcpu>2</vcpu>")
        self.assertEqual(pairs(self.virsh("nodeinfo")), before)

    def test_lent_cpus_count_as_present_and_online(self):
        before = self.virsh("nodecpumap")
        self.assertEqual(pairs(before)["CPUs present"], "8")
        self.assertEqual(pairs(before)["CPUs online"], "8")
        self.start()
        self.assertEqual(self.virsh("nodecpumap"), before)

    def test_nodecpustats_come_from_this_kernel(self):
        stats = pairs(self.virsh("nodecpustats"))
        self.assertEqual(set(stats), {"user", "system", "idle", "iowait"})
        self.assertGreater(int(stats["idle"]) + int(stats["user"]), 0)
        self.virsh("nodecpustats", "--cpu", "0", "--percent")
        self.refused("invalid argument: Invalid cpuNum in virNodeGetCPUStats",
                     "nodecpustats", "--cpu", "4095")

    def test_nodememstats_come_from_this_kernel(self):
        stats = pairs(self.virsh("nodememstats"))
        self.assertEqual(set(stats), {"total", "free", "buffers", "cached", "available"})
        self.assertGreater(int(stats["total"].split()[0]), int(stats["free"].split()[0]))

    def test_free_memory_is_what_a_partition_could_get(self):
        total = re.search(r"Total:\s+(\d+) KiB", self.virsh("freecell"))
        total = total or re.search(r"(\d+) KiB", self.virsh("freecell"))
        cell = re.search(r"0:\s+(\d+) KiB", self.virsh("freecell", "--all"))
        self.assertEqual(total[1], cell[1])
        self.assertGreater(int(cell[1]), 0)
        self.assertLess(int(cell[1]), 8192 * 1024)

    def test_maxvcpus_leaves_the_host_a_core(self):
        self.assertEqual(self.virsh("maxvcpus"), "7")

    def test_no_security_model(self):
        self.assertEqual(self.connect().getSecurityModel(), ["", ""])

    def test_unknown_calls_are_not_supported_and_leave_the_connection(self):
        connection = self.connect()
        message = self.assert_code(libvirt.VIR_ERR_NO_SUPPORT, connection.getSEVInfo)
        self.assertEqual(message, "this function is not supported by the connection driver: "
                         "virNodeGetSEVInfo")
        for call in (connection.listNetworks, connection.listAllStoragePools,
                     connection.listAllNWFilters, connection.listAllSecrets):
            self.assert_code(libvirt.VIR_ERR_NO_SUPPORT, call)
        self.assertEqual(connection.getType(), "multikernel")

    def test_empty_list_is_a_list(self):
        self.assertEqual(table(self.virsh("list", "--all")), [])


class ReadOnly(WireTest):
    def test_second_socket_reads_everything(self):
        self.start()
        for words in (["list", "--all"], ["dominfo", "web"], ["dumpxml", "web"], ["nodeinfo"],
                      ["capabilities"], ["domstate", "web"], ["vcpuinfo", "web"], ["domstats"],
                      ["dommemstat", "web"], ["domid", "web"], ["version"]):
            with self.subTest(command=words[0]):
                self.virsh(*words, readonly=True)

    def test_second_socket_is_read_only_whatever_the_client_says(self):
        # The client library refuses by itself on a connection that it opened read-only. This one
        # is opened for writing, on the other socket: only the daemon can refuse.
        self.start()
        uri = self.daemon.uri(readonly=True)
        connection = libvirt.open(uri)
        self.addCleanup(connection.close)
        domain = connection.lookupByName("web")
        xml = self.xml("other")
        for name, call in (("virDomainDestroy", domain.destroy),
                           ("virDomainShutdown", domain.shutdown),
                           ("virDomainReboot", domain.reboot),
                           ("virDomainReset", domain.reset),
                           ("virDomainUndefine", domain.undefine),
                           ("virDomainUndefineFlags", lambda: domain.undefineFlags(3)),
                           ("virDomainCreate", domain.create),
                           ("virDomainSetAutostart", lambda: domain.setAutostart(1)),
                           ("virDomainRename", lambda: domain.rename("new")),
                           ("virDomainSetMetadata", lambda: domain.setMetadata(1, "t", None, None)),
                           ("virDomainOpenConsole",
                            lambda: domain.openConsole(None, connection.newStream())),
                           ("virDomainSetVcpus", lambda: domain.setVcpus(2)),
                           ("virConnectGetDomainCapabilities",
                            connection.getDomainCapabilities),
                           ("virDomainDefineXML", lambda: connection.defineXML(xml)),
                           ("virDomainDefineXMLFlags", lambda: connection.defineXMLFlags(xml, 1)),
                           ("virDomainCreateXML", lambda: connection.createXML(xml))):
            with self.subTest(call=name):
                message = self.assert_code(libvirt.VIR_ERR_OPERATION_DENIED, call)
                self.assertEqual(message, "operation forbidden: read only access prevents " + name)
        self.assertEqual(self.state(), "running (booted)")

    def test_read_only_open_of_the_first_socket_is_read_only(self):
        self.define()
        uri = self.daemon.uri()
        self.assertIn("read only access prevents",
                      self.virsh_fails("-c", uri, "-r", "start", "web"))

    def test_secrets_in_xml_are_not_for_readers(self):
        self.define()
        connection = libvirt.open(self.daemon.uri(readonly=True))
        self.addCleanup(connection.close)
        domain = connection.lookupByName("web")
        domain.XMLDesc(0)
        for flag in (libvirt.VIR_DOMAIN_XML_SECURE, libvirt.VIR_DOMAIN_XML_MIGRATABLE):
            self.assertEqual(self.assert_code(libvirt.VIR_ERR_OPERATION_DENIED, domain.XMLDesc,
                                              flag),
                             "operation forbidden: virDomainGetXMLDesc with secure flag")
