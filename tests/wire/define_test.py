# SPDX-License-Identifier: LGPL-2.1-or-later
"""Definitions: in, out, changed, refused."""

import contextlib
import stat
import uuid
import xml.etree.ElementTree as ET

import libvirt

from harness import WireTest, pairs, run_until


class Define(WireTest):
    def test_define_then_undefine(self):
        self.assertRegex(self.virsh("define", self.xml_file(self.xml())),
                         r"^Domain 'web' defined from ")
        self.assertEqual(self.state(), "shut off (unknown)")
        self.assertEqual(self.virsh("undefine", "web"), "Domain 'web' has been undefined")
        self.assertEqual(self.virsh("list", "--all", "--name"), "")

    def test_dumpxml_defines_the_same_domain_byte_for_byte(self):
        self.define(more="  <title>A title</title>\n  <description>two\nlines</description>\n"
                         "  <features>\n    <acpi/>\n    <apic/>\n  </features>\n"
                         "  <clock offset='utc'/>\n  <on_crash>preserve</on_crash>\n",
                    os_more="    <cmdline>quiet a=&quot;b c&quot; &lt;&amp;&gt;</cmdline>\n")
        once = self.virsh("dumpxml", "web")
        self.virsh("undefine", "web")
        self.virsh("define", self.xml_file(once))
        self.assertEqual(self.virsh("dumpxml", "web"), once)
        self.virsh("define", self.xml_file(once))
        self.assertEqual(self.virsh("dumpxml", "web"), once)

    def test_inactive_xml_of_a_running_domain_is_the_definition(self):
        self.define()
        defined = self.virsh("dumpxml", "web")
        self.virsh("start", "web")
        live = ET.fromstring(self.virsh("dumpxml", "web"))
        self.assertEqual(live.get("id"), self.virsh("domid", "web"))
        self.assertEqual(self.virsh("dumpxml", "web", "--inactive"), defined)
        self.assertEqual(self.virsh("dumpxml", "web", "--inactive", "--security-info"), defined)

    def test_live_xml_of_a_running_domain_defines_too(self):
        self.start()
        live = self.virsh("dumpxml", "web")
        self.virsh("destroy", "web")
        self.virsh("define", self.xml_file(live))

    def test_validate_accepts_our_schema(self):
        self.virsh("define", "--validate", self.xml_file(self.xml()))

    def test_validate_refuses_what_the_schema_does_not_know(self):
        broken = self.xml().replace("<vcpu>1</vcpu>", "<vcpu>1</vcpu><coffee/>")
        complaint = self.virsh_fails("define", "--validate", self.xml_file(broken))
        self.assertIn("XML document failed to validate against schema", complaint)
        self.assertIn("coffee", complaint)
        self.assertEqual(self.virsh("list", "--all", "--name"), "")

    def test_unknown_element_is_named(self):
        broken = self.xml(devices="    <disk type='file'><target dev='vda'/></disk>\n")
        complaint = self.virsh_fails("define", self.xml_file(broken))
        self.assertIn("unsupported configuration: ", complaint)
        self.assertIn("disk", complaint)

    def test_broken_xml_is_refused(self):
        self.assertIn("error: Failed to define domain from ",
                      self.virsh_fails("define", self.xml_file("<domain")))

    def test_kvm_domain_is_refused(self):
        broken = self.xml().replace("'multikernel'", "'kvm'")
        self.assertIn("kvm", self.virsh_fails("define", self.xml_file(broken)))

    def test_same_name_with_another_uuid_is_a_clash(self):
        one, other = str(uuid.uuid4()), str(uuid.uuid4())
        self.define(uuid=one)
        self.refused(f"operation failed: domain 'web' already exists with uuid {one}",
                     "define", self.xml_file(self.xml(uuid=other)))

    def test_same_uuid_with_another_name_is_a_clash(self):
        one = str(uuid.uuid4())
        self.define(uuid=one)
        self.refused(f"operation failed: domain 'web' is already defined with uuid {one}",
                     "define", self.xml_file(self.xml("other", uuid=one)))

    def test_define_again_updates(self):
        one = str(uuid.uuid4())
        self.define(uuid=one)
        self.define(uuid=one, vcpus="<vcpu>3</vcpu>")
        self.assertEqual(pairs(self.virsh("dominfo", "web"))["CPU(s)"], "3")

    def test_define_of_a_running_domain_waits_for_the_next_start(self):
        one = str(uuid.uuid4())
        self.start(uuid=one)
        self.define(uuid=one, vcpus="<vcpu>3</vcpu>")
        domain = self.connect().lookupByName("web")
        self.assertEqual(domain.isUpdated(), 1)
        self.assertEqual(self.virsh("vcpucount", "web", "--live", "--current"), "1")
        self.assertEqual(self.virsh("vcpucount", "web", "--config", "--current"), "3")

    def test_undefine_with_every_flag_of_every_client(self):
        connection = self.connect()
        for flags in (0, 1, 3, 7, 5, 73, 23, 27):
            with self.subTest(flags=flags):
                connection.defineXML(self.xml()).undefineFlags(flags)
        domain = connection.defineXML(self.xml())
        for flags, what in ((12, "nvram"), (96, "TPM")):
            text = self.assert_code(libvirt.VIR_ERR_OPERATION_INVALID, domain.undefineFlags, flags)
            self.assertIn(f"cannot both keep and delete {what}", text)
        self.assertEqual(self.assert_code(libvirt.VIR_ERR_INVALID_ARG, domain.undefineFlags, 128),
                         "invalid argument: unsupported flags (0x80) in function "
                         "virDomainUndefineFlags")

    def test_undefine_command_with_its_options(self):
        for options in (["--managed-save"], ["--snapshots-metadata"], ["--nvram"],
                        ["--keep-nvram"], ["--checkpoints-metadata"],
                        ["--managed-save", "--snapshots-metadata", "--checkpoints-metadata"]):
            with self.subTest(options=options):
                self.define()
                self.virsh("undefine", "web", *options)

    def test_undefine_of_a_running_domain_makes_it_transient(self):
        self.start()
        self.virsh("undefine", "web")
        self.assertEqual(pairs(self.virsh("dominfo", "web"))["Persistent"], "no")
        self.virsh("destroy", "web")
        self.assertEqual(self.virsh("list", "--all", "--name"), "")
        self.refused("failed to get domain 'web'", "undefine", "web")

    def test_rename(self):
        self.define()
        identity = self.virsh("domuuid", "web")
        self.assertEqual(self.virsh("domrename", "web", "shop"),
                         "Domain successfully renamed")
        self.assertEqual(self.virsh("domname", identity), "shop")
        self.refused("failed to get domain 'web'", "domid", "web")

    def test_rename_to_a_name_in_use_is_refused(self):
        self.define("web")
        self.define("shop")
        complaint = self.virsh_fails("domrename", "web", "shop")
        self.assertIn("shop", complaint)
        self.assertEqual(self.virsh("list", "--all", "--name").split(), ["shop", "web"])

    def test_rename_of_a_running_domain_is_refused(self):
        self.start()
        self.assertIn("Requested operation is not valid: ",
                      self.virsh_fails("domrename", "web", "shop"))

    def test_empty_new_name_is_refused(self):
        self.define()
        domain = self.connect().lookupByName("web")
        self.assert_code(libvirt.VIR_ERR_INVALID_ARG, domain.rename, "")

    def test_edit_with_an_editor(self):
        self.define()
        self.assertEqual(self.edit("s/<vcpu[^>]*>1</<vcpu placement='static'>2</"),
                         "Domain 'web' XML configuration edited.")
        self.assertEqual(pairs(self.virsh("dominfo", "web"))["CPU(s)"], "2")

    def test_edit_without_a_change_changes_nothing(self):
        self.define()
        self.assertEqual(self.edit("s/nothing/NOTHING/"),
                         "Domain 'web' XML configuration not changed.")

    def edit(self, sed):
        script = self.daemon.folder / "editor"
        script.write_text(f"#!/bin/sh\nsed -i \"{sed}\" \"$1\"\n", encoding="utf-8")
        script.chmod(script.stat().st_mode | stat.S_IXUSR)
        return self.virsh("edit", "web", env={"EDITOR": str(script), "VISUAL": None})


