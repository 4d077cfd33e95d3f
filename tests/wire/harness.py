# SPDX-License-Identifier: LGPL-2.1-or-later
"""Stock clients against the daemon, with scripted app kernels in the place of real ones.

Each test has a daemon of its own in a folder of its own, so tests share nothing. BUILD (or
MK_BUILD) names the build folder. Nothing here sleeps: a test waits for an event, with a limit
that only a broken daemon reaches.
"""

import contextlib
import io
import os
import pathlib
import re
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest

import libvirt
import pexpect

LIMIT_S = 60
TEST_LIMIT_S = 180  # then a test has failed, and the next one has its turn

BUILD = pathlib.Path(os.environ.get("BUILD") or os.environ.get("MK_BUILD") or "/nowhere")
FAKE_DAEMON = BUILD / "tests" / "fake-daemon"

# libvirt-python prints each error that it also raises.
libvirt.registerErrorHandler(lambda _context, _error: None, None)
# Before the first connection, or that one gets no events.
libvirt.virEventRegisterDefaultImpl()


def start_daemon(command, folder, log, **environment):
    """Returns a process once it says, as to systemd, that it is ready."""
    notify_path = folder / f"notify-{pathlib.Path(command[0]).name}"
    notify_path.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(str(notify_path))
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            env={**os.environ, "NOTIFY_SOCKET": str(notify_path), "LC_ALL": "C", **environment})
        with Exit(process.pid) as exited:
            while True:
                ready = select.select([notify, exited], [], [], LIMIT_S)[0]
                if notify in ready and b"READY=1" in notify.recv(4096).split(b"\n"):
                    return process
                if exited in ready or not ready:
                    process.kill()
                    process.wait()
                    said = pathlib.Path(log.name).read_text(encoding="utf-8", errors="replace")
                    raise AssertionError(f"{command[0]} did not start:\n{said}")


def free_port():
    """One of the loopback's that nobody has, just now."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return listening.getsockname()[1]


class Daemon:
    """The daemon with made-up hardware: sockets, definitions and logs are in `folder`.

    `conf` is the text of its virtmultikerneld.conf; `wrapper` is a command that runs the daemon's;
    `environment` is more than ours.
    Made-up partitions are nothing for the audit trail of this host, unless `conf` says so.
    """

    def __init__(self, *options, conf="", wrapper=(), environment=None):
        self.wrapper = wrapper
        self.environment = environment or {}
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="mk-wire-"))
        self.conf = self.folder / "virtmultikerneld.conf"
        audit = "" if re.search(r"(?m)^audit_level", conf) else "\naudit_level = 0\n"
        self.conf.write_text(conf + audit, encoding="utf-8")
        self.options = options
        self.log = open(self.folder / "daemon.log", "wb")
        self.process = None
        try:
            self.start()
        except BaseException:
            self.end()
            raise

    def start(self):
        """Returns when the daemon says, as to systemd, that it is ready."""
        self.process = start_daemon(
            [*self.wrapper, FAKE_DAEMON, "--socket-dir", self.folder, *self.options], self.folder,
            self.log, TMPDIR=str(self.folder), MK_MACHINE=str(self.sandbox),
            PATH=f"{self.folder / 'bin'}:{os.environ['PATH']}", **self.environment)

    def end(self):
        """Ends it politely; a daemon that does not end, or ends badly, is an AssertionError."""
        code = None
        if self.process is not None:
            if self.process.poll() is None:
                self.process.terminate()
            try:
                code = self.process.wait(LIMIT_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        text = self.log_text()
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)
        if code not in (0, -signal.SIGKILL, None):
            raise AssertionError(f"the daemon ended with {code}:\n{text}")
        if self.process is not None and code is None:
            raise AssertionError(f"the daemon did not end:\n{text}")

    def kill(self):
        self.process.kill()
        self.process.wait()

    def restart(self):
        """Kills it and starts another on what it left: disk, partitions, sockets."""
        self.kill()
        self.start()

    def log_text(self):
        return (self.folder / "daemon.log").read_text(encoding="utf-8", errors="replace")

    def put_firmware(self, tables):
        """The machine's SMBIOS tables, as smbios.py makes them, for the daemon's dmidecode."""
        (self.folder / "smbios").write_bytes(tables)
        program = self.folder / "bin" / "dmidecode"
        program.parent.mkdir(exist_ok=True)
        program.write_text(f"#!/bin/sh\nexec /usr/sbin/dmidecode --from-dump "
                           f"{self.folder / 'smbios'} \"$@\"\n", encoding="utf-8")
        program.chmod(0o755)

    @property
    def sandbox(self):
        """The made-up machine's files: kernel, initrd, definitions, logs; daemons come and go."""
        return self.folder / "machine"

    def uri(self, readonly=False):
        name = "virtmultikerneld-sock" + ("-ro" if readonly else "")
        return f"multikernel+unix:///system?socket={self.folder / name}"


