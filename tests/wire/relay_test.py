# SPDX-License-Identifier: LGPL-2.1-or-later
"""Networks, storage, secrets and their like on our connection: a stock libvirtd answers."""

import contextlib
import os

import libvirt

from harness import WireTest, run_until, table
from libvirtd import Libvirtd

POOL = "<pool type='dir'><name>{}</name><target><path>{}</path></target></pool>"
VOLUME = "<volume><name>{}</name><capacity unit='MiB'>{}</capacity></volume>"
NETWORK = "<network><name>{}</name><bridge name='mk-test0'/></network>"
SECRET = ("<secret ephemeral='yes' private='no'><description>d</description>"
          "<usage type='ceph'><name>{}</name></usage></secret>")
BRIDGED = ("<network><name>bridged</name><forward mode='bridge'/><bridge name='mk-none'/>"
           "</network>")
PORT = ("<networkport><uuid>{}</uuid><owner><name>web</name>"
        "<uuid>11111111-2222-4333-8444-555555555555</uuid></owner>"
        "<mac address='52:54:00:00:00:01'/></networkport>")


class Relay(WireTest):
    def setUp(self):
        super().setUp()
        self.libvirtd = Libvirtd(self.daemon.folder)
        self.addCleanup(self.libvirtd.stop)
        self.libvirtd.start()

    def pool(self, connection, name="images"):
        path = self.daemon.folder / name
        path.mkdir()
        return connection.storagePoolCreateXML(POOL.format(name, path))

    def test_virsh_sees_what_each_family_has(self):
        folder = self.daemon.folder
        self.virsh("pool-define-as", "images", "dir", "--target", folder / "images")
        self.virsh("pool-build", "images")
        self.virsh("pool-start", "images")
        self.virsh("vol-create-as", "images", "disk.raw", "1M")
        self.assertEqual(table(self.virsh("pool-list", "--all")), [["images", "active", "no"]])
        self.assertEqual(table(self.virsh("vol-list", "images")),
                         [["disk.raw", str(folder / "images/disk.raw")]])
        self.virsh("net-define", self.xml_file(NETWORK.format("lan"), "net.xml"))
        self.assertEqual(table(self.virsh("net-list", "--all")), [["lan", "inactive", "no", "yes"]])
        self.virsh("secret-define", self.xml_file(SECRET.format("key"), "secret.xml"))
        self.assertEqual(table(self.virsh("secret-list"))[0][1:], ["ceph key"])
        self.assertEqual(self.virsh("nwfilter-list").split("\n")[0].split(), ["UUID", "Name"])
        self.assertIn("computer", self.virsh("nodedev-list").split("\n"))
        self.assertIn("<interface type='ethernet' name='lo'>", self.virsh("iface-dumpxml", "lo"))

    def test_errors_are_those_of_the_daemon_that_owns_it(self):
        self.refused("Network not found: no network with matching name 'nowhere'",
                     "net-info", "nowhere")
        self.refused("Storage pool not found: no storage pool with matching name 'nowhere'",
                     "vol-list", "nowhere")
        connection = self.connect()
        text = self.assert_code(libvirt.VIR_ERR_NO_NAME, connection.networkDefineXML,
                                "<network/>")
        self.assertEqual(text, "missing name information")

    def test_read_only_client_may_look_and_not_touch(self):
        self.virsh("net-define", self.xml_file(NETWORK.format("lan"), "net.xml"))
        rows = table(self.virsh("net-list", "--all", readonly=True))
        self.assertEqual([row[0] for row in rows], ["lan"])
        self.refused("operation forbidden: read only access prevents virNetworkUndefine",
                     "net-undefine", "lan", readonly=True)
        self.assertEqual(len(table(self.virsh("net-list", "--all"))), 1)

    def test_volume_goes_up_and_comes_down_whole_beside_other_calls(self):
        connection = self.connect()
        pool = self.pool(connection)
        content = os.urandom(24 << 20)  # more than any buffer on the way
        volume = pool.createXML(VOLUME.format("disk", 24))
        up = connection.newStream()
        volume.upload(up, 0, len(content))
        for start in range(0, len(content), 1 << 20):
            sent = 0
            while sent < 1 << 20:
                sent += up.send(content[start + sent:start + (1 << 20)])
            connection.listAllDomains()
        up.finish()
        down = connection.newStream()
        volume.download(down, 0, len(content))
        self.assertEqual(connection.listAllDomains(), [])
        got = bytearray()
        while chunk := down.recv(1 << 18):
            got += chunk
        down.finish()
        self.assertEqual(got, content)
        broken_off = connection.newStream()
        volume.download(broken_off, 0, len(content))
        broken_off.recv(1 << 10)
        broken_off.abort()
        self.assertEqual(volume.info()[1], len(content))

    def test_ports_of_a_network(self):
        """Of one that has somebody's bridge: libvirtd makes no device for it."""
        uuid = "33333333-2222-4333-8444-555555555555"
        self.virsh("net-create", self.xml_file(BRIDGED))
        self.virsh("net-port-create", "bridged", self.xml_file(PORT.format(uuid)))
        self.assertIn(uuid, self.virsh("net-port-list", "bridged"))
        self.assertIn("<mac address='52:54:00:00:00:01'/>",
                      self.virsh("net-port-dumpxml", "bridged", uuid))
        self.virsh("net-port-delete", "bridged", uuid)
        self.assertNotIn(uuid, self.virsh("net-port-list", "bridged"))
        self.virsh("net-destroy", "bridged")
        self.virsh_fails("net-info", "bridged")

    def test_events_come_also_after_the_other_daemon_began_anew(self):
        connection = self.connect()
        seen = []
        number = connection.storagePoolEventRegisterAny(
            None, libvirt.VIR_STORAGE_POOL_EVENT_ID_LIFECYCLE,
            lambda _connection, pool, event, _detail, _: seen.append((pool.name(), event)), None)
        self.pool(connection)
        run_until(lambda: ("images", libvirt.VIR_STORAGE_POOL_EVENT_STARTED) in seen)
        self.libvirtd.stop()
        with contextlib.suppress(libvirt.libvirtError):
            connection.listAllStoragePools()  # may be the call that finds the daemon gone
        text = self.assert_code(libvirt.VIR_ERR_NO_SUPPORT, connection.listAllStoragePools)
        self.assertIn("libvirt-sock", text)
        self.libvirtd.start()
        again = self.pool(connection, "again")  # the call connects, and registers before it
        run_until(lambda: ("again", libvirt.VIR_STORAGE_POOL_EVENT_STARTED) in seen)
        connection.storagePoolEventDeregisterAny(number)
        again.destroy()
        self.assertEqual([event for event in seen if event[0] == "again"],
                         [("again", libvirt.VIR_STORAGE_POOL_EVENT_STARTED)])

    def test_events_alone_bring_the_connection_back(self):
        """Nobody calls after the other daemon began anew; another client makes the event."""
        listener, other = self.connect(), self.connect()
        seen = []
        listener.networkEventRegisterAny(
            None, libvirt.VIR_NETWORK_EVENT_ID_LIFECYCLE,
            lambda _connection, network, _event, _detail, _: seen.append(network.name()), None)
        self.libvirtd.stop()
        self.libvirtd.start()
        tried = 0
        while not seen:
            tried += 1
            other.networkDefineXML(NETWORK.format(f"lan{tried}").replace("test0", f"t{tried}"))
            libvirt.virEventRunDefaultImpl()
            self.assertLess(tried, 10000)


class Alone(WireTest):
    def test_without_the_other_daemon_the_feature_is_not_there(self):
        connection = self.connect()
        for query in (connection.listAllNetworks, connection.listAllStoragePools,
                      connection.listAllSecrets, connection.listAllDevices,
                      connection.listAllInterfaces, connection.listAllNWFilters):
            self.assert_code(libvirt.VIR_ERR_NO_SUPPORT, query)
        self.assertEqual(connection.listAllDomains(), [])
