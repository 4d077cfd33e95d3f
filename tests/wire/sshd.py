# SPDX-License-Identifier: LGPL-2.1-or-later
"""A stock sshd on the loopback, as another host that runs the daemon; and how to log in to it.

It has mounts of its own: the daemon's sockets are where libvirt looks for them, and nothing of this
computer's (accounts, keys, /root) is read for a login, or changed.
"""

import shutil
import subprocess
import urllib.parse

from harness import LIMIT_S, free_port, start_daemon

SERVER = """ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/host
AuthorizedKeysFile {folder}/user.pub
SetEnv PATH={folder}/bin
PidFile none
UsePAM no
StrictModes no
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitUserRC no
PrintMotd no
"""
CLIENT = """UserKnownHostsFile {folder}/known
GlobalKnownHostsFile none
IdentitiesOnly yes
IdentityAgent none
"""
# What libvirt's clients run on the other host, and what that needs.
HELPER = ("sh", "which", "virt-ssh-helper")
NETCAT = ("sh", "which", "grep", "nc")


def make_key(path):
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", path],
                   check=True)
    return path


class Sshd:
    """Whoever logs in finds `programs`, and the sockets in `sockets` at /run/libvirt."""

    def __init__(self, folder, sockets, programs=HELPER):
        self.folder = folder
        self.process = None
        self.port = None
        for name in ("bin", "home"):
            (folder / name).mkdir()
        for name in programs:
            (folder / "bin" / name).symlink_to(shutil.which(name))
        self.key = make_key(folder / "user")
        make_key(folder / "host")
        self._make_accounts()
        (folder / "client.conf").write_text(CLIENT.format(folder=folder), encoding="utf-8")
        self.command = folder / "ssh"
        self.command.write_text(f'#!/bin/sh\nexec ssh -F {folder / "client.conf"} "$@"\n',
                                encoding="utf-8")
        self.command.chmod(0o755)
        mounts = ["mount -t tmpfs none /run", "mkdir /run/sshd /run/libvirt",
                  f"mount --bind {sockets} /run/libvirt"]
        mounts += [f"mount --bind {folder / name} /etc/{name}" for name in ("passwd", "shadow")]
        self.script = " && ".join(mounts) + f" && exec /usr/sbin/sshd -D -e -f {folder / 'conf'}"

    def _make_accounts(self):
        """Those of this computer, but root and nobody can log in, to a shell that reads nothing."""
        with open("/etc/passwd", encoding="utf-8") as accounts:
            lines = [line.split(":") for line in accounts]
        for line in lines:
            if line[0] in ("root", "nobody"):
                line[5:] = [str(self.folder / "home"), "/bin/sh\n"]
        (self.folder / "passwd").write_text("".join(map(":".join, lines)), encoding="utf-8")
        (self.folder / "shadow").write_text(
            "".join(f"{line[0]}:*:20000::::::\n" for line in lines), encoding="utf-8")

    def start(self):
        """Returns when it listens."""
        while not self._starts_at(free_port()):  # somebody else was faster
            pass
        host = (self.folder / "host.pub").read_text(encoding="utf-8")
        (self.folder / "known").write_text(f"[127.0.0.1]:{self.port} {host}", encoding="utf-8")

    def _starts_at(self, port):
        self.port = port
        (self.folder / "conf").write_text(SERVER.format(folder=self.folder, port=port),
                                          encoding="utf-8")
        with open(self.folder / "log", "wb") as log:
            try:
                self.process = start_daemon(["unshare", "--mount", "sh", "-c", self.script],
                                            self.folder, log)
            except AssertionError as error:
                if "Address already in use" not in str(error):
                    raise
        return self.process is not None

    def stop(self):
        """Ends it; who is logged in stays so."""
        self.process.terminate()
        self.process.wait(LIMIT_S)

    def run(self, *words):
        """What ssh and `words` do on that host."""
        return subprocess.run(
            [self.command, "-p", str(self.port), "-i", self.key, "-o", "BatchMode=yes",
             "root@127.0.0.1", *words], stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=LIMIT_S, check=False)

    def uri(self, user="root", **parameters):
        query = {"command": self.command, "keyfile": self.key, "no_tty": 1, **parameters}
        return (f"multikernel+ssh://{user}@127.0.0.1:{self.port}/system?"
                + urllib.parse.urlencode(query, safe="/"))
