# SPDX-License-Identifier: LGPL-2.1-or-later
"""The daemons that tests/bench/rpc and tests/bench/crowd measure: ours and the stock one, as they
ship, in mounts of their own, so that nothing of this computer is touched. No partition runs: what
is measured is the wire."""

import pathlib
import re
import shlex
import signal
import subprocess
import sys
import time

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(TOP / "tests" / "wire"))
# pylint: disable=wrong-import-position
from harness import start_daemon  # noqa: E402  the wire tests' way to wait for a daemon

MOUNTS = ("/etc/libvirt", "/var/lib/libvirt", "/var/log/libvirt", "/run")


def program(build, name):
    """Builds one of the C++ programs beside this file; returns its path."""
    subprocess.run(["ninja", "-C", build, f"tests/{name}", "libvirt-driver/virtmultikerneld"],
                   check=True, stdout=subprocess.DEVNULL)
    return pathlib.Path(build, "tests", name)


class Daemon:
    """A daemon with its sockets in `folder`; `before`: shell commands that run in its mounts."""

    def __init__(self, folder, command, before="true"):
        self.folder = folder
        paths = " ".join(MOUNTS)
        script = (f"for path in {paths}; do mkdir -p $path && mount -t tmpfs none $path; done && "
                  f"mkdir -p /run/libvirt && {before} && exec {shlex.join(map(str, command))}")
        began = time.monotonic()
        with open(folder / f"{pathlib.Path(command[0]).name}.log", "wb") as log:
            self.process = start_daemon(["unshare", "--mount", "sh", "-c", script], folder, log)
        self.started_after_s = time.monotonic() - began

    def resident_kib(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1])

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)


def ours(build, folder, conf="", before="true"):
    (folder / "ours.conf").write_text(conf, encoding="utf-8")
    return Daemon(folder, [pathlib.Path(build, "libvirt-driver/virtmultikerneld").resolve(),
                           "--config", folder / "ours.conf", "--socket-dir", folder,
                           "--pid-file", folder / "ours.pid"], before)


def stock(folder):
    """libvirtd without a hypervisor: its test driver is built in."""
    (folder / "none").mkdir()
    (folder / "stock.conf").write_text(
        f'unix_sock_dir = "{folder}"\nauth_unix_ro = "none"\nauth_unix_rw = "none"\n',
        encoding="utf-8")
    return Daemon(folder, ["/usr/bin/env", f"LIBVIRT_DRIVER_DIR={folder / 'none'}", "libvirtd",
                           "--config", folder / "stock.conf", "--pid-file",
                           folder / "stock.pid"])


OURS = """<domain type='multikernel'><name>{name}</name><memory unit='MiB'>512</memory>
  <vcpu>2</vcpu><os><type arch='x86_64'>hvm</type><kernel>/vmlinuz</kernel>
  <initrd>/initrd.img</initrd></os><devices><console type='pty'/></devices></domain>"""
STOCK = OURS.replace("'multikernel'", "'test'")
