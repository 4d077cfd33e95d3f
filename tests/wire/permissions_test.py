# SPDX-License-Identifier: LGPL-2.1-or-later
"""Each call that we handle needs each permission that libvirt's sources have for it, and no other.

A domain is named after the permissions that there are on it, a user after the one that they lack:
polkitd's rule needs to know no more. Calls have flags of 0; access_test.py has the others.
"""

import uuid

import libvirt

from auth_test import PolkitTest, effective_user
from raw import AUTH_POLKIT, OK, OPEN, RawClient, number, optional_string, read_error, string
from read_only_test import procedures, support_matrix

RULE = """
    var lacks = { bin: "search-domains", sys: "read", games: "write", news: "getattr" };
    if (action.id.indexOf("org.libvirt.api.connect.") == 0)
        return action.id == "org.libvirt.api.connect." + lacks[subject.user]
            ? polkit.Result.NO : polkit.Result.YES;
    if (action.id.indexOf("org.libvirt.api.domain.") == 0)
        return action.lookup("domain_name").split("_").indexOf(action.id.substr(23)) >= 0
            ? polkit.Result.YES : polkit.Result.NO;
    return polkit.Result.YES;
"""
LACKS = {2: "search-domains", 3: "read", 5: "write", 6: None}  # bin, sys, games, man
NEWS = 9
LOOKUP_BY_ID, LOOKUP_BY_NAME, LOOKUP_BY_UUID = 22, 23, 24
TAKE_XML = (11, 350, 10)  # define, define with flags, create
REMOVE = (35, 231)  # after all others
ELSEWHERE = (LOOKUP_BY_ID,  # as the other look-ups, for domains that run
             309,           # refused before it reads the XML: nobody can pass descriptors
             419)           # only root may call it at all: access_test.py
ZEROS = bytes(512)  # no flags, no strings, empty lists: for whatever follows


def needed(procedure):
    """(object, permission) pairs of a call whose flags, and whose source, are 0."""
    pairs = []
    for word in procedure.permissions:
        if word == "none" or word.startswith("filter="):
            continue
        kind, permission, flags, *argument = [*word.split(":"), ""][:4]
        if (not flags or flags.startswith("!")) and not any(argument):
            pairs.append((kind, permission.replace("_", "-")))
    return pairs


def handled(kind):
    """Procedures that we handle, with what each needs of that kind of object."""
    rows = support_matrix()
    found = {each.number: [permission for what, permission in needed(each) if what == kind]
             for each in procedures() if rows[each.number][2] in ("handled", "empty")}
    return {number_: permissions for number_, permissions in found.items()
            if permissions and number_ not in ELSEWHERE}


class EachCall(PolkitTest):
    daemon_conf = 'access_drivers = [ "polkit" ]\n'

    def setUp(self):
        super().setUp()
        self.bus.polkit(RULE)
        self.uuids = {}

    def client(self, user):
        with effective_user(user):
            client = RawClient(self.daemon, opened=False)
        self.addCleanup(client.socket.close)
        client.call(AUTH_POLKIT)
        return client

    def is_denied(self, client, procedure, payload):
        reply = client.call(procedure, payload)
        return reply.status != OK and read_error(reply)[0] == libvirt.VIR_ERR_ACCESS_DENIED

    def test_on_the_host(self):
        calls = handled("connect")
        self.assertGreater(len(calls), 30)
        for user, lacks in LACKS.items():
            client = self.client(user)
            client.open()
            denied = [procedure for procedure in calls
                      if self.is_denied(client, procedure, ZEROS)]
            self.assertEqual(denied, [procedure for procedure, permissions in calls.items()
                                      if lacks in permissions], user)
        uri = optional_string(b"multikernel:///system") + number(0)
        self.assertTrue(self.is_denied(self.client(NEWS), OPEN, uri))

    def domain_with(self, permissions):
        """The name of the domain that one who is not root has exactly these permissions on."""
        name = "_".join(permissions) or "none"
        if name not in self.uuids:
            self.uuids[name] = uuid.uuid4()
            self.define(name, uuid=self.uuids[name])
        return name

    def payload(self, procedure, name):
        identity = self.uuids[name]
        if procedure in TAKE_XML:
            return string(self.xml(name, uuid=identity).encode()) + ZEROS
        return {LOOKUP_BY_NAME: string(name.encode()), LOOKUP_BY_UUID: identity.bytes}.get(
            procedure, string(name.encode()) + identity.bytes + number(-1) + ZEROS)

    def test_on_a_domain(self):
        calls = handled("domain")
        self.assertGreater(len(calls), 100)
        client = self.client(6)
        client.open()
        for procedure, permissions in calls.items():
            for lacking in permissions:
                name = self.domain_with([each for each in permissions if each != lacking])
                self.assertTrue(self.is_denied(client, procedure, self.payload(procedure, name)),
                                (procedure, name))
        for procedure in sorted(calls, key=lambda each: (each in (*TAKE_XML, *REMOVE), each)):
            name = self.domain_with(calls[procedure])
            self.assertFalse(self.is_denied(client, procedure, self.payload(procedure, name)),
                             (procedure, name))
