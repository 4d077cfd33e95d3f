# SPDX-License-Identifier: LGPL-2.1-or-later
"""A stock Debian kernel for the machine: its image, and those of its modules that tests use.

Taken from this computer if it is installed here, else from the Debian package.
"""

import pathlib
import re

from . import cache

# For the machine to boot: disk, root file system, network.
BOOT_MODULES = ("virtio_pci", "virtio_blk", "ext4", "crc32c_generic", "virtio_net")
# For tests in the running machine.
TEST_MODULES = ("loop", "tun", "bridge", "veth", "vhost_net", "fuse", "overlay", "kvm_amd",
                "kvm_intel")


def newest():
    """The version that linux-image-amd64 stands for today, such as 6.1.0-56-amd64."""
    text = cache.check(["apt-cache", "depends", "--no-recommends", "--no-suggests",
                        "linux-image-amd64"])
    match = re.search(r"Depends: linux-image-(\S+-amd64)", text)
    if not match:
        raise RuntimeError("apt does not know linux-image-amd64: run apt-get update, "
                           "or name a kernel with --kernel")
    return match[1]


class Kernel:
    """One kernel version: `image` is its bzImage, `modules` its folder of modules, `headers` what
    modules are built against, if that is there."""

    def __init__(self, version, root=None):
        """root: where its packages were extracted, if that is known"""
        if not re.fullmatch(r"[0-9][A-Za-z0-9.+~-]*", version):
            raise RuntimeError(f"'{version}' is not a kernel version such as 6.1.0-56-amd64")
        self.version = version
        if not root:
            root = pathlib.Path("/")
            if not self._complete(root):
                root = cache.once(f"kernel-{version}", self._fetch)
        self.image = root / "boot" / f"vmlinuz-{version}"
        self.modules = root / "lib" / "modules" / version
        own = self.modules / "build"
        self.headers = own if own.exists() else pathlib.Path("/lib/modules", version, "build")

    def _complete(self, root):
        return ((root / "boot" / f"vmlinuz-{self.version}").exists()
                and (root / "lib" / "modules" / self.version / "modules.dep").exists())

    def _fetch(self, folder):
        folder.mkdir()
        cache.check(["apt-get", "download", "-o", "APT::Sandbox::User=root",
                     f"linux-image-{self.version}"], cwd=folder)
        package = next(folder.glob("*.deb"))
        cache.check(["dpkg-deb", "--extract", package, folder])
        package.unlink()
        cache.check(["/sbin/depmod", "-b", folder, self.version])

    def with_dependencies(self, names):
        """Paths below `modules` of these modules and of all they need; built-in ones have none."""
        text = (self.modules / "modules.dep").read_text(encoding="ascii")
        needs = dict(line.split(":") for line in text.splitlines())
        by_name = {_module_name(path): path for path in needs}
        built_in = (self.modules / "modules.builtin").read_text(encoding="ascii").splitlines()
        built_in = {_module_name(path) for path in built_in}
        found = []
        for name in names:
            if name in by_name:
                # modules.dep lists what comes last first: load order is the other way round
                found += reversed([by_name[name], *needs[by_name[name]].split()])
            elif name not in built_in:
                raise RuntimeError(f"kernel {self.version} has no module {name}")
        return list(dict.fromkeys(found))


def _module_name(path):
    return pathlib.Path(path).name.split(".ko")[0].replace("-", "_")


def of_build(build):
    """The newest kernel version that this build folder has a host module for, or None."""
    modules = pathlib.Path(build).rglob("multikernel_host.ko") if build else []
    return max((cache.check(["/sbin/modinfo", "-F", "vermagic", module]).split()[0]
                for module in modules), default=None)
