# SPDX-License-Identifier: LGPL-2.1-or-later
"""The kernel of Debian's backports, newer than the machine's, and its headers.

Taken apart into the cache: nothing of it is installed on this computer, and the computer's own
lists of packages stay as they are.
"""

import pathlib
import re
import tempfile

from . import cache
from .kernel import Kernel

SOURCE = ("deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] "
          "http://deb.debian.org/debian bookworm-backports main\n")


class _Apt:
    """apt with lists of its own, in a folder."""

    def __init__(self, folder):
        self.options = ["-o", "Dir::Etc::sourceparts=-", "-o", "APT::Sandbox::User=root",
                        "-o", "Acquire::Retries=0", "-o", f"Dir::Etc::sourcelist={folder}/sources",
                        "-o", "Dir::State::status=/dev/null",  # nothing is installed
                        "-o", f"Dir::State::lists={folder}/lists", "-o", f"Dir::Cache={folder}"]
        pathlib.Path(folder, "lists/partial").mkdir(parents=True)
        pathlib.Path(folder, "archives/partial").mkdir(parents=True)
        pathlib.Path(folder, "sources").write_text(SOURCE, encoding="ascii")

    def newest(self):
        """The version that linux-image-amd64 of the backports stands for, or None."""
        # without lists it says nothing wrong; what it could not reach is a warning
        cache.check(["apt-get", *self.options, "update"])
        text = cache.check(["apt-cache", *self.options, "depends", "--no-recommends",
                            "--no-suggests", "linux-image-amd64"])
        match = re.search(r"Depends: linux-image-(\S+)-amd64", text)
        return match and match[1]

    def extract(self, version, folder):
        """The image, and what modules are built against, below `folder`."""
        folder.mkdir()
        cache.check(["apt-get", *self.options, "download",
                     *(f"linux-{name}" for name in (
                         f"image-{version}-amd64", f"headers-{version}-amd64",
                         f"headers-{version}-common", f"kbuild-{version}"))], cwd=folder)
        for package in folder.glob("*.deb"):
            cache.check(["dpkg-deb", "--extract", package, folder])
            package.unlink()
        cache.check(["/sbin/depmod", "-b", folder, f"{version}-amd64"])


def _move_headers(folder, version, final):
    """They name their own places, and want a tool for debug information that is not needed."""
    name = f"usr/src/linux-headers-{version}"
    (folder / f"{name}-amd64" / "Makefile").write_text(
        f"include {final}/{name}-common/Makefile\n", encoding="ascii")
    (folder / f"{name}-amd64" / "vmlinux").unlink(missing_ok=True)
    build = folder / "lib/modules" / f"{version}-amd64" / "build"
    build.unlink()
    build.symlink_to(final / f"{name}-amd64")


def newest():
    """The newest one as a Kernel, or None if there is no way to the backports."""
    with tempfile.TemporaryDirectory() as folder:
        apt = _Apt(folder)
        try:
            version = apt.newest()
        except RuntimeError:
            return None
        if not version:
            return None

        def make(path):
            apt.extract(version, path)
            _move_headers(path, version, cache.directory() / f"backports-{version}")

        root = cache.once(f"backports-{version}", make)
    return Kernel(f"{version}-amd64", root)
