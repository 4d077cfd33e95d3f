# SPDX-License-Identifier: LGPL-2.1-or-later
"""The part of tests/bench/many that runs in the machine: ROUNDS PARTITIONS"""

import os
import select
import statistics
import sys
import uuid

import device

GOAL = 1.1
MEMORY = 192 << 20


def loaded(number, initrd):
    """A new partition on CPU `number`, and how long claiming and loading took."""
    partition = device.Device().create(uuid.uuid4().bytes, f"bench-{number}")
    partition.add_memory(MEMORY)
    partition.add_cpus([number])
    partition.load("/vmlinuz", initrd, "quiet")
    query = partition.query()
    return partition, (query.claim_ns + query.scrub_ns + query.load_ns) / 1e6


def several(rounds, number, initrd):
    times = []
    for _ in range(rounds):
        partition, took = loaded(number, initrd)
        partition.destroy()
        times.append(took)
    return statistics.median(times)


def suspended(number, initrd):
    partition, _ = loaded(number, initrd)
    partition.start()
    poll = select.poll()
    poll.register(partition.fd, select.POLLIN | select.POLLPRI)
    while partition.state() != "running":
        poll.poll()
    partition.pause()
    return partition


def main():
    rounds, count = int(sys.argv[1]), int(sys.argv[2])
    initrd = device.with_loader("/var/lib/multikernel/initrd.img", "/root/bench.img",
                                os.uname().release)
    several(1, 1, initrd)  # the files are in the page cache from now on
    first = several(rounds, count, initrd)
    others = [suspended(number, initrd) for number in range(1, count)]
    last = several(rounds, count, initrd)
    for partition in others:
        partition.destroy()
    met = last / first <= GOAL
    print(f"claiming and loading, medians of {rounds}, milliseconds")
    print(f"the first partition             {first:9.1f}")
    print(f"with {count - 1:3} suspended              {last:9.1f}")
    print(f"ratio {last / first:.2f}, goal at most {GOAL}: {'met' if met else 'missed'}")
    sys.exit(not met)


main()
