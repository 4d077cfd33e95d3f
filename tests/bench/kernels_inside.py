# SPDX-License-Identifier: LGPL-2.1-or-later
"""The part of tests/bench/kernels that runs in the machine: ROUNDS"""

import statistics
import subprocess
import sys

import device
import libvirt

GOAL = 0.03
INITRD = "/root/bench.img"
XML = f"""<domain type='multikernel'>
  <name>bench</name>
  <memory unit='MiB'>256</memory>
  <vcpu>1</vcpu>
  <os>
    <type arch='x86_64'>hvm</type>
    <kernel>/vmlinuz</kernel>
    <initrd>{INITRD}</initrd>
    <cmdline>quiet mitigations=off</cmdline>
  </os>
  <devices><console type='pty'/></devices>
</domain>"""
MEASURED = ("syscall", "switch", "pipe", "fork", "fault", "memcpy")


def host_measure(what):
    """In the root control group, as all in the app kernel: groups have a price of their own."""
    return float(subprocess.run(
        ["sh", "-c", "echo $$ >/sys/fs/cgroup/cgroup.procs && exec /root/measure $0", what],
        check=True, stdout=subprocess.PIPE).stdout)


def main():
    rounds = int(sys.argv[1])
    with open("/root/measure", "rb") as program, open(INITRD, "wb") as out, \
            open("/var/lib/multikernel/initrd.img", "rb") as initrd:
        out.write(device.cpio([("measure", 0o100755, program.read())]) + initrd.read())
    connection = libvirt.open("multikernel:///system")
    domain = connection.defineXML(XML)
    domain.create()
    shell = device.Shell(device.Device().open(domain.UUID()))
    print(f"medians of {rounds} rounds in turn, nanoseconds; goal: ratio 1.00 ± {GOAL}")
    print(f"{'':10}{'host':>12}{'app':>12}{'ratio':>9}")
    good = True
    for what in MEASURED:
        values = [(host_measure(what), float(shell.run(f"/measure {what}"))) for _ in range(rounds)]
        host, own = (statistics.median(column) for column in zip(*values))
        met = abs(own / host - 1) <= GOAL
        good = good and met
        print(f"{what:10}{host:12.1f}{own:12.1f}{own / host:9.3f}"
              f"  {'met' if met else 'missed'}", flush=True)
    domain.destroy()
    domain.undefine()
    sys.exit(not good)


main()
