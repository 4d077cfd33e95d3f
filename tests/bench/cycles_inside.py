# SPDX-License-Identifier: LGPL-2.1-or-later
"""The part of tests/bench/cycles that runs in the machine: COUNT MEMORY_MIB"""

import os
import subprocess
import sys
import time

import device
import libvirt

BOUND_KIB = 16 * 1024
XML = """<domain type='multikernel'>
  <name>bench</name>
  <memory unit='MiB'>{memory}</memory>
  <vcpu>2</vcpu>
  <os>
    <type arch='x86_64'>hvm</type>
    <kernel>/vmlinuz</kernel>
    <initrd>/var/lib/multikernel/initrd.img</initrd>
  </os>
  <devices><console type='pty'/></devices>
</domain>"""


def holdings():
    """(CPUs online, partitions, the daemon's open files, free memory in KiB)"""
    daemon = subprocess.run(["pidof", "virtmultikerneld"], check=True, stdout=subprocess.PIPE,
                            text=True).stdout.strip()
    return (device.online_cpus(), len(list(device.Device().list())),
            len(os.listdir(f"/proc/{daemon}/fd")), device.host_free_bytes() // 1024)


def main():
    count, memory = int(sys.argv[1]), int(sys.argv[2])
    connection = libvirt.open("multikernel:///system")
    domain = connection.defineXML(XML.format(memory=memory))
    for _ in range(3):  # what is made once stays
        domain.create()
        domain.destroy()
    before = holdings()
    began = time.monotonic()
    for number in range(1, count + 1):
        domain.create()
        domain.destroy()
        if number % 100 == 0:
            print(f"{number} cycles, {time.monotonic() - began:.0f} s", flush=True)
    after = holdings()
    domain.undefine()
    lost = before[3] - after[3]
    met = before[:3] == after[:3] and lost < BOUND_KIB
    print(f"{count} cycles in {time.monotonic() - began:.0f} s")
    for name, old, new in zip(("CPUs online", "partitions", "open files of the daemon"),
                              before, after):
        print(f"{name:28}{old} -> {new}")
    print(f"{'free memory':28}{before[3]} -> {after[3]} KiB: {lost} KiB less, "
          f"goal less than {BOUND_KIB}")
    print("nothing leaked" if met else "something leaked")
    sys.exit(not met)


main()
