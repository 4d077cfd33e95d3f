# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the usual tools say about the sources: formatters, linters, the kernel's checkers.

BUILD in the environment is the meson build folder whose compile_commands.json clang-tidy reads.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

TOP = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("BUILD", TOP / "build"))
# checkpatch is in no binary package but the kernel's sources; this is all it needs of them.
CHECKPATCH_FILES = ("checkpatch.pl", "spelling.txt", "const_structs.checkpatch")

sys.path.insert(0, str(TOP / "tests" / "machine"))
import tidy  # noqa: E402
from lib import cache  # noqa: E402


def tracked(*patterns):
    """Tracked files that still exist, as paths below TOP."""
    names = subprocess.run(["git", "ls-files", "-z", "--", *patterns], cwd=TOP,
                           capture_output=True, text=True, check=True).stdout.split("\0")
    return [name for name in names if name and (TOP / name).is_file()]


def said(words, **options):
    """What a command prints, with its exit code as the last line if it is not 0."""
    done = subprocess.run([str(word) for word in words], cwd=TOP, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False, **options)
    return done.stdout + (f"exit code {done.returncode}" if done.returncode else "")


def fetch_checkpatch(folder):
    folder.mkdir()
    cache.check(["apt-get", "download", "-o", "APT::Sandbox::User=root", "linux-source-6.1"],
                cwd=folder)
    package = next(folder.glob("*.deb"))
    wanted = " ".join(f"linux-source-6.1/scripts/{name}" for name in CHECKPATCH_FILES)
    cache.check(["sh", "-c", f"dpkg-deb --fsys-tarfile '{package}' | "
                 f"tar -xO ./usr/src/linux-source-6.1.tar.xz | "
                 f"tar -xJ --strip-components=2 {wanted}"], cwd=folder)
    package.unlink()


def checkpatch():
    return cache.once("checkpatch-6.1", fetch_checkpatch) / "checkpatch.pl"


class ClangTidy(unittest.TestCase):
    """By itself: it takes minutes, in which the others may be run."""

    maxDiff = None

    def test_clang_tidy_finds_nothing(self):
        ours = {str(TOP / name) for name in tracked("libvirt-driver/**.cpp",
                                                    "libvirt-driver/*.cpp", "tests/**.cpp")}
        self.assertTrue(ours)
        self.assertEqual(tidy.findings(TOP, BUILD.resolve(), ours), [])


class Tools(unittest.TestCase):
    maxDiff = None

    def test_clang_format_would_change_nothing(self):
        files = tracked("libvirt-driver/**.cpp", "libvirt-driver/**.h", "libvirt-driver/*.cpp",
                        "libvirt-driver/*.h", "tests/**.cpp", "tests/**.h")
        self.assertTrue(files)
        self.assertEqual(said(["clang-format", "--dry-run", "--Werror", *files]), "")

    def test_checkpatch_finds_nothing(self):
        files = tracked("kernel/**.c", "kernel/**.h", "kernel/**.S", "tests/support/**.ko.c",
                        "tests/support/modules/*.c")
        files = [name for name in files if name != "kernel/app/loader.c"]  # no kernel code
        self.assertTrue(files)
        words = ["perl", checkpatch(), "--no-tree", "--strict", "--terse", "--no-summary",
                 "--max-line-length=100"]
        compat = [name for name in files if name.endswith("compat.h")]
        # Code outside the kernel's tree has to ask for its version, in this one place, which also
        # hides the kernel's own odd names.
        ignored = "LINUX_VERSION_CODE,CONSTANT_COMPARISON,CAMELCASE"
        self.assertEqual(said([*words, f"--ignore={ignored}",
                               "--file", *compat]), "")
        self.assertEqual(said([*words, "--file", *sorted({*files} - {*compat})]), "")

    def test_sparse_finds_nothing(self):
        versions = sorted(pathlib.Path("/lib/modules").glob("*/build/Makefile"))
        self.assertTrue(versions)
        for makefile in versions:
            with tempfile.TemporaryDirectory() as work, self.subTest(kernel=str(makefile)):
                shutil.copytree(TOP / "kernel", pathlib.Path(work, "kernel"))
                for module in ("host", "app"):
                    output = said(["make", "-s", "-C", makefile.parent, "C=2",
                                   f"M={work}/kernel/{module}", "modules"])
                    wrong = [line for line in output.splitlines() if "BTF" not in line]
                    self.assertEqual(wrong, [])

    def test_systemd_understands_the_units(self):
        units = tracked("packaging/systemd/*.service", "packaging/systemd/*.socket")
        self.assertTrue(units)
        with tempfile.TemporaryDirectory() as work:
            for name in units:  # with programs that are there, which ours may not be
                text = (TOP / name).read_text(encoding="utf-8")
                text = re.sub(r"(?m)^(Exec\w+=)/usr/(sbin|libexec)/\S+", r"\1/bin/true", text)
                pathlib.Path(work, pathlib.Path(name).name).write_text(text, encoding="utf-8")
            self.assertEqual(said(["systemd-analyze", "verify", "--man=no",
                                   "--recursive-errors=no", *pathlib.Path(work).iterdir()]), "")

    def test_shellcheck_finds_nothing(self):
        scripts = [name for name in tracked()
                   if re.match(rb"#!\s*/(usr/)?bin/(env )?(ba|da)?sh\b",
                               (TOP / name).read_bytes()[:64])]
        self.assertTrue(scripts)
        self.assertEqual(said(["shellcheck", "--severity=warning", "--exclude=SC1091", *scripts]),
                         "")
