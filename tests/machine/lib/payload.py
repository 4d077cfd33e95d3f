# SPDX-License-Identifier: LGPL-2.1-or-later
"""What one boot of the machine gets besides its root image: one initramfs.

It holds the boot script and modules, and a tree that the script lays over the root file
system: settings, this boot's keys, kernel modules, and the product as `meson install` puts it.
"""

import os
import pathlib
import shutil
import subprocess
import tempfile
import uuid

from . import cache
from . import kernel as kernels

FILES = pathlib.Path(__file__).parent.parent / "files"
# Not needed here, slow in emulation, or in the way of what tests look at.
MASKED = ("apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer "
          "e2scrub_reap.service fstrim.timer getty.target ldconfig.service "
          "dev-hugepages.mount dev-mqueue.mount proc-sys-fs-binfmt_misc.automount "
          "kmod-static-nodes.service ssh.service sys-fs-fuse-connections.mount "
          "sys-kernel-debug.mount sys-kernel-tracing.mount sys-kernel-config.mount "
          "systemd-binfmt.service systemd-firstboot.service "
          "systemd-journal-catalog-update.service "
          "systemd-hwdb-update.service systemd-journal-flush.service systemd-logind.service "
          "systemd-machine-id-commit.service systemd-networkd.service systemd-pcrphase.service "
          "systemd-pcrphase-sysinit.service systemd-pstore.service systemd-random-seed.service "
          "systemd-remount-fs.service systemd-sysusers.service systemd-sysctl.service "
          "systemd-timesyncd.service systemd-tmpfiles-clean.timer "
          "systemd-tmpfiles-setup-dev.service systemd-udev-trigger.service "
          "systemd-udevd-control.socket systemd-udevd-kernel.socket systemd-udevd.service "
          "systemd-update-done.service systemd-update-utmp-runlevel.service "
          "systemd-update-utmp.service systemd-user-sessions.service").split()
STARTED = ("machine-ready.service", "machine-ssh.service", "virtmultikerneld.service",
           "virtmultikerneld.socket", "virtmultikerneld-ro.socket",
           "virtmultikerneld-admin.socket", "multikernel-guests.service")
SOURCE = FILES.parents[2] / "kernel"
MAKE_INITRD = FILES.parents[2] / "virsh-ext" / "virt-multikernel-mkinitramfs"
INITRD = pathlib.Path("var/lib/multikernel/initrd.img")  # as README's recipe has it
UNITS = pathlib.Path("usr/lib/systemd/system")
SETTINGS = pathlib.Path("etc/systemd/system")


def build(work, kernel, product, keys):
    """Makes and returns work/initramfs.

    kernel: the Kernel to boot; product: a meson build folder, or None for a machine without
    the product; keys: {path in the machine: local file}. The kernel at /vmlinuz, which app kernels
    are started from, is the same, or the one whose version is in $APP_KERNEL.
    """
    tree = work / "initramfs.d"
    payload = tree / "payload"
    _boot_part(tree, kernel)
    shutil.copytree(FILES / "root", payload)
    app_version = os.environ.get("APP_KERNEL")
    app = kernels.Kernel(app_version) if app_version else kernel
    if product:
        _install_product(product, payload)
    for place, source in keys.items():
        shutil.copy(source, payload / place)
    _settings(payload)
    for each in {kernel, app}:
        if product:
            _build_modules(payload, each)
        _add_modules(payload, each)
    (payload / "vmlinuz").symlink_to(f"boot/{app.image.name}")
    archive = work / "initramfs"
    with (open(archive, "wb") as out, subprocess.Popen(
            ["find", ".", "-print0"], cwd=tree, stdout=subprocess.PIPE) as names):
        subprocess.run(["cpio", "--quiet", "-0", "-o", "-H", "newc", "-R", "0:0"], cwd=tree,
                       stdin=names.stdout, stdout=out, check=True)
        if names.wait():
            raise RuntimeError(f"cannot list {tree}")
    shutil.rmtree(tree)
    return archive


def _boot_part(tree, kernel):
    for folder in ("bin", "dev", "proc", "sys", "root", "modules"):
        (tree / folder).mkdir(parents=True)
    shutil.copy("/bin/busybox", tree / "bin" / "busybox")
    shutil.copy(FILES / "init", tree / "init")
    order = kernel.with_dependencies(kernels.BOOT_MODULES)
    for module in order:
        shutil.copy(kernel.modules / module, tree / "modules")
    names = "".join(f"{pathlib.Path(module).name}\n" for module in order)
    (tree / "modules" / "order").write_text(names, encoding="ascii")


def _install_product(build_folder, payload):
    cache.check(["meson", "install", "-C", build_folder, "--no-rebuild", "--quiet", "--strip",
                 "--destdir", payload])
    # Debian's / has links from these to usr/: what was installed below them belongs there.
    for name in ("bin", "sbin", "lib"):
        if (payload / name).is_dir():
            shutil.copytree(payload / name, payload / "usr" / name, symlinks=True,
                            dirs_exist_ok=True)
            shutil.rmtree(payload / name)
    (payload / INITRD).parent.mkdir(parents=True, exist_ok=True)
    cache.check([MAKE_INITRD, "-o", payload / INITRD])


def _build_modules(payload, kernel):
    """The product's modules, if the build has none for this kernel and they can be made."""
    folder = payload / "usr/lib/modules" / kernel.version / "updates"
    if folder.exists() or not kernel.headers.exists():
        return
    folder.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as work:
        cache.check([SOURCE / "build-modules", SOURCE, work, kernel.headers.parent])
        for module in pathlib.Path(work).glob("*.ko"):
            shutil.copy(module, folder)


def _settings(payload):
    (payload / "etc/machine-id").write_text(f"{uuid.uuid4().hex}\n", encoding="ascii")
    (payload / "etc/hostname").write_text("machine\n", encoding="ascii")
    (payload / "etc/hosts").write_text("127.0.0.1 localhost machine\n", encoding="ascii")
    for unit in MASKED:
        (payload / SETTINGS / unit).symlink_to("/dev/null")
    for unit in STARTED:
        for place in (SETTINGS, UNITS):
            if (payload / place / unit).exists():
                wants = payload / SETTINGS / "multi-user.target.wants"
                wants.mkdir(exist_ok=True)
                (wants / unit).symlink_to(f"/{place / unit}")


def _add_modules(payload, kernel):
    """Adds the kernel's image and the modules that tests use, with an index over all."""
    folder = payload / "usr/lib/modules" / kernel.version
    for module in kernel.with_dependencies(kernels.BOOT_MODULES + kernels.TEST_MODULES):
        (folder / module).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(kernel.modules / module, folder / module)
    for name in ("modules.builtin", "modules.builtin.modinfo", "modules.order"):
        shutil.copy(kernel.modules / name, folder)
    cache.check(["/sbin/depmod", "-b", payload / "usr", kernel.version])
    (payload / "boot").mkdir(exist_ok=True)
    shutil.copy(kernel.image, payload / "boot")