def run_until(condition):
    """Runs libvirt's event loop until `condition()` is true."""
    late = []
    timer = libvirt.virEventAddTimeout(LIMIT_S * 1000, lambda *_: late.append(True), None)
    try:
        while not condition():
            if late:
                raise AssertionError("nothing happened in time")
            libvirt.virEventRunDefaultImpl()
    finally:
        libvirt.virEventRemoveTimeout(timer)


class Exit:
    """Polls readable once a process has ended."""

    def __init__(self, pid):
        self.fd = os.pidfd_open(pid)

    def fileno(self):
        return self.fd

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self.fd)


def output_of(virsh, command, end):
    """(stdout, stderr) of a process, until time.monotonic() is `end`; None if it hangs by itself.

    For a job it has one thread more, and waits in an event loop that this thread ends: for ever, if
    that happens before the loop runs (virshWatchJob() in tools/virsh-domain.c of libvirt 9.0). Then
    only those two are left that every virsh has.
    """
    while True:
        try:
            return virsh.communicate(timeout=5)
        except subprocess.TimeoutExpired:
            if time.monotonic() > end:
                raise
            if (command in {"dump", "managedsave", "migrate", "save"}
                    and len(os.listdir(f"/proc/{virsh.pid}/task")) == 2):
                return None


class WireTest(unittest.TestCase):
    """A test with a daemon and stock virsh."""

    maxDiff = None
    daemon_options = ()
    daemon_conf = ""
    daemon_wrapper = ()
    daemon_environment = {}

    def setUp(self):
        self.daemon = Daemon(*self.daemon_options, conf=self.daemon_conf,
                             wrapper=self.daemon_wrapper,
                             environment=self.daemon_environment)
        self.addCleanup(self.daemon.end)
        # Some calls of libvirt wait for ever; they fail when the daemon has gone.
        timer = threading.Timer(TEST_LIMIT_S, self.daemon.kill)
        timer.daemon = True
        timer.start()
        self.addCleanup(timer.cancel)

    # virsh

    def run_virsh(self, *words, readonly=False, env=None):
        command = ["virsh", "-c", self.daemon.uri(readonly), *(["-r"] if readonly else []), *words]
        end = time.monotonic() + LIMIT_S
        output = None
        while output is None:
            with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, text=True,
                                  env=self.environment(env)) as process:
                try:
                    output = output_of(process, words[0], end)
                finally:
                    process.kill()
        return subprocess.CompletedProcess(command, process.returncode, *output)

    def environment(self, more=None):
        """Ours and `more`, in which None stands for a variable that is not set."""
        all_ = {**os.environ, "LC_ALL": "C", "HOME": str(self.daemon.folder), **(more or {})}
        return {name: value for name, value in all_.items() if value is not None}

    def virsh(self, *words, readonly=False, env=None):
        """What it printed, without blank lines at the end; it must succeed and not complain."""
        done = self.run_virsh(*words, readonly=readonly, env=env)
        self.assertEqual((done.returncode, done.stderr), (0, ""),
                         f"virsh {' '.join(map(str, words))}\n{done.stdout}{done.stderr}")
        return done.stdout.rstrip("\n")

    def virsh_fails(self, *words, readonly=False):
        """Its complaint, one line for each error."""
        done = self.run_virsh(*words, readonly=readonly)
        self.assertNotEqual(done.returncode, 0, f"virsh {' '.join(map(str, words))}\n{done.stdout}")
        return done.stderr.rstrip("\n")

    def refused(self, text, *words, readonly=False):
        """`words` fail, and the last line of the complaint is `text`."""
        complaint = self.virsh_fails(*words, readonly=readonly)
        self.assertEqual(complaint.split("\n")[-1], "error: " + text, complaint)

    @contextlib.contextmanager
    def terminal(self, *words):
        """virsh on a terminal, for what reads one: console, event with ^C."""
        child = pexpect.spawn("virsh", ["-c", self.daemon.uri(), *map(str, words)],
                              env=self.environment(), timeout=LIMIT_S, encoding="utf-8")
        child.logfile_read = io.StringIO()  # all that it ever said
        try:
            yield child
        finally:
            child.close(force=True)

    def wake(self, console, unless=None):
        """Types Enter until the shell answers; False if virsh says `unless` in its place.

        For a console that was opened again: it shows only what nobody has read yet, and virsh
        throws away what was typed before it was ready, which nothing tells.
        """
        for _ in range(LIMIT_S):
            console.send("\r")
            said = console.expect_exact(
                ["\r\n# ", pexpect.TIMEOUT, *([unless] if unless else [])], timeout=1)
            if said != 1:
                return said == 0
        raise AssertionError(f"the shell did not answer:\n{console.logfile_read.getvalue()}")

    def check_that_a_dead_viewer_leaves_its_console(self):
        """kill -9 for a virsh console of the domain web, which runs; the next one gets it."""
        with self.terminal("console", "web") as first:
            first.expect("userspace is up")
            first.kill(9)
            first.expect(pexpect.EOF)
        # The daemon learns of the death from the socket; until then the session is active.
        for _ in range(LIMIT_S):
            with self.terminal("console", "web") as second:
                if self.wake(second, unless="Active console session exists for this domain"):
                    second.sendline("echo free")
                    second.expect("\r\nfree\r\n")
                    return
        self.fail("the console is still taken")

    # domains

    def xml(self, name="web", *, vcpus="<vcpu>1</vcpu>", more="", devices="", uuid=None,
            kernel=None, memory="<memory unit='MiB'>256</memory>", os_more=""):
        """A definition that the made-up machine can start; `more` is in front of <devices>."""
        kernel = kernel or self.daemon.sandbox / "vmlinuz"
        return (f"<domain type='multikernel'>\n  <name>{name}</name>\n"
                + (f"  <uuid>{uuid}</uuid>\n" if uuid else "")
                + f"  {memory}\n  {vcpus}\n  <os>\n    <type arch='x86_64'>hvm</type>\n"
                f"    <kernel>{kernel}</kernel>\n"
                f"    <initrd>{self.daemon.sandbox / 'initrd.img'}</initrd>\n{os_more}  </os>\n"
                f"{more}  <devices>\n    <console type='pty'/>\n{devices}  </devices>\n</domain>\n")

    def xml_file(self, text, name="domain.xml"):
        path = self.daemon.folder / name
        path.write_text(text, encoding="utf-8")
        return path

    def define(self, name="web", **options):
        self.virsh("define", self.xml_file(self.xml(name, **options)))
        return name

    def start(self, name="web", **options):
        self.define(name, **options)
        self.virsh("start", name)
        return name

    def state(self, name="web"):
        return self.virsh("domstate", name, "--reason")

    # libvirt-python

    def connect(self, readonly=False):
        opened = (libvirt.openReadOnly if readonly else libvirt.open)(self.daemon.uri(readonly))
        self.addCleanup(close_quietly, opened)
        return opened

    def lifecycle_events(self, connection):
        """(name of the domain, event) of each, from now on, as they come while run_until() runs."""
        seen = []
        connection.domainEventRegisterAny(
            None, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE,
            lambda _connection, domain, what, _detail, _: seen.append((domain.name(), what)), None)
        return seen

    def kill_daemon(self, connection):
        """kill -9; returns why the client thinks that it was cut off, once it knows that it is."""
        reasons = []
        connection.registerCloseCallback(lambda _conn, reason, _opaque: reasons.append(reason),
                                         None)
        self.daemon.kill()
        run_until(lambda: reasons)
        self.assertEqual(connection.isAlive(), 0)
        return reasons[0]

    def assert_code(self, code, function, *arguments):
        """`function` raises a libvirtError of this code; returns its message."""
        with self.assertRaises(libvirt.libvirtError) as caught:
            function(*arguments)
        error = caught.exception
        self.assertEqual(error.get_error_code(), code, error.get_error_message())
        return error.get_error_message()


def close_quietly(connection):
    with contextlib.suppress(libvirt.libvirtError):
        connection.close()


def table(text):
    """The rows of one of virsh's tables, split at two or more blanks; no heading."""
    lines = text.split("\n")
    bar = next(i for i, line in enumerate(lines) if re.fullmatch(r"-+", line.strip()))
    return [re.split(r"\s{2,}", line.strip()) for line in lines[bar + 1:] if line.strip()]


def pairs(text):
    """"Name:  value" lines as a dictionary."""
    return {key.strip(): value.strip()
            for key, _, value in (line.partition(":") for line in text.split("\n")) if value}
