# SPDX-License-Identifier: LGPL-2.1-or-later
"""Bytes that no stock client sends: they harm their sender at most.

What is answered, and in which words, was seen on the wire of libvirtd. After each test another
client, connected all the time, is served, and the daemon has the descriptors it had before.
"""

import contextlib
import os
import struct

import libvirt

from harness import LIMIT_S, WireTest, run_until
from raw import (CALL_WITH_FDS, CLOSE, CONTINUE, ERROR, EVENT_LIFECYCLE, GET_ALL_DOMAIN_STATS,
                 GET_TYPE, HEADER, KEEPALIVE, LONGEST, LOOKUP_BY_NAME, MESSAGE, OK, OPEN, PING,
                 PIN_VCPU, PONG, REGISTER_EVENTS, REMOTE, REPLY, REPLY_WITH_FDS, STREAM,
                 STREAM_HOLE, RawClient, frame, number, optional_string, ping, read_error,
                 read_string, string)

UNDECODABLE = "Unable to decode message payload"
FROM_RPC = 7  # virErrorDomain
SERVER_LIMIT = 8 << 20  # bytes of events and pongs that may wait for a client


class FramesTest(WireTest):
    def setUp(self):
        super().setUp()
        self.other = self.connect()
        self.assert_other_is_served()
        self.before = self.descriptors()
        self.clients = []

    def tearDown(self):
        for client in self.clients:
            with contextlib.suppress(OSError):  # the daemon has hung up already
                client.end()
            client.socket.close()
        self.assert_other_is_served()
        newcomer = RawClient(self.daemon)
        self.assert_works(newcomer)
        newcomer.end()
        self.assertEqual(self.descriptors(), self.before)

    def raw(self, **options):
        self.clients.append(RawClient(self.daemon, **options))
        return self.clients[-1]

    def descriptors(self):
        """What the daemon has open but plain files, which calls open and close."""
        folder = f"/proc/{self.daemon.process.pid}/fd"
        names = []
        for fd in os.listdir(folder):
            with contextlib.suppress(FileNotFoundError):  # such a file, closed since
                names.append(os.readlink(f"{folder}/{fd}"))
        return sorted(name.split("[")[0] for name in names
                      if name.startswith(("socket:", "pipe:", "anon_inode:", "/dev/")))

    def assert_other_is_served(self):
        self.assertEqual(self.other.getType(), "multikernel")

    def assert_works(self, client):
        """The next thing the client hears is the answer to a good call."""
        reply = client.call(GET_TYPE)
        self.assertEqual(reply[:6], (REMOTE, 1, GET_TYPE, REPLY, client.serial, OK))
        self.assertEqual(read_string(reply.payload), b"multikernel")

    def assert_error(self, client, reply, code, message):
        self.assertEqual((reply.type, reply.serial, reply.status), (REPLY, client.serial, ERROR))
        self.assertEqual(read_error(reply)[::2], (code, message))

    def assert_rpc_error(self, client, message, procedure, payload=b"", **header):
        """The call is answered with its own header and this protocol error; all goes on."""
        reply = client.call(procedure, payload, **header)
        self.assert_error(client, reply, libvirt.VIR_ERR_RPC, message)
        self.assertEqual(read_error(reply)[1], FROM_RPC)
        self.assertEqual(reply[:3], (header.get("program", REMOTE), header.get("version", 1),
                                     procedure))
        self.assert_works(client)


