# SPDX-License-Identifier: LGPL-2.1-or-later
"""The console: stock virsh on a terminal, and streams of libvirt-python."""

import contextlib
import os
import re
import select
import subprocess

import libvirt
import pexpect

from harness import LIMIT_S, WireTest, run_until
from raw import (CONTINUE, GET_TYPE, OK, OPEN_CONSOLE, REPLY, STREAM, RawClient, frame, number,
                 optional_string, read_error, string)

ESCAPE = "\x1d"  # ^]
LOST = b"\r\n[%d bytes of console output were lost here]\r\n"


class ConsoleTest(WireTest):
    @contextlib.contextmanager
    def tty(self):
        """The pseudo terminal of the running domain, as a descriptor."""
        fd = os.open(self.virsh("ttyconsole", "web"), os.O_RDWR | os.O_NOCTTY)
        try:
            yield fd
        finally:
            os.close(fd)

    def read_tty(self, fd, text):
        """Reads until `text` is the last that came."""
        seen = b""
        while text not in seen:
            self.assertTrue(select.select([fd], [], [], LIMIT_S)[0], seen)
            seen = seen[-len(text):] + os.read(fd, 65536)


class Console(ConsoleTest):
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
        said = []
        for round_ in range(3):
            with self.terminal("console", "web") as console:
                self.wake(console)
                console.sendline(f"echo round-{round_}")
                console.expect(f"\r\nround-{round_}\r\n# ")
                console.send(ESCAPE)
                console.expect(pexpect.EOF)
                said.append(console.logfile_read.getvalue())
            self.assertEqual(console.exitstatus, 0)
        # what somebody has read is not shown to the next one
        self.assertEqual(["userspace is up" in text for text in said], [True, False, False])
        self.assertNotIn("round-0", said[1])

    def test_what_nobody_has_read_is_kept_for_the_next_viewer(self):
        self.start()
        with self.terminal("console", "web") as console:
            self.wake(console)
            console.send(ESCAPE)
            console.expect(pexpect.EOF)
        with self.tty() as fd:
            os.write(fd, b"echo meanwhile\n")
            self.read_tty(fd, b"\nmeanwhile\r\n# ")
        with self.terminal("console", "web") as console:
            console.expect("\r\nmeanwhile\r\n# ")
            self.assertNotIn("userspace is up", console.logfile_read.getvalue())

    def test_console_by_its_device_name(self):
        self.start()
        for name in ("console0", "serial0"):
            with self.subTest(name=name), self.terminal("console", "web", name) as console:
                self.wake(console)
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

    def test_the_daemons_end_ends_the_console_and_virsh(self):
        self.start()
        with self.terminal("console", "web") as console:
            console.expect("userspace is up")
            self.daemon.process.terminate()
            console.expect(pexpect.EOF)
        self.assertEqual(console.exitstatus, 0)
        self.assertEqual(self.daemon.process.wait(LIMIT_S), 0)

    def test_several_follow_the_log_beside_a_viewer(self):
        self.define()
        log = self.daemon.sandbox / "log" / "web.log"
        followers = [self.enterContext(subprocess.Popen(
            ["tail", "-n", "+1", "-F", log], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL)) for _ in range(3)]
        for follower in followers:
            self.addCleanup(follower.kill)
        self.virsh("start", "web")
        with self.terminal("console", "web") as console:
            console.expect("userspace is up")
            console.sendline("echo to-all")
            console.expect("\r\nto-all\r\n")
        for follower in followers:
            self.read_tty(follower.stdout.fileno(), b"\r\nto-all\r\n")

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
                self.wake(second)
                second.sendline("echo mine")
                second.expect("\r\nmine\r\n")

    def test_viewer_that_dies_leaves_the_console_free(self):
        self.start()
        self.check_that_a_dead_viewer_leaves_its_console()

    def test_terminal_of_the_domain_reads_and_writes(self):
        self.start()
        with self.terminal("console", "web") as console:
            console.expect("userspace is up")
        with self.tty() as fd:
            os.write(fd, b"echo from-the-tty\n")
            self.read_tty(fd, b"\nfrom-the-tty")

    def test_log_has_the_boot(self):
        self.start()
        with self.terminal("console", "web") as console:
            console.expect("userspace is up")
        log = (self.daemon.sandbox / "log" / "web.log").read_bytes()
        self.assertTrue(log.startswith(b"[    0.000000] Linux version"), log[:100])
        self.assertIn(b"userspace is up", log)


class Viewer:
    """A console on a connection that reads only when told to; stock clients always read."""

    def __init__(self, daemon, domain):
        self.client = RawClient(daemon)
        about = string(domain.name().encode()) + domain.UUID() + number(domain.ID())
        reply = self.client.call(OPEN_CONSOLE, about + optional_string(None) + number(0))
        assert reply.status == OK, read_error(reply)
        self.serial = reply.serial
        self.output = b""

    def type(self, text):
        self.client.send(frame(OPEN_CONSOLE, text, type_=STREAM, serial=self.serial,
                               status=CONTINUE))

    def read_until(self, text):
        """Reads until `text` is the last that came; returns and forgets what was read."""
        while not self.output.endswith(text):
            packet = self.client.receive()
            assert packet[2:6] == (OPEN_CONSOLE, STREAM, self.serial, CONTINUE), packet
            assert packet.payload, "the end of the stream"
            self.output += packet.payload
        output, self.output = self.output, b""
        return output

    def read_to_the_end(self):
        while payload := self.client.receive().payload:
            self.output += payload
        return self.output


