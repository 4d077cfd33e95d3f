# SPDX-License-Identifier: LGPL-2.1-or-later
"""The part of tests/bench/doorbell that runs in the machine: ROUNDS"""

import os
import select
import statistics
import subprocess
import sys
import uuid

import device

GOAL = 1.5


def measure(*words):
    return float(subprocess.run(["/root/measure", *words], check=True,
                                stdout=subprocess.PIPE).stdout)


def bell():
    """The CPU that the app kernel rings."""
    with open("/proc/interrupts", encoding="ascii") as lines:
        number = [line.split(":")[0].strip() for line in lines if "multikernel" in line][-1]
    with open(f"/proc/irq/{number}/effective_affinity_list", encoding="ascii") as affinity:
        return affinity.read().strip()


def main():
    rounds = int(sys.argv[1])
    identity = uuid.uuid4()
    partition = device.Device().create(identity.bytes, "bench")
    partition.add_memory(256 << 20)
    partition.add_cpus([2])
    partition.load("/vmlinuz", device.with_loader("/var/lib/multikernel/initrd.img",
                                                  "/root/bench.img", os.uname().release), "quiet")
    partition.start()
    poll = select.poll()
    poll.register(partition.fd, select.POLLIN | select.POLLPRI)
    while partition.state() != "running":
        poll.poll()
    cpu = bell()
    values = [(measure("eventfd", "0", "1"), measure("doorbell", identity.hex, cpu))
              for _ in range(rounds)]
    partition.destroy()
    host, own = (statistics.median(column) for column in zip(*values))
    met = own / host <= GOAL
    print(f"medians of {rounds} rounds in turn, microseconds for there and back")
    print(f"eventfd, host CPU to host CPU   {host / 1e3:9.1f}")
    print(f"MK_REQUEST to its answer        {own / 1e3:9.1f}")
    print(f"ratio {own / host:.2f}, goal at most {GOAL}: {'met' if met else 'missed'}")
    sys.exit(not met)


main()
