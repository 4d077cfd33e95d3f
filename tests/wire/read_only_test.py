# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a read-only connection may call: for each procedure what libvirt's own sources say."""

import collections
import pathlib
import re

import libvirt

from harness import WireTest
from raw import CLOSE, OK, OPEN, RawClient, number, optional_string, read_error, string

ROOT = pathlib.Path(__file__).resolve().parents[2]
Procedure = collections.namedtuple("Procedure", "number name rule permissions")
SET_IDENTITY, DEL_THROTTLE_GROUP = 419, 452
GET_XML_DESC, GET_VCPUS_FLAGS, INTERFACE_ADDRESSES = 14, 200, 353
SNAPSHOT_XML, MANAGED_SAVE_XML, CHECKPOINT_XML = 186, 388, 412


def procedures():
    """Those that a client can call, as libvirt has them."""
    text = (ROOT / "tests/data/libvirt/procedures.txt").read_text(encoding="utf-8")
    lines = [line.split() for line in text.splitlines() if not line.startswith("#")]
    assert [int(line[0]) for line in lines] == list(range(1, 457))
    return [Procedure(int(line[0]), line[1], line[2], line[3:])
            for line in lines if line[2] != "msg"]


def support_matrix():
    """What our own tables say: number -> cells of the row."""
    text = (ROOT / "libvirt-driver/api/SUPPORT.md").read_text(encoding="utf-8")
    rows = [[cell.strip() for cell in line.strip("|").split("|")]
            for line in text.splitlines() if re.match(r"\| vir\w+ \| \d+ \|", line)]
    return {int(row[1]): row for row in rows}


def is_denied_to_readers(procedure):
    """libvirt forgot one check, which we have; SET_IDENTITY needs a caller who is root."""
    if procedure.rule == "rw*":
        return procedure.number == DEL_THROTTLE_GROUP
    return procedure.rule == "rw"


class EachProcedure(WireTest):
    def opened(self, flags, readonly):
        client = RawClient(self.daemon, opened=False, readonly=readonly)
        self.addCleanup(client.socket.close)
        reply = client.call(OPEN, optional_string(b"multikernel:///system") + number(flags))
        self.assertEqual(reply.status, OK)
        return client

    def denied(self, flags=0, readonly=False):
        """The numbers of those that this connection may not call, whatever the arguments."""
        client = self.opened(flags, readonly)
        found = []
        for procedure in procedures():
            reply = client.call(procedure.number)
            if procedure.number == CLOSE:
                client = self.opened(flags, readonly)
            if reply.status == OK:
                continue
            code, _, message = read_error(reply)
            if code == libvirt.VIR_ERR_OPERATION_DENIED:
                self.assertRegex(message,
                                 r"^operation forbidden: read only access prevents vir[A-Z]\w+$")
                found.append(procedure.number)
        return found

    def test_readers_are_denied_what_libvirt_denies_them(self):
        expected = [each.number for each in procedures() if is_denied_to_readers(each)]
        self.assertGreater(len(expected), 200)
        self.assertEqual(self.denied(readonly=True), expected)
        self.assertEqual(self.denied(flags=libvirt.VIR_CONNECT_RO), expected)

    def test_others_are_denied_nothing(self):
        self.assertEqual(self.denied(), [])


class SupportMatrix(WireTest):
    """The page that our own tables made against libvirt's sources."""

    def setUp(self):  # no daemon
        self.rows = support_matrix()

    def test_readers_may_call_what_libvirt_lets_them(self):
        self.assertEqual({n: row[4] == "yes" for n, row in self.rows.items()},
                         {each.number: not is_denied_to_readers(each) for each in procedures()})

    def test_permissions_are_libvirts(self):
        for each in procedures():
            words = {}
            for permission in each.permissions:
                kind, _, flags = permission.partition(":")[2].partition(":")
                if permission != "none" and not permission.startswith("filter="):
                    word = f"{permission.partition(':')[0]}:{kind}"
                    words.setdefault(word, word + (r"\*" if flags else ""))
            self.assertEqual(self.rows[each.number][6], " ".join(words.values()), each)


class SomeArguments(WireTest):
    """Calls that readers may make, though not with these arguments."""

    def call(self, client, procedure, *numbers):
        reply = client.call(procedure, self.domain + b"".join(map(number, numbers)))
        return None if reply.status == OK else read_error(reply)[::2]

    def test_secrets_and_the_app_kernel_are_not_for_readers(self):
        self.start("web")
        uuid = self.connect().lookupByName("web").UUID()
        self.domain = string(b"web") + uuid + number(1)
        reader, writer = RawClient(self.daemon, readonly=True), RawClient(self.daemon)
        for client in (reader, writer):
            self.addCleanup(client.socket.close)
        secure = "virDomainGetXMLDesc with secure flag"
        prevents = "read only access prevents "
        for procedure, arguments, said in (
                (GET_XML_DESC, [libvirt.VIR_DOMAIN_XML_INACTIVE], None),
                (GET_XML_DESC, [libvirt.VIR_DOMAIN_XML_SECURE], secure),
                (GET_XML_DESC, [libvirt.VIR_DOMAIN_XML_MIGRATABLE], secure),
                (GET_VCPUS_FLAGS, [libvirt.VIR_DOMAIN_VCPU_MAXIMUM], None),
                (GET_VCPUS_FLAGS, [libvirt.VIR_DOMAIN_VCPU_GUEST],
                 prevents + "virDomainGetVcpusFlags"),
                (INTERFACE_ADDRESSES, [libvirt.VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_LEASE, 0], None),
                (INTERFACE_ADDRESSES, [libvirt.VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_ARP, 0], None),
                (INTERFACE_ADDRESSES, [libvirt.VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_AGENT, 0],
                 prevents + "virDomainInterfaceAddresses")):
            expected = said and (libvirt.VIR_ERR_OPERATION_DENIED, "operation forbidden: " + said)
            self.assertEqual(self.call(reader, procedure, *arguments), expected, arguments)
            error = self.call(writer, procedure, *arguments)
            self.assertNotEqual(error and error[0], libvirt.VIR_ERR_OPERATION_DENIED, arguments)

    def test_there_is_no_saved_image_with_secrets_in_it(self):
        """libvirt would deny these by a flag. Here nobody gets that far: there are no such things,
        and everybody hears the same."""
        self.define("web")
        uuid = self.connect().lookupByName("web").UUID()
        self.domain = string(b"web") + uuid + number(-1)
        thing = string(b"s") + self.domain
        reader, writer = RawClient(self.daemon, readonly=True), RawClient(self.daemon)
        for client in (reader, writer):
            self.addCleanup(client.socket.close)
            for procedure, subject, code in (
                    (SNAPSHOT_XML, thing, libvirt.VIR_ERR_NO_DOMAIN_SNAPSHOT),
                    (CHECKPOINT_XML, thing, libvirt.VIR_ERR_NO_DOMAIN_CHECKPOINT),
                    (MANAGED_SAVE_XML, self.domain, libvirt.VIR_ERR_OPERATION_INVALID)):
                reply = client.call(procedure, subject + number(1))
                self.assertEqual(read_error(reply)[0], code, procedure)
