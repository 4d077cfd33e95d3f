# SPDX-License-Identifier: LGPL-2.1-or-later
"""The console: stock virsh on a terminal, and streams of libvirt-python."""

import contextlib
import os
import select

import libvirt
import pexpect

from harness import LIMIT_S, WireTest, run_until

ESCAPE = "\x1d"  # ^]


class Console(WireTest):
    def test_start_console_shows_the_boot_and_echoes(self):
        self.define()
        with self.terminal("start", "web", "--console") as console:
            console.expect("Domain 'web' started")
            console.expect("Escape character is")
            console.expect("Linux version")  # from the first line on
            console.expect("userspace is up")
            console.sendline("echo hello")
            console.expect("\r\nhello\r\n")
            console.send(ESCAPE)
            console.expect(pexpect.EOF)
        self.assertEqual(console.exitstatus, 0)
        self.assertTrue(self.state().startswith("running"))

    def test_console_can_be_left_and_taken_again(self):
        self.start()
        for round_ in range(3):
            with self.terminal("console", "web") as console:
                console.expect("userspace is up")  # what is kept is shown again
                console.sendline(f"echo round-{round_}")
                console.expect(f"\r\nround-{round_}\r\n")
                console.send(ESCAPE)
                console.expect(pexpect.EOF)
            self.assertEqual(console.exitstatus, 0)

    def test_console_by_its_device_name(self):
        self.start()
        for name in ("console0", "serial0"):
            with self.subTest(name=name), self.terminal("console", "web", name) as console:
                console.expect("userspace is up")
                console.send(ESCAPE)
                console.expect(pexpect.EOF)
        with self.terminal("console", "web", "parallel0") as console:
            console.expect("cannot find character device parallel0")
            console.expect(pexpect.EOF)

    def test_console_of_a_domain_that_is_off(self):
        self.define()
        with self.terminal("console", "web") as console:
            console.expect("The domain is not running")
            console.expect(pexpect.EOF)
        connection = self.connect()
        domain = connection.lookupByName("web")
        self.assertEqual(self.assert_code(libvirt.VIR_ERR_OPERATION_INVALID, domain.openConsole,
                                          None, connection.newStream()),
                         "Requested operation is not valid: domain is not running")

    def test_poweroff_inside_ends_the_console_and_virsh(self):
        self.start()
        with self.terminal("console", "web") as console:
            console.expect("userspace is up")
            console.sendline("poweroff")
            console.expect("Power down")
            console.expect(pexpect.EOF)
        self.assertEqual(console.exitstatus, 0)

    def test_destroy_ends_the_console_and_virsh(self):
        self.start()
        with self.terminal("console", "web") as console:
            console.expect("userspace is up")
            self.virsh("destroy", "web")
            console.expect(pexpect.EOF)
        self.assertEqual(console.exitstatus, 0)

    def test_console_stays_open_over_a_reboot(self):
        self.start()
        with self.terminal("console", "web") as console:
            console.expect("userspace is up")
            console.sendline("reboot")
            console.expect("Restarting system")
            console.expect("Linux version")
            console.expect("userspace is up")
            console.sendline("echo again")
            console.expect("\r\nagain\r\n")

    def test_second_viewer_is_refused_unless_it_takes_over(self):
        self.start()
        with self.terminal("console", "web") as first:
            first.expect("userspace is up")
            with self.terminal("console", "web") as second:
                second.expect("operation failed: Active console session exists for this domain")
                second.expect(pexpect.EOF)
            with self.terminal("console", "web", "--safe") as second:
                second.expect("operation failed: Active console session exists for this domain")
                second.expect(pexpect.EOF)
            with self.terminal("console", "web", "--force") as second:
                first.expect(pexpect.EOF)
                second.expect("userspace is up")
                second.sendline("echo mine")
                second.expect("\r\nmine\r\n")

    def test_viewer_that_dies_leaves_the_console_free(self):
        self.start()
        with self.terminal("console", "web") as first:
            first.expect("userspace is up")
            first.kill(9)
            first.expect(pexpect.EOF)
        # The daemon learns of the death from the socket; until then the session is active.
        with self.terminal("console", "web", "--force") as second:
            second.expect("userspace is up")
            second.sendline("echo free")
            second.expect("\r\nfree\r\n")

    def test_terminal_of_the_domain_reads_and_writes(self):
        self.start()
        with self.terminal("console", "web") as console:
            console.expect("userspace is up")
        fd = os.open(self.virsh("ttyconsole", "web"), os.O_RDWR | os.O_NOCTTY)
        try:
            os.write(fd, b"echo from-the-tty\n")
            seen = b""
            while b"\nfrom-the-tty" not in seen:
                self.assertTrue(select.select([fd], [], [], LIMIT_S)[0], seen)
                seen += os.read(fd, 4096)
        finally:
            os.close(fd)

    def test_log_has_the_boot(self):
        self.start()
        with self.terminal("console", "web") as console:
            console.expect("userspace is up")
        log = (self.daemon.sandbox / "log" / "web.log").read_bytes()
        self.assertTrue(log.startswith(b"[    0.000000] Linux version"), log[:100])
        self.assertIn(b"userspace is up", log)


