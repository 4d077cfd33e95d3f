# SPDX-License-Identifier: LGPL-2.1-or-later
"""A client that writes libvirt's protocol by hand: what no stock client would send.

The layout is that of src/rpc/virnetprotocol.x and src/remote/remote_protocol.x.
"""

import array
import collections
import select
import socket
import struct

from harness import LIMIT_S

REMOTE = 0x20008086
KEEPALIVE = 0x6b656570
PING, PONG = 1, 2
CALL, REPLY, MESSAGE, STREAM, CALL_WITH_FDS, REPLY_WITH_FDS, STREAM_HOLE = range(7)
OK, ERROR, CONTINUE = range(3)
FEATURE_KEEPALIVE = 10

# REMOTE_PROC_…
OPEN, CLOSE, GET_TYPE, CAPABILITIES = 1, 2, 3, 7
LOOKUP_BY_NAME, SUPPORTS_FEATURE = 23, 60
AUTH_LIST, AUTH_POLKIT = 66, 70
OPEN_CONSOLE = 201
REGISTER_EVENTS, DEREGISTER_EVENTS = 316, 317
REGISTER_LIFECYCLE, DEREGISTER_LIFECYCLE = 105, 106  # before libvirt 0.8
REGISTER_OLD_EVENTS, DEREGISTER_OLD_EVENTS = 167, 168  # before libvirt 1.3
PIN_VCPU, GET_ALL_DOMAIN_STATS = 26, 344
EVENT_LIFECYCLE = 318

HEADER = struct.Struct(">IIIiiIi")  # the first word is the length of all
LONGEST = (32 << 20) + 4

Frame = collections.namedtuple("Frame", "program version procedure type serial status payload")


def frame(procedure, payload=b"", *, program=REMOTE, version=1, type_=CALL, serial=0, status=OK):
    return HEADER.pack(HEADER.size + len(payload), program, version, procedure, type_, serial,
                       status) + payload


def ping(procedure=PING):
    return frame(procedure, program=KEEPALIVE, type_=MESSAGE)


def number(value):
    return struct.pack(">i", value)


def string(data):
    return struct.pack(">I", len(data)) + data + bytes(-len(data) % 4)


def optional_string(data):
    return number(0) if data is None else number(1) + string(data)


def read_string(payload, offset=0):
    (length,) = struct.unpack_from(">I", payload, offset)
    return payload[offset + 4:offset + 4 + length]


def read_error(reply):
    """(code, domain, message) of a reply that is an error."""
    code, domain, has_message = struct.unpack_from(">iii", reply.payload)
    return code, domain, read_string(reply.payload, 12).decode() if has_message else None


class RawClient:
    """One connection; `opened` as a stock client would, unless told otherwise."""

    def __init__(self, daemon, *, opened=True, readonly=False, name=None):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(LIMIT_S)
        name = name or "virtmultikerneld-sock" + ("-ro" if readonly else "")
        self.socket.connect(str(daemon.folder / name))
        self.serial = 0
        self.received = b""
        if opened:
            self.open()

    def open(self):
        reply = self.call(OPEN, optional_string(b"multikernel:///system") + number(0))
        assert reply.status == OK, read_error(reply)

    def send(self, data, fds=()):
        if not fds:
            self.socket.sendall(data)
            return
        passed = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))]
        sent = self.socket.sendmsg([data], passed)
        assert sent == len(data)

    def ask(self, procedure, payload=b"", **header):
        """Sends one call."""
        self.serial += 1
        self.send(frame(procedure, payload, serial=self.serial, **header))

    def call(self, procedure, payload=b"", **header):
        """Sends one call; the next frame that comes."""
        self.ask(procedure, payload, **header)
        return self.receive()

    def calls(self, procedure, payload, count):
        """The replies to that many calls, which may come in any order."""
        replies = []
        while len(replies) < count:
            batch = min(50, count - len(replies))
            for _ in range(batch):
                self.serial += 1
                self.send(frame(procedure, payload, serial=self.serial))
            replies += [self.receive() for _ in range(batch)]
        return replies

    def receive(self):
        """The next frame; None if the daemon closed the connection."""
        while len(self.received) < 4 or \
                len(self.received) < HEADER.unpack_from(self.received.ljust(HEADER.size))[0]:
            try:
                data = self.socket.recv(1 << 20)
            except ConnectionResetError:  # closed before it had read everything
                data = b""
            if not data:
                assert not self.received, "the connection ended within a frame"
                return None
            self.received += data
        length, *fields = HEADER.unpack_from(self.received)
        payload = self.received[HEADER.size:length]
        self.received = self.received[length:]
        return Frame(*fields, payload)

    def has_something(self):
        """True if a frame, or the end, could be received at once."""
        return bool(self.received or select.select([self.socket], [], [], 0)[0])

    def is_closed(self, limit_s=0):
        """True if the daemon has closed its end; reads nothing."""
        poll = select.poll()
        poll.register(self.socket, 0)
        return bool(poll.poll(limit_s * 1000))

    def drain(self):
        """What comes until the daemon closes; a cut frame at the end is as good as any."""
        amount = 0
        try:
            while data := self.socket.recv(1 << 20):
                amount += len(data)
        except ConnectionResetError:
            pass
        return amount

    def end(self):
        """Hangs up; returns when the daemon has closed its end too."""
        self.socket.shutdown(socket.SHUT_WR)
        self.drain()
        self.socket.close()