class Stream(ConsoleTest):
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
        stream = self.open()
        self.read_until(stream, b"userspace is up\r\n# ")
        for end in ("finish", "abort", "finish"):
            with self.subTest(end=end):
                getattr(stream, end)()
                stream = self.open()  # at once: the confirmation said that the console is free
                stream.send(b"echo here\n")
                self.read_until(stream, b"\r\nhere\r\n# ")
                self.assertEqual(self.connection.getType(), "multikernel")

    def test_slow_viewer_delays_nobody_and_is_told_what_it_missed(self):
        viewer = Viewer(self.daemon, self.domain)
        viewer.read_until(b"userspace is up\r\n# ")
        with self.tty() as fd:
            viewer.type(b"flood 4000\n")  # and read nothing of it
            self.read_tty(fd, b"x\r\n# ")  # all was written
        self.assertEqual(self.domain.isActive(), 1)
        # A call of the same connection has but the packets on their way in front of it.
        viewer.client.send(frame(GET_TYPE, serial=99))
        before = 0
        while (packet := viewer.client.receive()).type == STREAM:
            before += len(packet.payload)
            viewer.output += packet.payload
        self.assertEqual((packet.type, packet.serial, packet.status), (REPLY, 99, OK))
        self.assertLess(before, 1 << 20)
        output = viewer.read_until(b"x\r\n# ")
        marks = re.findall(rb"\r\n\[(\d+) bytes of console output were lost here\]\r\n", output)
        whole = len(b"flood 4000\r\n") + 4000 * 1024 + len(b"# ")
        read = len(output) - sum(len(LOST % int(lost)) for lost in marks)
        self.assertGreater(sum(map(int, marks)), 0)
        self.assertEqual(read + sum(map(int, marks)), whole)

    def test_destroy_does_not_wait_for_a_slow_viewer(self):
        viewer = Viewer(self.daemon, self.domain)
        viewer.read_until(b"userspace is up\r\n# ")
        with self.tty() as fd:
            viewer.type(b"flood 4000\n")
            self.read_tty(fd, b"x\r\n# ")
        self.domain.destroy()
        self.assertEqual(self.domain.state()[0], libvirt.VIR_DOMAIN_SHUTOFF)
        self.assertTrue(viewer.read_to_the_end().endswith(b"x\r\n# "))

    def test_viewer_that_dies_in_front_of_a_hung_kernel_leaves_the_console_free(self):
        viewer = Viewer(self.daemon, self.domain)
        viewer.read_until(b"userspace is up\r\n# ")
        viewer.type(b"hang\n")
        viewer.client.socket.settimeout(1)
        with self.assertRaises(TimeoutError):  # the daemon cannot take any more
            for _ in range(1000):
                viewer.type(b"a paste" * 1000)
        viewer.client.socket.close()
        for _ in range(1000):
            try:
                self.open().abort()
                return
            except libvirt.libvirtError as error:
                self.assertIn("Active console session exists", str(error))
        self.fail("the console is still taken")

    def test_a_viewer_that_says_nothing_does_not_hold_the_daemon(self):
        viewer = Viewer(self.daemon, self.domain)
        viewer.read_until(b"userspace is up\r\n# ")
        self.daemon.process.terminate()
        viewer.read_to_the_end()  # told, but it does not answer
        self.assertEqual(self.daemon.process.wait(LIMIT_S), 0)
        self.assertIsNone(viewer.client.receive())

    def test_the_daemons_sudden_death_is_told(self):
        stream = self.open()
        self.read_until(stream, b"userspace is up\r\n# ")
        self.daemon.kill()
        self.assert_code(libvirt.VIR_ERR_SYSTEM_ERROR, stream.recv, 4096)

    def test_safe_takes_nobodys_console_and_force_does(self):
        safe, force = libvirt.VIR_DOMAIN_CONSOLE_SAFE, libvirt.VIR_DOMAIN_CONSOLE_FORCE
        first = self.open(safe)
        self.read_until(first, b"userspace is up\r\n# ")
        for flags in (0, safe):
            self.assertEqual(
                self.assert_code(libvirt.VIR_ERR_OPERATION_FAILED, self.open, flags),
                "operation failed: Active console session exists for this domain")
        second = self.open(safe | force)
        self.assertEqual(first.recv(4096), b"")
        first.finish()
        second.send(b"echo mine\n")
        self.read_until(second, b"\r\nmine\r\n# ")
        self.assert_code(libvirt.VIR_ERR_INVALID_ARG, self.open, 4)

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

    def test_stream_and_calls_of_a_connection_do_not_mix(self):
        # A busy stream must not hold up calls, nor calls the stream.
        libvirt_stream = self.connection.newStream(libvirt.VIR_STREAM_NONBLOCK)
        self.domain.openConsole(None, libvirt_stream)
        seen = []

        def readable(stream, _events, _opaque):
            with contextlib.suppress(libvirt.libvirtError):
                data = stream.recv(65536)
                if isinstance(data, bytes):
                    seen.append(data)

        libvirt_stream.eventAddCallback(libvirt.VIR_STREAM_EVENT_READABLE, readable, None)
        run_until(lambda: b"".join(seen).endswith(b"userspace is up\r\n# "))
        line = b"x" * 1022 + b"\r\n"
        for _ in range(5):
            seen.clear()
            # less than is kept for a viewer, so nothing of it may be missing
            self.assertEqual(libvirt_stream.send(b"flood 200\n"), len(b"flood 200\n"))
            run_until(lambda: self.domain.isActive() == 1 and seen and seen[-1].endswith(b"# "))
            self.assertEqual(b"".join(seen), b"flood 200\r\n" + 200 * line + b"# ")
        libvirt_stream.eventRemoveCallback()
        libvirt_stream.abort()
