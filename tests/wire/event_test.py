# SPDX-License-Identifier: LGPL-2.1-or-later
"""Events: the right ones, in order, to those who asked."""

import re
import signal
import struct
import subprocess
import uuid

import libvirt
import pexpect

from harness import LIMIT_S, WireTest, run_until
from raw import (DEREGISTER_EVENTS, DEREGISTER_LIFECYCLE, DEREGISTER_OLD_EVENTS, ERROR, MESSAGE, OK,
                 REGISTER_EVENTS, REGISTER_LIFECYCLE, REGISTER_OLD_EVENTS, RawClient, frame,
                 number, read_error, read_string, string)

LIFECYCLE = libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE
REBOOT = libvirt.VIR_DOMAIN_EVENT_ID_REBOOT
NEWEST = 29  # VIR_DOMAIN_EVENT_ID_CHANNEL_LIFECYCLE of libvirt 12.4
OLD_WATCHDOG_EVENT = 171
NEWEST_OF_OLD_CALLS = libvirt.VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED
DIMM = ("<memory model='dimm'><target><size unit='MiB'>256</size><node>0</node></target>"
        "</memory>")


class Virsh(WireTest):
    def test_event_all_loop_tells_a_whole_life(self):
        with self.terminal("event", "--all", "--loop") as events:
            # virsh says nothing when it is ready: a first event of ours shows that it is
            self.until_listening(events)
            self.define()
            events.expect("event 'lifecycle' for domain 'web': Defined Added")
            self.virsh("start", "web")
            events.expect("event 'lifecycle' for domain 'web': Started Booted")
            events.expect("event 'agent-lifecycle' for domain 'web': state: 'connected' "
                          "reason: 'channel event'")
            with self.terminal("console", "web") as console:
                console.expect("userspace is up")
            self.virsh("reboot", "web")
            events.expect("event 'reboot' for domain 'web'")
            with self.terminal("console", "web", "--force") as console:
                console.expect("userspace is up")
            events.expect("event 'agent-lifecycle' for domain 'web': state: 'connected' "
                          "reason: 'channel event'")
            self.virsh("desc", "web", "--config", "--title", "--new-desc", "t")
            events.expect("event 'metadata-change' for domain 'web': type title")
            self.virsh("shutdown", "web")
            events.expect("event 'agent-lifecycle' for domain 'web': state: 'disconnected' "
                          "reason: 'channel event'")
            events.expect("event 'lifecycle' for domain 'web': Shutdown Finished")
            events.expect("event 'lifecycle' for domain 'web': Stopped Shutdown")
            self.virsh("domrename", "web", "shop")
            events.expect("event 'lifecycle' for domain 'shop': Defined Renamed")
            self.virsh("start", "shop")
            events.expect("event 'lifecycle' for domain 'shop': Started Booted")
            self.virsh("destroy", "shop")
            events.expect("event 'lifecycle' for domain 'shop': Stopped Destroyed")
            self.virsh("undefine", "shop")
            events.expect("event 'lifecycle' for domain 'shop': Undefined Removed")
            events.kill(signal.SIGINT)
            events.expect(r"event loop interrupted")
            # the first one of until_listening() may have been several
            events.expect(r"events received: (\d+)")
            self.assertGreaterEqual(int(events.match[1]), 11)

    def until_listening(self, events):
        """Repeats an event until it is seen; none of those that follow can be missed."""
        connection = self.connect()
        while True:
            connection.createXML(self.xml("knock")).destroy()
            if events.expect(["'knock': Stopped", pexpect.TIMEOUT], timeout=1) == 0:
                return

    def test_each_single_event_can_be_asked_for(self):
        names = [line for line in self.virsh("event", "--list").split("\n") if line]
        self.assertGreaterEqual(len(names), 27)
        # all at once: each takes its second, because nothing happens
        children = [(name, subprocess.Popen(
            ["virsh", "-c", self.daemon.uri(), "event", "--event", name, "--timeout", "1"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=self.environment())) for name in names]
        for name, child in children:
            with self.subTest(event=name):
                output, complaint = child.communicate(timeout=LIMIT_S)
                self.assertIn("event loop timed out\nevents received: 0", output)
                self.assertEqual(complaint, "")


class Callbacks(WireTest):
    def setUp(self):
        super().setUp()
        self.connection = self.connect()
        self.seen = []

    def listen(self, domain=None, event=LIFECYCLE):
        def lifecycle(_conn, about, what, detail, _opaque):
            self.seen.append((about.name(), what, detail, about.ID()))
        return self.connection.domainEventRegisterAny(domain, event, lifecycle, None)

    def test_events_arrive_in_order_with_their_details(self):
        self.listen()
        domain = self.connection.defineXML(self.xml())
        domain.create()
        number = domain.ID()
        domain.destroy()
        domain.undefine()
        run_until(lambda: len(self.seen) >= 4)
        self.assertEqual(self.seen, [
            ("web", libvirt.VIR_DOMAIN_EVENT_DEFINED, libvirt.VIR_DOMAIN_EVENT_DEFINED_ADDED, -1),
            ("web", libvirt.VIR_DOMAIN_EVENT_STARTED, libvirt.VIR_DOMAIN_EVENT_STARTED_BOOTED,
             number),
            ("web", libvirt.VIR_DOMAIN_EVENT_STOPPED, libvirt.VIR_DOMAIN_EVENT_STOPPED_DESTROYED,
             self.seen[2][3]),
            ("web", libvirt.VIR_DOMAIN_EVENT_UNDEFINED,
             libvirt.VIR_DOMAIN_EVENT_UNDEFINED_REMOVED, -1)])

    def test_app_module_comes_and_goes_like_an_agent(self):
        connected, disconnected = (
            (state, libvirt.VIR_CONNECT_DOMAIN_EVENT_AGENT_LIFECYCLE_REASON_CHANNEL) for state in
            (libvirt.VIR_CONNECT_DOMAIN_EVENT_AGENT_LIFECYCLE_STATE_CONNECTED,
             libvirt.VIR_CONNECT_DOMAIN_EVENT_AGENT_LIFECYCLE_STATE_DISCONNECTED))
        domain = self.connection.defineXML(self.xml())
        for event in (libvirt.VIR_DOMAIN_EVENT_ID_AGENT_LIFECYCLE, LIFECYCLE):
            self.connection.domainEventRegisterAny(
                None, event, lambda _c, _d, what, why, _: self.seen.append((what, why)), None)
        domain.create()
        run_until(lambda: len(self.seen) >= 2)
        self.assertEqual(domain.hostname(), "web")  # it answers
        domain.destroy()
        run_until(lambda: len(self.seen) >= 4)
        self.assertEqual(self.seen, [
            (libvirt.VIR_DOMAIN_EVENT_STARTED, libvirt.VIR_DOMAIN_EVENT_STARTED_BOOTED),
            connected, disconnected,
            (libvirt.VIR_DOMAIN_EVENT_STOPPED, libvirt.VIR_DOMAIN_EVENT_STOPPED_DESTROYED)])
        self.assert_code(libvirt.VIR_ERR_OPERATION_INVALID, domain.hostname)

    def test_registration_for_one_domain_hears_of_no_other(self):
        web = self.connection.defineXML(self.xml("web"))
        shop = self.connection.defineXML(self.xml("shop"))
        self.listen(web)
        shop.create()
        web.create()
        shop.destroy()
        web.destroy()
        run_until(lambda: len(self.seen) >= 2)
        self.assertEqual([event[:2] for event in self.seen],
                         [("web", libvirt.VIR_DOMAIN_EVENT_STARTED),
                          ("web", libvirt.VIR_DOMAIN_EVENT_STOPPED)])

    def test_no_event_after_the_registration_ended(self):
        first = self.listen()
        domain = self.connection.defineXML(self.xml())
        run_until(lambda: self.seen)
        self.connection.domainEventDeregisterAny(first)
        self.seen.clear()
        domain.create()
        # a second registration shows that what went before has arrived
        self.listen()
        domain.destroy()
        run_until(lambda: self.seen)
        self.assertEqual([event[1] for event in self.seen], [libvirt.VIR_DOMAIN_EVENT_STOPPED])

    def test_every_client_hears_of_it(self):
        others = [self.connect() for _ in range(5)]
        heard = []
        for number, connection in enumerate(others):
            connection.domainEventRegisterAny(
                None, LIFECYCLE,
                lambda _conn, _domain, _what, _detail, number: heard.append(number), number)
        self.connection.defineXML(self.xml())
        run_until(lambda: len(heard) == 5)
        self.assertEqual(sorted(heard), [0, 1, 2, 3, 4])

    def test_old_registration_call_works(self):
        def lifecycle(_conn, about, what, detail, _opaque):
            self.seen.append((about.name(), what, detail))
        self.connection.domainEventRegister(lifecycle, None)
        self.connection.defineXML(self.xml())
        run_until(lambda: self.seen)
        self.assertEqual(self.seen, [("web", libvirt.VIR_DOMAIN_EVENT_DEFINED,
                                      libvirt.VIR_DOMAIN_EVENT_DEFINED_ADDED)])
        self.connection.domainEventDeregister(lifecycle)

    def test_define_again_is_an_update(self):
        domain = self.connection.defineXML(self.xml())
        self.listen()
        self.connection.defineXML(domain.XMLDesc())
        run_until(lambda: self.seen)
        self.assertEqual(self.seen[0][:3], ("web", libvirt.VIR_DOMAIN_EVENT_DEFINED,
                                            libvirt.VIR_DOMAIN_EVENT_DEFINED_UPDATED))

    def test_metadata_change_says_which(self):
        domain = self.connection.defineXML(self.xml())
        changes = []
        self.connection.domainEventRegisterAny(
            None, libvirt.VIR_DOMAIN_EVENT_ID_METADATA_CHANGE,
            lambda _conn, _domain, kind, uri, _opaque: changes.append((kind, uri)), None)
        domain.setMetadata(libvirt.VIR_DOMAIN_METADATA_ELEMENT, "<a/>", "k", "http://x/y")
        domain.setMetadata(libvirt.VIR_DOMAIN_METADATA_TITLE, "title", None, None)
        run_until(lambda: len(changes) == 2)
        self.assertEqual(changes, [(libvirt.VIR_DOMAIN_METADATA_ELEMENT, "http://x/y"),
                                   (libvirt.VIR_DOMAIN_METADATA_TITLE, None)])

    def test_readers_hear_of_it_too(self):
        reader = self.connect(readonly=True)
        heard = []
        reader.domainEventRegisterAny(
            None, LIFECYCLE, lambda _conn, domain, *_: heard.append(domain.name()), None)
        self.connection.defineXML(self.xml())
        run_until(lambda: heard)
        self.assertEqual(heard, ["web"])


class Details(WireTest):
    """What libvirt-python is told of each event that happens here."""

    daemon_conf = "watchdog_timeout = 2\n"

    def setUp(self):
        super().setUp()
        self.connection = self.connect()
        self.heard = []

    def listen(self, *names):
        for name in names:
            self.connection.domainEventRegisterAny(
                None, getattr(libvirt, f"VIR_DOMAIN_EVENT_ID_{name}"),
                lambda _conn, _domain, *about: self.heard.append((about[-1], *about[:-1])), name)

    def run_web(self, **options):
        self.start("web", **options)
        self.domain = self.connection.lookupByName("web")
        self.stream = self.connection.newStream()
        self.domain.openConsole(None, self.stream)
        self.wait_for(b"userspace is up\r\n# ")

    def wait_for(self, text):
        seen = b""
        while text not in seen:
            seen += self.stream.recv(4096)

    def type(self, line):
        self.stream.send(line.encode() + b"\n")

    def test_vcpupin_is_a_tunable(self):
        self.listen("TUNABLE")
        self.run_web(vcpus="<vcpu>2</vcpu>")
        self.domain.pinVcpu(1, tuple(cpu == 6 for cpu in range(8)))
        run_until(lambda: self.heard)
        self.assertEqual(self.heard, [("TUNABLE", {"cputune.vcpupin1": "6"})])

    def test_lost_partition_is_a_control_error(self):
        self.listen("CONTROL_ERROR", "LIFECYCLE")
        self.run_web()
        self.type("lose")
        run_until(lambda: len(self.heard) >= 4)
        self.assertEqual(self.heard[2:], [
            ("CONTROL_ERROR",), ("LIFECYCLE", libvirt.VIR_DOMAIN_EVENT_CRASHED,
                                 libvirt.VIR_DOMAIN_EVENT_CRASHED_PANICKED)])

    def test_lost_heartbeat_is_a_watchdog(self):
        self.listen("WATCHDOG")
        old = RawClient(self.daemon)
        self.addCleanup(old.end)
        watchdog = libvirt.VIR_DOMAIN_EVENT_ID_WATCHDOG
        self.assertEqual(old.call(REGISTER_OLD_EVENTS, number(watchdog)).status, OK)
        self.run_web(devices="<watchdog model='multikernel' action='pause'/>")
        self.type("hang")
        run_until(lambda: self.heard)
        self.assertEqual(self.heard, [("WATCHDOG", libvirt.VIR_DOMAIN_EVENT_WATCHDOG_PAUSE)])
        paused = [libvirt.VIR_DOMAIN_PAUSED, libvirt.VIR_DOMAIN_PAUSED_WATCHDOG]
        run_until(lambda: self.domain.state() == paused)  # the event is first
        told = old.receive()
        self.assertEqual((told.type, told.procedure), (MESSAGE, OLD_WATCHDOG_EVENT))
        domain = string(b"web") + self.domain.UUID() + number(self.domain.ID())
        self.assertEqual(told.payload, domain + number(libvirt.VIR_DOMAIN_EVENT_WATCHDOG_PAUSE))

    def test_memory_that_comes_and_goes(self):
        self.listen("DEVICE_ADDED", "DEVICE_REMOVED", "DEVICE_REMOVAL_FAILED", "BALLOON_CHANGE",
                    "MEMORY_DEVICE_SIZE_CHANGE")
        self.run_web(memory="<maxMemory slots='2' unit='MiB'>1024</maxMemory>"
                            "<memory unit='MiB'>256</memory>")
        self.domain.attachDeviceFlags(DIMM, libvirt.VIR_DOMAIN_AFFECT_LIVE)
        self.type("busy 131072")
        self.wait_for(b"# ")
        self.assert_code(libvirt.VIR_ERR_OPERATION_FAILED, self.domain.detachDeviceFlags, DIMM,
                         libvirt.VIR_DOMAIN_AFFECT_LIVE)
        run_until(lambda: len(self.heard) >= 5)
        self.assertEqual(sorted(map(str, self.heard)), sorted(map(str, [
            ("DEVICE_ADDED", "dimm0"), ("BALLOON_CHANGE", 512 << 10),
            ("MEMORY_DEVICE_SIZE_CHANGE", "dimm0", 128 << 10), ("BALLOON_CHANGE", 384 << 10),
            ("DEVICE_REMOVAL_FAILED", "dimm0")])))
        self.assertIn("<size unit='KiB'>131072</size>", self.domain.XMLDesc())

    def test_reboot_and_end_of_a_dump(self):
        self.listen("REBOOT", "JOB_COMPLETED")
        self.run_web()
        self.domain.coreDumpWithFormat(str(self.daemon.folder / "core"), 0,
                                       libvirt.VIR_DUMP_MEMORY_ONLY)
        self.domain.reset(0)
        run_until(lambda: len(self.heard) >= 2)
        (job, facts), *rest = self.heard
        self.assertEqual((job, rest), ("JOB_COMPLETED", [("REBOOT",)]))
        self.assertEqual((facts["operation"], facts["success"]),
                         (libvirt.VIR_DOMAIN_JOB_OPERATION_DUMP, True))


class OnTheWire(WireTest):
    """Registrations that stock clients of today do not make."""

    def setUp(self):
        super().setUp()
        self.domain = self.connect().defineXML(self.xml())
        self.about = string(b"web") + uuid.UUID(self.domain.UUIDString()).bytes
        self.client = RawClient(self.daemon)
        self.addCleanup(self.client.socket.close)

    def register(self, event, about=None):
        return self.client.call(REGISTER_EVENTS, number(event)
                                + (number(0) if about is None else number(1) + about + number(-1)))

    def assert_refused(self, reply, text):
        self.assertEqual(reply.status, ERROR, reply)
        code, _, message = read_error(reply)
        self.assertEqual((code, message),
                         (libvirt.VIR_ERR_INTERNAL_ERROR, f"internal error: {text}"))

    def messages(self, count):
        """(procedure, payload) of what comes next."""
        got = [self.client.receive() for _ in range(count)]
        for each in got:
            self.assertEqual((each.type, each.serial, each.status), (MESSAGE, 0, OK))
        return [(each.procedure, each.payload) for each in got]

    def assert_nothing_else_came(self):
        """A call is answered behind all events of before; the queue of events is emptied by one."""
        self.domain.setMetadata(libvirt.VIR_DOMAIN_METADATA_TITLE, "last", None, None)
        self.assertEqual([procedure for procedure, _ in self.messages(1)], [379])

    def test_every_event_with_and_without_a_domain(self):
        numbers = []
        for about in (None, self.about):
            for event in range(NEWEST + 1):
                reply = self.register(event, about)
                self.assertEqual(reply.status, OK, event)
                numbers += struct.unpack(">i", reply.payload)
        self.assertEqual(len(set(numbers)), 2 * (NEWEST + 1))
        for callback in numbers:
            self.assertEqual(self.client.call(DEREGISTER_EVENTS, number(callback)).status, OK)
        self.assert_refused(self.client.call(DEREGISTER_EVENTS, number(numbers[0])),
                            f"domain event callback {numbers[0]} not registered")
        for event in (NEWEST + 1, -1, 0x7fffffff):
            self.assert_refused(self.register(event), f"unsupported event ID {event}")

    def test_the_old_calls_know_the_old_events(self):
        for event in range(NEWEST_OF_OLD_CALLS + 1):
            self.assertEqual(self.client.call(REGISTER_OLD_EVENTS, number(event)).status, OK)
        for procedure in (REGISTER_OLD_EVENTS, DEREGISTER_OLD_EVENTS):
            for event in (NEWEST_OF_OLD_CALLS + 1, -1):
                self.assert_refused(self.client.call(procedure, number(event)),
                                    f"unsupported event ID {event}")
        for event in range(NEWEST_OF_OLD_CALLS + 1):
            self.assertEqual(self.client.call(DEREGISTER_OLD_EVENTS, number(event)).status, OK)
            self.assert_refused(self.client.call(DEREGISTER_OLD_EVENTS, number(event)),
                                f"domain event {event} not registered")

    def test_old_messages_have_no_callback_number(self):
        self.assertEqual(self.client.call(REGISTER_LIFECYCLE).payload, number(1))
        self.assertEqual(self.client.call(REGISTER_OLD_EVENTS, number(REBOOT)).status, OK)
        self.domain.create()
        self.domain.reset(0)
        (started, about), (reboot, again) = self.messages(2)
        self.assertEqual((started, reboot), (107, 169))
        self.assertEqual(about, self.about + number(1) + number(libvirt.VIR_DOMAIN_EVENT_STARTED)
                         + number(libvirt.VIR_DOMAIN_EVENT_STARTED_BOOTED))
        self.assertEqual(again, self.about + number(1))
        self.assertEqual(self.client.call(DEREGISTER_LIFECYCLE).payload, number(0))
        self.domain.destroy()
        self.register(libvirt.VIR_DOMAIN_EVENT_ID_METADATA_CHANGE)
        self.assert_nothing_else_came()

    def test_old_and_new_registrations_are_told_side_by_side(self):
        reply = self.register(LIFECYCLE, self.about)
        self.assertEqual(self.client.call(REGISTER_LIFECYCLE).status, OK)
        self.domain.create()
        told = dict(self.messages(2))
        self.assertEqual(set(told), {107, 318})
        self.assertEqual(told[318], reply.payload + told[107])

    def test_a_filter_for_another_domain_hears_nothing(self):
        other = string(b"web") + uuid.uuid4().bytes
        self.assertEqual(self.register(LIFECYCLE, other).status, OK)
        self.domain.create()
        self.register(libvirt.VIR_DOMAIN_EVENT_ID_METADATA_CHANGE)
        self.assert_nothing_else_came()

    def test_nothing_is_lost_or_told_twice_over_registrations_anew(self):
        """Each event is heard by a registration that was there: between its two replies, once."""
        register = number(libvirt.VIR_DOMAIN_EVENT_ID_METADATA_CHANGE) + number(0)
        heard = {}

        def ask(procedure, payload):
            self.client.send(frame(procedure, payload, serial=1))
            while (got := self.client.receive()).type == MESSAGE:
                hear(got.payload)
            self.assertEqual((got.status, got.procedure), (OK, procedure))
            return got.payload

        def hear(payload):
            uri = re.search(rb"http://x/\d+", payload)[0]
            callback = payload[:4]
            self.assertIn(callback, registered)
            self.assertNotIn(uri, heard.setdefault(callback, []))
            heard[callback].append(uri)

        registered = {ask(REGISTER_EVENTS, register)}
        for round_ in range(60):
            self.domain.setMetadata(libvirt.VIR_DOMAIN_METADATA_ELEMENT, "<a/>", "k",
                                    f"http://x/{round_}")
            registered.add(ask(REGISTER_EVENTS, register))
            ended = min(registered)
            ask(DEREGISTER_EVENTS, ended)
            registered.remove(ended)
        self.domain.setMetadata(libvirt.VIR_DOMAIN_METADATA_ELEMENT, "<a/>", "k", "http://x/60")
        while not any(b"http://x/60" in uris for uris in heard.values()):
            hear(self.client.receive().payload)
        self.assertEqual({uri for uris in heard.values() for uri in uris},
                         {b"http://x/%d" % each for each in range(61)})

    def test_a_removed_vcpu_is_told_to_clients_that_know_the_event(self):
        domain = self.connect().createXML(self.xml("many", vcpus="<vcpu current='1'>3</vcpu>"))
        stream = domain.connect().newStream()
        domain.openConsole(None, stream)
        seen = b""
        while b"userspace is up" not in seen:
            seen += stream.recv(4096)
        domain.setVcpusFlags(3, libvirt.VIR_DOMAIN_AFFECT_LIVE)
        callback = self.register(28).payload
        domain.setVcpusFlags(1, libvirt.VIR_DOMAIN_AFFECT_LIVE)
        told = self.messages(2)
        self.assertEqual([procedure for procedure, _ in told], [454, 454])
        for vcpu, (_, payload) in zip((2, 1), told):
            self.assertEqual(payload[:4], callback)
            self.assertEqual(read_string(payload, 4), b"many")
            self.assertEqual(payload[-4:], number(vcpu))
