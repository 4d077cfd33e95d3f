# SPDX-License-Identifier: LGPL-2.1-or-later
"""The three commands of the test machine: up, run, down."""

import os
import pathlib
import signal
import subprocess
import tempfile
import unittest

from lib.machine import Machine
from lib.testing import BUILD, LIMIT_S, end_machines

HERE = pathlib.Path(__file__).parent


def command(name, *words, **options):
    return subprocess.run([HERE / name, *words], capture_output=True, timeout=LIMIT_S * 2,
                          check=False, **(options or {"stdin": subprocess.DEVNULL}))


class Commands(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        end_machines()  # the memory of this computer is for ours
        cls.work = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.work.cleanup)
        cls.name = f"commands-{os.getpid()}"
        cls.addClassCleanup(command, "down", "--name", cls.name)
        cls.socket = pathlib.Path(cls.work.name, "sock")
        done = command("up", "--name", cls.name, "--build", str(BUILD), "--socket",
                       str(cls.socket))
        if done.returncode:
            raise AssertionError(done.stderr.decode())

    def run_in(self, *words, **options):
        return command("run", "--name", self.name, *words, **options)

    def test_exit_code_and_both_streams_come_back(self):
        done = self.run_in("echo out; echo err >&2; exit 7")
        self.assertEqual((done.returncode, done.stdout, done.stderr), (7, b"out\n", b"err\n"))

    def test_words_arrive_as_they_were_given(self):
        done = self.run_in("printf", "%s|", "a  b", "c'd", '"', "$HOME", "*", "")
        self.assertEqual(done.stdout, b"a  b|c'd|\"|$HOME|*||")

    def test_any_bytes_pass_both_ways(self):
        content = os.urandom(300_000)
        self.assertEqual(self.run_in("cat", input=content).stdout, content)

    def test_terminal_is_a_terminal(self):
        self.assertEqual(self.run_in("test -t 0 || echo none").stdout, b"none\n")
        done = command("run", "--name", self.name, "--terminal", "test -t 0 && echo tty")
        self.assertEqual(done.stdout.strip(), b"tty")

    def test_stock_virsh_on_this_computer_drives_the_machine(self):
        done = subprocess.run(
            ["virsh", "-c", f"multikernel+unix:///system?socket={self.socket}", "hostname"],
            capture_output=True, text=True, timeout=LIMIT_S, check=False)
        self.assertEqual((done.returncode, done.stdout.strip()), (0, "machine"), done.stderr)

    def test_second_up_of_the_same_name_is_refused_and_harms_nothing(self):
        done = command("up", "--name", self.name, "--build", str(BUILD))
        self.assertNotEqual(done.returncode, 0)
        self.assertIn(b"is running already", done.stderr)
        self.assertEqual(self.run_in("echo alive").stdout, b"alive\n")

    def test_second_machine_runs_beside_the_first_and_down_leaves_nothing(self):
        other = Machine(f"{self.name}-b")
        self.addCleanup(other.stop)
        socket = pathlib.Path(self.work.name, "other")
        done = command("up", "--name", other.name, "--build", "none", "--cpus", "2", "--memory",
                       "512", "--socket", str(socket))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(command("run", "--name", other.name, "nproc").stdout, b"2\n")
        self.assertEqual(self.run_in("nproc").stdout, b"4\n")
        self.assertTrue(socket.is_socket())
        pid = other.qemu_pid()
        self.assertEqual(command("down", "--name", other.name).returncode, 0)
        self.assertFalse(socket.exists())
        self.assertFalse(other.state.exists())
        self.assertFalse(_runs(pid))
        done = command("run", "--name", other.name, "true")
        self.assertIn(b"is not running", done.stderr)
        self.assertEqual(command("down", "--name", other.name).returncode, 0)

    def test_interrupted_up_leaves_nothing(self):
        """Interrupted as soon as its QEMU runs, which is before the machine is ready."""
        other = Machine(f"{self.name}-c")
        self.addCleanup(other.stop)
        up = subprocess.Popen([HERE / "up", "--name", other.name, "--build", "none"],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while not (pid := other.qemu_pid()):
            self.assertIsNone(up.poll(), "up ended before it was interrupted")
        up.send_signal(signal.SIGINT)
        self.assertEqual(up.wait(timeout=LIMIT_S), 128 + signal.SIGINT)
        self.assertFalse(other.state.exists())
        self.assertFalse(_runs(pid))

    def test_bad_words_are_refused(self):
        for words, saying in ((["--name", "a/b", "--build", "none"], b"no name for a machine"),
                              (["--name", "x", "--cpus", "3", "--threads", "2"], b"multiple"),
                              (["--name", "x", "--kernel", "../etc", "--build", "none"],
                               b"not a kernel version"),
                              (["--name", "x", "--build", "/nowhere"], b"no build in")):
            with self.subTest(words=words):
                done = command("up", *words)
                self.assertNotEqual(done.returncode, 0)
                self.assertIn(saying, done.stderr)


def _runs(pid):
    """Whether a process with this id still does anything (a zombie does not)."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False
