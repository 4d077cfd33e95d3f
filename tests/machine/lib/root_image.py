# SPDX-License-Identifier: LGPL-2.1-or-later
"""The machine's root file system: one ext4 image made from Debian packages by mmdebstrap.

It holds packages only. Settings, keys, kernel modules and the product come with each boot
(payload.py), so the image is made again only if the package list changes.
"""

import hashlib
import os
import pathlib
import re

from . import cache

SUITE = "bookworm"
SIZE = "4G"  # sparse: what the machine may write, not what the image takes
LIST = pathlib.Path(__file__).parent.parent / "files" / "packages.list"
UNWANTED = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*")
# mmdebstrap has /proc and /sys mounted while it runs hooks: a plain bind mount leaves them out.
FINISH = """set -eu
rm -rf "$1"/var/lib/apt/lists/* "$1"/var/cache/apt/* "$1"/var/log/*.log "$1"/etc/ssh/ssh_host_*
mount --bind "$1" "$1"/mnt
trap 'umount "$1"/mnt' EXIT
mke2fs -q -t ext4 -L multikernel-root -d "$1"/mnt '{image}' {size}
"""


def packages():
    """The package names in files/packages.list."""
    lines = LIST.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def _sources():
    """The Debian sources of this computer, so that its mirror and its keys are used."""
    places = [pathlib.Path("/etc/apt/sources.list"),
              pathlib.Path("/etc/apt/sources.list.d/debian.sources")]
    found = [place for place in places if place.exists() and SUITE in place.read_text("utf-8")]
    return found or [f"deb http://deb.debian.org/debian {SUITE} main"]


def _apt_options():
    """How this computer's apt reaches its mirror: proxies, and what it makes of dates."""
    wanted = re.compile(r'^(Acquire::(?:https?::|Check-|Retries).*) "(.+)";$')
    for line in cache.check(["apt-config", "dump"]).splitlines():
        if match := wanted.match(line):
            yield f'--aptopt={match[1]} "{match[2]}"'


def _make(image):
    work = image.with_name(f"{image.name}.d")
    cache.remove(work)
    work.mkdir()
    try:
        # In its own process and mount namespace, nothing outlives mmdebstrap, however it ends.
        cache.check(["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc",
                     "mmdebstrap", "--variant=essential", "--format=null",
                     f"--include={','.join(packages())}",
                     '--aptopt=APT::Install-Recommends "false"', *_apt_options(),
                     *(f"--dpkgopt=path-exclude={path}" for path in UNWANTED),
                     f"--customize-hook={FINISH.format(image=image, size=SIZE)}",
                     SUITE, "/dev/null", *_sources()], env={**os.environ, "TMPDIR": str(work)})
    finally:
        cache.remove(work)


def path():
    """The image, made if it has to be (half a minute and about 100 MB of packages)."""
    recipe = "\n".join([SUITE, SIZE, FINISH, *UNWANTED, *packages()])
    key = hashlib.sha256(recipe.encode()).hexdigest()[:16]
    return cache.once(f"root-{key}.img", _make)
