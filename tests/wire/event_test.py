# SPDX-License-Identifier: LGPL-2.1-or-later
"""Events: the right ones, in order, to those who asked."""

import signal
import subprocess

import libvirt
import pexpect

from harness import LIMIT_S, WireTest, run_until

LIFECYCLE = libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE


class Virsh(WireTest):
    def test_event_all_loop_tells_a_whole_life(self):
        with self.terminal("event", "--all", "--loop") as events:
            # virsh says nothing when it is ready: a first event of ours shows that it is
            self.until_listening(events)
            self.define()
            events.expect("event 'lifecycle' for domain 'web': Defined Added")
            self.virsh("start", "web")
            events.expect("event 'lifecycle' for domain 'web': Started Booted")
            with self.terminal("console", "web") as console:
                console.expect("userspace is up")
            self.virsh("reboot", "web")
            events.expect("event 'reboot' for domain 'web'")
            with self.terminal("console", "web", "--force") as console:
                console.expect("userspace is up")
            self.virsh("desc", "web", "--config", "--title", "--new-desc", "t")
            events.expect("event 'metadata-change' for domain 'web': type title")
            self.virsh("shutdown", "web")
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
