# SPDX-License-Identifier: LGPL-2.1-or-later
"""What each client may do, with access_drivers = [ "polkit" ] and rules of a real polkitd."""

import pathlib
import re
import struct
import subprocess

import libvirt

from auth_test import PolkitTest
from harness import LIMIT_S
from polkit import NOBODY
from raw import LOOKUP_BY_NAME, OK, RawClient, number, read_error, string

# Whoever is not root may see and start "web", and see nothing of "secret".
RULE = """
    if (action.id == "org.libvirt.unix.manage" && subject.user == "nobody")
        return polkit.Result.YES;
    if (action.id.indexOf("org.libvirt.api.domain.") == 0) {
        if (action.lookup("connect_driver") != "multikernel")
            return polkit.Result.NO;
        if (action.lookup("domain_name") == "secret")
            return polkit.Result.NO;
        if (action.lookup("domain_name") == "web" && action.id == "org.libvirt.api.domain.start")
            return polkit.Result.YES;
    }
"""
SLOWLY = """
    if (action.id == "org.libvirt.api.domain.getattr")
        polkit.spawn(["sleep", "0.01"]);
"""
MANY = 200  # questions at once: a bus takes 128 of a connection
DENIED = "error: access denied: 'multikernel' denied access"
SET_IDENTITY, CREATE_XML, DEFINE_XML, LIST_ALL = 419, 10, 11, 273
DESTROY, LOOKUP_BY_UUID, GET_XML_DESC = 12, 24, 14
LIST_DEFINED, NUM_OF_DEFINED, LIST_IDS, NUM_OF_IDS = 21, 25, 37, 51
LLONG, ULLONG, STRING = 3, 4, 7


def parameter(name, type_, value):
    encoded = string(value) if type_ == STRING else struct.pack(">q", value)
    return string(name) + number(type_) + encoded


def identity(*parameters):
    return number(len(parameters)) + b"".join(parameters) + number(0)


class AccessTest(PolkitTest):
    daemon_conf = 'access_drivers = [ "polkit" ]\n'
    rule = RULE

    def setUp(self):
        super().setUp()
        self.bus.polkit(self.rule)
        for name in ("web", "other", "secret"):
            self.define(name)


