# SPDX-License-Identifier: LGPL-2.1-or-later
"""Stands where libvirtd would be, agrees with everything, and keeps what it was told.

For what a real one does not tell: how the relay introduces itself. relay_test.py has a real one.
"""

import collections
import contextlib
import select
import socket
import socketserver
import struct
import threading

from raw import ERROR, HEADER, OK, OPEN, AUTH_LIST, REPLY, frame, number, string

SET_IDENTITY = 419
Told = collections.namedtuple("Told", "socket procedure payload")


def error(code, message):
    """virNetMessageError"""
    return (number(code) + number(7) + number(1) + string(message) + number(2)
            + number(0) * 4 + number(0) * 2 + number(0))


def parameters(payload):
    """The typed parameters at the start of `payload`: name -> value."""
    (count,), at, found = struct.unpack_from(">I", payload), 4, {}
    for _ in range(count):
        name, at = text(payload, at)
        (type_,) = struct.unpack_from(">i", payload, at)
        if type_ == 7:
            found[name], at = text(payload, at + 4)
        else:
            (found[name],) = struct.unpack_from(">q", payload, at + 4)
            at += 12
    return found


def text(payload, at):
    (length,) = struct.unpack_from(">I", payload, at)
    return payload[at + 4:at + 4 + length].decode(), at + 4 + length + -length % 4


class Recorder:
    """On libvirt-sock and libvirt-sock-ro in `folder`, or on other `names`.

    `first`: procedure -> what to do before it is answered; `early` are those for which more came
    before the answer.
    """

    def __init__(self, folder, *, authentication=0, refuses=(),
                 names=("libvirt-sock", "libvirt-sock-ro")):
        self.told = []
        self.first = {}
        self.early = []
        self.servers = []
        self.connections = []
        recorder = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self):
                recorder.connections.append(self.request)
                while head := self.request.recv(HEADER.size, socket.MSG_WAITALL):
                    length, _, _, procedure, _, serial, _ = HEADER.unpack(head)
                    payload = self.request.recv(length - HEADER.size, socket.MSG_WAITALL)
                    recorder.told.append(Told(self.server.name, procedure, payload))
                    if procedure in recorder.first:
                        recorder.first[procedure]()
                        if select.select([self.request], [], [], 0)[0]:
                            recorder.early.append(procedure)
                    reply = {AUTH_LIST: number(1) + number(authentication)}.get(procedure, b"")
                    if procedure not in (AUTH_LIST, OPEN, SET_IDENTITY):
                        reply = number(0)
                    status = ERROR if procedure in refuses else OK
                    if status == ERROR:
                        reply = error(3, b"no such thing here")
                    with contextlib.suppress(ConnectionError):  # hang_up(), or its daemon ended
                        self.request.sendall(frame(procedure, reply, type_=REPLY, serial=serial,
                                                   status=status))

        for name in names:
            server = socketserver.ThreadingUnixStreamServer(str(folder / name), Handler)
            server.name = name
            server.daemon_threads = True
            threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
            self.servers.append(server)

    def hang_up(self):
        """Ends all connections; new ones are served."""
        while self.connections:
            self.connections.pop().shutdown(socket.SHUT_RDWR)

    def end(self):
        for server in self.servers:
            server.shutdown()
            server.server_close()
