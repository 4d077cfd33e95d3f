# SPDX-License-Identifier: LGPL-2.1-or-later
"""libvirt's qemu driver within this process: prints, as JSON, what it answers to driver_calls.

    unshare --mount --pid --fork --kill-child --mount-proc qemu_driver.py FOLDER

Its QEMU runs a machine without disks, emulated: nothing needs /dev/kvm. It wants users and groups
that Debian's libvirt-daemon-system makes; they are there in this process's mounts only.
"""

import json
import pathlib
import subprocess
import sys
import threading

import libvirt

import driver_flow
from driver_calls import CONNECTION, DOMAIN, outcome

XML = """
<domain type='qemu'>
  <name>test</name><memory unit='MiB'>128</memory><vcpu>2</vcpu>
  <os><type arch='x86_64'>hvm</type></os>
  <devices><console type='pty'/></devices>
</domain>"""
CONF = """
cgroup_controllers = []
namespaces = []
security_driver = "none"
stdio_handler = "file"
user = "root"
group = "root"
"""
LIMIT_S = 60
IDENTITY = 64055  # of Debian's libvirt-qemu
ran = threading.Condition()  # each round of the event loop


def add_users(folder):
    for name, more in (("passwd", f"libvirt-qemu:x:{IDENTITY}:{IDENTITY}::/:/bin/false"),
                       ("group", f"libvirt-qemu:x:{IDENTITY}:\nkvm:x:{IDENTITY + 1}:")):
        theirs, ours = pathlib.Path("/etc", name), folder / name
        ours.write_text(f"{theirs.read_text(encoding='utf-8')}{more}\n", encoding="utf-8")
        subprocess.run(["mount", "--bind", ours, theirs], check=True)


def run_events():
    while True:
        libvirt.virEventRunDefaultImpl()
        with ran:
            ran.notify_all()


def wait_for(condition):
    """Until `condition()` is true, which an event has to make it."""
    with ran:
        if not ran.wait_for(condition, LIMIT_S):
            raise AssertionError("nothing happened in time")


def main():
    folder = pathlib.Path(sys.argv[1])
    add_users(folder)
    root = folder / "qemu"
    (root / "etc").mkdir(parents=True)
    (root / "etc" / "qemu.conf").write_text(CONF, encoding="utf-8")
    libvirt.registerErrorHandler(lambda _context, _error: None, None)
    libvirt.virEventRegisterDefaultImpl()
    threading.Thread(target=run_events, daemon=True).start()
    connection = libvirt.open(f"qemu:///embed?root={root}")
    domain = connection.defineXML(XML)
    domain.create()
    answers = [{name: outcome(call, on) for name, call in calls.items()}
               for calls, on in ((CONNECTION, connection), (DOMAIN, domain))]
    xml = XML.replace(">test<", f">{driver_flow.NAME}<")
    answers.append(driver_flow.live(
        connection, xml, xml.replace("<os>", "<os><kernel>/no/kernel</kernel>"), wait_for))
    json.dump(answers, sys.stdout)


if __name__ == "__main__":
    main()
