# SPDX-License-Identifier: LGPL-2.1-or-later
"""One running machine: its QEMU process, its state folder, the way in.

Everything that a machine has outside of QEMU is in its state folder, so that stop() can find
and remove it whoever started it. Knows nothing of what is inside the machine but "ready".
"""

import contextlib
import json
import os
import pathlib
import re
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from . import cache, payload, root_image

READY = "multikernel machine: ready"
NOT_READY = "multikernel machine: not ready"
RUNS_INIT = "Run /init as init process"  # Linux's words
DAEMON_SOCKET = "/run/libvirt/virtmultikerneld-sock"
HOST_WORDS = "no_ipi_broadcast=1 nox2apic"  # what the host module asks for
# Limits of time are multiplied by it, for kernels that watch themselves.
PATIENCE = int(os.environ.get("PATIENCE", "1"))
# -no-reboot makes a reset end QEMU: a host that resets (panic=-1: at once) is seen as gone, not
# as a machine that hangs. tsc=unstable: otherwise the kernel may find the clock stable and patch
# its idle path while other CPUs run it, and QEMU 7.2 may keep what it translated meanwhile.
# log_buf_len: tests look at what the kernel said since it booted, and many share a machine.
KERNEL_WORDS = ("console=ttyS0 panic=-1 mitigations=off tsc=unstable log_buf_len=4M "
                "net.ifnames=0 systemd.unit=multi-user.target systemd.show_status=0 "
                "systemd.default_device_timeout_sec=5 "
                f"systemd.default_timeout_start_sec={90 * PATIENCE}")


def _large(high_gib):
    """Machine words for `high_gib` GiB more at 64 GiB; and for the kernel, which then adds them.

    A kernel with memory above that moves it in large blocks, unless a hypervisor is below it.
    """
    if not high_gib:
        return "", "", [], ""
    return (",slots=1,maxmem=96G", ",-hypervisor",
            ["-object", f"memory-backend-ram,id=high,size={high_gib}G",
             "-device", f"pc-dimm,memdev=high,addr={64 << 30:#x}"], " memhp_default_state=online")


def _numa(cpus, nodes, memory_mib):
    """QEMU's words for `nodes` NUMA nodes with equal shares of CPUs and memory."""
    words = []
    for node in range(nodes if nodes > 1 else 0):
        first = node * cpus // nodes
        last = (node + 1) * cpus // nodes - 1
        words += ["-object", f"memory-backend-ram,id=node{node},size={memory_mib // nodes}M",
                  "-numa", f"node,nodeid={node},cpus={first}-{last},memdev=node{node}"]
    return words


