# SPDX-License-Identifier: LGPL-2.1-or-later
"""The daemon as a program: its sockets, its pid file, its configuration."""

import os
import pathlib
import re
import signal
import socket
import stat
import subprocess
import uuid
import xml.etree.ElementTree as ET

from harness import FAKE_DAEMON, LIMIT_S, WireTest
from raw import GET_TYPE, OK, RawClient, frame

SOCKETS = ("virtmultikerneld-sock", "virtmultikerneld-sock-ro")
PID_FILE = "fake-daemon.pid"


class DaemonTest(WireTest):
    def run_second(self, *options):
        """(exit code, complaint) of one more daemon; one that starts ends by itself."""
        done = subprocess.run(
            [FAKE_DAEMON, "--timeout", "1", *options], stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=LIMIT_S, check=False,
            env=self.environment({"TMPDIR": str(self.daemon.folder)}))
        return done.returncode, done.stderr


class Sockets(DaemonTest):
    def test_anyone_may_come_to_both_and_be_asked_who_they_are(self):
        for name in SOCKETS:
            status = os.stat(self.daemon.folder / name)
            self.assertTrue(stat.S_ISSOCK(status.st_mode))
            self.assertEqual((oct(stat.S_IMODE(status.st_mode)), status.st_uid),
                             ("0o777", os.geteuid()))

    def test_second_daemon_is_refused_and_does_the_first_no_harm(self):
        folder = self.daemon.folder
        connection = self.connect()
        before = [os.stat(folder / name).st_ino for name in SOCKETS]
        self.assertEqual(
            self.run_second("--socket-dir", str(folder)),
            (1, "fake-daemon: operation failed: another virtmultikerneld runs: it holds "
             f"{folder / PID_FILE}\n"))
        self.assertEqual((folder / PID_FILE).read_text(encoding="ascii"),
                         f"{self.daemon.process.pid}\n")
        self.assertEqual([os.stat(folder / name).st_ino for name in SOCKETS], before)
        self.assertEqual(connection.getType(), "multikernel")
        self.virsh("list")
        self.virsh("list", readonly=True)

    def test_what_a_killed_daemon_leaves_is_no_obstacle(self):
        self.daemon.kill()
        for name in (*SOCKETS, PID_FILE):
            self.assertTrue((self.daemon.folder / name).exists(), name)
        self.daemon.start()
        self.virsh("list")
        self.virsh("list", readonly=True)

    def test_daemon_that_ends_takes_its_files_with_it(self):
        self.daemon.process.terminate()
        self.assertEqual(self.daemon.process.wait(LIMIT_S), 0)
        self.assertEqual([name for name in (*SOCKETS, PID_FILE)
                          if (self.daemon.folder / name).exists()], [])


class Limits(DaemonTest):
    daemon_conf = "# libvirt's key\nmax_clients = 2  # one more waits\n"

    def test_client_over_the_limit_waits_for_another_to_leave(self):
        first, second = RawClient(self.daemon), RawClient(self.daemon)
        third = RawClient(self.daemon, opened=False)
        third.send(frame(GET_TYPE, serial=7))
        for client in (first, second):
            self.assertEqual(client.call(GET_TYPE).status, OK)
        self.assertFalse(third.has_something())
        first.end()
        self.assertEqual(third.receive().serial, 7)
        second.end()
        third.end()


class Queue(DaemonTest):
    daemon_conf = "max_clients = 1\nmax_queued_clients = 2\n"

    def test_only_so_many_wait_to_be_accepted(self):
        first = RawClient(self.daemon)
        waiting = []
        with self.assertRaises(BlockingIOError):
            for _ in range(10):
                more = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
                waiting.append(more)
                self.addCleanup(more.close)
                more.connect(str(self.daemon.folder / SOCKETS[0]))
        self.assertEqual(len(waiting) - 1, 3)  # unix(7)'s queue takes one more than it is told
        self.assertEqual(first.call(GET_TYPE).status, OK)
        first.end()


