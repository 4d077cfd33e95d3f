# SPDX-License-Identifier: LGPL-2.1-or-later
"""A daemon that serves TLS, and certificates for it and its clients."""

import atexit
import functools
import pathlib
import re
import shutil
import socket
import ssl
import subprocess
import tempfile

from harness import LIMIT_S, WireTest
from pki import Authority
from raw import RawClient


class Pki:
    """A CA, a server and clients of it, and of another CA; each made when it is first needed.

    All tests of a process share them: keys take their time.
    """

    @functools.cached_property
    def folder(self):
        folder = tempfile.mkdtemp(prefix="mk-pki-")
        atexit.register(shutil.rmtree, folder, True)
        return pathlib.Path(folder)

    @functools.cached_property
    def ca(self):
        return Authority(self.folder / "ca")

    @functools.cached_property
    def foreign(self):
        return Authority(self.folder / "foreign", "Foreign CA")

    @functools.cached_property
    def server(self):
        return self.ca.server(self.folder / "server")

    @functools.cached_property
    def foreign_server(self):
        return self.foreign.server(self.folder / "foreign-server")

    @functools.cached_property
    def alice(self):
        return self.ca.client("alice")

    @functools.cached_property
    def bob(self):
        return self.ca.client("bob")

    @functools.cached_property
    def stranger(self):
        return self.foreign.client("alice", trusts=self.ca)

    @functools.cached_property
    def foreign_friend(self):
        return self.ca.client("trusting", trusts=self.foreign)

    @functools.cached_property
    def nobody(self):
        folder = self.folder / "nobody"
        folder.mkdir()
        shutil.copy(self.ca.certificate, folder)
        return folder

    @functools.cached_property
    def late(self):
        return self.ca.client("late", lines='activation_date = "2020-01-01 00:00:00 UTC"\n'
                                            'expiration_date = "2020-01-02 00:00:00 UTC"')


PKI = Pki()


class RawTls(RawClient):
    """A client that writes libvirt's protocol by hand, under TLS."""

    def __init__(self, case, folder, *,  # pylint: disable=super-init-not-called
                 opened=True, port=None):
        context = ssl.create_default_context(cafile=folder / "cacert.pem")
        context.load_cert_chain(folder / "clientcert.pem", folder / "clientkey.pem")
        plain = socket.create_connection(("127.0.0.1", port or case.port), timeout=LIMIT_S)
        self.socket = context.wrap_socket(plain, server_hostname="localhost")
        case.addCleanup(self.socket.close)
        self.serial = 0
        self.received = b""
        if self.socket.recv(1) != b"\1":
            raise AssertionError("not let in")
        if opened:
            self.open()


class TlsTest(WireTest):
    more_conf = ""

    def setUp(self):
        self.server = pathlib.Path(tempfile.mkdtemp(prefix="mk-tls-"))
        self.addCleanup(shutil.rmtree, self.server, True)
        self.install(PKI.server)
        self.daemon_conf = self.conf()
        super().setUp()
        self.port = int(re.search(r"serving TLS on 127\.0\.0\.1:(\d+)",
                                  self.daemon.log_text())[1])
        self.daemon.uri = lambda readonly=False: self.uri(PKI.alice)

    def conf(self):
        return (f'listen_tls = 1\nlisten_addr = "127.0.0.1"\ntls_port = "0"\n'
                f'ca_file = "{self.server / "cacert.pem"}"\n'
                f'cert_file = "{self.server / "servercert.pem"}"\n'
                f'key_file = "{self.server / "serverkey.pem"}"\nlog_level = 1\n{self.more_conf}')

    def install(self, pair, ca=None):
        """Certificates for the daemon to serve with."""
        shutil.copy((ca or PKI.ca).certificate, self.server)
        shutil.copy(pair / "servercert.pem", self.server)
        shutil.copy(pair / "serverkey.pem", self.server)

    def uri(self, client):
        return f"multikernel+tls://localhost:{self.port}/system?pkipath={client}"

    def list_as(self, client):
        """(code, complaint) of virsh list."""
        done = subprocess.run(
            ["virsh", "-c", self.uri(client), "list"], stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=LIMIT_S, check=False,
            env=self.environment())
        return done.returncode, done.stderr

    def assert_let_in(self, client):
        self.assertEqual(self.list_as(client), (0, ""), self.daemon.log_text())

    def assert_turned_away(self, client, reason):
        code, complaint = self.list_as(client)
        self.assertEqual(code, 1)
        self.assertIn("failed to connect to the hypervisor", complaint)
        self.assertIn(reason, self.daemon.log_text())
        self.assert_let_in(PKI.alice)

    def stranger(self):
        """A TCP connection that has not said anything."""
        client = socket.create_connection(("127.0.0.1", self.port), timeout=LIMIT_S)
        self.addCleanup(client.close)
        return client