class Stream(WireTest):
    """What virsh does not show."""

    def setUp(self):
        super().setUp()
        self.start()
        self.connection = self.connect()
        self.domain = self.connection.lookupByName("web")

    def open(self, flags=0):
        stream = self.connection.newStream()
        self.domain.openConsole(None, stream, flags)
        return stream

    def read_until(self, stream, text):
        seen = b""
        while text not in seen:
            bytes_ = stream.recv(4096)
            self.assertNotEqual(bytes_, b"", seen)
            seen += bytes_
        return seen

    def test_finish_and_abort_are_confirmed(self):
        for end in ("finish", "abort"):
            with self.subTest(end=end):
                stream = self.open()
                self.read_until(stream, b"userspace is up")
                getattr(stream, end)()
                self.assertEqual(self.connection.getType(), "multikernel")

    def test_slow_viewer_delays_nobody(self):
        stream = self.open()
        self.read_until(stream, b"userspace is up")
        stream.send(b"flood\n")  # and read nothing of it
        for _ in range(20):
            self.assertEqual(self.domain.isActive(), 1)
        other = self.connect().lookupByName("web")
        self.assertEqual(other.state()[0], libvirt.VIR_DOMAIN_RUNNING)
        other.destroy()
        self.assertEqual(other.state()[0], libvirt.VIR_DOMAIN_SHUTOFF)

    def test_much_input_arrives_whole(self):
        stream = self.open()
        self.read_until(stream, b"userspace is up\r\n# ")
        text = b"echo " + b"0123456789" * 400 + b"\n"
        sent = 0
        while sent < len(text):
            sent += stream.send(text[sent:])
        seen = self.read_until(stream, b"0123456789\r\n# ")
        self.assertEqual(seen.count(b"0123456789"), 800)  # the echo and the answer

    def test_many_streams_on_one_connection(self):
        streams = []
        for name in ("a", "b", "c"):
            domain = self.connection.createXML(self.xml(name))
            stream = self.connection.newStream()
            domain.openConsole(None, stream)
            streams.append((name.encode(), stream))
        for name, stream in streams:
            stream.send(b"echo i-am-" + name + b"\n")
        for name, stream in streams:
            self.read_until(stream, b"\ni-am-" + name)

    def test_two_writers_of_a_connection_do_not_mix(self):
        # A blocked stream must not hold up calls, nor calls the stream.
        libvirt_stream = self.connection.newStream(libvirt.VIR_STREAM_NONBLOCK)
        self.domain.openConsole(None, libvirt_stream)
        seen = []

        def readable(stream, _events, _opaque):
            with contextlib.suppress(libvirt.libvirtError):
                data = stream.recv(65536)
                if isinstance(data, bytes):
                    seen.append(data)

        libvirt_stream.eventAddCallback(libvirt.VIR_STREAM_EVENT_READABLE, readable, None)
        run_until(lambda: b"userspace is up" in b"".join(seen))
        libvirt_stream.send(b"flood\n")
        for _ in range(10):
            self.assertEqual(self.domain.name(), "web")
            self.assertEqual(self.domain.isActive(), 1)
        run_until(lambda: b"".join(seen).endswith(b"# ") and b"xxxx" in b"".join(seen))
        libvirt_stream.eventRemoveCallback()
        libvirt_stream.abort()
