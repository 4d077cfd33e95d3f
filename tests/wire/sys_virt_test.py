# SPDX-License-Identifier: LGPL-2.1-or-later
"""The main flows with Perl's Sys::Virt, and each of its methods."""

import json
import pathlib
import subprocess

import smbios
from harness import LIMIT_S, WireTest
from libvirtd import Libvirtd
from virsh_test import Commands

FLOWS = pathlib.Path(__file__).with_name("sys_virt.pl")
EACH = pathlib.Path(__file__).with_name("sys_virt_each.pl")


class SysVirt(WireTest):
    def test_flows(self):
        definition = self.xml_file(self.xml("web", vcpus="<vcpu>2</vcpu>"))
        done = subprocess.run(["perl", FLOWS, self.daemon.uri(), definition],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=LIMIT_S, check=False,
                              env=self.environment())
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertNotIn("not ok", done.stdout)
        self.assertRegex(done.stdout, r"\n1\.\.\d+\n")  # it came to its end


class Each(Commands):
    def test_methods(self):
        self.daemon.put_firmware(smbios.tables(smbios.bios(b"Somebody")))
        for path, text in (("kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", "0"),
                           ("kernel/mm/ksm/pages_to_scan", "100")):
            file = self.daemon.sandbox / "sys" / path
            file.parent.mkdir(parents=True)
            file.write_text(text, encoding="utf-8")
        libvirtd = Libvirtd(self.daemon.folder)
        self.addCleanup(libvirtd.stop)
        libvirtd.start()
        self.define("off")
        self.file("once", self.xml("once"))
        self.start("web", vcpus="<vcpu current='2'>4</vcpu>",
                   memory="<maxMemory slots='2' unit='MiB'>1024</maxMemory>"
                          "<memory unit='MiB'>256</memory>",
                   more="  <description>mk-old</description>\n")
        with self.terminal("console", "web") as console:
            console.expect("userspace is up")
        words = {name: str(word) for name, word in self.words.items()}
        done = subprocess.run(["perl", EACH], input=json.dumps(words), stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, errors="replace",
                              timeout=LIMIT_S, check=False, env=self.environment())
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertRegex(done.stdout, r"\n1\.\.\d+\n")  # it came to its end