class Lengths(FramesTest):
    def test_impossible_length_ends_the_connection_without_a_word(self):
        for length in (0, 3, 4, HEADER.size - 1, LONGEST + 1, 0x7fffffff, 0xffffffff):
            with self.subTest(length=length):
                client = self.raw()
                client.send(struct.pack(">I", length) + frame(GET_TYPE)[4:])
                self.assertIsNone(client.receive())

    def test_longest_frame_is_answered(self):
        client = self.raw()
        # what follows the arguments is ignored, as libvirtd does
        reply = client.call(GET_TYPE, bytes(LONGEST - HEADER.size))
        self.assertEqual(read_string(reply.payload), b"multikernel")
        self.assert_works(client)

    def test_half_a_frame_keeps_nobody_waiting(self):
        call = frame(GET_TYPE, b"ignored.", serial=77)
        for cut in (1, 4, HEADER.size - 1, HEADER.size, len(call) - 1):
            with self.subTest(bytes=cut):
                client = self.raw()
                client.send(call[:cut])
                self.assert_other_is_served()
                self.assert_works(self.raw())
                self.assertFalse(client.has_something())
                client.send(call[cut:])
                self.assertEqual(client.receive().serial, 77)

    def test_silence_keeps_nobody_waiting(self):
        silent = [self.raw(opened=False) for _ in range(30)]
        self.assert_works(self.raw())
        self.assertFalse(any(client.has_something() for client in silent))

    def test_client_that_leaves_within_a_frame(self):
        for cut in (2, 20, HEADER.size):
            client = self.raw()
            client.send(frame(GET_TYPE, b"more")[:cut])
            client.end()

    def test_frames_may_be_cut_anywhere(self):
        client = self.raw()
        for byte in frame(GET_TYPE, serial=5) + frame(GET_TYPE, serial=6):
            client.send(bytes([byte]))
        self.assertEqual({client.receive().serial, client.receive().serial}, {5, 6})