class FineGrained(AccessTest):
    def denied(self, *words):
        done = self.run_as_nobody(*words)
        self.assertNotEqual(done.returncode, 0, done.stdout)
        self.assertEqual(done.stderr.rstrip("\n").split("\n")[-1], DENIED)

    def test_lists_leave_out_what_may_not_be_seen(self):
        self.assertEqual(self.run_as_nobody("list", "--all", "--name").stdout.split(),
                         ["other", "web"])
        stats = self.run_as_nobody("domstats", "--state").stdout
        self.assertEqual([line for line in stats.split("\n") if line.startswith("Domain")],
                         ["Domain: 'other'", "Domain: 'web'"])
        self.assertEqual(self.virsh("list", "--all", "--name").split(),
                         ["other", "secret", "web"])  # root is not asked

    def test_domain_that_may_not_be_seen_is_not_found(self):
        for words in (("domstate", "secret"), ("start", "secret"), ("dumpxml", "secret")):
            done = self.run_as_nobody(*words)
            self.assertEqual(done.stderr, "error: failed to get domain 'secret'\n")

    def test_only_what_is_allowed_can_be_done(self):
        self.assertEqual(self.run_as_nobody("start", "web").stderr, "")
        self.denied("start", "other")
        self.denied("destroy", "web")
        self.denied("undefine", "web")
        self.denied("setmem", "web", "128M")
        self.denied("dumpxml", "web", "--security-info")
        self.assertEqual(self.run_as_nobody("dumpxml", "web").stderr, "")
        self.assertEqual(self.state("web"), "running (booted)")
        self.assertEqual(self.state("other"), "shut off (unknown)")

    def test_definitions_need_permission_before_anything_is_made(self):
        file = self.xml_file(self.xml("new"))
        file.chmod(0o644)
        self.denied("define", file)
        self.denied("create", file)
        self.assertEqual(self.virsh("list", "--all", "--name").split(),
                         ["other", "secret", "web"])

    def test_raw_calls_on_a_domain_nobody_told_of(self):
        uuid = self.connect().lookupByName("secret").UUID()
        client = self.opened_as_nobody()
        domain = string(b"secret") + uuid + number(-1)
        for procedure, payload in ((9, domain), (DESTROY, domain), (LOOKUP_BY_UUID, uuid),
                                   (GET_XML_DESC, domain + number(0)), (35, domain)):
            self.assertEqual(read_error(client.call(procedure, payload))[:2],
                             (libvirt.VIR_ERR_ACCESS_DENIED, 55), procedure)

    def test_old_lists_leave_out_what_may_not_be_seen(self):
        client = self.opened_as_nobody()
        names = client.call(LIST_DEFINED, number(100)).payload
        self.assertEqual(names[:4] + client.call(NUM_OF_DEFINED).payload, number(2) * 2)
        self.assertEqual((b"web" in names, b"other" in names, b"secret" in names),
                         (True, True, False))
        self.virsh("start", "secret")
        self.virsh("start", "web")
        web = self.connect().lookupByName("web").ID()
        self.assertEqual(client.call(LIST_IDS, number(100)).payload, number(1) + number(web))
        self.assertEqual(client.call(NUM_OF_IDS).payload, number(1))

    def test_events_of_others_are_not_told(self):
        client = self.opened_as_nobody()
        self.assertEqual(client.call(316, number(0) + number(0)).status, OK)
        for name in ("secret", "other", "secret", "web"):
            self.virsh("start", name)
            self.virsh("destroy", name)
        told = [client.receive().payload for _ in range(4)]
        self.assertEqual([b"other" in each for each in told], [True, True, False, False])
        self.assertEqual([b"web" in each for each in told], [False, False, True, True])

    def test_without_polkit_nothing_is_allowed(self):
        client = self.opened_as_nobody()
        for process in reversed(self.bus.processes):
            process.kill()
            process.wait(LIMIT_S)
        code, _, message = read_error(client.call(LIST_ALL, number(1) + number(0)))
        self.assertEqual(code, libvirt.VIR_ERR_DBUS_SERVICE, message)


class LongLists(AccessTest):
    def test_they_are_whole_and_hinder_nobody(self):
        root = self.connect()
        for index in range(MANY):
            root.defineXML(self.xml(f"d{index}"))
        listing = [self.opened_as_nobody() for _ in range(3)]
        other = self.opened_as_nobody()
        for client in listing:
            client.ask(LIST_ALL, number(1) + number(0))
        while not all(client.has_something() for client in listing):
            self.assertEqual(other.call(LOOKUP_BY_NAME, string(b"web")).status, OK)
        for client in listing:
            reply = client.receive()
            self.assertEqual((reply.status, reply.payload[:4]), (OK, number(MANY + 2)))


class SlowAnswers(AccessTest):
    rule = SLOWLY + RULE

    def test_all_events_are_told(self):
        client = self.opened_as_nobody()
        self.assertEqual(client.call(316, number(0) + number(0)).status, OK)
        root = self.connect()
        xml = root.lookupByName("web").XMLDesc()
        sender = RawClient(self.daemon)
        self.addCleanup(sender.socket.close)
        for _ in range(2 * MANY):
            self.assertEqual(sender.call(DEFINE_XML, string(xml.encode())).status, OK)
        for _ in range(2 * MANY):
            self.assertIn(b"web", client.receive().payload)


