# SPDX-License-Identifier: LGPL-2.1-or-later
"""The part of tests/bench/start that runs in the machine: RUNS MEMORY_MIB VCPUS

Starts a domain through the daemon; the shares are the host module's own numbers (MK_QUERY). The
start is asked for by hand: libvirt's client takes some milliseconds here before it asks, and asks
again for the domain's id, which are neither the daemon's nor the kernels'.
"""

import socket
import statistics
import struct
import sys
import time

import device
import libvirt

GOAL_MS = 30
XML = """<domain type='multikernel'>
  <name>bench</name>
  <memory unit='MiB'>{memory}</memory>
  <vcpu>{vcpus}</vcpu>
  <os>
    <type arch='x86_64'>hvm</type>
    <kernel>/vmlinuz</kernel>
    <initrd>/var/lib/multikernel/initrd.img</initrd>
  </os>
  <devices><console type='pty'/></devices>
</domain>"""


class Wire:
    """Calls in libvirt's protocol (src/rpc/virnetprotocol.x, src/remote/remote_protocol.x)."""

    HEADER = struct.Struct(">IIIiiIi")  # the first word is the length of all
    REMOTE = 0x20008086
    CONNECT_OPEN, DOMAIN_CREATE = 1, 9

    def __init__(self):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect("/run/libvirt/virtmultikerneld-sock")
        self.call(self.CONNECT_OPEN,
                  struct.pack(">i", 1) + self.string(b"multikernel:///system") + bytes(4))

    @staticmethod
    def string(data):
        return struct.pack(">I", len(data)) + data + bytes(-len(data) % 4)

    def create(self, domain):
        self.call(self.DOMAIN_CREATE, self.string(domain.name().encode()) + domain.UUID() +
                  struct.pack(">i", -1))

    def call(self, procedure, payload):
        self.socket.sendall(self.HEADER.pack(self.HEADER.size + len(payload), self.REMOTE, 1,
                                             procedure, 0, 0, 0) + payload)
        reply = self.socket.recv(65536)
        *_, status = self.HEADER.unpack_from(reply)
        assert status == 0, reply


def one_start(domain, wire):
    """Milliseconds by what they were spent on."""
    before = time.monotonic()
    wire.create(domain)
    created = time.monotonic()
    partition = device.Device().open(domain.UUID())
    device.Shell(partition).close()  # it waits for userspace
    up = time.monotonic()
    query = partition.query()
    partition.close()
    stopping = time.monotonic()
    domain.destroy()
    stopped = time.monotonic()
    # MK_START is the last thing that create() does, so the times before it are create()'s rest.
    start_call = (created - before) * 1e3
    ours = start_call - (query.claim_ns + query.scrub_ns + query.offline_ns + query.load_ns) / 1e6
    return {
        "start call": start_call,
        "  claiming memory": query.claim_ns / 1e6,
        "  scrubbing it": query.scrub_ns / 1e6,
        "  taking CPUs offline": query.offline_ns / 1e6,
        "  copying kernel, initramfs": query.load_ns / 1e6,
        "  our share: the rest": ours,
        "    MK_START to first instruction": query.wake_ns / 1e6,
        "to the module's report": start_call + (query.module_ns - query.wake_ns) / 1e6,
        "to userspace": (up - before) * 1e3,
        "destroy": (stopped - stopping) * 1e3,
    }


def quiet_console():
    """As Debian's installer has it, "quiet": a line on the machine's serial console costs a
    millisecond that is neither copying nor ours."""
    with open("/proc/sys/kernel/printk", "w", encoding="ascii") as file:
        file.write("4")


def main():
    quiet_console()
    runs, memory, vcpus = (int(word) for word in sys.argv[1:])
    connection = libvirt.open("multikernel:///system")
    domain = connection.defineXML(XML.format(memory=memory, vcpus=vcpus))
    wire = Wire()
    rows = [one_start(domain, wire) for _ in range(runs)]
    domain.undefine()
    print(f"{runs} starts, {memory} MiB, {vcpus} vCPU; milliseconds")
    print(f"{'':34}{'min':>9}{'median':>9}{'max':>9}")
    for key in rows[0]:
        values = [row[key] for row in rows]
        print(f"{key:34}{min(values):9.1f}{statistics.median(values):9.1f}{max(values):9.1f}")
    share = statistics.median(row["  our share: the rest"] for row in rows)
    met = share <= GOAL_MS
    print(f"our share {share:.1f} ms, goal at most {GOAL_MS}: {'met' if met else 'missed'}")
    sys.exit(not met)


main()
