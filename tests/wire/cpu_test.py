# SPDX-License-Identifier: LGPL-2.1-or-later
"""CPU models, and definitions in the native format."""

import json
import xml.etree.ElementTree as ET

import libvirt

from harness import WireTest


def cpu(model, *features, arch="<arch>x86_64</arch>", attributes=""):
    named = "".join(f"<feature {policy}name='{name}'/>" for policy, name in features)
    return f"<cpu {attributes}>{arch}<model>{model}</model>{named}</cpu>"


def policy(word, name):
    return f"policy='{word}' ", name


# The daemon reads the CPU models of the libvirt that it is installed beside; a newer client has
# more of them, and other words for bad XML.
NEWER_CLIENT = libvirt.getVersion() >= 9_001_000


class Models(WireTest):
    def setUp(self):
        super().setUp()
        self.connection = self.connect()
        self.libvirt = libvirt.open("test:///default")
        self.addCleanup(self.libvirt.close)

    def test_names_are_libvirts(self):
        for arch in ("x86_64", "aarch64"):
            ours = self.connection.getCPUModelNames(arch)
            theirs = self.libvirt.getCPUModelNames(arch)
            if NEWER_CLIENT:
                theirs = [name for name in theirs if name in ours]
            self.assertEqual(ours, theirs)
        self.assertIn("Westmere", self.virsh("cpu-models", "x86_64").split("\n"))
        self.assertIn("cannot find architecture vax", self.virsh_fails("cpu-models", "vax"))

    def test_baseline_is_libvirts(self):
        cpus = [cpu("Westmere", ("", "invtsc")), cpu("Nehalem", ("", "aes"), ("", "invtsc"))]
        expand = libvirt.VIR_CONNECT_BASELINE_CPU_EXPAND_FEATURES
        migratable = libvirt.VIR_CONNECT_BASELINE_CPU_MIGRATABLE
        for flags in (0, expand):
            self.assertEqual(self.connection.baselineCPU(cpus, flags),
                             self.libvirt.baselineCPU(cpus, flags))
        self.assertIn("invtsc", self.connection.baselineCPU(cpus, expand))
        self.assertNotIn("invtsc", self.connection.baselineCPU(cpus, migratable))
        self.assertEqual(self.connection.baselineHypervisorCPU(None, None, None, None, cpus, 0),
                         self.libvirt.baselineCPU(cpus, 0))
        path = self.xml_file("\n".join(cpus), "cpus.xml")
        self.assertEqual(self.virsh("cpu-baseline", path),
                         self.libvirt.baselineCPU(cpus, 0).rstrip())
        for wrong in (["<cpu"], [cpu("no-such-model")], ["<cpu><arch>x86_64</arch></cpu>"]):
            with self.assertRaises(libvirt.libvirtError) as theirs:
                self.libvirt.baselineCPU(wrong, 0)
            message = self.assert_code(theirs.exception.get_error_code(),
                                       self.connection.baselineCPU, wrong, 0)
            if not NEWER_CLIENT:
                self.assertEqual(message, theirs.exception.get_error_message())
        self.assert_code(libvirt.VIR_ERR_INVALID_ARG, self.connection.baselineCPU, cpus, 1 << 9)

    def test_comparison_is_with_this_machine(self):
        flags = libvirt.VIR_CONNECT_COMPARE_CPU_FAIL_INCOMPATIBLE
        superset, identical, incompatible = (
            libvirt.VIR_CPU_COMPARE_SUPERSET, libvirt.VIR_CPU_COMPARE_IDENTICAL,
            libvirt.VIR_CPU_COMPARE_INCOMPATIBLE)
        nowhere = (policy("require", "vmx"), policy("require", "svm"))  # two vendors'
        for xml, result in (
                (cpu("pentium"), superset),
                (cpu("pentium", arch="", attributes="mode='custom' match='minimum'"), superset),
                ("<cpu mode='host-passthrough'/>", identical),
                (cpu("pentium", *nowhere, attributes="match='exact'"), incompatible),
                (cpu("pentium", policy("forbid", "fpu"), attributes="match='exact'"), incompatible),
                (cpu("pentium", policy("optional", "svm"), policy("disable", "vmx"),
                     attributes="match='exact'"), superset),
                (cpu("pentium", attributes="match='strict'"), incompatible),
                (cpu("pentium", arch="<arch>aarch64</arch>"), incompatible),
                ("<cpu><model>pentium</model><vendor>Nobody</vendor></cpu>", incompatible)):
            with self.subTest(xml=xml):
                self.assertEqual(self.connection.compareCPU(xml, 0), result)
                self.assertEqual(
                    self.connection.compareHypervisorCPU(None, None, None, None, xml, 0), result)
                if result == incompatible:
                    self.assert_code(libvirt.VIR_ERR_CPU_INCOMPATIBLE, self.connection.compareCPU,
                                     xml, flags)
        message = self.assert_code(
            libvirt.VIR_ERR_CPU_INCOMPATIBLE, self.connection.compareCPU,
            cpu("pentium", *nowhere, attributes="match='exact'"), flags)
        self.assertIn("Host CPU does not provide required features: ", message)
        path = self.xml_file(cpu("pentium"), "cpu.xml")
        self.assertIn("superset", self.virsh("cpu-compare", path))
        self.virsh("hypervisor-cpu-compare", path)

    def test_wrong_cpus(self):
        validate = libvirt.VIR_CONNECT_COMPARE_CPU_VALIDATE_XML
        for xml, flags, code in (
                ("<cpu", 0, libvirt.VIR_ERR_XML_DETAIL),
                ("<domain/>", 0, libvirt.VIR_ERR_XML_ERROR),
                ("<cpu/>", 0, libvirt.VIR_ERR_XML_ERROR),
                (cpu("no-such-model"), 0, libvirt.VIR_ERR_INTERNAL_ERROR),
                (cpu("pentium", policy("require", "nothing")), 0, libvirt.VIR_ERR_INTERNAL_ERROR),
                (cpu("pentium", policy("perhaps", "fpu")), 0, libvirt.VIR_ERR_CONFIG_UNSUPPORTED),
                ("<cpu><model>pentium</model><colour/></cpu>", validate,
                 libvirt.VIR_ERR_XML_INVALID_SCHEMA),
                (cpu("pentium"), 1 << 9, libvirt.VIR_ERR_INVALID_ARG)):
            with self.subTest(xml=xml):
                self.assert_code(code, self.connection.compareCPU, xml, flags)
        self.assert_code(libvirt.VIR_ERR_INVALID_ARG, self.connection.compareHypervisorCPU,
                         None, None, None, "kvm", cpu("pentium"), 0)


