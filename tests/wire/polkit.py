# SPDX-License-Identifier: LGPL-2.1-or-later
"""A real polkitd on a system bus of its own, with a test's rules; and clients that are not root.

polkitd reads its rules and actions where they are installed, so it gets mounts of its own: nothing
of this computer's is read or changed.
"""

import os
import select
import shlex
import subprocess

from harness import LIMIT_S

NOBODY = 65534
POLKITD = "/usr/lib/polkit-1/polkitd"
ACTION = ('<action id="{}"><description>d</description><message>m</message><defaults>'
          '<allow_any>{}</allow_any></defaults></action>\n')
# libvirt's actions, with libvirt's defaults for them (src/remote/libvirtd.policy.in,
# src/access/genpolkit.py).
ACTIONS = {
    "org.libvirt.unix.monitor": "yes", "org.libvirt.unix.manage": "auth_admin_keep",
    **{f"org.libvirt.api.connect.{name}": default for name, default in {
        "getattr": "yes", "read": "yes", "search-domains": "yes", "search-networks": "yes",
        "write": "no"}.items()},
    **{f"org.libvirt.api.network.{name}": default for name, default in {
        "getattr": "yes", "read": "yes", "write": "no", "save": "no", "delete": "no"}.items()},
    **{f"org.libvirt.api.domain.{name}": default for name, default in {
        "getattr": "yes", "read": "yes", "write": "no", "read-secure": "no", "start": "no",
        "stop": "no", "save": "no", "delete": "no", "init-control": "no", "suspend": "no",
        "open-device": "no", "reset": "no", "migrate": "no", "core-dump": "no", "mem-read": "no",
        "block-read": "no", "block-write": "no", "inject-nmi": "no", "send-input": "no"}.items()},
}
BUS = """<busconfig><type>system</type><listen>unix:path={}</listen><auth>EXTERNAL</auth>
<policy context="default"><allow user="*"/><allow own="*"/><allow send_destination="*"/>
<allow receive_sender="*"/></policy></busconfig>
"""
RULES = """polkit.addRule(function(action, subject) {{
    polkit.log(action.id + " of " + subject.user);
    {}
}});
"""


class Bus:
    """A system bus in `folder`, and polkitd on it once there are rules."""

    def __init__(self, folder):
        self.folder = folder
        folder.chmod(0o711)  # other users come to the sockets
        self.address = f"unix:path={folder / 'bus'}"
        self.processes = []
        self.ends = []
        for name in ("rules", "actions", "none"):
            (folder / name).mkdir()
        conf = folder / "bus.conf"
        conf.write_text(BUS.format(folder / "bus"), encoding="utf-8")
        reading, writing = os.pipe()
        self._run(["dbus-daemon", f"--config-file={conf}", "--nofork", "--nopidfile",
                   f"--print-address={writing}"], pass_fds=[writing])
        os.close(writing)
        self._wait_for(reading)  # it listens
        os.close(reading)

    def _run(self, command, **options):
        with open(self.folder / "polkit.log", "ab") as log:
            self.processes.append(subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **options))
        return self.processes[-1]

    def _wait_for(self, fd):
        ready = select.select([fd], [], [], LIMIT_S)[0]
        assert ready, (self.folder / "polkit.log").read_text(encoding="utf-8")

    def polkit(self, rule):
        """Starts polkitd with `rule`, the body of a function of action and subject."""
        (self.folder / "rules" / "50-test.rules").write_text(RULES.format(rule), encoding="utf-8")
        (self.folder / "actions" / "test.policy").write_text(
            '<?xml version="1.0"?>\n<policyconfig>\n'
            + "".join(ACTION.format(*each) for each in ACTIONS.items()) + "</policyconfig>\n",
            encoding="utf-8")
        mounts = " && ".join(
            f"mount --bind {self.folder / ours} {theirs}" for ours, theirs in (
                ("rules", "/usr/share/polkit-1/rules.d"), ("none", "/etc/polkit-1/rules.d"),
                ("actions", "/usr/share/polkit-1/actions")))
        watch = subprocess.Popen(
            ["gdbus", "wait", "--system", "--timeout", str(LIMIT_S), "org.freedesktop.PolicyKit1"],
            env=self.environment())
        polkitd = self._run(["unshare", "--mount", "sh", "-c",
                             f"{mounts} && exec {shlex.quote(POLKITD)}"], env=self.environment())
        assert watch.wait() == 0, (self.folder / "polkit.log").read_text(encoding="utf-8")
        return polkitd

    def environment(self):
        return {**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": self.address, "LC_ALL": "C"}

    def end(self):
        for process in reversed(self.processes):
            process.kill()
            process.wait(LIMIT_S)


def as_nobody(*command):
    return ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", *command]