class Calls(FramesTest):
    def test_unknown_program_or_version(self):
        client = self.raw()
        for program, version in ((0x20008087, 1), (0x8088, 1), (0, 0), (REMOTE, 2), (REMOTE, 0)):
            with self.subTest(program=program, version=version):
                self.assert_rpc_error(client, f"Cannot find program {program} version {version}",
                                      GET_TYPE, program=program, version=version)

    def test_unknown_procedure(self):
        client = self.raw()
        for procedure in (0, 9999, 0x7fffffff, -1):
            with self.subTest(procedure=procedure):
                self.assert_rpc_error(client, f"unknown procedure: {procedure}", procedure)

    def test_call_with_a_status(self):
        client = self.raw()
        for status in (ERROR, CONTINUE, 99):
            with self.subTest(status=status):
                self.assert_rpc_error(client, f"Unexpected message status {status}", GET_TYPE,
                                      status=status)

    def test_truncated_arguments(self):
        client = self.raw()
        whole = string(b"domain")
        for payload in (b"", b"\0\0", whole[:4], whole[:-1], number(100) + b"abcd"):
            with self.subTest(payload=payload):
                self.assert_rpc_error(client, UNDECODABLE, LOOKUP_BY_NAME, payload)

    def test_string_over_its_limit(self):
        client = self.raw()
        self.assert_rpc_error(client, UNDECODABLE, LOOKUP_BY_NAME, string(b"x" * ((4 << 20) + 1)))
        self.assert_rpc_error(client, UNDECODABLE, LOOKUP_BY_NAME, number(-1) + b"abcd")
        reply = client.call(LOOKUP_BY_NAME, string(b"x" * (4 << 20)))  # as long as may be
        self.assertEqual(read_error(reply)[0], libvirt.VIR_ERR_NO_DOMAIN)

    def test_array_over_its_limit(self):
        """Whether what it promises follows or not."""
        client = self.raw()
        domain = string(b"web") + bytes(16) + number(-1)
        for count, domains in ((16385, 16385), (16385, 0), (16384, 2), (-1, 1), (0x10000001, 1)):
            with self.subTest(count=count, domains=domains):
                self.assert_rpc_error(client, UNDECODABLE, GET_ALL_DOMAIN_STATS,
                                      number(count) + domain * domains)
        for length, data in ((2049, bytes(2049)), (-1, b""), (2048, bytes(2047))):
            with self.subTest(length=length, data=len(data)):
                self.assert_rpc_error(client, UNDECODABLE, PIN_VCPU,
                                      domain + number(0) + number(length) + data)

    def test_string_with_a_zero_byte(self):
        self.define("web")
        client = self.raw()
        for sent in (b"web\0shop", b"web\0", b"web\0\0", b"web\0w", b"\0web", b"\0", b"webshop\0"):
            with self.subTest(sent):
                self.assert_rpc_error(client, UNDECODABLE, LOOKUP_BY_NAME, string(sent))
        self.assertEqual(client.call(LOOKUP_BY_NAME, string(b"web")).status, OK)

    def test_pointer_that_is_neither_there_nor_absent(self):
        client = self.raw(opened=False)
        reply = client.call(OPEN, number(2) + string(b"multikernel:///system") + number(0))
        # XDR says a bool is 0 or 1; libtirpc takes any other for 1.
        self.assert_error(client, reply, libvirt.VIR_ERR_RPC, UNDECODABLE)

    def test_call_before_open(self):
        client = self.raw(opened=False)
        reply = client.call(GET_TYPE)
        self.assert_error(client, reply, libvirt.VIR_ERR_INTERNAL_ERROR,
                          "internal error: hypervisor connection not open")
        client.open()
        self.assert_works(client)

    def test_second_open(self):
        client = self.raw()
        reply = client.call(OPEN, optional_string(b"multikernel:///system") + number(0))
        self.assert_error(client, reply, libvirt.VIR_ERR_INTERNAL_ERROR,
                          "internal error: connection already open")
        self.assert_works(client)

    def test_close_is_answered_then_the_connection_ends(self):
        client = self.raw()
        self.assertEqual(client.call(CLOSE).status, OK)
        self.assertIsNone(client.receive())

    def test_other_types_are_ignored(self):
        client = self.raw()
        for type_ in (REPLY, MESSAGE, STREAM, REPLY_WITH_FDS, STREAM_HOLE, 99, -1):
            for status in (OK, ERROR, CONTINUE):
                with self.subTest(type=type_, status=status):
                    client.send(frame(GET_TYPE, number(0), type_=type_, status=status))
                    self.assert_works(client)

    def test_keepalive_that_is_no_question_is_ignored(self):
        client = self.raw()
        for wrong in (ping(PONG), ping(99), frame(PING, program=KEEPALIVE),
                      frame(PING, program=KEEPALIVE, type_=MESSAGE, version=2)):
            client.send(wrong)
            self.assert_works(client)
        client.send(ping())
        self.assertEqual(client.receive(), (KEEPALIVE, 1, PONG, MESSAGE, 0, OK, b""))


class Descriptors(FramesTest):
    """Nothing here takes a descriptor, so each that arrives is closed."""

    def setUp(self):
        super().setUp()
        self.passed = os.open("/dev/null", os.O_RDONLY)
        self.addCleanup(os.close, self.passed)

    def test_descriptors_that_a_call_does_not_want_are_closed(self):
        for count in (0, 1, 32):
            with self.subTest(count=count):
                client = self.raw()
                call = frame(GET_TYPE, number(count), type_=CALL_WITH_FDS, serial=9)
                client.send(call + bytes(count), fds=[self.passed] * count)
                reply = client.receive()
                self.assertEqual((reply.serial, reply.status), (9, OK))
                self.assert_works(client)
                self.assertEqual(self.descriptors().count("/dev/null"),
                                 self.before.count("/dev/null"))

    def test_descriptors_come_after_their_frame_one_byte_each(self):
        client = self.raw()
        client.send(frame(GET_TYPE, number(3), type_=CALL_WITH_FDS, serial=9))
        for _ in range(3):
            self.assertFalse(client.has_something())
            client.send(b"\0", fds=[self.passed])
        self.assertEqual(client.receive().serial, 9)
        self.assert_works(client)

    def test_more_descriptors_than_a_frame_may_pass_end_the_connection(self):
        for count in (33, 253, 0x7fffffff, -1):
            with self.subTest(count=count):
                client = self.raw()
                client.send(frame(GET_TYPE, number(count), type_=CALL_WITH_FDS),
                            fds=[self.passed] * 33)
                self.assertIsNone(client.receive())

    def test_call_that_passes_descriptors_without_a_count_ends_the_connection(self):
        client = self.raw()
        client.send(frame(GET_TYPE, type_=CALL_WITH_FDS))
        self.assertIsNone(client.receive())

    def test_descriptors_beside_a_frame_that_has_none(self):
        client = self.raw()
        for _ in range(100):
            client.send(frame(GET_TYPE), fds=[self.passed] * 10)
            self.assertEqual(client.receive().status, OK)
        self.assert_works(client)


