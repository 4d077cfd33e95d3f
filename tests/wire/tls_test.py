# SPDX-License-Identifier: LGPL-2.1-or-later
"""multikernel+tls://: stock clients with certificates, and strangers without good ones."""

import shutil
import signal
import ssl
import subprocess
import sys
import time

import libvirt
import pexpect

from harness import FAKE_DAEMON, LIMIT_S, run_until, table
from raw import GET_TYPE, OK, PING, PONG, RawClient, frame, number, ping, read_string
from recorder import SET_IDENTITY, Recorder, parameters
from tls import PKI, RawTls, TlsTest


class Clients(TlsTest):
    def test_virsh_does_over_tls_what_it_does_over_the_socket(self):
        self.start("web")
        self.assertEqual(self.virsh("domstate", "web"), "running")
        self.assertEqual([row[1:] for row in table(self.virsh("list"))], [["web", "running"]])
        self.virsh("destroy", "web")
        self.refused("Requested operation is not valid: domain is not running", "destroy", "web")

    def test_library_calls_it_secure_and_encrypted(self):
        connection = self.connect()
        self.assertEqual((connection.isEncrypted(), connection.isSecure()), (1, 1))

    def test_read_only_client_is_read_only(self):
        connection = libvirt.openReadOnly(self.uri(PKI.alice))
        self.addCleanup(connection.close)
        self.assert_code(libvirt.VIR_ERR_OPERATION_DENIED, connection.defineXML, self.xml())

    def test_other_daemons_are_told_the_name_in_the_certificate(self):
        recorder = Recorder(self.daemon.folder)
        self.addCleanup(recorder.end)
        client = RawTls(self, PKI.alice)
        self.assertEqual(client.call(52).payload, number(0))  # CONNECT_NUM_OF_NETWORKS
        (said,) = [parameters(told.payload) for told in recorder.told
                   if told.procedure == SET_IDENTITY]
        self.assertEqual(list(said), ["x509-distinguished-name"])  # and of no user
        self.assertIn("CN=alice", said["x509-distinguished-name"])

    def test_megabytes_arrive_whole(self):
        text = "".join(f"{i:07x}\n" for i in range(3 << 17))  # 3 MiB
        connection = self.connect()
        domain = connection.defineXML(self.xml(more=f"<description>{text}</description>"))
        self.assertIn(text, domain.XMLDesc())

    def test_client_that_reads_late_gets_every_answer(self):
        text = "x" * (1 << 20)
        self.connect().defineXML(self.xml(more=f"<description>{text}</description>"))
        slow, other = RawTls(self, PKI.alice), RawTls(self, PKI.bob)
        count = 12  # more than sockets hold
        uuid = self.connect().lookupByName("web").UUID()
        name = b"\0\0\0\3web\0"
        for serial in range(count):
            slow.send(frame(14, name + uuid + bytes(4) + bytes(4), serial=100 + serial))
        self.assertEqual(read_string(other.call(GET_TYPE).payload), b"multikernel")
        replies = [slow.receive() for _ in range(count)]
        self.assertEqual({reply.serial for reply in replies},
                         {100 + serial for serial in range(count)})
        self.assertTrue(all(text.encode() in reply.payload for reply in replies))

    def test_pings_are_answered(self):
        client = RawTls(self, PKI.alice)
        client.send(ping(PING))
        self.assertEqual(client.receive().procedure, PONG)

    def test_keepalive_keeps_an_idle_connection(self):
        connection = self.connect()
        connection.setKeepAlive(1, 3)
        fired = []
        timer = libvirt.virEventAddTimeout(2500, lambda *_: fired.append(True), None)
        run_until(lambda: fired)
        libvirt.virEventRemoveTimeout(timer)
        self.assertEqual(connection.isAlive(), 1)

    def test_events_arrive(self):
        connection, other = self.connect(), self.connect()
        seen = self.lifecycle_events(connection)
        other.defineXML(self.xml("web"))
        run_until(lambda: seen)
        self.assertEqual(seen, [("web", libvirt.VIR_DOMAIN_EVENT_DEFINED)])

    def test_console_goes_both_ways(self):
        self.start("web")
        with self.terminal("console", "web") as console:
            console.expect_exact("Escape character")
            self.wake(console)
            console.send("echo over tls\r")
            console.expect_exact("\r\nover tls\r\n")
            self.virsh("destroy", "web")
            console.expect_exact(pexpect.EOF)


