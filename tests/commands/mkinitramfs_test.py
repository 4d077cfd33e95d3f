# SPDX-License-Identifier: LGPL-2.1-or-later
"""virt-multikernel-mkinitramfs: what is in an initramfs, and what bad input gets."""

import pathlib
import subprocess
import tempfile
import unittest

PROGRAM = pathlib.Path(__file__).resolve().parents[2] / "virsh-ext/virt-multikernel-mkinitramfs"
LIMIT_S = 120


def run(*words, **options):
    return subprocess.run([str(word) for word in words], capture_output=True, text=True,
                          timeout=LIMIT_S, check=False, stdin=subprocess.DEVNULL, **options)


class Mkinitramfs(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.output = self.folder / "initrd.img"
        self.work = self.folder / "work"
        self.work.mkdir()

    def make(self, *words):
        return run(PROGRAM, *words, env={"PATH": "/usr/bin:/bin", "TMPDIR": str(self.work)})

    def unpacked(self, *words):
        """Builds with these options; returns the folder where it was unpacked."""
        done = self.make("--output", self.output, *words)
        self.assertEqual(done.returncode, 0, done.stderr)
        tree = self.folder / "tree"
        tree.mkdir()
        done = run("sh", "-c", 'zcat "$1" | cpio --extract --quiet', "sh", self.output, cwd=tree)
        self.assertEqual(done.returncode, 0, done.stderr)
        return tree

    def test_everything_belongs_to_root_and_the_work_folder_is_empty_again(self):
        self.assertEqual(self.make("-o", self.output).returncode, 0)
        listing = run("sh", "-c", 'zcat "$1" | cpio -tvn --quiet', "sh", self.output).stdout
        owners = {tuple(line.split()[2:4]) for line in listing.splitlines()}
        self.assertEqual(owners, {("0", "0")})
        self.assertEqual(list(self.work.iterdir()), [])
        self.assertEqual([path.name for path in self.folder.iterdir() if path.is_file()],
                         ["initrd.img"])

    def test_init_and_orderly_end_are_there(self):
        tree = self.unpacked()
        self.assertTrue((tree / "init").stat().st_mode & 0o111)
        self.assertIn("hvc0::respawn:", (tree / "etc/inittab").read_text(encoding="ascii"))
        for name in ("poweroff", "reboot"):
            self.assertEqual(str((tree / "sbin" / name).readlink()), "/bin/busybox")

    def test_package_comes_with_all_that_it_needs_to_run(self):
        tree = self.unpacked("--package", "cpio", "--package=kmod")
        for program in ("cpio", "kmod"):
            done = run("chroot", tree, f"/bin/{program}", "--version")
            self.assertEqual(done.returncode, 0, done.stderr)
        self.assertFalse((tree / "usr/share/man/man1").exists())

    def test_modules_come_with_those_that_they_need(self):
        # of a kernel that is installed, else of one whose headers are: then it is downloaded
        folder = pathlib.Path("/lib/modules")
        found = [*folder.glob("*/modules.dep"), *folder.glob("*/build")]
        version = found[0].parent.name
        tree = self.unpacked("-k", version, "-m", "ext4 loop")
        self.assertEqual((tree / "etc/modules").read_text(encoding="ascii"), "ext4\nloop\n")
        for name in ("ext4", "jbd2", "mbcache", "loop"):
            self.assertTrue(list((tree / "lib/modules" / version).rglob(f"{name}.ko*")), name)

    def test_name_and_command_are_kept_as_given(self):
        tree = self.unpacked("-n", "web", "-r", "echo '$HOME \"x\"'")
        self.assertEqual((tree / "etc/hostname").read_text(encoding="ascii"), "web\n")
        self.assertEqual((tree / "etc/rc").read_text(encoding="ascii"),
                         "#!/bin/sh\necho '$HOME \"x\"'\n")

    def test_bad_input_gets_a_sentence_and_leaves_the_output_alone(self):
        self.output.write_text("old", encoding="ascii")
        cases = {
            ("--output",): "--output needs a value",
            ("--frob",): "unknown option '--frob'",
            ("word",): "'word' is no option",
            ("-p", "no-such-package-1"): "Unable to locate package no-such-package-1",
            ("-p", "a;b"): "'a;b' is not a package name",
            ("-p", "../x"): "'../x' is not a package name",
            ("-m", "ext4"): "--modules needs --kernel",
            ("-k", "6.1.0"): "--kernel is of no use without --modules",
            ("-k", "../x", "-m", "ext4"): "'../x' is not a kernel version",
            ("-n", "-x"): "'-x' is not a host name",
            ("-n", "a" * 64): "is longer than 63 characters",
        }
        for words, sentence in cases.items():
            with self.subTest(words=words):
                done = self.make("-o", self.output, *words)
                self.assertEqual(done.returncode, 1)
                self.assertIn(sentence, done.stderr)
                self.assertEqual(done.stdout, "")
                self.assertEqual(self.output.read_text(encoding="ascii"), "old")
                self.assertEqual(list(self.work.iterdir()), [])

    def test_output_that_cannot_be_is_refused(self):
        for words, sentence in {(): "--output is missing", ("-o", "/tmp"): "'/tmp' is a folder",
                                ("-o", "/no/such/x"): "no folder '/no/such/'"}.items():
            with self.subTest(words=words):
                done = self.make(*words)
                self.assertEqual(done.returncode, 1)
                self.assertIn(sentence, done.stderr)


if __name__ == "__main__":
    unittest.main()