class Floods(FramesTest):
    def test_more_calls_than_run_at_once_are_all_answered(self):
        client = self.raw()
        count = 1000  # max_client_requests is 5, and 32 more are read
        calls = [frame(GET_TYPE if serial % 2 else 9999, serial=serial)
                 for serial in range(1000, 1000 + count)]
        client.send(b"".join(calls))
        replies = [client.receive() for _ in range(count)]
        self.assertEqual({reply.serial: reply.status for reply in replies},
                         {serial: OK if serial % 2 else ERROR
                          for serial in range(1000, 1000 + count)})
        self.assert_works(client)

    def test_client_that_leaves_before_its_answers(self):
        for _ in range(20):
            client = self.raw()
            client.send(frame(GET_TYPE) * 500)
            client.end()

    def test_client_that_does_not_read_its_events_is_disconnected(self):
        deaf = self.raw()
        registrations = 3000
        replies = deaf.calls(REGISTER_EVENTS, number(0) + number(0), registrations)
        self.assertEqual({reply.status for reply in replies}, {OK})
        heard = []
        self.other.domainEventRegisterAny(
            None, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE,
            lambda _conn, _domain, what, _detail, _opaque: heard.append(what), None)
        name = "n" * 240  # the longest there is: an event has some 300 bytes
        events = 0
        while not deaf.is_closed() and events < 100:
            self.other.defineXML(self.xml(name)).undefine()
            events += 2
        self.assertTrue(deaf.is_closed(LIMIT_S))
        self.assertGreater(events * registrations * 300, SERVER_LIMIT)
        first = deaf.receive()  # what was sent is still there
        self.assertEqual((first.procedure, first.type, first.serial),
                         (EVENT_LIFECYCLE, MESSAGE, 0))
        self.assertLess(deaf.drain(), SERVER_LIMIT)
        self.assertIn("does not read its events", self.daemon.log_text())
        run_until(lambda: len(heard) >= events)  # others miss nothing
        self.assertEqual(len(heard), events)

    def test_client_that_does_not_read_its_pongs_is_disconnected(self):
        deaf = self.raw()
        pings = ping() * 4000
        sent = 0
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            while sent < 4 * SERVER_LIMIT:
                deaf.send(pings)
                sent += len(pings)
                self.assert_other_is_served()
        self.assertTrue(deaf.is_closed(LIMIT_S))
        self.assertGreater(sent + len(pings), SERVER_LIMIT)
        self.assertLess(sent, 4 * SERVER_LIMIT)

    def test_client_that_does_not_read_its_answers_waits_for_itself_only(self):
        deaf = self.raw()
        deaf.socket.setblocking(False)
        calls = frame(7) * 100  # capabilities: some kilobytes each
        with contextlib.suppress(BlockingIOError):
            while True:
                deaf.socket.send(calls)
                self.assert_other_is_served()
        self.assertFalse(deaf.is_closed())
        deaf.socket.settimeout(LIMIT_S)
        self.assertEqual(deaf.receive().procedure, 7)
