# SPDX-License-Identifier: LGPL-2.1-or-later
"""On whose behalf the relay calls: the daemon that owns networks judges the client, not us."""

import os
import pathlib
import select
import threading

import libvirt

from access_test import LLONG, SET_IDENTITY, STRING, ULLONG, identity, parameter
from auth_test import PolkitTest, effective_user
from harness import LIMIT_S, WireTest, table
from libvirtd import Libvirtd
from polkit import NOBODY
from raw import (AUTH_LIST, AUTH_POLKIT, CONTINUE, ERROR, GET_TYPE, MESSAGE, OK, OPEN, STREAM,
                 RawClient, frame, number, optional_string, read_error, string)
from recorder import Recorder, parameters
from relay_test import NETWORK

NUM_OF_NETWORKS, NUM_OF_POOLS, REGISTER_NETWORK_EVENTS = 52, 71, 313
REGISTER_POOL_EVENTS, UPLOAD = 368, 208
NETWORK_DESTROY, NETWORK_XML, NETWORK_IS_ACTIVE = 42, 43, 152

# Of networks, whoever is not root may see all but "secret", and define none.
RULE = """
    if (action.id == "org.libvirt.unix.manage" && subject.user == "nobody")
        return polkit.Result.YES;
    if (action.lookup("network_name") == "secret" && subject.user == "nobody")
        return polkit.Result.NO;
"""


def start_time(pid):
    stat = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
    return int(stat.rpartition(")")[2].split()[19])


class RecorderTest(WireTest):
    """Whoever likes may connect; a recorder is where libvirtd would be."""

    daemon_conf = 'auth_unix_rw = "none"\nauth_unix_ro = "none"\nunix_sock_rw_perms = "0777"\n'

    def setUp(self):
        super().setUp()
        self.daemon.folder.chmod(0o711)

    def recorder(self, **options):
        recorder = Recorder(self.daemon.folder, **options)
        self.addCleanup(recorder.end)
        return recorder

    def client(self, user=NOBODY, **options):
        with effective_user(user):
            client = RawClient(self.daemon, **options)
        self.addCleanup(client.socket.close)
        return client

    def told_identity(self, recorder):
        return parameters(next(told.payload for told in recorder.told
                               if told.procedure == SET_IDENTITY))