class Native(WireTest):
    def test_definition_becomes_json_and_comes_back(self):
        xml = self.xml(uuid="11111111-2222-3333-4444-555555555555",
                       memory="<maxMemory slots='4' unit='KiB'>1048576</maxMemory>"
                              "<memory unit='KiB'>524288</memory>"
                              "<currentMemory unit='KiB'>262144</currentMemory>",
                       vcpus="<vcpu cpuset='2-5'>2</vcpu><cputune><vcpupin vcpu='0' cpuset='2'/>"
                             "</cputune>",
                       os_more="    <cmdline>quiet panic=[1]</cmdline>\n")
        native = self.virsh("domxml-to-native", "multikernel", self.xml_file(xml))
        self.assertEqual(json.loads(native), {
            "name": "web", "uuid": "11111111-2222-3333-4444-555555555555",
            "kernel": str(self.daemon.sandbox / "vmlinuz"),
            "initrd": str(self.daemon.sandbox / "initrd.img"), "cmdline": "quiet panic=[1]",
            "vcpus": 2, "cpus": "2-5", "pins": {"0": "2"}, "memory-kib": 524288,
            "boot-memory-kib": 262144, "max-memory-kib": 1048576, "memory-slots": 4,
            "console": {}, "on-poweroff": "destroy", "on-reboot": "restart",
            "on-crash": "destroy"})
        back = self.virsh("domxml-from-native", "multikernel", self.xml_file(native, "web.json"))
        self.define()
        connection = self.connect()
        connection.lookupByName("web").undefine()
        domain = connection.defineXML(xml)
        self.assertEqual(back.strip(), domain.XMLDesc(0).strip())
        self.virsh("domxml-to-native", "multikernel", "--domain", "web")

    def test_few_members_are_enough(self):
        connection = self.connect()
        xml = connection.domainXMLFromNative(
            "multikernel", '{"name": "web", "vcpus": 1, "memory-kib": 262144, "kernel": "/k"}')
        root = ET.fromstring(xml)
        self.assertEqual((root.findtext("name"), root.findtext("vcpu"), root.findtext("os/kernel")),
                         ("web", "1", "/k"))
        self.assertEqual(len(root.findtext("uuid")), 36)
        self.assertEqual(connection.listAllDomains(), [])

    def test_wrong_input(self):
        connection = self.connect()
        base = {"name": "web", "vcpus": 1, "memory-kib": 262144}
        for text in ("", "{", "[]", "null", '{"name": "web"}', "[" * 100000, "{\"a\":" * 5000,
                     *(json.dumps({**base, **wrong}) for wrong in (
                         {"vcpus": "1"}, {"vcpus": -1}, {"vcpus": 1.5}, {"vcpus": 1 << 40},
                         {"uuid": "x"}, {"name": ""}, {"name": 7}, {"cpus": "5-2"},
                         {"pins": {"x": "1"}}, {"pins": ["1"]}, {"memory-devices": [1]},
                         {"console": True}, {"console": {"append": "yes"}},
                         {"on-crash": "explode"}))):
            with self.subTest(text=text[:60]):
                self.assert_code(libvirt.VIR_ERR_INVALID_ARG, connection.domainXMLFromNative,
                                 "multikernel", text)
        for wrong in ({"colour": 1}, {"console": {"colour": 1}}, {"memory-kib": 4}):
            with self.subTest(text=wrong):
                self.assert_code(libvirt.VIR_ERR_CONFIG_UNSUPPORTED,
                                 connection.domainXMLFromNative, "multikernel",
                                 json.dumps({**base, **wrong}))
        self.assert_code(libvirt.VIR_ERR_INVALID_ARG, connection.domainXMLFromNative, "qemu-argv",
                         json.dumps(base))
        self.assert_code(libvirt.VIR_ERR_INVALID_ARG, connection.domainXMLToNative, "qemu-argv",
                         self.xml())
        self.assert_code(libvirt.VIR_ERR_XML_DETAIL, connection.domainXMLToNative, "multikernel",
                         "<domain")
        reader = self.connect(readonly=True)
        self.assert_code(libvirt.VIR_ERR_OPERATION_DENIED, reader.domainXMLToNative, "multikernel",
                         self.xml())