class Manual(PolkitTest):
    daemon_conf = 'access_drivers = [ "polkit" ]\n'

    def test_example_does_what_it_says(self):
        page = pathlib.Path(__file__).resolve().parents[2] / "libvirt-driver/virtmultikerneld.8"
        (example,) = re.findall(r"^\.Bd -literal.*\n(polkit[\s\S]+?)\.Ed$",
                                page.read_text(encoding="utf-8"), re.MULTILINE)
        (self.bus.folder / "rules" / "50-alice.rules").write_text(
            example.replace("alice", "nobody"), encoding="utf-8")
        self.bus.polkit("")
        for name in ("web", "other"):
            self.define(name)
        self.assertEqual(self.run_as_nobody("list", "--all", "--name").stdout.split(), ["web"])
        for words in (("start", "web"), ("destroy", "web"), ("undefine", "web"), ("nodeinfo",)):
            done = self.run_as_nobody(*words)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
        file = self.xml_file(self.xml("new"))
        file.chmod(0o644)
        self.assertEqual(self.run_as_nobody("start", "other").stderr,
                         "error: failed to get domain 'other'\n")
        self.assertEqual(self.run_as_nobody("define", file).stderr.rstrip().split("\n")[-1], DENIED)


class SomeArguments(PolkitTest):
    """Permissions that a call needs only with certain flags, or a certain source."""

    daemon_conf = 'access_drivers = [ "polkit" ]\n'
    RULE = """
    if (action.id == "org.libvirt.unix.manage")
        return polkit.Result.YES;
    if (action.id == "org.libvirt.api.domain." + action.lookup("domain_name"))
        return polkit.Result.YES;
    """  # a domain's name is what may be done to it, beside looking at it

    def setUp(self):
        super().setUp()
        self.bus.polkit(self.RULE)
        self.uuids = {}
        for name in ("write", "save", "init-control", "read-secure"):
            self.define(name)
            self.uuids[name] = self.connect().lookupByName(name).UUID()
        self.client = self.opened_as_nobody()

    def is_denied(self, name, procedure, *numbers):
        domain = string(name.encode()) + self.uuids[name] + number(-1)
        reply = self.client.call(procedure, domain + b"".join(numbers))
        return reply.status != OK and read_error(reply)[0] == libvirt.VIR_ERR_ACCESS_DENIED

    def denied_to(self, procedure, *numbers):
        return [name for name in self.uuids if self.is_denied(name, procedure, *numbers)]

    def test_secrets_need_permission_to_read_them(self):
        xml = 14
        self.assertEqual(self.denied_to(xml, number(libvirt.VIR_DOMAIN_XML_INACTIVE)), [])
        for flag in (libvirt.VIR_DOMAIN_XML_SECURE, libvirt.VIR_DOMAIN_XML_MIGRATABLE):
            self.assertEqual(self.denied_to(xml, number(flag)), ["write", "save", "init-control"])

    def test_questions_to_the_app_kernel_need_permission_to_write(self):
        vcpus, addresses = 200, 353
        others = ["save", "init-control", "read-secure"]
        self.assertEqual(self.denied_to(vcpus, number(libvirt.VIR_DOMAIN_VCPU_CONFIG)), [])
        self.assertEqual(self.denied_to(vcpus, number(libvirt.VIR_DOMAIN_VCPU_GUEST)), others)
        for source in (libvirt.VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_LEASE,
                       libvirt.VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_ARP):
            self.assertEqual(self.denied_to(addresses, number(source), number(0)), [])
        agent = number(libvirt.VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_AGENT)
        self.assertEqual(self.denied_to(addresses, agent, number(0)), others)

    def test_an_end_by_an_agent_needs_permission_to_write(self):
        everything, others = list(self.uuids), ["write", "save", "read-secure"]
        for procedure, agent in ((258, libvirt.VIR_DOMAIN_SHUTDOWN_GUEST_AGENT),
                                 (27, libvirt.VIR_DOMAIN_REBOOT_GUEST_AGENT)):
            self.assertEqual(self.denied_to(procedure, number(0)), others)
            self.assertEqual(self.denied_to(procedure, number(agent)), everything)

    def test_definition_needs_permission_to_save_and_the_running_domain_does_not(self):
        set_memory, mib = 204, struct.pack(">Q", 128 << 10)
        for flags, denied in ((libvirt.VIR_DOMAIN_AFFECT_LIVE, False),
                              (libvirt.VIR_DOMAIN_AFFECT_CURRENT, True),
                              (libvirt.VIR_DOMAIN_AFFECT_CONFIG, True),
                              (libvirt.VIR_DOMAIN_AFFECT_CONFIG | libvirt.VIR_DOMAIN_AFFECT_LIVE,
                               True)):
            self.assertEqual(self.is_denied("write", set_memory, mib, number(flags)), denied, flags)