class Told(RecorderTest):
    """What a stock daemon is told, in which order, on which socket."""

    def test_the_user_and_the_process_that_asks(self):
        recorder = self.recorder()
        self.assertEqual(self.client().call(NUM_OF_NETWORKS).payload, number(0))
        self.assertEqual([told.procedure for told in recorder.told],
                         [AUTH_LIST, OPEN, SET_IDENTITY, NUM_OF_NETWORKS])
        self.assertEqual({told.socket for told in recorder.told}, {"libvirt-sock"})
        self.assertEqual(recorder.told[1].payload,
                         optional_string(b"network:///system") + number(0))
        said = self.told_identity(recorder)
        said.pop("selinux-context", None)  # where the kernel has such a module
        self.assertEqual(said, {"user-name": "nobody", "unix-user-id": NOBODY,
                                "group-name": "nogroup", "unix-group-id": NOBODY,
                                "process-id": os.getpid(),
                                "process-time": start_time(os.getpid())})

    def test_readers_come_as_readers_and_what_they_may_not_call_never_comes(self):
        recorder = self.recorder()
        of_socket, by_flag = self.client(readonly=True), self.client(opened=False)
        by_flag.call(OPEN, optional_string(b"multikernel:///system")
                     + number(libvirt.VIR_CONNECT_RO))
        network = string(b"lan") + bytes(16)
        for client in (of_socket, by_flag):
            recorder.told.clear()
            self.assertEqual(read_error(client.call(NETWORK_DESTROY, network))[::2],
                             (libvirt.VIR_ERR_OPERATION_DENIED,
                              "operation forbidden: read only access prevents virNetworkDestroy"))
            self.assertEqual(recorder.told, [])
            self.assertEqual(client.call(NUM_OF_NETWORKS).status, OK)
            self.assertEqual({told.socket for told in recorder.told}, {"libvirt-sock-ro"})
            self.assertEqual(recorder.told[1].payload, optional_string(b"network:///system")
                             + number(libvirt.VIR_CONNECT_RO))
            self.assertEqual(self.told_identity(recorder)["unix-user-id"], NOBODY)

    def test_a_family_that_has_a_daemon_of_its_own_is_asked_there(self):
        own = self.recorder(names=("virtnetworkd-sock", "virtnetworkd-sock-ro"))
        others = self.recorder()
        for readonly, suffix in ((False, ""), (True, "-ro")):
            client = self.client(readonly=readonly)
            self.assertEqual(client.call(NUM_OF_NETWORKS).status, OK)
            self.assertEqual(client.call(NUM_OF_POOLS).status, OK)
            self.assertEqual(own.told[-1][:2], ("virtnetworkd-sock" + suffix, NUM_OF_NETWORKS))
            self.assertEqual(others.told[-1][:2], ("libvirt-sock" + suffix, NUM_OF_POOLS))
        self.assertNotIn(NUM_OF_NETWORKS, [told.procedure for told in others.told])

    def test_what_a_proxy_says_of_its_client_is_passed_on(self):
        recorder = self.recorder()
        proxy = self.client(user=0)
        names = {"sasl-user-name": "alice@EXAMPLE.ORG", "x509-distinguished-name": "CN=alice",
                 "selinux-context": "user_u:user_r:user_t:s0"}
        reply = proxy.call(SET_IDENTITY, identity(
            *(parameter(name.encode(), STRING, value.encode()) for name, value in names.items())))
        self.assertEqual(reply.status, OK)
        self.assertEqual(proxy.call(NUM_OF_NETWORKS).status, OK)
        self.assertEqual(self.told_identity(recorder), names)  # and no user: none is known

    def test_nobody_becomes_another_one_behind_a_call(self):
        recorder = self.recorder()
        proxy = self.client(user=0)
        self.assertEqual(proxy.call(NUM_OF_NETWORKS).status, OK)
        proxy.call(SET_IDENTITY, identity(parameter(b"unix-user-id", ULLONG, NOBODY),
                                          parameter(b"process-id", LLONG, os.getpid())))
        recorder.told.clear()
        for procedure in (NUM_OF_NETWORKS, NUM_OF_POOLS):
            code, _, message = read_error(proxy.call(procedure))
            self.assertEqual(code, libvirt.VIR_ERR_OPERATION_INVALID, message)
        self.assertEqual(recorder.told, [])

    def test_a_daemon_that_cannot_be_told_is_asked_by_root_alone(self):
        recorder = self.recorder(refuses=[SET_IDENTITY])
        reply = self.client().call(NUM_OF_NETWORKS)
        self.assertEqual(read_error(reply)[::2], (3, "no such thing here"))
        self.assertEqual(recorder.told[-1].procedure, SET_IDENTITY)
        self.assertEqual(self.client(user=0).call(NUM_OF_NETWORKS).payload, number(0))

    def test_a_daemon_that_root_must_show_a_password_is_not_asked(self):
        recorder = self.recorder(authentication=1)  # SASL
        code, _, message = read_error(self.client(user=0).call(NUM_OF_NETWORKS))
        self.assertEqual(code, libvirt.VIR_ERR_AUTH_FAILED)
        self.assertIn("libvirt-sock", message)
        self.assertEqual([told.procedure for told in recorder.told], [AUTH_LIST])


class Again(RecorderTest):
    """A daemon that began anew, and does what it is asked at the same time."""

    def test_no_call_overtakes_the_registrations_that_are_repeated(self):
        recorder, client = self.recorder(), self.client(user=0)
        arguments = number(0) + number(0)
        self.assertEqual(client.call(REGISTER_POOL_EVENTS, arguments).status, OK)
        repeated, replies = threading.Event(), []

        def meanwhile():
            client.ask(UPLOAD, b"call")
            client.send(frame(UPLOAD, b"data", type_=STREAM, status=CONTINUE,
                              serial=client.serial))
            for _ in range(2):  # by then the loop has sent what it had to send
                replies.append(client.call(GET_TYPE))
            repeated.set()

        recorder.told.clear()
        recorder.first[REGISTER_POOL_EVENTS] = meanwhile
        recorder.hang_up()
        self.assertTrue(repeated.wait(LIMIT_S))
        self.assertEqual([client.receive().procedure, client.call(NUM_OF_POOLS).procedure],
                         [UPLOAD, NUM_OF_POOLS])
        self.assertEqual([reply.procedure for reply in replies], [GET_TYPE, GET_TYPE])
        self.assertEqual(recorder.early, [])
        self.assertEqual([told[1:] for told in recorder.told[3:]],
                         [(REGISTER_POOL_EVENTS, arguments), (UPLOAD, b"call"),
                          (UPLOAD, b"data"), (NUM_OF_POOLS, b"")])


