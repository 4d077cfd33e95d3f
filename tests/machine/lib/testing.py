# SPDX-License-Identifier: LGPL-2.1-or-later
"""What machine tests share: a booted machine, virsh in it, domains, consoles, events.

A test finds a machine without domains, and leaves one: what it started is destroyed after it,
and then every CPU must be back and the host's log free of complaints. Waits are for events, with
a limit that only a failure reaches. Tests of one process share a machine if they want the same.
"""

import atexit
import contextlib
import gzip
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import textwrap
import threading
import unittest
import uuid

import pexpect

from . import backports, cache, kernel
from .machine import PATIENCE, Machine

TOP = pathlib.Path(__file__).resolve().parents[3]
BUILD = pathlib.Path(os.environ.get("BUILD", TOP / "build"))
URI = "multikernel:///system"
INITRD = "/var/lib/multikernel/initrd.img"
USERSPACE_UP = "multikernel: userspace is up"
PROMPT = "root@app:"
# Lines of an app kernel's log come between any two characters of what its processes print.
LOG_LINE = r"\[ *\d+\.\d{6}\][^\r\n]*\r\n"
LIMIT_S = 120 * PATIENCE  # for anything an app kernel does; emulation on a busy computer is slow
DAEMON_KIB = 16 * 1024  # what the daemon and the host may take for themselves in a test
COMPLAINT = re.compile(r"\bBUG\b|WARNING:|Oops|rcu:? .*(stall|detected)|soft lockup|hard LOCKUP|"
                       r"Call Trace|general protection|blocked for more than|lost the CPU|UBSAN:")
# libvirt's virDomainEventType
DEFINED, UNDEFINED, STARTED, SUSPENDED, RESUMED, STOPPED, SHUTDOWN, PMSUSPENDED, CRASHED = range(9)

_machines = {}


def machine(newer=False, **options):
    """The running machine with these options of Machine.start(); ends any other first.

    newer: with the kernel of Debian's backports, which the caller knows that there is.
    """
    key = (newer, *sorted(options.items()))
    if key not in _machines:
        end_machines()
        # Known before it starts: also a start that fails is cleaned up.
        made = _machines[key] = Machine(f"test-{os.getpid()}")
        host = backports.newest() if newer else kernel.Kernel(kernel.of_build(BUILD))
        try:
            made.start(host, BUILD, **options)
            made.connect()
        except RuntimeError:
            print(made.serial_log()[-6000:])
            end_machines()
            raise
    return _machines[key]


@atexit.register
def end_machines():
    while _machines:
        _machines.popitem()[1].stop()