class Identity(AccessTest):
    """A proxy that is root says whom it speaks for, as virtproxyd does."""

    def nobody(self, uid=NOBODY):
        """The identity of a process of that user."""
        somebody = subprocess.Popen(["setpriv", f"--reuid={uid}", "--clear-groups", "sleep", "99"])
        self.addCleanup(somebody.wait)
        self.addCleanup(somebody.kill)
        with open(f"/proc/{somebody.pid}/stat", encoding="ascii") as stat:
            start = int(stat.read().rpartition(")")[2].split()[19])
        return identity(
            parameter(b"unix-user-id", ULLONG, uid), parameter(b"unix-group-id", ULLONG, uid),
            parameter(b"user-name", STRING, b"nobody"),
            parameter(b"process-id", LLONG, somebody.pid),
            parameter(b"process-time", ULLONG, start))

    def proxy(self, uid=NOBODY, readonly=False):
        client = RawClient(self.daemon, readonly=readonly)
        self.addCleanup(client.socket.close)
        self.assertEqual(client.call(SET_IDENTITY, self.nobody(uid)).status, OK)
        return client

    def names(self, client):
        payload = client.call(LIST_ALL, number(1) + number(0)).payload
        return [name for name in (b"web", b"other", b"secret") if name in payload]

    def test_its_calls_are_those_of_the_other(self):
        self.assertEqual(self.names(self.proxy()), [b"web", b"other"])
        self.assertEqual(self.names(self.proxy(readonly=True)), [b"web", b"other"])
        self.assertEqual(self.names(self.proxy(uid=0)), [b"web", b"other", b"secret"])

    def test_its_events_are_those_of_the_other_once_it_has_said_so(self):
        client = RawClient(self.daemon)
        self.addCleanup(client.socket.close)
        self.assertEqual(client.call(316, number(0) + number(0)).status, OK)
        self.virsh("start", "secret")
        self.assertIn(b"secret", client.receive().payload)
        reply = client.call(SET_IDENTITY, self.nobody())
        self.assertEqual(reply.status, OK)
        self.virsh("destroy", "secret")
        self.virsh("start", "web")
        self.assertIn(b"web", client.receive().payload)

    def test_it_cannot_speak_for_root_again(self):
        client = self.proxy()
        reply = client.call(SET_IDENTITY, identity(parameter(b"unix-user-id", ULLONG, 0)))
        self.assertEqual(read_error(reply)[0], libvirt.VIR_ERR_ACCESS_DENIED)
        self.assertEqual(self.names(client), [b"web", b"other"])

    def test_only_root_may_speak_for_others(self):
        client = self.opened_as_nobody()
        reply = client.call(SET_IDENTITY, identity(parameter(b"unix-user-id", ULLONG, 0)))
        self.assertEqual(read_error(reply)[0], libvirt.VIR_ERR_ACCESS_DENIED)
        self.assertEqual(self.names(client), [b"web", b"other"])

    def test_what_is_no_identity_changes_nothing(self):
        client = RawClient(self.daemon)
        self.addCleanup(client.socket.close)
        uid = parameter(b"unix-user-id", ULLONG, NOBODY)
        for wrong in (identity(parameter(b"shoe-size", ULLONG, 42)), identity(uid, uid),
                      identity(parameter(b"unix-user-id", STRING, b"0")),
                      identity(parameter(b"unix-user-id", ULLONG, 1 << 40))):
            self.assertEqual(read_error(client.call(SET_IDENTITY, wrong))[0],
                             libvirt.VIR_ERR_INVALID_ARG)
        self.assertEqual(self.names(client), [b"web", b"other", b"secret"])
