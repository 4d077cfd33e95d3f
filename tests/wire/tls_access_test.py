# SPDX-License-Identifier: LGPL-2.1-or-later
"""access_drivers = [ "polkit" ] and clients whom polkit cannot be asked about: those of TLS.

As in libvirt's polkit driver, who is no process of this host is denied, whatever the rules say.
"""

import libvirt

from access_test import DENIED, LIST_ALL, SET_IDENTITY, STRING, ULLONG, identity, parameter
from auth_test import PolkitTest
from libvirtd import Libvirtd
from raw import (AUTH_LIST, CLOSE, ERROR, GET_ALL_DOMAIN_STATS, GET_TYPE, LOOKUP_BY_NAME, OK, OPEN,
                 REGISTER_EVENTS, RawClient, number, optional_string, read_error, string)
from tls import PKI, RawTls, TlsTest

LAST_PROCEDURE = 456
ROOT = identity(parameter(b"unix-user-id", ULLONG, 0))


class TlsAccessTest(TlsTest, PolkitTest):
    def setUp(self):
        super().setUp()
        self.bus.polkit("return polkit.Result.YES;")
        self.local = RawClient(self.daemon)
        self.addCleanup(self.local.socket.close)
        self.call_ok(self.local, 11, string(self.xml("web").encode()))

    def call_ok(self, client, procedure, payload):
        reply = client.call(procedure, payload)
        self.assertEqual(reply.status, OK, reply)
        return reply

    def assert_denied_access(self, client, procedure, payload=b""):
        code, _, message = read_error(client.call(procedure, payload))
        self.assertEqual((code, "error: " + message), (libvirt.VIR_ERR_ACCESS_DENIED, DENIED))


class Denied(TlsAccessTest):
    more_conf = 'access_drivers = [ "polkit" ]\n'

    def test_stock_client_is_told_so(self):
        code, complaint = self.list_as(PKI.alice)
        self.assertEqual((code, complaint.rstrip("\n").split("\n")[-1]), (1, DENIED))

    def test_nothing_is_told_without_an_open_connection(self):
        client = RawTls(self, PKI.alice, opened=False)
        self.assert_denied_access(client, OPEN,
                                  optional_string(b"multikernel:///system") + number(0))
        told = []
        for procedure in range(LAST_PROCEDURE + 1):
            if procedure not in (CLOSE, AUTH_LIST):
                reply = client.call(procedure, number(1) + number(0))
                if reply.status != ERROR:
                    told.append(procedure)
        self.assertEqual(told, [])

    def test_proxy_that_speaks_for_one_of_them_is_denied(self):
        self.call_ok(self.local, SET_IDENTITY,
                     identity(parameter(b"x509-distinguished-name", STRING, b"CN=alice")))
        for procedure, payload in ((LIST_ALL, number(1) + number(0)), (GET_TYPE, b""),
                                   (LOOKUP_BY_NAME, string(b"web")),
                                   (GET_ALL_DOMAIN_STATS, number(0) * 3),
                                   (REGISTER_EVENTS, number(0) + number(0))):
            with self.subTest(procedure=procedure):
                self.assert_denied_access(self.local, procedure, payload)


class Identity(TlsAccessTest):
    def test_client_with_a_certificate_is_no_proxy(self):
        for opened in (True, False):
            client = RawTls(self, PKI.alice, opened=opened)
            code = read_error(client.call(SET_IDENTITY, ROOT))[0]
            self.assertEqual(code, libvirt.VIR_ERR_ACCESS_DENIED if opened
                             else libvirt.VIR_ERR_INTERNAL_ERROR)

    def test_root_on_the_socket_is(self):
        self.call_ok(self.local, SET_IDENTITY, ROOT)
        self.assertIn(b"web", self.call_ok(self.local, LIST_ALL, number(1) + number(0)).payload)


class Relayed(TlsAccessTest):
    def test_the_daemon_behind_takes_it_for_nobody_either(self):
        libvirtd = Libvirtd(self.daemon.folder, 'access_drivers = [ "polkit" ]\n')
        self.addCleanup(libvirtd.stop)
        libvirtd.start()
        self.refused("access denied: 'network' denied access", "net-list")
        self.virsh("list")