class Machine:
    """The machine called `name`, running or not."""

    def __init__(self, name="default"):
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,31}", name):
            raise RuntimeError(f"'{name}' is no name for a machine: letters, digits, '_.-', 32")
        self.name = name
        base = os.environ.get("XDG_RUNTIME_DIR")
        if not base:
            base = "/run" if os.geteuid() == 0 else tempfile.gettempdir()
        self.state = pathlib.Path(base, f"multikernel-machine-{os.geteuid()}", name)

    # -- what is there ------------------------------------------------------------------------

    def qemu_pid(self):
        """The process id of this machine's QEMU, or None. Never another process's."""
        try:
            pid = int((self.state / "qemu.pid").read_text(encoding="ascii"))
            words = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except (OSError, ValueError):
            return None
        return pid if f"multikernel:{self.state}".encode() in words else None

    def serial_log(self):
        """All that the machine has said on its serial line so far."""
        try:
            return (self.state / "serial.log").read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return ""

    def ssh(self, *options):
        """The beginning of an ssh command line into this machine."""
        return ["ssh", "-F", str(self.state / "ssh_config"), *options, "machine", "--"]

    # -- start --------------------------------------------------------------------------------

    def start(self, kernel, product, cpus=4, threads=1, nodes=1, memory_mib=3072, high_gib=0,
              words=HOST_WORDS):
        """Boots the machine and returns when it has said that it is ready.

        words: what the host kernel is told for the product's sake. high_gib: see _large().
        Raises RuntimeError if it is not ready in time; the caller then calls stop().
        """
        if self.qemu_pid():
            raise RuntimeError(f"machine '{self.name}' is running: tests/machine/down first")
        self.stop()
        self.state.mkdir(parents=True, mode=0o700)
        keys = self._make_keys()
        initramfs = payload.build(self.state, kernel, product, keys)
        slots, no_hypervisor, dimm, adds = _large(high_gib)
        topology = f"cpus={cpus},sockets=1,cores={cpus // threads},threads={threads}"
        command = [
            "qemu-system-x86_64", "-name", f"multikernel:{self.state}", "-daemonize",
            "-pidfile", self.state / "qemu.pid", "-no-user-config", "-nodefaults", "-no-reboot",
            "-display", "none", "-machine", "q35", "-accel", "tcg,thread=multi",
            # rep stosb is slow in emulation; threads are only shown by CPUs that say Intel
            "-cpu", "max,-erms" + (",vendor=GenuineIntel" if threads > 1 else "")
            + no_hypervisor,
            "-smp", topology, "-m", f"{memory_mib}{slots}", *dimm,
            "-kernel", kernel.image, "-initrd", initramfs,
            "-append", f"{KERNEL_WORDS} {words}{adds}",
            "-qmp", f"unix:{self.state}/qmp,server=on,wait=off",
            "-chardev", f"socket,id=tty,path={self.state}/serial,server=on,wait=off,"
                        f"logfile={self.state}/serial.log",
            "-serial", "chardev:tty",
            *_numa(cpus, nodes, memory_mib),
            # snapshot: what the machine writes goes to a file that has no name and dies with QEMU
            "-drive", f"file={root_image.path()},if=virtio,format=raw,snapshot=on",
            "-nic", "user,model=virtio-net-pci,restrict=on,hostfwd=tcp:127.0.0.1:0-:22"]
        self._boot(command)
        initramfs.unlink()
        self._write_ssh_config()

    def connect(self, forward_to=None):
        """Opens the one connection that all commands share; forwards the daemon's socket."""
        options = ["-M", "-N", "-f"]
        if forward_to:
            options += ["-L", f"{forward_to}:{DAEMON_SOCKET}"]
            (self.state / "forward").write_text(str(forward_to), encoding="utf-8")
        # The connection stays behind in the background: it must not hold our pipes open.
        with open(self.state / "ssh.log", "wb") as log:
            done = subprocess.run(self.ssh(*options)[:-1], stdin=subprocess.DEVNULL, stdout=log,
                                  stderr=log, check=False, timeout=60 * PATIENCE)
        if done.returncode:
            reason = (self.state / "ssh.log").read_text(errors="replace")
            raise RuntimeError(f"cannot reach the machine: {reason}")

    def _make_keys(self):
        for name in ("client_key", "host_key"):
            cache.check(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name,
                         "-f", self.state / name])
        return {"etc/ssh/machine_host_key": self.state / "host_key",
                "etc/ssh/machine_authorized_keys": self.state / "client_key.pub"}

    def _boot(self, command):
        """Once more if the kernel died before it ran any program: that is none of the product's."""
        for last in (False, True):
            cache.check(command)
            try:
                self._wait_until_ready(time.monotonic() + 180 * PATIENCE)
                return
            except EOFError:
                if last or RUNS_INIT in self.serial_log() or not self.wait_for_end(30):
                    raise RuntimeError("the machine ended while it booted") from None
                print(f"{self.serial_log()[-3000:]}\nThe kernel died alone: once more.")

    def _wait_until_ready(self, deadline):
        with socket.socket(socket.AF_UNIX) as line:
            line.connect(str(self.state / "serial"))
            said = self.serial_log()  # from before we were connected
            while READY not in said:
                if NOT_READY in said:
                    raise RuntimeError("the machine came up, but not as it should")
                line.settimeout(max(0.001, deadline - time.monotonic()))
                try:
                    more = line.recv(65536)
                except TimeoutError:
                    raise RuntimeError("the machine was not ready in time") from None
                if not more:
                    raise EOFError
                said = said[-200:] + more.decode(errors="replace")

    def _write_ssh_config(self):
        answer = self._qmp("human-monitor-command", **{"command-line": "info usernet"})
        port = re.search(r"TCP\[HOST_FORWARD\]\s+\d+\s+127\.0\.0\.1\s+(\d+)", answer)[1]
        host_key = (self.state / "host_key.pub").read_text(encoding="ascii")
        (self.state / "known_hosts").write_text(f"machine {host_key}", encoding="ascii")
        (self.state / "ssh_config").write_text(f"""Host machine
  HostName 127.0.0.1
  HostKeyAlias machine
  Port {port}
  User root
  IdentityFile {self.state}/client_key
  IdentitiesOnly yes
  UserKnownHostsFile {self.state}/known_hosts
  StrictHostKeyChecking yes
  ControlPath {self.state}/ssh
  StreamLocalBindUnlink yes
  ExitOnForwardFailure yes
  LogLevel ERROR
""", encoding="ascii")

    def _qmp(self, command, **arguments):
        with socket.socket(socket.AF_UNIX) as monitor:
            monitor.settimeout(10)
            monitor.connect(str(self.state / "qmp"))
            with monitor.makefile("rw") as lines:
                lines.readline()  # greeting
                for request in ({"execute": "qmp_capabilities"},
                                {"execute": command, "arguments": arguments}):
                    lines.write(json.dumps(request) + "\n")
                    lines.flush()
                    while True:
                        answer = json.loads(lines.readline())
                        if "event" not in answer:
                            break
        return answer.get("return")

    # -- stop ---------------------------------------------------------------------------------

    def stop(self):
        """Ends the machine as if its plug were pulled; leaves nothing of it behind."""
        if (self.state / "ssh").exists():
            subprocess.run(self.ssh("-O", "exit")[:-1], stdin=subprocess.DEVNULL,
                           capture_output=True, check=False, timeout=10)
        if pid := self.qemu_pid():
            self._kill(pid)
        with contextlib.suppress(FileNotFoundError):
            forward = pathlib.Path((self.state / "forward").read_text(encoding="utf-8"))
            if forward.is_socket():
                forward.unlink()
        shutil.rmtree(self.state, ignore_errors=True)

    def wait_for_end(self, timeout_s):
        """Waits until the machine has ended by itself; False if it has not."""
        pid = self.qemu_pid()
        if not pid:
            return True
        process = os.pidfd_open(pid)
        try:
            return bool(select.select([process], [], [], timeout_s)[0])
        finally:
            os.close(process)

    def _kill(self, pid):
        process = os.pidfd_open(pid)
        try:
            if self.qemu_pid() == pid:  # asked again: now the number cannot be given away
                signal.pidfd_send_signal(process, signal.SIGKILL)
                select.select([process], [], [], 30)
        finally:
            os.close(process)
