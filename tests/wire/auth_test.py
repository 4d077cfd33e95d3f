# SPDX-License-Identifier: LGPL-2.1-or-later
"""Who may connect: polkit's answers, with a real polkitd, for clients that are not root."""

import contextlib
import os
import pathlib
import shutil
import stat
import subprocess
import sys
import tempfile

import libvirt

from harness import FAKE_DAEMON, LIMIT_S, WireTest, start_daemon
from polkit import NOBODY, Bus, as_nobody
from raw import (AUTH_LIST, AUTH_POLKIT, GET_TYPE, OK, OPEN, RawClient, number, optional_string,
                 read_error)

FROM_POLKIT = 60
AUTH_NONE, AUTH_POLKIT_TYPE = number(1) + number(0), number(1) + number(2)
SUPPORTS_FEATURE = 60


@contextlib.contextmanager
def effective_user(uid):
    """A socket connects as this user; the kernel tells the daemon."""
    os.setegid(uid)
    os.seteuid(uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)


class PolkitTest(WireTest):
    """A daemon beside a bus of its own; polkitd runs once a test has given its rules."""

    def setUp(self):
        folder = pathlib.Path(tempfile.mkdtemp(prefix="mk-bus-"))
        self.bus = Bus(folder)
        self.addCleanup(self.remove, folder)
        os.environ["DBUS_SYSTEM_BUS_ADDRESS"] = self.bus.address  # what the daemon inherits
        self.addCleanup(os.environ.pop, "DBUS_SYSTEM_BUS_ADDRESS")
        super().setUp()
        self.daemon.folder.chmod(0o711)

    def remove(self, folder):
        self.bus.end()
        subprocess.run(["rm", "-rf", folder], check=True)

    def run_as_nobody(self, *words, readonly=False):
        return subprocess.run(
            as_nobody("virsh", "-c", self.daemon.uri(readonly), *(["-r"] if readonly else []),
                      *words),
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LIMIT_S, check=False,
            env=self.environment())

    def raw_as_nobody(self, **options):
        with effective_user(NOBODY):
            client = RawClient(self.daemon, opened=False, **options)
        self.addCleanup(client.socket.close)
        return client

    def opened_as_nobody(self):
        """One that a rule lets in."""
        client = self.raw_as_nobody()
        client.call(AUTH_POLKIT)
        client.open()
        return client

    def assert_denied(self, reply, code, message):
        self.assertEqual(read_error(reply), (code, FROM_POLKIT, message))

    def assert_needs_authentication(self, client, procedure, payload=b""):
        reply = client.call(procedure, payload)
        self.assertEqual(read_error(reply)[::2],
                         (libvirt.VIR_ERR_RPC, "authentication required"))


class Authentication(PolkitTest):
    def test_whom_a_rule_allows_is_let_in(self):
        self.bus.polkit('return action.id == "org.libvirt.unix.manage" && subject.user == "nobody"'
                        ' ? polkit.Result.YES : polkit.Result.NO;')
        self.define("web")
        done = self.run_as_nobody("list", "--all", "--name")
        self.assertEqual((done.stdout.split(), done.stderr), (["web"], ""))
        done = self.run_as_nobody("start", "web")
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_whom_a_rule_denies_is_told_so(self):
        self.bus.polkit("return polkit.Result.NO;")
        done = self.run_as_nobody("list")
        self.assertIn("error: authentication failed: access denied by policy", done.stderr)
        client = self.raw_as_nobody()
        self.assert_denied(client.call(AUTH_POLKIT), libvirt.VIR_ERR_AUTH_FAILED,
                           "authentication failed: access denied by policy")
        self.assert_needs_authentication(client, GET_TYPE)

    def test_who_must_be_asked_and_has_no_agent_is_told_so(self):
        self.bus.polkit("")
        self.assert_denied(self.raw_as_nobody().call(AUTH_POLKIT), libvirt.VIR_ERR_AUTH_UNAVAILABLE,
                           "authentication unavailable: no polkit agent available to authenticate "
                           "action 'org.libvirt.unix.manage'")
        self.assertIn("error: authentication unavailable: no polkit agent available to "
                      "authenticate action 'org.libvirt.unix.manage'",
                      self.run_as_nobody("list").stderr)

    def test_who_closes_the_dialogue_is_told_so(self):
        self.bus.polkit("")
        agent = self.bus.folder / "agent.py"  # where the user can read it
        shutil.copy(pathlib.Path(__file__).with_name("dismissing_agent.py"), agent)
        agent.chmod(0o644)

        def run(*command):
            return subprocess.run(
                as_nobody(sys.executable, agent, *command), env=self.environment(), text=True,
                stdin=subprocess.DEVNULL, capture_output=True, timeout=LIMIT_S, check=False)

        done = run("virsh", "-c", self.daemon.uri(), "list")
        self.assertIn("error: authentication cancelled: user cancelled authentication process",
                      done.stderr)
        code = (f"import libvirt\ntry:\n libvirt.open('{self.daemon.uri()}')\n"
                "except libvirt.libvirtError as error:\n"
                " print(error.get_error_code(), error.get_error_domain())")
        done = run(sys.executable, "-c", code)
        self.assertEqual(done.stdout, f"{libvirt.VIR_ERR_AUTH_CANCELLED} {FROM_POLKIT}\n",
                         done.stderr)

    def test_anyone_may_look(self):
        self.bus.polkit("")  # libvirt's defaults
        self.define("web")
        done = self.run_as_nobody("list", "--all", "--name", readonly=True)
        self.assertEqual((done.stdout.split(), done.stderr), (["web"], ""))

    def test_before_authentication_nothing_else_is_answered(self):
        self.bus.polkit("return polkit.Result.YES;")
        client = self.raw_as_nobody()
        opening = optional_string(b"multikernel:///system") + number(0)
        for procedure, payload in ((OPEN, opening), (GET_TYPE, b""), (9999, b""), (2, b""),
                                   (SUPPORTS_FEATURE, number(10)), (273, number(1) + number(0)),
                                   (283, number(1) + number(0))):
            self.assert_needs_authentication(client, procedure, payload)
        self.assertEqual(client.call(AUTH_LIST).payload, AUTH_POLKIT_TYPE)
        reply = client.call(AUTH_POLKIT)
        self.assertEqual((reply.status, reply.payload), (OK, number(1)))
        self.assertEqual(client.call(AUTH_LIST).payload, AUTH_NONE)
        client.open()
        self.assertEqual(client.call(GET_TYPE).status, OK)
        self.assert_denied(client.call(AUTH_POLKIT), libvirt.VIR_ERR_AUTH_FAILED,
                           "authentication failed: this connection does not need polkit")

    def test_root_needs_no_polkit(self):
        client = RawClient(self.daemon, opened=False)  # and nobody answers on the bus
        self.addCleanup(client.socket.close)
        self.assertEqual(client.call(AUTH_LIST).payload, AUTH_NONE)
        client.open()
        self.assertEqual(client.call(GET_TYPE).status, OK)

    def test_without_polkit_a_user_is_told_what_is_missing(self):
        client = self.raw_as_nobody()
        reply = client.call(AUTH_POLKIT)
        code, _, message = read_error(reply)
        self.assertEqual(code, libvirt.VIR_ERR_DBUS_SERVICE)
        self.assertIn("org.freedesktop.PolicyKit1", message)

    def test_who_waits_for_a_password_keeps_nobody_waiting(self):
        polkitd = self.bus.polkit("return polkit.Result.YES;")
        polkitd.send_signal(subprocess.signal.SIGSTOP)
        waiting = [self.raw_as_nobody() for _ in range(20)]
        for client in waiting:
            client.ask(AUTH_POLKIT)
        self.assertEqual(self.virsh("list", "--all", "--name"), "")  # root, on the same socket
        waiting.pop().socket.close()
        polkitd.send_signal(subprocess.signal.SIGCONT)
        for client in waiting:
            self.assertEqual(client.receive().payload, number(1))