class MachineTest(unittest.TestCase):
    """Base of all machine tests; `options` is what machine() gets."""

    options = {}
    machine = None
    ends_machine = False  # True: there is nothing to look at after a test
    uses_daemon = True

    def setUp(self):
        self.machine = machine(**self.options)
        if self.ends_machine:
            self.addCleanup(end_machines)
            return
        self.cpus, log = self._cpus_and_log()
        self.seen = log[-1]
        self.addCleanup(self._check_clean)
        self.addCleanup(self._remove_domains if self.uses_daemon else self._remove_partitions)

    @classmethod
    def turn(cls):
        """Classes that want the same machine come together, those that end theirs at the end."""
        return cls.ends_machine, repr(sorted(cls.options.items()))

    @classmethod
    def tearDownClass(cls):
        if _machines:
            test = cls()
            test.machine = next(iter(_machines.values()))
            test.check_leaks()
        super().tearDownClass()

    def run(self, result=None):
        before = len(result.failures) + len(result.errors) if result else 0
        super().run(result)
        if self.machine and result and len(result.failures) + len(result.errors) > before:
            self._tell_why()
            end_machines()  # the next test gets one that is as it should be
        return result

    # -- commands -----------------------------------------------------------------------------

    def run_in(self, *words, check=True, limit_s=LIMIT_S, **options):
        """Runs a command in the machine (one word: a shell line); returns what it printed.

        With check=False returns (exit code, what it printed on both streams).
        """
        done = subprocess.run(self.command(*words), stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, errors="replace",
                              timeout=limit_s, check=False,
                              **(options or {"stdin": subprocess.DEVNULL}))
        if not check:
            return done.returncode, done.stdout
        if done.returncode:
            self.fail(f"'{' '.join(words)}' in the machine ended with {done.returncode}:\n"
                      f"{done.stdout}")
        return done.stdout.rstrip("\n")

    def virsh(self, *words, **options):
        return self.run_in("virsh", "--quiet", "-c", URI, *words, **options)

    def refused(self, *words, saying):
        """virsh fails, and each text in `saying` is in what it says."""
        code, output = self.virsh(*words, check=False)
        self.assertNotEqual(code, 0, f"virsh {' '.join(words)} was not refused:\n{output}")
        for text in saying:
            self.assertIn(text, output)
        self.assertNotIn("End of file", output)
        return output

    def put(self, path, content):
        """Writes a file in the machine; content: text or bytes."""
        data = content.encode() if isinstance(content, str) else content
        subprocess.run(self.command(f"cat >'{path}'"), input=data, check=True, timeout=LIMIT_S)

    def script(self, *parts, limit_s=LIMIT_S):
        """Runs Python in the machine, with all of device.py at hand; returns what it printed."""
        prelude = "import os, select, sys, threading, time, uuid\nfrom device import *\n"
        program = prelude + "".join(textwrap.dedent(part) for part in parts)
        return self.run_in("PYTHONPATH=/usr/lib/multikernel-machine PYTHONDONTWRITEBYTECODE=1 "
                           "python3 -", input=program, limit_s=limit_s)

    def command(self, *words):
        here = pathlib.Path(__file__).parent.parent / "run"
        return [sys.executable, "-B", str(here), "--name", self.machine.name, *words]

    # -- domains ------------------------------------------------------------------------------

    def xml(self, name, memory_mib=256, vcpus=1, cmdline="", kernel_path="/vmlinuz",
            initrd=INITRD, vcpu_attributes="", more=""):
        return f"""<domain type='multikernel'>
  <name>{name}</name>
  <memory unit='MiB'>{memory_mib}</memory>
  <vcpu{vcpu_attributes}>{vcpus}</vcpu>
  <os>
    <type arch='x86_64'>hvm</type>
    <kernel>{kernel_path}</kernel>
    <initrd>{initrd}</initrd>
    <cmdline>{cmdline}</cmdline>
  </os>
  {more}
  <devices>
    <console type='pty'/>
  </devices>
</domain>
"""

    def define(self, name, **fields):
        path = f"/root/{uuid.uuid4()}.xml"
        self.run_in(f"cat >{path} && virsh --quiet -c {URI} define {path}",
                    input=self.xml(name, **fields))

    def start(self, name, **fields):
        """Defines and starts a domain; returns its Console, at the shell of its userspace."""
        self.define(name, **fields)
        return self.start_defined(name)

    def start_defined(self, name):
        console = Console(self, name, "start", name, "--console")
        console.wait_for(USERSPACE_UP)
        return console

    def console(self, name):
        """Another terminal at the console of a running domain."""
        return Console(self, name, "console", name)

    def app_release(self):
        """What `uname -r` says in app kernels."""
        return self.run_in("readlink /vmlinuz").split("vmlinuz-")[1]

    def kernel_module(self, name, release=None):
        """The bytes of a module of tests/support/modules, for app kernels if no other is named."""
        with tempfile.TemporaryDirectory() as work:
            headers = kernel.Kernel(release or self.app_release()).headers
            cache.check(["make", "-C", TOP / "tests/support/modules", f"HEADERS={headers}",
                         f"OUTPUT={work}"])
            return pathlib.Path(work, f"{name}.ko").read_bytes()

    def program(self, source):
        """The bytes of a program, from C, that needs nothing but a kernel."""
        with tempfile.TemporaryDirectory() as work:
            path = pathlib.Path(work, "program")
            subprocess.run(["cc", "-static", "-Os", "-s", "-Wall", "-Werror", "-x", "c", "-o",
                            path, "-"], input=source.encode(), check=True)
            return path.read_bytes()

    def _put_program(self, name, content, compress=bytes):
        """Makes /root/more.cpio in the machine, an archive of this file."""
        with tempfile.TemporaryDirectory() as work:
            path = pathlib.Path(work, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            path.chmod(0o755)
            cpio = subprocess.run(["cpio", "--quiet", "-o", "-H", "newc"], cwd=work, check=True,
                                  input=f"{name}\n".encode(), stdout=subprocess.PIPE).stdout
        self.put("/root/more.cpio", compress(cpio))

    def initrd_with(self, name, content):
        """Path in the machine of the initramfs with one more file in its root."""
        self._put_program(name, content)
        # Uncompressed first: Linux wants such an archive at a multiple of four bytes.
        self.run_in(f"cat /root/more.cpio {INITRD} >/root/more.img")
        return "/root/more.img"

    def initrd_instead(self, name, content):
        """Path in the machine of the initramfs with this file in the place of its own."""
        self._put_program(name, content, gzip.compress)  # the last one is what stays
        self.run_in(f"cat {INITRD} /root/more.cpio >/root/more.img")
        return "/root/more.img"

    def initrd_with_hang_module(self):
        return self.initrd_with("mk_test_hang.ko", self.kernel_module("mk_test_hang"))

    def state(self, name):
        return self.virsh("domstate", name, "--reason")

    def host_views(self):
        """What clients are told of the machine, without the frequency, which changes by itself."""
        nodeinfo = [line for line in self.virsh("nodeinfo").splitlines()
                    if "frequency" not in line]
        return nodeinfo, self.virsh("nodecpumap"), self.virsh("capabilities")

    def owned_cpus(self, name):
        """The CPUs of a running domain's vCPUs, in the order of those, as texts."""
        return re.findall(r"^CPU:\s+(\d+)$", self.virsh("vcpuinfo", name), re.MULTILINE)

    def dmesg_of(self, core):
        """The kernel log in a dump, as makedumpfile finds it."""
        self.run_in(f"makedumpfile --dump-dmesg -f {core} {core}.dmesg >/dev/null")
        return self.run_in(f"cat {core}.dmesg")

    def online_cpus(self):
        return self.run_in("cat /sys/devices/system/cpu/online")

    def new_log(self):
        """The lines of the host's log since the test began."""
        return self._new(self._cpus_and_log()[1])

    def free_kib(self):
        """What the host has left; see host_free_bytes()."""
        return int(self.script("print(host_free_bytes() // 1024)"))

    def assert_free_again(self, before_kib, bound_kib=DAEMON_KIB):
        """All is free that was but for so much; each partition of a test has several times more."""
        self.assertLess(before_kib - self.free_kib(), bound_kib)

    @contextlib.contextmanager
    def events(self):
        """with self.events() as events: …; events.wait_for("web", STOPPED)"""
        watcher = Events(self.command("/usr/lib/multikernel-machine/watch-events"))
        try:
            yield watcher
        finally:
            watcher.end()

    # -- afterwards ---------------------------------------------------------------------------

    def _remove_domains(self):
        # As few programs as can be: in emulation, virsh takes most of a second to begin. The logs
        # too: the next test reads what its own app kernels said.
        self.run_in(f"""
            virsh="virsh --quiet -c {URI}"
            words=$(for name in $($virsh list --name); do echo "destroy $name;"; done
                    for name in $($virsh list --all --persistent --name); do
                        echo "undefine $name;"
                    done)
            [ -z "$words" ] || $virsh "$words" || exit 1
            rm -f /var/log/libvirt/multikernel/*.log* """)

    def _remove_partitions(self):
        self.script("""
            device = Device()
            for identity, _, _ in list(device.list()):
                device.open(identity).destroy()
            """)

    def _check_clean(self):
        cpus, log = self._cpus_and_log()
        self.assertEqual(cpus, self.cpus, "CPUs did not come back")
        self.assertEqual([line for line in self._new(log) if COMPLAINT.search(line)], [])

    def _cpus_and_log(self):
        cpus, *log = self.run_in("cat /sys/devices/system/cpu/online && dmesg").splitlines()
        return cpus, log

    def _new(self, log):
        # All of it if the last line seen is not there any more: the log is a ring.
        return log[log.index(self.seen) + 1:] if self.seen in log else log

    def check_leaks(self):
        """A kernel that looks for leaks, see debug-kernel, has found none of the host module."""
        # Twice: only what was found without a reference before, and did not change, is reported.
        found = self.run_in("""
            grep -qw kmemleak_scan /proc/kallsyms || exit 0
            mountpoint -q /sys/kernel/debug || mount -t debugfs debugfs /sys/kernel/debug
            cd /sys/kernel/debug && echo scan >kmemleak && echo scan >kmemleak && cat kmemleak
            """)
        reports = found.split("unreferenced object ")
        self.assertEqual([each for each in reports if "[multikernel_host]" in each], [])

    def _tell_why(self):
        try:
            print(self.run_in("journalctl --no-pager -u virtmultikerneld.service | tail -n 40; "
                              "echo --- dmesg; dmesg | tail -n 40", check=False)[1])
            # What an app kernel said that never came up is in its log once it is stopped.
            print(self.run_in(f"""
                for name in $(virsh --quiet -c {URI} list --name); do
                    virsh --quiet -c {URI} destroy $name
                    echo "--- the log of $name"
                    tail -n 25 /var/log/libvirt/multikernel/$name.log
                done""", check=False)[1])
        except (OSError, subprocess.SubprocessError) as error:
            print(f"(the machine does not answer: {error})")
            print(self.machine.serial_log()[-4000:])


def printed(text):
    """The pattern of a text on a console, whatever lines of the kernel's log come amid it."""
    return f"(?:{LOG_LINE})*".join(map(re.escape, text))


class Console:
    """A terminal on which virsh shows a domain's console."""

    def __init__(self, test, name, *words):
        self.test = test
        self.name = name
        self.count = 0
        command = test.command("--terminal", "virsh", "--quiet", "-c", URI, *words)
        self.child = pexpect.spawn(command[0], command[1:], timeout=LIMIT_S, encoding="utf-8",
                                   codec_errors="replace", dimensions=(50, 500))
        test.addCleanup(self.child.close, force=True)

    def wait_for(self, *texts):
        """Waits until one of the texts comes; returns all that came before it."""
        try:
            self.child.expect([*map(printed, texts)])
        except (pexpect.TIMEOUT, pexpect.EOF) as error:
            self.test.fail(f"the console did not say {texts} ({type(error).__name__}); it said:\n"
                           f"{self.child.before[-6000:]}")
        return self.child.before

    def type(self, line):
        self.child.send(f"{line}\r")

    def wake(self):
        """Types Enter until the shell answers with its prompt; returns the console.

        For one that was opened again: virsh throws away what was typed before it was ready, and
        nothing tells when it is.
        """
        for _ in range(LIMIT_S):
            self.type("")
            if self.child.expect([printed(PROMPT), pexpect.TIMEOUT], timeout=1) == 0:
                return self
        self.test.fail(f"the shell did not answer; the console said:\n{self.child.before}")

    def command(self, line):
        """Runs a line in the app kernel's shell; returns what it printed.

        Without what looks like lines of the kernel's log; log() asks for those.
        """
        self.count += 1
        # The shell does the sums: what is typed is echoed, and must not look like the answer.
        self.type(f"echo B-$(({self.count}+0))-; {line}; echo E-$(({self.count}+0))-")
        self.wait_for(f"B-{self.count}-\r\n")
        said = re.sub(LOG_LINE, "", self.wait_for(f"E-{self.count}-"))
        return said.replace("\r\n", "\n").rstrip("\n")

    def log(self, pattern):
        """What the app kernel's log has that matches an extended regular expression."""
        return self.command(f"dmesg | sed 's/^[^]]*] //' | grep -E '{pattern}'")

    def total_kib(self):
        """The memory that the app kernel knows of, without what its image takes."""
        return int(self.command("grep MemTotal: /proc/meminfo").split()[1])

    def leave(self):
        """Ctrl+]: virsh gives the terminal back, the domain runs on."""
        self.child.send("\x1d")
        self.wait_for_end()

    def comes_up_again(self):
        """Waits for a second boot, on this console or a new one; returns it at its shell."""
        console = self
        if self.child.expect([printed(USERSPACE_UP), pexpect.EOF]) == 1:
            console = self.test.console(self.name)
            console.wait_for(USERSPACE_UP)
        return console

    def wait_for_end(self):
        """Waits until virsh ends, as it does when the domain stops."""
        try:
            self.child.expect(pexpect.EOF)
        except pexpect.TIMEOUT:
            self.test.fail(f"virsh console did not end; it said:\n{self.child.before[-6000:]}")
        return self.child.before


class Events:
    """The lifecycle events since it was made, in order."""

    def __init__(self, command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, text=True,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.timer = threading.Timer(LIMIT_S * 3, self.process.kill)
        self.timer.start()
        self.seen = []
        self._read_until(lambda line: line == "listening")

    def wait_for(self, name, event, detail=None):
        """Waits for the next such event; returns its detail."""
        def wanted(line):
            words = line.split()
            return words[:2] == [name, str(event)] and detail in (None, int(words[2]))
        return int(self._read_until(wanted).split()[2])

    def _read_until(self, wanted):
        for line in self.process.stdout:
            self.seen.append(line.strip())
            if wanted(self.seen[-1]):
                return self.seen[-1]
        raise AssertionError(f"the event did not come; these did: {self.seen}")

    def end(self):
        self.timer.cancel()
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.kill()
        self.process.wait()