class Strangers(TlsTest):
    more_conf = "anonymous_timeout = 1\nmax_anonymous_clients = 2\n"

    def test_client_without_a_certificate(self):
        self.assert_turned_away(PKI.nobody, "the client has no certificate")

    def test_client_of_another_ca(self):
        self.assert_turned_away(PKI.stranger, "no CA that we trust has signed it")

    def test_client_whose_certificate_has_expired(self):
        context = ssl.create_default_context(cafile=PKI.late / "cacert.pem")  # virsh would not try
        context.load_cert_chain(PKI.late / "clientcert.pem", PKI.late / "clientkey.pem")
        with context.wrap_socket(self.stranger(), server_hostname="localhost") as client:
            self.assertEqual(client.recv(1), b"")
        self.assertIn("it has expired", self.daemon.log_text())

    def test_bytes_that_are_no_tls(self):
        for data in (b"GET / HTTP/1.0\r\n\r\n", bytes(100), frame(GET_TYPE), b"\x16\x03\x01\xff\xff"
                     + bytes(1 << 16)):
            with self.subTest(data=data[:8]):
                client = self.stranger()
                client.sendall(data)
                while self.received(client):
                    pass
        self.assert_let_in(PKI.alice)

    def received(self, client):
        try:
            return client.recv(4096)
        except ConnectionResetError:
            return b""

    def test_client_that_leaves_at_once(self):
        for _ in range(50):
            self.stranger().close()
        self.assert_let_in(PKI.alice)

    def test_silent_clients_are_few_and_sent_away(self):
        half = [self.stranger() for _ in range(4)]
        for client in half[::2]:
            client.sendall(b"\x16\x03\x01\x02\x00\x01")  # the beginning of a hello
        self.assert_let_in(PKI.alice)  # in its turn
        for client in half:
            self.assertEqual(self.received(client), b"")
        self.assertEqual(self.daemon.log_text().count("did not finish its TLS handshake in time"),
                         4)

    def test_silent_clients_keep_nobody_from_the_socket(self):
        for _ in range(4):
            self.stranger()
        client = RawClient(self.daemon)
        self.assertEqual(read_string(client.call(GET_TYPE).payload), b"multikernel")
        client.end()

    def test_daemon_ends_while_a_handshake_goes_on(self):
        self.stranger().sendall(b"\x16\x03\x01")
        self.assert_let_in(PKI.alice)
        self.daemon.process.terminate()
        self.assertEqual(self.daemon.process.wait(LIMIT_S), 0)


class Names(TlsTest):
    more_conf = 'tls_allowed_dn_list = [ "CN=nobody,*", "*CN=alice*" ]\n'

    def test_only_names_on_the_list_are_let_in(self):
        self.assert_let_in(PKI.alice)
        self.assert_turned_away(PKI.bob, "is not in tls_allowed_dn_list")

    def test_names_are_written_as_libvirt_writes_them(self):
        self.list_as(PKI.bob)
        said = subprocess.run(["virt-pki-query-dn", PKI.bob / "clientcert.pem"], check=True,
                              capture_output=True, text=True).stdout.strip()
        self.assertIn(f"'{said}' is not in tls_allowed_dn_list", self.daemon.log_text())


class NoNames(TlsTest):
    more_conf = "tls_allowed_dn_list = []\n"

    def test_empty_list_lets_nobody_in(self):
        self.assertEqual(self.list_as(PKI.alice)[0], 1)


class Unverified(TlsTest):
    more_conf = "tls_no_verify_certificate = 1\n"

    def test_whoever_comes_is_let_in_when_the_operator_says_so(self):
        for client in (PKI.alice, PKI.nobody, PKI.stranger):
            self.assert_let_in(client)


