# SPDX-License-Identifier: LGPL-2.1-or-later
"""The main flows with Perl's Sys::Virt, and each of its methods."""

import json
import pathlib
import subprocess

from harness import LIMIT_S, WireTest
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
        self.put_host()
        self.start_libvirtd()
        self.define("off")
        self.file("once", self.xml("once"))
        self.start_with_all("web")
        words = {name: str(word) for name, word in self.words.items()}
        done = subprocess.run(["perl", EACH], input=json.dumps(words), stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, errors="replace",
                              timeout=LIMIT_S, check=False, env=self.environment())
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertRegex(done.stdout, r"\n1\.\.\d+\n")  # it came to its end
