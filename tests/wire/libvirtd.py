# SPDX-License-Identifier: LGPL-2.1-or-later
"""A stock libvirtd as it ships, without hypervisor drivers.

It has mounts of its own, so that it writes nothing to this computer.
"""

import pathlib
import shlex

from harness import LIMIT_S, start_daemon

DRIVERS = pathlib.Path("/usr/lib/x86_64-linux-gnu/libvirt/connection-driver")
FAMILIES = ("network", "storage", "nodedev", "interface", "secret", "nwfilter")


class Libvirtd:
    """The daemon that owns networks and storage, with its sockets in `folder`; `conf` is more of
    its libvirtd.conf."""

    def __init__(self, folder, conf=""):
        self.folder = folder
        self.process = None
        drivers = folder / "drivers"
        drivers.mkdir()
        for name in FAMILIES:
            library = f"libvirt_driver_{name}.so"
            (drivers / library).symlink_to(DRIVERS / library)
        (folder / "libvirtd.conf").write_text(
            f'unix_sock_dir = "{folder}"\n{conf}', encoding="utf-8")

    def start(self, *options):
        mounts = " && ".join(f"mkdir -p {path} && mount -t tmpfs none {path}"
                             for path in ("/etc/libvirt", "/var/lib/libvirt", "/run"))
        command = shlex.join(["libvirtd", "--config", str(self.folder / "libvirtd.conf"),
                              "--pid-file", str(self.folder / "libvirtd.pid"), *options])
        with open(self.folder / "libvirtd.log", "ab") as log:
            self.process = start_daemon(
                ["unshare", "--mount", "sh", "-c", f"{mounts} && exec {command}"], self.folder,
                log, LIBVIRT_DRIVER_DIR=str(self.folder / "drivers"))

    def stop(self):
        if self.process is not None:
            self.process.terminate()
            self.process.wait(LIMIT_S)
            self.process = None