class Gone(RecorderTest):
    """A daemon that ends in the middle."""

    def test_who_was_held_back_is_read_again(self):
        recorder, client = self.recorder(), self.client(user=0)
        self.assertEqual(client.call(UPLOAD, b"call").status, OK)
        upload = client.serial
        slow, over = threading.Event(), threading.Event()

        def stall():
            slow.set()
            over.wait(LIMIT_S)

        self.addCleanup(over.set)
        recorder.first[UPLOAD] = stall
        data = frame(UPLOAD, bytes(200 << 10), type_=STREAM, status=CONTINUE, serial=upload)
        client.socket.setblocking(False)
        sent = 0
        try:
            while True:  # until nobody takes any more
                sent += client.socket.send(data[sent % len(data):])
                if not select.select([], [client.socket], [], 1)[1]:
                    break
        except BlockingIOError:
            pass
        client.socket.settimeout(LIMIT_S)
        self.assertTrue(slow.wait(LIMIT_S))
        recorder.hang_up()
        over.set()
        client.send(data[sent % len(data):])  # the rest of a packet that has begun
        end = client.receive()
        self.assertEqual((end.type, end.status, end.serial), (STREAM, ERROR, upload))
        self.assertEqual(client.call(GET_TYPE).status, OK)


class Unknown(RecorderTest):
    daemon_conf = RecorderTest.daemon_conf + 'access_drivers = [ "polkit" ]\n'

    def test_whom_our_own_access_control_cannot_judge_gets_nothing_from_others(self):
        recorder = self.recorder()
        proxy = self.client(user=0)
        proxy.call(SET_IDENTITY, identity(
            parameter(b"x509-distinguished-name", STRING, b"CN=alice")))
        self.assertEqual(read_error(proxy.call(NUM_OF_NETWORKS))[::2],
                         (libvirt.VIR_ERR_ACCESS_DENIED,
                          "access denied: 'multikernel' denied access"))
        self.assertEqual(recorder.told, [])


class Judged(PolkitTest):
    """A stock libvirtd with its own authentication and access control, and a real polkitd."""

    def setUp(self):
        super().setUp()
        self.bus.polkit(RULE)
        self.libvirtd = Libvirtd(self.daemon.folder, 'access_drivers = [ "polkit" ]\n')
        self.addCleanup(self.libvirtd.stop)
        self.libvirtd.start()
        for name in ("lan", "secret"):
            text = NETWORK.format(name).replace("mk-test0", f"mk-{name}")
            self.virsh("net-define", self.xml_file(text, f"{name}.xml"))

    def names(self, done):
        return [row[0] for row in table(done)]

    def test_as_themselves_and_root_as_root(self):
        self.assertEqual(self.names(self.virsh("net-list", "--all")), ["lan", "secret"])
        for readonly in (False, True):
            done = self.run_as_nobody("net-list", "--all", readonly=readonly)
            self.assertEqual((self.names(done.stdout), done.stderr), (["lan"], ""))
        for words in (("net-undefine", "lan"), ("net-autostart", "lan")):
            done = self.run_as_nobody(*words)
            self.assertIn("error: access denied: 'network' denied access", done.stderr)
        self.assertIn("error: failed to get network 'secret'",
                      self.run_as_nobody("net-info", "secret").stderr)
        self.virsh("net-undefine", "secret")
        self.assertEqual(self.names(self.virsh("net-list", "--all")), ["lan"])

    def test_events_of_what_may_not_be_seen_are_not_told(self):
        client = self.raw_as_nobody()
        client.call(AUTH_POLKIT)
        client.open()
        lifecycle_of_all = number(0) + number(0)
        self.assertEqual(client.call(REGISTER_NETWORK_EVENTS, lifecycle_of_all).status, OK)
        self.virsh("net-undefine", "secret")
        self.virsh("net-undefine", "lan")
        told = client.receive()
        self.assertEqual((told.type, b"lan" in told.payload), (MESSAGE, True))

    def test_name_in_a_call_is_not_what_is_judged(self):
        """The caller says "lan"; the daemon goes by the UUID, which is that of "secret"."""
        uuid = self.connect().networkLookupByName("secret").UUID()
        client = self.raw_as_nobody()
        client.call(AUTH_POLKIT)
        client.open()
        for procedure in (NETWORK_XML, NETWORK_IS_ACTIVE):
            reply = client.call(procedure, string(b"lan") + uuid + number(0))
            self.assertEqual(read_error(reply)[0], libvirt.VIR_ERR_ACCESS_DENIED)
