# SPDX-License-Identifier: LGPL-2.1-or-later
"""virt-admin about TLS: new certificates, clients that came by it."""

from admin_test import MAIN, AdminTest
from harness import free_port, table
from libvirtd import Libvirtd
from raw import AUTH_LIST, GET_TYPE, OK, RawClient
from tls import PKI, RawTls, TlsTest


class TlsAdminTest(TlsTest, AdminTest):
    def clients_by_tls(self):
        """Their ids."""
        return [row[0] for row in self.clients() if row[1] == "tls"]


class Certificates(TlsAdminTest):
    def test_new_ones_are_for_new_clients_and_old_clients_stay(self):
        old, raw = self.connect(), RawTls(self, PKI.alice)
        self.install(PKI.foreign_server, PKI.foreign)
        self.admin("srv-update-tls", MAIN)
        self.assertEqual(self.list_as(PKI.alice)[0], 1)  # who does not know the new one's CA
        self.assert_let_in(PKI.stranger)
        self.assertEqual(old.listAllDomains(), [])
        self.assertEqual(raw.call(GET_TYPE).status, OK)

    def test_broken_ones_are_refused_and_the_old_ones_stay(self):
        certificate, key, ca = (self.server / name for name in
                                ("servercert.pem", "serverkey.pem", "cacert.pem"))
        pair = f"cannot use the server certificate {certificate} with the key {key}"
        for file, content, complaint in (
                (certificate, b"nonsense\n", pair), (key, b"", pair),
                (key, (PKI.foreign_server / "serverkey.pem").read_bytes(), pair),
                (ca, b"nonsense\n", f"cannot use the CA certificate {ca}"),
                (ca, PKI.foreign.certificate.read_bytes(),
                 f"the server certificate {certificate} failed validation against {ca}: no CA "
                 "that we trust has signed it"),
                (ca, None, f"open {ca}: No such file or directory")):
            with self.subTest(file=file.name, content=content):
                self.install(PKI.server)
                if content is None:
                    file.unlink()
                else:
                    file.write_bytes(content)
                self.admin_refused(complaint, "srv-update-tls", MAIN)
                self.assert_let_in(PKI.alice)

    def test_the_admin_server_has_none(self):
        self.admin_refused("internal error: no tls service found, unable to update tls files",
                           "srv-update-tls", "admin")


class Clients(TlsAdminTest):
    def test_details_are_those_that_libvirtd_tells(self):
        client = RawTls(self, PKI.alice)
        [number] = self.clients_by_tls()
        ours = self.info(number)
        host, port = client.socket.getsockname()
        self.assertEqual((ours["readonly"], ours["sock_addr"]), ("no", f"{host}:{port}"))
        theirs = self.details_of_libvirtd()
        for each in (ours, theirs):
            self.assertRegex(each.pop("sock_addr"), r"^127\.0\.0\.1:\d+$")
            for name in ("id", "connection_time"):
                each.pop(name)
        self.assertEqual(ours, theirs)

    def details_of_libvirtd(self):
        port = free_port()
        libvirtd = Libvirtd(self.daemon.folder, self.conf().replace('tls_port = "0"',
                                                                   f'tls_port = "{port}"'))
        self.addCleanup(libvirtd.stop)
        libvirtd.start("--listen")
        client = RawTls(self, PKI.alice, opened=False, port=port)
        client.call(AUTH_LIST)  # libvirtd looks who it is at the first call
        uri = "-c", f"libvirtd:///system?socket={self.daemon.folder / 'libvirt-admin-sock'}"
        [row] = table(self.admin(*uri, "srv-clients-list", "libvirtd"))
        return self.info(row[0], "libvirtd", uri)

    def test_read_only_and_two_of_one_name(self):
        self.connect(readonly=True)
        self.connect()
        self.assertEqual([self.info(each)["readonly"] for each in self.clients_by_tls()],
                         ["yes", "no"])

    def test_disconnect(self):
        stays, goes = RawTls(self, PKI.alice), RawTls(self, PKI.bob)
        self.assertIn("disconnected",
                      self.admin("client-disconnect", MAIN, self.clients_by_tls()[1]))
        self.assertIsNone(goes.receive())
        self.assertEqual(stays.call(GET_TYPE).status, OK)

    def test_clients_in_a_handshake_count_as_not_authenticated(self):
        stranger = self.stranger()
        local = RawClient(self.daemon)
        self.addCleanup(local.socket.close)
        RawTls(self, PKI.alice)  # it comes after the stranger
        limits = self.limits()
        self.assertEqual((limits["nclients"], limits["nclients_unauth"]), (3, 1))
        stranger.close()
