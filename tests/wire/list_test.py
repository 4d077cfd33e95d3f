# SPDX-License-Identifier: LGPL-2.1-or-later
"""Finding domains: lists, filters, look-ups."""

import uuid

import libvirt

from harness import WireTest, table

ACTIVE, INACTIVE = 1, 2


class List(WireTest):
    """web runs and is defined, shop is defined, tmp runs and is not."""

    def setUp(self):
        super().setUp()
        self.start("web")
        self.define("shop")
        self.virsh("create", self.xml_file(self.xml("tmp")))
        self.virsh("autostart", "shop")

    def names(self, *options):
        return sorted(self.virsh("list", "--name", *options).split())

    def test_table_shows_id_name_and_state(self):
        rows = {row[1]: (row[0], row[2]) for row in table(self.virsh("list", "--all"))}
        self.assertEqual(rows, {"web": (self.virsh("domid", "web"), "running"),
                                "shop": ("-", "shut off"),
                                "tmp": (self.virsh("domid", "tmp"), "running")})

    def test_ids_rise(self):
        self.assertLess(int(self.virsh("domid", "web")), int(self.virsh("domid", "tmp")))
        before = int(self.virsh("domid", "tmp"))
        self.virsh("start", "shop")
        self.assertGreater(int(self.virsh("domid", "shop")), before)

    def test_each_filter_of_virsh(self):
        for options, names in (
                (["--all"], ["shop", "tmp", "web"]),
                ([], ["tmp", "web"]),
                (["--inactive"], ["shop"]),
                (["--all", "--persistent"], ["shop", "web"]),
                (["--all", "--transient"], ["tmp"]),
                (["--all", "--persistent", "--transient"], ["shop", "tmp", "web"]),
                (["--state-running"], ["tmp", "web"]),
                (["--all", "--state-shutoff"], ["shop"]),
                (["--all", "--state-running", "--state-shutoff"], ["shop", "tmp", "web"]),
                (["--state-paused"], []),
                (["--all", "--state-other"], []),
                (["--all", "--autostart"], ["shop"]),
                (["--all", "--no-autostart"], ["tmp", "web"]),
                (["--all", "--with-snapshot"], []),
                (["--all", "--without-snapshot"], ["shop", "tmp", "web"]),
                (["--all", "--with-managed-save"], []),
                (["--all", "--without-managed-save"], ["shop", "tmp", "web"]),
                (["--all", "--with-checkpoint"], []),
                (["--all", "--without-checkpoint"], ["shop", "tmp", "web"]),
                (["--all", "--persistent", "--autostart", "--with-managed-save"], [])):
            with self.subTest(options=options):
                self.assertEqual(self.names(*options), names)

    def test_columns_of_virsh(self):
        for option in ("--title", "--managed-save"):
            with self.subTest(option=option):
                self.assertEqual(len(table(self.virsh("list", "--all", option))), 3)
        self.assertEqual(len(self.virsh("list", "--all", "--uuid").split()), 3)
        self.assertEqual(len(self.virsh("list", "--all", "--id").split()), 2)  # web, tmp

    def test_unknown_filter_is_an_invalid_argument(self):
        # virsh retries with fewer flags on this code
        message = self.assert_code(libvirt.VIR_ERR_INVALID_ARG, self.connect().listAllDomains,
                                   1 << 20)
        self.assertEqual(message, "invalid argument: unsupported flags (0x100000) in function "
                         "virConnectListAllDomains")

    def test_calls_of_old_clients_agree(self):
        connection = self.connect()
        self.assertEqual(connection.numOfDomains(), 2)
        names = [connection.lookupByID(number).name() for number in connection.listDomainsID()]
        self.assertEqual(sorted(names), ["tmp", "web"])
        self.assertEqual(connection.numOfDefinedDomains(), 1)
        self.assertEqual(connection.listDefinedDomains(), ["shop"])
        self.assertEqual(len(connection.listAllDomains(0)), 3)


class Lookup(WireTest):
    def test_by_name_uuid_and_id(self):
        identity = str(uuid.uuid4())
        self.start("web", uuid=identity)
        number = self.virsh("domid", "web")
        self.assertEqual(self.virsh("domuuid", "web"), identity)
        self.assertEqual(self.virsh("domname", identity), "web")
        self.assertEqual(self.virsh("domname", number), "web")

    def test_missing_domains_are_told_in_libvirts_words(self):
        connection = self.connect()
        missing = "12345678-9abc-4def-8123-456789abcdef"
        for call, argument, text in (
                (connection.lookupByName, "web", "no domain with matching name 'web'"),
                (connection.lookupByUUIDString, missing,
                 f"no domain with matching uuid '{missing}'"),
                (connection.lookupByID, 7, "no domain with matching id 7")):
            with self.subTest(text=text):
                self.assertEqual(self.assert_code(libvirt.VIR_ERR_NO_DOMAIN, call, argument),
                                 "Domain not found: " + text)
        self.refused("failed to get domain 'web'", "dominfo", "web")

    def test_domain_that_was_undefined_is_not_found(self):
        identity = str(uuid.uuid4())
        domain = self.connect().defineXML(self.xml(uuid=identity))
        self.virsh("undefine", "web")
        for call in (domain.info, domain.create, domain.XMLDesc, domain.state, domain.undefine,
                     domain.isPersistent, domain.snapshotNum):
            with self.subTest(call=call.__name__):
                self.assertEqual(self.assert_code(libvirt.VIR_ERR_NO_DOMAIN, call),
                                 f"Domain not found: no domain with matching uuid '{identity}' "
                                 "(web)")

    def test_stale_names_and_ids_of_clients_do_not_matter(self):
        domain = self.connect().defineXML(self.xml())
        self.virsh("domrename", "web", "shop")
        self.virsh("start", "shop")
        self.assertEqual((domain.name(), domain.ID()), ("web", -1))
        domain.destroy()
        self.assertEqual(self.state("shop"), "shut off (destroyed)")