class Certificates(TlsTest):
    def reload(self, said):
        """SIGHUP; returns once the daemon has logged `said`."""
        before = self.daemon.log_text().count(said)
        self.daemon.process.send_signal(signal.SIGHUP)
        end = time.monotonic() + LIMIT_S
        while time.monotonic() < end:
            RawClient(self.daemon).end()  # the signal comes beside the calls, at no certain time
            if self.daemon.log_text().count(said) > before:
                return
        raise AssertionError(f"'{said}' was not logged:\n{self.daemon.log_text()}")

    def test_new_certificate_serves_new_clients_and_disturbs_no_old_one(self):
        old = self.connect()
        self.install(PKI.foreign_server)
        shutil.copy(PKI.ca.certificate, self.server)
        (self.server / "cacert.pem").write_bytes(
            PKI.ca.certificate.read_bytes() + (PKI.foreign_friend / "cacert.pem").read_bytes())
        self.reload("certificates for TLS read again")
        self.assertEqual(old.listAllDomains(), [])
        self.assertEqual(self.list_as(PKI.alice)[0], 1)  # who does not know the new one's CA
        self.assert_let_in(PKI.foreign_friend)

    def test_bad_files_change_nothing(self):
        stay = "certificates for TLS stay as they were"
        (self.server / "servercert.pem").write_text("nonsense\n", encoding="ascii")
        self.reload(stay)
        self.assertIn(str(self.server / "servercert.pem"), self.daemon.log_text())
        self.assert_let_in(PKI.alice)
        (self.server / "cacert.pem").write_text("nonsense\n", encoding="ascii")
        self.reload(stay)
        self.assert_let_in(PKI.alice)
        (self.server / "cacert.pem").unlink()
        self.reload(stay)
        self.assert_let_in(PKI.alice)
        self.install(PKI.server)
        shutil.copy(PKI.foreign_server / "serverkey.pem", self.server)  # half of a new pair
        self.reload(stay)
        self.assert_let_in(PKI.alice)

    def refuses_to_start(self):
        """The complaint of one more daemon with our files."""
        folder = self.daemon.folder / "second"
        folder.mkdir(exist_ok=True)
        conf = folder / "virtmultikerneld.conf"
        conf.write_text(self.conf(), encoding="utf-8")
        done = subprocess.run(
            [FAKE_DAEMON, "--timeout", "1", "--config", conf, "--socket-dir",
             folder], stdin=subprocess.DEVNULL, capture_output=True,
            text=True, timeout=LIMIT_S, check=False,
            env=self.environment({"TMPDIR": str(self.daemon.folder)}))
        self.assertEqual(done.returncode, 1)
        return done.stderr.rstrip("\n").split("\n")[-1]

    def test_daemon_that_could_serve_nobody_says_why_and_does_not_start(self):
        certificate, key = self.server / "servercert.pem", self.server / "serverkey.pem"
        self.install(PKI.foreign_server)
        self.assertEqual(self.refuses_to_start().split(": ", 1)[1],
                         f"the server certificate {certificate} failed validation against "
                         f"{self.server / 'cacert.pem'}: no CA that we trust has signed it")
        key.unlink()
        self.assertIn(f"cannot use the server certificate {certificate} with the key {key}: ",
                      self.refuses_to_start())
        (self.server / "cacert.pem").unlink()
        self.assertIn(f"open {self.server / 'cacert.pem'}: No such file or directory",
                      self.refuses_to_start())


# What systemd does with virtmultikerneld.socket and virtmultikerneld-tls.socket: listens, passes
# the descriptors on from 3 on, and says how many there are.
ACTIVATE = """
import os, socket, sys
local = socket.socket(socket.AF_UNIX)
local.bind(sys.argv[3] + "/virtmultikerneld-sock")
local.listen()
remote = socket.create_server(("127.0.0.1", 0))
kept = [os.dup(listening.fileno()) for listening in (local, remote)]
for number, descriptor in enumerate(kept):
    os.dup2(descriptor, 3 + number)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="2")
os.execv(sys.argv[1], sys.argv[1:])
"""


class Activated(TlsTest):
    """Systemd listens; listen_tls is not set."""

    daemon_wrapper = (sys.executable, "-c", ACTIVATE)

    def conf(self):
        return super().conf().replace("listen_tls = 1", "")

    def test_the_socket_that_systemd_passes_is_served(self):
        self.assert_let_in(PKI.alice)
        self.assertEqual(RawClient(self.daemon).call(GET_TYPE).status, OK)