class Metadata(WireTest):
    NAMESPACE = "http://example.org/app"

    def setUp(self):
        super().setUp()
        self.define()

    def test_title_and_description(self):
        self.assertEqual(self.virsh("desc", "web"), "No description for domain: web")
        self.assertEqual(self.virsh("desc", "web", "--title"), "No title for domain: web")
        self.virsh("desc", "web", "--title", "--new-desc", "The web server")
        self.virsh("desc", "web", "--new-desc", "Serves pages.\nAll day.")
        self.assertEqual(self.virsh("desc", "web", "--title"), "The web server")
        self.assertEqual(self.virsh("desc", "web"), "Serves pages.\nAll day.")
        self.assertIn("The web server", self.virsh("list", "--all", "--title"))
        root = ET.fromstring(self.virsh("dumpxml", "web"))
        self.assertEqual(root.find("title").text, "The web server")

    def test_list_title_works_for_domains_without_one(self):
        self.assertIn("web", self.virsh("list", "--all", "--title"))

    def test_title_and_description_with_a_running_domain(self):
        self.virsh("start", "web")
        self.virsh("desc", "web", "--live", "--title", "--new-desc", "now")
        self.virsh("desc", "web", "--config", "--title", "--new-desc", "later")
        self.assertEqual(self.virsh("desc", "web", "--live", "--title"), "now")
        self.assertEqual(self.virsh("desc", "web", "--config", "--title"), "later")

    def assert_no_element(self):
        """By libvirt-python: virsh takes it for an error only up to 9.0."""
        text = self.assert_code(libvirt.VIR_ERR_NO_DOMAIN_METADATA,
                                self.connect().lookupByName("web").metadata,
                                libvirt.VIR_DOMAIN_METADATA_ELEMENT, self.NAMESPACE)
        self.assertEqual(text, "metadata not found: Requested metadata element is not present")

    def test_element_is_set_read_and_removed(self):
        self.assert_no_element()
        self.virsh("metadata", "web", self.NAMESPACE, "--key", "app", "--set",
                   "<owner role='admin'>kim</owner>")
        got = ET.fromstring(self.virsh("metadata", "web", self.NAMESPACE))
        self.assertEqual((got.tag, got.text, got.get("role")), ("owner", "kim", "admin"))
        self.assertIn(self.NAMESPACE, self.virsh("dumpxml", "web"))
        self.virsh("metadata", "web", self.NAMESPACE, "--remove")
        self.assert_no_element()

    def test_missing_title_has_its_own_code(self):
        domain = self.connect().lookupByName("web")
        # any other code makes `virsh list --title` stop
        self.assert_code(libvirt.VIR_ERR_NO_DOMAIN_METADATA, domain.metadata,
                         libvirt.VIR_DOMAIN_METADATA_TITLE, None)

    def test_live_metadata_of_a_domain_that_is_off_is_refused(self):
        domain = self.connect().lookupByName("web")
        message = self.assert_code(libvirt.VIR_ERR_OPERATION_INVALID, domain.metadata,
                                   libvirt.VIR_DOMAIN_METADATA_TITLE, None,
                                   libvirt.VIR_DOMAIN_AFFECT_LIVE)
        self.assertEqual(message, "Requested operation is not valid: domain is not running")

    def test_description_of_many_lines_is_no_title(self):
        domain = self.connect().lookupByName("web")
        self.assert_code(libvirt.VIR_ERR_INVALID_ARG, domain.setMetadata,
                         libvirt.VIR_DOMAIN_METADATA_TITLE, "a\nb", None, None)


