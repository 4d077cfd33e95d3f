# SPDX-License-Identifier: LGPL-2.1-or-later
"""Keepalive, asked by the daemon: who is pinged, and who is given up."""

from harness import LIMIT_S, WireTest
from raw import (CAPABILITIES, FEATURE_KEEPALIVE, GET_TYPE, KEEPALIVE, MESSAGE, OK, PING, PONG,
                 SUPPORTS_FEATURE, RawClient, frame, number, ping, read_string)

COUNT = 2


class Keepalive(WireTest):
    daemon_conf = f"keepalive_interval = 1\nkeepalive_count = {COUNT}\n"

    def raw(self, *, declares):
        client = RawClient(self.daemon, opened=False)
        self.addCleanup(client.socket.close)
        if declares:  # as stock clients do, in front of CONNECT_OPEN
            reply = client.call(SUPPORTS_FEATURE, number(FEATURE_KEEPALIVE))
            self.assertEqual((reply.status, reply.payload), (OK, number(1)))
        client.open()
        return client

    def assert_pinged(self, client):
        self.assertEqual(client.receive(), (KEEPALIVE, 1, PING, MESSAGE, 0, OK, b""))

    def assert_works(self, client):
        self.assertEqual(read_string(client.call(GET_TYPE).payload), b"multikernel")

    def test_client_lives_while_it_answers_and_no_longer(self):
        client = self.raw(declares=True)
        undeclared = self.raw(declares=False)
        for _ in range(COUNT + 1):  # one more than may stay unanswered
            self.assert_pinged(client)
            client.send(ping(PONG))
        self.assert_works(client)
        for _ in range(COUNT):
            self.assert_pinged(client)
        self.assertIsNone(client.receive())
        self.assertIn("does not answer pings", self.daemon.log_text())
        # as silent, and for longer
        self.assertFalse(undeclared.has_something())
        self.assert_works(undeclared)

    def test_any_packet_is_an_answer(self):
        client = self.raw(declares=True)
        for _ in range(COUNT + 1):
            self.assert_pinged(client)
            self.assert_works(client)

    def test_client_that_calls_and_does_not_read_is_let_go(self):
        client, other = self.raw(declares=False), self.raw(declares=False)
        client.socket.setblocking(False)
        # Answers fill its socket, then nothing more is begun, then nothing more is read.
        with self.assertRaises(BlockingIOError):
            for serial in range(10, 100000):
                client.socket.send(frame(CAPABILITIES, serial=serial))
        self.assert_works(other)
        self.assertTrue(client.is_closed(LIMIT_S))
        self.assertIn("does not read", self.daemon.log_text())
        self.assert_works(other)
