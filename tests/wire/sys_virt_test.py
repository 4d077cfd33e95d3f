# SPDX-License-Identifier: LGPL-2.1-or-later
"""The main flows with Perl's Sys::Virt."""

import pathlib
import subprocess

from harness import LIMIT_S, WireTest

FLOWS = pathlib.Path(__file__).with_name("sys_virt.pl")


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
