# SPDX-License-Identifier: LGPL-2.1-or-later
"""Bad input: refused with a sentence that names it; nothing is taken, the next start works."""

import html
import json

from lib.testing import INITRD, URI, MachineTest

# Words that would let an app kernel touch what is not its own, or undo what is forced.
WORDS = ("noapic", "nolapic", "apic=debug", "acpi=off", "pci=conf1", "reboot=t", "panic=5",
         "hpet=force", "maxcpus=8", "possible_cpus=8", "nr_cpus=8", "memmap=1G$0", "mem=4G",
         "crashkernel=64M", "8250.nr_uarts=4", "earlyprintk=serial", "no_ipi_broadcast=0",
         "no-ipi-broadcast=0", "initcall_blacklist=x", "rdinit=/bin/sh",
         "module_blacklist=multikernel_app", '"noapic"', '"maxcpus=8"')


class Refused(MachineTest):
    def setUp(self):
        super().setUp()
        self.free_before = self.free_kib()

    def start_refused(self, saying, **fields):
        """The definition is refused, or else its start; and then a good one starts."""
        path = "/root/bad.xml"
        self.put(path, self.xml("bad", **fields))
        code, output = self.virsh("define", path, check=False)
        if code == 0:
            output = self.refused("start", "bad", saying=saying)
        for text in saying:
            self.assertIn(text, output)
        self.assertEqual(self.online_cpus(), self.cpus)
        return output

    def test_kernel_that_is_no_bzimage(self):
        self.run_in("head -c 1000000 /dev/zero >/root/no-kernel")
        self.start_refused(["bzImage"], kernel_path="/root/no-kernel")

    def test_kernel_that_is_cut_short(self):
        self.run_in("head -c 3000000 /vmlinuz >/root/short-kernel")
        self.start_refused(["kernel"], kernel_path="/root/short-kernel")

    def test_kernel_that_is_not_there(self):
        self.start_refused(["/nowhere/vmlinuz", "No such file"], kernel_path="/nowhere/vmlinuz")

    def test_kernel_that_is_a_folder(self):
        self.start_refused(["/etc"], kernel_path="/etc")

    def test_initramfs_that_is_not_there(self):
        self.start_refused(["/nowhere/initrd", "No such file"], initrd="/nowhere/initrd")

    def test_initramfs_that_is_no_cpio(self):
        self.start_refused(["/etc/passwd"], initrd="/etc/passwd")

    def test_initramfs_that_is_cut_short(self):
        self.run_in(f"head -c 100000 {INITRD} >/root/short.img")
        self.start_refused(["/root/short.img"], initrd="/root/short.img")

    def test_more_cpus_than_there_are(self):
        self.start_refused(["5"], vcpus=5)

    def test_all_cpus_of_the_host(self):
        self.start_refused(["4"], vcpus=4)

    def test_more_memory_than_there_is(self):
        self.start_refused(["memory"], memory_mib=65536)

    def test_memory_too_small_for_the_kernel(self):
        self.start_refused(["memory"], memory_mib=16)

    def test_cpuset_with_the_core_that_the_host_keeps(self):
        self.start_refused(["0"], vcpu_attributes=" cpuset='0'")

    def test_cpuset_with_a_cpu_that_does_not_exist(self):
        self.start_refused(["77"], vcpu_attributes=" cpuset='77'")

    def test_element_that_nobody_knows(self):
        self.start_refused(["frobnicate"], more="<frobnicate/>")

    def test_device_that_does_not_exist_here(self):
        self.put("/root/disk.xml", self.xml("bad").replace(
            "<devices>", "<devices><disk type='file'><target dev='vda'/></disk>"))
        self.refused("define", "/root/disk.xml", saying=["disk"])

    def test_attribute_that_nobody_knows(self):
        self.start_refused(["frobnicate"], vcpu_attributes=" frobnicate='yes'")

    def test_xml_that_is_none(self):
        self.put("/root/bad.xml", "<domain><name>")
        self.refused("define", "/root/bad.xml",
                     saying=["(domain_definition):1: Premature end of data in tag name"])

    def test_words_of_the_command_line_that_are_ours(self):
        self.put("/root/words", json.dumps({
            word: self.xml("bad", cmdline=f"quiet {html.escape(word)} loglevel=7")
            for word in WORDS}))
        # By one client: for each word a few virsh would take longer than all else here.
        said = json.loads(self.script(f"""
            import json, libvirt
            libvirt.registerErrorHandler(lambda *_: None, None)
            connection = libvirt.open("{URI}")
            said = {{}}
            for word, xml in json.load(open("/root/words")).items():
                domain = None
                try:
                    domain = connection.defineXML(xml)
                    domain.create()
                except libvirt.libvirtError as error:
                    said[word] = str(error), open("/sys/devices/system/cpu/online").read().strip()
                if domain:
                    domain.undefine()
            print(json.dumps(said))
            """))
        for word in WORDS:
            with self.subTest(word=word):
                self.assertIn(word, said, "was not refused")
                complaint, cpus = said[word]
                self.assertIn(word.strip('"').split("=")[0], complaint)
                self.assertNotIn("End of file", complaint)
                self.assertEqual(cpus, self.cpus)

    def test_words_for_init_are_none_of_our_business(self):
        console = self.start("web", cmdline="quiet -- noapic")
        self.assertTrue(console.command("cat /proc/cmdline").endswith("-- noapic"))

    def test_name_and_uuid_that_are_taken(self):
        self.define("web")
        uuid = self.virsh("domuuid", "web").strip()
        self.put("/root/bad.xml", self.xml("web").replace(
            "</name>", "</name><uuid>11111111-2222-3333-4444-555555555555</uuid>"))
        self.refused("define", "/root/bad.xml", saying=["web", uuid])
        self.put("/root/bad.xml", self.xml("other").replace(
            "</name>", f"</name><uuid>{uuid}</uuid>"))
        self.refused("define", "/root/bad.xml", saying=["web", uuid])

    def test_second_start_of_a_running_domain(self):
        self.start("web")
        self.refused("start", "web", saying=["active"])

    def test_memory_and_low_windows_come_back_after_refusals(self):
        self.run_in("head -c 1000000 /dev/zero >/root/no-kernel")
        self.define("bad", kernel_path="/root/no-kernel")
        for _ in range(12):  # more often than there are windows below 1 MiB
            self.refused("start", "bad", saying=["bzImage"])
        self.assert_free_again(self.free_before)
        self.assertEqual(self.start("web").command("echo $((6*7))"), "42")
