# SPDX-License-Identifier: LGPL-2.1-or-later
"""multikernel:///session and multikernel:///embed: what users of stock clients see."""

import os
import subprocess
import sys

import libvirt

from harness import LIMIT_S, WireTest
from polkit import NOBODY, as_nobody
from raw import OPEN, RawClient, number, optional_string, read_error

SYSTEM = "partitions belong to the whole machine, use multikernel:///system"
SESSION = "unsupported configuration: multikernel:///session: " + SYSTEM
OPEN_PYTHON = """
import libvirt, sys
libvirt.registerErrorHandler(lambda *_: None, None)
libvirt.virEventRegisterDefaultImpl()  # which embedded drivers want
try:
    libvirt.open(sys.argv[1])
except libvirt.libvirtError as error:
    print(error.get_error_code(), error)
"""


class Uri(WireTest):
    daemon_conf = 'auth_unix_rw = "none"\nunix_sock_rw_perms = "0777"\n'

    def setUp(self):
        super().setUp()
        self.daemon.folder.chmod(0o711)
        self.runtime = self.daemon.folder / "runtime"
        self.runtime.mkdir()
        os.chown(self.runtime, NOBODY, NOBODY)

    def said(self, uri, user, autostart=False):
        """What virsh complains of and what python gets, where clients look for our socket.

        With `autostart` the client may start a libvirtd of the user's own, which ends with it.
        """
        where = self.daemon.folder / "virtmultikerneld-sock"
        mounts = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c",
                  f"mount -t tmpfs none /run && mkdir /run/libvirt && ln -s {where} /run/libvirt/"
                  ' && exec "$@"', "sh"]
        environment = self.environment({"LIBVIRT_AUTOSTART": "1" if autostart else "0",
                                        "XDG_RUNTIME_DIR": str(self.runtime),
                                        "HOME": str(self.runtime)})
        done = [subprocess.run(
            [*mounts, *(as_nobody(*command) if user == NOBODY else command)], text=True,
            stdin=subprocess.DEVNULL, capture_output=True, timeout=LIMIT_S, check=False,
            env=environment) for command in (
                ["virsh", "-c", uri, "list"], [sys.executable, "-c", OPEN_PYTHON, uri])]
        self.assertEqual(done[0].returncode, 1, done[0].stdout)
        self.assertEqual(done[1].stderr, "")
        heading, complaint = done[0].stderr.rstrip("\n").split("\n")
        self.assertEqual(heading, "error: failed to connect to the hypervisor")
        return complaint.removeprefix("error: "), done[1].stdout.rstrip("\n")

    def test_root_is_told_that_there_is_no_session(self):
        for uri in ("multikernel:///session", "multikernel+unix:///session",
                    "multikernel:///session?mode=direct"):
            self.assertEqual(self.said(uri, user=0),
                             (SESSION, f"{libvirt.VIR_ERR_CONFIG_UNSUPPORTED} {SESSION}"))

    def test_user_who_comes_to_us_is_told_so_too(self):
        where = self.daemon.folder / "virtmultikerneld-sock"
        self.assertEqual(self.said(f"multikernel:///session?socket={where}", user=NOBODY),
                         (SESSION, f"{libvirt.VIR_ERR_CONFIG_UNSUPPORTED} {SESSION}"))

    def test_user_who_looks_for_a_session_finds_none(self):
        """The client looks for a socket of the user's own, and names it: we never hear of it."""
        for uri, name in (("multikernel:///session", "libvirt-sock"),
                          ("multikernel:///session?mode=direct", "virtmultikerneld-sock")):
            text = (f"Failed to connect socket to '{self.runtime}/libvirt/{name}': "
                    "No such file or directory")
            self.assertEqual(self.said(uri, user=NOBODY),
                             (text, f"{libvirt.VIR_ERR_SYSTEM_ERROR} {text}"))

    def test_libvirtd_of_the_user_has_no_such_driver(self):
        """What users see by default, where there is a libvirtd that the client can start."""
        text = "no connection driver available for multikernel:///session"
        self.assertEqual(self.said("multikernel:///session", user=NOBODY, autostart=True),
                         (text, f"{libvirt.VIR_ERR_NO_CONNECT} {text}"))

    def test_embedded_driver_is_the_clients_to_refuse(self):
        """The client loads such a driver itself, and has none of this name."""
        for uri, code, text in (
                ("multikernel:///embed", libvirt.VIR_ERR_INVALID_ARG,
                 "invalid argument: Missing URI parameter 'root'"),
                ("multikernel:///embed?root=/tmp", libvirt.VIR_ERR_NO_CONNECT,
                 "no connection driver available for multikernel:///embed?root=/tmp"),
                ("multikernel+unix:///embed", libvirt.VIR_ERR_NO_CONNECT,
                 "no connection driver available for URI scheme 'multikernel+unix' for embedded "
                 "driver is not valid")):
            for user in (0, NOBODY):
                self.assertEqual(self.said(uri, user), (text, f"{code} {text}"))

    def test_whoever_sends_it_nevertheless_is_told(self):
        for path, flags in (("session", 6), ("embed", 0), ("embed?root=/tmp", 0)):
            client = RawClient(self.daemon, opened=False)
            self.addCleanup(client.socket.close)
            reply = client.call(OPEN, optional_string(f"multikernel:///{path}".encode())
                                + number(flags))
            self.assertEqual(read_error(reply)[::2],
                             (libvirt.VIR_ERR_CONFIG_UNSUPPORTED,
                              f"unsupported configuration: multikernel:///{path.split('?')[0]}: "
                              + SYSTEM))