class NoPolkit(PolkitTest):
    daemon_conf = 'auth_unix_rw = "none"\nauth_unix_ro = "none"\nunix_sock_rw_perms = "0770"\n' \
                  'unix_sock_ro_perms = "0777"\nunix_sock_group = "nogroup"\n'

    def test_the_file_says_who_may_connect(self):
        sockets = [self.daemon.folder / f"virtmultikerneld-sock{end}" for end in ("", "-ro")]
        self.assertEqual([(stat.S_IMODE(path.stat().st_mode), path.stat().st_gid)
                          for path in sockets], [(0o770, NOBODY), (0o777, NOBODY)])
        done = self.run_as_nobody("uri")
        self.assertEqual(done.returncode, 0, done.stderr)


class Limits(PolkitTest):
    daemon_conf = "max_anonymous_clients = 3\nanonymous_timeout = 2\n"

    def test_more_than_the_limit_wait_until_one_goes_or_its_time_is_over(self):
        self.bus.polkit("return polkit.Result.YES;")
        first = [self.raw_as_nobody() for _ in range(3)]
        for client in first:
            self.assertEqual(client.call(AUTH_LIST).payload, AUTH_POLKIT_TYPE)
        late = self.raw_as_nobody()
        late.ask(AUTH_LIST)
        self.virsh("list")  # root does not wait behind them
        self.assertFalse(late.has_something())
        self.assertEqual(first[0].call(AUTH_POLKIT).payload, number(1))
        self.assertEqual(late.receive().payload, AUTH_POLKIT_TYPE)
        for client in (*first[1:], late):
            self.assertTrue(client.is_closed(LIMIT_S))
        first[0].open()  # it is not disconnected
        self.assertEqual(first[0].call(GET_TYPE).status, OK)
        self.assertIn("did not authenticate in time", self.daemon.log_text())


class Folder(WireTest):
    def test_sockets_are_where_the_configuration_says(self):
        folder = self.daemon.folder / "elsewhere"
        conf = self.daemon.folder / "other.conf"
        conf.write_text(f'unix_sock_dir = "{folder}"\nauth_unix_rw = "none"\n', encoding="utf-8")
        command = (f"mount -t tmpfs none /run && mkdir /run/libvirt && "
                   f"exec {FAKE_DAEMON} --config {conf}")
        with open(self.daemon.folder / "other.log", "wb") as log:
            other = start_daemon(["unshare", "--mount", "sh", "-c", command], self.daemon.folder,
                                 log, TMPDIR=str(self.daemon.folder))
        self.addCleanup(other.wait, LIMIT_S)
        self.addCleanup(other.terminate)
        modes = {path.name: stat.S_IMODE(path.stat().st_mode)
                 for path in folder.iterdir() if path.is_socket()}
        self.assertEqual(modes["virtmultikerneld-sock"], 0o700)
        self.assertEqual(modes["virtmultikerneld-sock-ro"], 0o777)
