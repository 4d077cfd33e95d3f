# SPDX-License-Identifier: LGPL-2.1-or-later
"""Where log lines go and which are kept: log_level, log_filters, log_outputs."""

import pathlib
import re
import signal
import socket
import subprocess
import tempfile

from harness import FAKE_DAEMON, LIMIT_S, WireTest, start_daemon

LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}\+0000: \d+: "
                  r"(debug|info|warning|error) : ([\w.]+):\d+ : (.*)")


def read_lines(text):
    """[(level, category, message)]; every line must be one of libvirt's form."""
    return [LINE.fullmatch(line).groups() for line in text.splitlines()]


class LogTest(WireTest):
    def logged(self, file="daemon.log"):
        return read_lines((self.daemon.folder / file).read_text(encoding="utf-8"))

    def reload(self, conf):
        """Returns when the daemon has read `conf`."""
        self.daemon.conf.write_text(conf, encoding="utf-8")
        before = self.daemon.log_text().count("settings read again")
        self.daemon.process.send_signal(signal.SIGHUP)
        for _ in range(LIMIT_S):
            self.virsh("list")  # the signal comes beside the calls, at no certain time
            if self.daemon.log_text().count("settings read again") > before:
                return
        self.fail("the settings were not read again")


class Filters(LogTest):
    daemon_conf = 'log_level = 3\nlog_filters = "1:api.dispatch 2:domain"\n'

    def test_filter_decides_for_the_files_that_it_matches(self):
        self.virsh_fails("domstate", "nobody")
        self.start()
        lines = self.logged()
        self.assertTrue(any(level == "debug" and category == "api.dispatch"
                            and "no domain with matching name 'nobody'" in text
                            for level, category, text in lines), lines)
        self.assertTrue(any(level == "info" and category == "domain.lifecycle"
                            and text.startswith("domain 'web' started on CPUs")
                            for level, category, text in lines), lines)
        self.assertNotIn("daemon", {category for level, category, _ in lines})

    def test_hang_up_reads_filters_and_level_again(self):
        self.reload('log_level = 2\nlog_filters = "4:dispatch 1:domain"\n')
        before = len(self.logged())
        self.virsh_fails("domstate", "nobody")
        self.start()
        lines = self.logged()[before:]
        self.assertIn("domain.lifecycle", {category for _, category, _ in lines})
        self.assertNotIn("api.dispatch", {category for _, category, _ in lines})


class Outputs(LogTest):
    def test_each_output_takes_its_level(self):
        first, second = self.daemon.folder / "first.log", self.daemon.folder / "second.log"
        self.reload(f'log_level = 1\nlog_outputs = "1:file:{first} 3:file:{second} 2:stderr"\n')
        self.virsh_fails("domstate", "nobody")
        self.virsh("list")
        self.assertIn("debug", {level for level, _, _ in self.logged("first.log")})
        self.assertEqual(self.logged("second.log"), [])
        self.assertNotIn("debug", {level for level, _, _ in self.logged()})
        self.assertEqual(first.stat().st_mode & 0o777, 0o600)

    def test_file_that_cannot_be_opened_changes_nothing(self):
        missing = self.daemon.folder / "missing" / "x.log"
        self.daemon.conf.write_text(f'log_outputs = "1:file:{missing}"\n', encoding="utf-8")
        self.daemon.process.send_signal(signal.SIGHUP)
        for _ in range(LIMIT_S):
            self.virsh("list")
            if "nothing changed" in self.daemon.log_text():
                break
        self.assertIn(("error", "daemon",
                       f"nothing changed: open {missing}: No such file or directory"),
                      self.logged())

    def test_environment_counts_more_than_the_file(self):
        self.daemon.process.terminate()
        self.daemon.process.wait(LIMIT_S)
        self.daemon.conf.write_text('log_level = 4\nlog_filters = "4:domain"\n', encoding="utf-8")
        self.daemon.process = start_daemon(
            [FAKE_DAEMON, "--socket-dir", self.daemon.folder], self.daemon.folder, self.daemon.log,
            TMPDIR=str(self.daemon.folder), LIBVIRT_LOG_FILTERS="1:api")
        self.virsh_fails("domstate", "nobody")
        self.assertIn("api.dispatch", {category for _, category, _ in self.logged()})