class Conf(DaemonTest):
    def start_with(self, text):
        """(exit code, complaint without what is the same for all)"""
        path = self.daemon.folder / "bad.conf"
        path.write_text(text, encoding="utf-8")
        folder = self.daemon.folder / "second"
        code, complaint = self.run_second("--config", str(path), "--socket-dir", str(folder))
        self.assertFalse((folder / SOCKETS[0]).exists())
        return code, complaint.replace(
            f"fake-daemon: configuration file syntax error: {path}:", "")

    def test_mistake_stops_the_start_with_file_and_line(self):
        for line, sentence in {
                "max_client = 5": "max_client is no key of this daemon",
                "listen_tcp = 1": "listen_tcp is no key of this daemon",  # libvirtd's, not ours
                "max_clients = \"5\"": "max_clients must be a number",
                "max_clients = [ \"5\" ]": "max_clients must be a number",
                "max_clients = many":
                    "expected a number, a text in quotes or a list, not 'many'",
                "max_clients = 5 6": "expected the end of the line, not '6'",
                "max_clients =": "expected a number, a text in quotes or a list, not ''",
                "max_clients = 99999999999": "max_clients must be from 1 to 100000",
                "keepalive_interval = -2": "keepalive_interval must be from -1 to 86400",
                "max_clients = 0": "max_clients must be from 1 to 100000",
                "log_level = 5": "log_level must be from 1 to 4",
                "max_workers = 4": "max_workers is there already",
                "audit_level = 3": "audit_level must be from 0 to 2",
                "audit_logging = 2": "audit_logging must be from 0 to 1",
                "host_uuid = \"00000000-0000-0000-0000-000000000000\"":
                    "host_uuid must be a UUID, and its digits not all the same",
                "host_uuid_source = \"dmi\"":
                    "host_uuid_source must be one of smbios, machine-id, not 'dmi'",
                "auto_dump_path = \"dump\"":
                    "auto_dump_path must be an absolute path, not 'dump'",
                "max_clients": "expected '=' after 'max_clients'"}.items():
            with self.subTest(line=line):
                self.assertEqual(self.start_with(f"# fine\nmax_workers = 3\n\n{line}\n"),
                                 (1, f"4: {sentence}\n"))

    def test_file_that_was_named_must_be_there(self):
        code, complaint = self.run_second("--config", "/nonexistent/x.conf", "--socket-dir",
                                          str(self.daemon.folder / "second"))
        self.assertEqual((code, complaint), (1, "fake-daemon: open /nonexistent/x.conf: "
                                                "No such file or directory\n"))

    def test_mistake_at_a_reload_changes_nothing(self):
        connection = self.connect()
        self.daemon.conf.write_text("max_client = 5\n", encoding="utf-8")
        self.daemon.process.send_signal(signal.SIGHUP)
        for _ in range(LIMIT_S):
            self.virsh("list")  # the signal comes beside the calls, at no certain time
            if "nothing changed" in self.daemon.log_text():
                break
        self.assertIn(f"nothing changed: configuration file syntax error: {self.daemon.conf}:1: "
                      "max_client is no key of this daemon", self.daemon.log_text())
        self.assertEqual(connection.getType(), "multikernel")


class HostUuidTest(DaemonTest):
    FIRMWARE = "12345678-1111-4000-8000-000000000001"

    def seen(self):
        return ET.fromstring(self.virsh("capabilities")).findtext("host/uuid")

    def give_firmware(self):
        path = self.daemon.sandbox / "sys/class/dmi/id/product_uuid"
        path.parent.mkdir(parents=True)
        path.write_text(self.FIRMWARE.upper() + "\n", encoding="ascii")

    def of_machine_id(self):
        text = (self.daemon.sandbox / "machine-id").read_text(encoding="ascii")
        return str(uuid.UUID(text.strip()))


class HostUuid(HostUuidTest):
    def test_is_the_firmwares_else_that_of_machine_id(self):
        self.assertEqual(self.seen(), self.of_machine_id())
        self.give_firmware()
        self.assertEqual(self.seen(), self.FIRMWARE)


class HostUuidOfMachineId(HostUuidTest):
    daemon_conf = 'host_uuid_source = "machine-id"\n'

    def test_is_that_of_machine_id_whatever_the_firmware_says(self):
        self.give_firmware()
        self.assertEqual(self.seen(), self.of_machine_id())


class HostUuidThatIsTold(HostUuidTest):
    daemon_conf = ('host_uuid = "8F5BD7B212B24FBBB2637C3E4DC7A79D"\n'
                   'host_uuid_source = "machine-id"\n')

    def test_is_what_the_configuration_says(self):
        self.give_firmware()
        self.assertEqual(self.seen(), "8f5bd7b2-12b2-4fbb-b263-7c3e4dc7a79d")


class ShippedConf(DaemonTest):
    SHIPPED = pathlib.Path(__file__).resolve().parents[2] / "libvirt-driver/virtmultikerneld.conf"
    daemon_conf = re.sub(r"(?m)^#(?=\w+ = )", "", SHIPPED.read_text(encoding="utf-8"))

    def test_its_lines_are_right_once_they_are_no_comments(self):
        self.assertIn("\nmax_clients = 5000\n", self.daemon_conf)
        self.assertEqual(self.connect().getType(), "multikernel")


class CommandLine(DaemonTest):
    def test_mistakes_get_a_sentence(self):
        far = self.daemon.folder / ("x" * 100)
        far.mkdir()
        for words, sentence in {("--frob",): "Unknown option --frob",
                                ("word",): "unexpected argument 'word'",
                                ("--timeout", "-1"): "--timeout takes a number of seconds",
                                ("--socket-dir", str(far)): "longer than 107 bytes"}.items():
            with self.subTest(words=words):
                code, complaint = self.run_second(*words)
                self.assertEqual(code, 1)
                self.assertIn(sentence, complaint)