class Create(WireTest):
    def test_transient_domain_goes_when_it_stops(self):
        self.assertRegex(self.virsh("create", self.xml_file(self.xml())),
                         r"^Domain 'web' created from ")
        self.assertEqual(pairs(self.virsh("dominfo", "web"))["Persistent"], "no")
        self.virsh("destroy", "web")
        self.assertEqual(self.virsh("list", "--all", "--name"), "")

    def test_create_then_define_makes_it_persistent(self):
        # what virt-install does
        connection = self.connect()
        xml = self.xml(uuid=str(uuid.uuid4()))
        running = connection.createXML(xml)
        defined = connection.defineXML(xml)
        self.assertEqual((running.ID(), running.isPersistent()), (defined.ID(), 1))
        running.destroy()
        self.assertEqual(self.state(), "shut off (destroyed)")

    def test_create_of_a_running_name_is_a_clash(self):
        self.start()
        complaint = self.virsh_fails("create", self.xml_file(self.xml()))
        self.assertIn("domain 'web' already exists with uuid", complaint)
        one = self.virsh("domuuid", "web")
        self.assertIn("Requested operation is not valid: domain 'web' is already active",
                      self.virsh_fails("create", self.xml_file(self.xml(uuid=one))))

    def test_create_validates_if_asked(self):
        broken = self.xml().replace("<vcpu>1</vcpu>", "<vcpu>1</vcpu><coffee/>")
        self.assertIn("XML document failed to validate against schema",
                      self.virsh_fails("create", "--validate", self.xml_file(broken)))

    def test_failed_create_leaves_nothing(self):
        self.virsh_fails("create", self.xml_file(self.xml(kernel="/nonexistent/vmlinuz")))
        self.assertEqual(self.virsh("list", "--all", "--name"), "")

    def test_autodestroy_ends_with_the_connection(self):
        watcher = self.connect()
        other = libvirt.open(self.daemon.uri())
        domain = other.createXML(self.xml(), libvirt.VIR_DOMAIN_START_AUTODESTROY)
        self.assertEqual(watcher.lookupByName("web").isActive(), 1)
        del domain
        with self.gone(watcher, "web"):
            other.close()

    def test_autodestroy_spares_a_later_start_by_somebody_else(self):
        watcher = self.connect()
        mine = libvirt.open(self.daemon.uri())
        domain = mine.defineXML(self.xml())
        domain.createWithFlags(libvirt.VIR_DOMAIN_START_AUTODESTROY)
        other = mine.createXML(self.xml("other"), libvirt.VIR_DOMAIN_START_AUTODESTROY)
        watcher.lookupByName("web").destroy()
        watcher.lookupByName("web").create()
        del domain, other
        with self.gone(watcher, "other"):
            mine.close()
        self.assertEqual(watcher.lookupByName("web").isActive(), 1)

    @contextlib.contextmanager
    def gone(self, connection, name):
        """Ends once the transient domain has stopped."""
        stopped = []

        def event(_connection, domain, what, _detail, _opaque):
            if what == libvirt.VIR_DOMAIN_EVENT_STOPPED:
                stopped.append(domain.name())

        callback = connection.domainEventRegisterAny(
            None, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, event, None)
        yield
        run_until(lambda: name in stopped)
        self.assert_code(libvirt.VIR_ERR_NO_DOMAIN, connection.lookupByName, name)
        connection.domainEventDeregisterAny(callback)
