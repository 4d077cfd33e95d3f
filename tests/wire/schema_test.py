# SPDX-License-Identifier: LGPL-2.1-or-later
"""Stock virt-xml-validate with the schema of this tree."""

import os
import pathlib
import subprocess

import libvirt

from harness import LIMIT_S, WireTest

SCHEMAS = pathlib.Path(__file__).resolve().parents[2] / "xml-schema"
# It takes a type's name and looks for it here, and nowhere else: a way from here is a name too.
INSTALLED = "/usr/share/libvirt/schemas"
TYPE = os.path.relpath(SCHEMAS / "multikerneldomain", os.path.realpath(INSTALLED))


class Schema(WireTest):
    def validate(self, path, *type_):
        """(exit code, all that it said)"""
        done = subprocess.run(["virt-xml-validate", str(path), *type_], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              timeout=LIMIT_S, check=False, env=self.environment())
        return done.returncode, done.stdout

    def assert_valid(self, path):
        self.assertEqual(self.validate(path, TYPE), (0, f"{path} validates\n"))

    def assert_invalid(self, path, *type_):
        code, said = self.validate(path, *type_)
        self.assertEqual(code, 3, said)  # xmllint(1): validation error; 4 is a missing schema
        self.assertIn(f"{path} fails to validate\n", said)

    def test_examples_are_valid(self):
        examples = sorted((SCHEMAS / "examples").glob("*.xml"))
        self.assertGreaterEqual(len(examples), 3)
        for path in examples:
            with self.subTest(example=path.name):
                self.assert_valid(path)

    def test_mistakes_are_not(self):
        # see libvirtdomain.rng
        other = "kvm" if libvirt.getVersion() < 10_000_000 else "coffee"
        for right, wrong in (("<vcpu>1</vcpu>", "<vcpu>1</vcpu><coffee/>"),
                             ("<vcpu>1</vcpu>", "<vcpu>one</vcpu>"),
                             ("type='multikernel'", f"type='{other}'"),
                             ("  <name>web</name>\n", "")):
            with self.subTest(wrong=wrong):
                self.assertIn(right, self.xml())
                self.assert_invalid(self.xml_file(self.xml().replace(right, wrong)), TYPE)

    def test_without_the_name_of_our_schema_it_takes_libvirts(self):
        self.assert_invalid(SCHEMAS / "examples" / "hello.xml")

    def test_what_the_daemon_prints_is_valid(self):
        self.define("web", vcpus="<vcpu cpuset='2-5'>2</vcpu>")
        self.assert_valid(self.xml_file(self.virsh("dumpxml", "web"), "defined.xml"))
        self.virsh("start", "web")
        live = self.virsh("dumpxml", "web")
        self.assertIn("<multikernel:chosen ", live)
        self.assert_valid(self.xml_file(live, "live.xml"))
        self.assert_valid(self.xml_file(self.virsh("dumpxml", "web", "--inactive"), "later.xml"))