class Mistakes(LogTest):
    def test_mistake_stops_the_start_with_file_and_line(self):
        path = self.daemon.folder / "bad.conf"
        for line, sentence in {
                'log_filters = "5:rpc"': "log filter '5:rpc': its level must be from 1 to 4",
                'log_filters = "rpc"': "log filter 'rpc': must be level:match",
                'log_filters = "1:"': "log filter '1:': it matches nothing",
                'log_filters = "1:a 2:b:c"': "log filter '2:b:c': must be level:match",
                'log_outputs = "0:stderr"': "log output '0:stderr': its level must be from 1 to 4",
                'log_outputs = "1:printer"': "log output '1:printer': goes to none of stderr, "
                                             "syslog, file, journald",
                'log_outputs = "1:file"': "log output '1:file': must be level:file:name",
                'log_outputs = "1:stderr:x"': "log output '1:stderr:x': stderr takes no name",
                'log_outputs = "stderr"': "log output 'stderr': must be level:destination"}.items():
            with self.subTest(line=line):
                path.write_text(f"\n{line}\n", encoding="utf-8")
                done = subprocess.run(
                    [FAKE_DAEMON, "--timeout", "1", "--config", path, "--socket-dir",
                     self.daemon.folder / "second"], stdin=subprocess.DEVNULL,
                    capture_output=True, text=True, timeout=LIMIT_S, check=False,
                    env=self.environment({"TMPDIR": str(self.daemon.folder)}))
                self.assertEqual(
                    (done.returncode, done.stderr),
                    (1, f"fake-daemon: configuration file syntax error: {path}:2: "
                        f"{line.split()[0]} is wrong: {sentence}\n"))


class SystemLogs(LogTest):
    """The journal and syslog, in whose place the test listens; only the daemon sees that."""

    def setUp(self):
        super().setUp()
        self.place = pathlib.Path(tempfile.mkdtemp(prefix="mk-log-", dir=self.daemon.folder))
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.listener.close)
        self.listener.settimeout(LIMIT_S)

    def restart(self, mount, conf):
        self.daemon.process.terminate()
        self.daemon.process.wait(LIMIT_S)
        self.daemon.conf.write_text(conf, encoding="utf-8")
        self.daemon.process = start_daemon(
            ["unshare", "--mount", "sh", "-ec", mount + '; exec "$0" --socket-dir "$1"',
             FAKE_DAEMON, self.daemon.folder], self.daemon.folder, self.daemon.log,
            TMPDIR=str(self.daemon.folder))

    def receive(self, part):
        """The first datagram that has `part` in it."""
        while True:
            data = self.listener.recv(1 << 16)
            if part in data:
                return data

    def test_journal_gets_libvirts_fields_and_the_domain(self):
        self.listener.bind(str(self.place / "socket"))
        self.restart(f"mount -t tmpfs none /run/systemd; mkdir /run/systemd/journal; "
                     f"mount --bind {self.place} /run/systemd/journal"
                     if pathlib.Path("/run/systemd").is_dir() else
                     f"mount -t tmpfs none /run; mkdir -p /run/systemd/journal; "
                     f"mount --bind {self.place} /run/systemd/journal",
                     'log_level = 2\nlog_outputs = "2:journald"\n')
        uuid = "8f5bd7b2-12b2-4fbb-b263-7c3e4dc7a79d"
        self.start(uuid=uuid)
        fields = dict(line.split("=", 1) for line in
                      self.receive(b"MESSAGE=domain 'web' started").decode().splitlines())
        self.assertEqual(
            {name: fields.get(name) for name in
             ("PRIORITY", "SYSLOG_FACILITY", "LIBVIRT_SOURCE", "DOMAIN_NAME", "DOMAIN_UUID")},
            {"PRIORITY": "6", "SYSLOG_FACILITY": "3", "LIBVIRT_SOURCE": "domain.lifecycle",
             "DOMAIN_NAME": "web", "DOMAIN_UUID": uuid})
        self.assertTrue(fields["CODE_FILE"].endswith("libvirt-driver/domain/lifecycle.cpp"))
        self.assertTrue(fields["CODE_LINE"].isdigit())
        self.assertEqual(fields["CODE_FUNC"], "start")

    def test_syslog_gets_lines_under_the_name_that_was_given(self):
        self.listener.bind(str(self.place / "log"))
        devices = "".join(f"; touch {self.place}/{name}; mount --bind /dev/{name} "
                          f"{self.place}/{name}" for name in ("null", "zero", "urandom", "random"))
        self.restart(f"true{devices}; mount --rbind {self.place} /dev",
                     'log_level = 2\nlog_outputs = "2:syslog:partitions"\n')
        data = self.receive(b"ready")
        self.assertRegex(data.decode(), r"^<30>.* partitions: ready\x00?$")


class DefaultOutput(LogTest):
    daemon_conf = "log_level = 2\n"

    def test_standard_error_gets_lines_of_libvirts_form(self):
        self.assertIn(("info", "daemon", "ready"), self.logged())


class DefaultLevel(LogTest):
    def test_warnings_are_kept_and_nothing_below(self):
        self.start(devices="<sound model='ich9'/>")
        self.virsh("destroy", "web")
        lines = [line[:2] for line in self.logged()]
        self.assertIn(("warning", "domain.driver_config"), lines)
        self.assertLessEqual({level for level, _ in lines}, {"warning", "error"})
