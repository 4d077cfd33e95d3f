# SPDX-License-Identifier: LGPL-2.1-or-later
"""Large machines: an app kernel with memory above 64 GiB moves it in blocks of 2 GiB."""

import re

from lib.testing import MachineTest

BLOCK_KIB = 2 << 20


class Blocks(MachineTest):
    options = {"high_gib": 5}  # 5 GiB from 64 GiB on: two whole blocks below what it boots with

    def _used_kib(self):
        return int(re.search(r"Used memory:\s+(\d+)", self.virsh("dominfo", "web"))[1])

    def test_memory_comes_and_goes_in_large_blocks(self):
        console = self.start("web", memory_mib=512,
                             more="<maxMemory slots='2' unit='MiB'>5120</maxMemory>")
        self.script("""
            [(identity, _, _)] = Device().list()
            partition = Device().open(identity)
            assert partition.query().block_bytes == 2 << 30, partition.query().block_bytes
            assert partition.memory()[0][0] >= 64 << 30, partition.memory()
            """)
        self.assertEqual(int(console.command("cat /sys/devices/system/memory/block_size_bytes"),
                             16), 2 << 30)
        before = self._used_kib()
        self.assertEqual(before, 512 * 1024)
        total = console.total_kib()

        # Rounded up, and the result is what is shown.
        self.virsh("setmem", "web", "640M", "--live")
        self.assertEqual(self._used_kib(), before + BLOCK_KIB)
        now = console.total_kib()
        self.assertEqual(now - total, BLOCK_KIB)
        self.assertIn(f"<currentMemory unit='KiB'>{before + BLOCK_KIB}</currentMemory>",
                      self.virsh("dumpxml", "web"))
        # So is a device of less than a block.
        self.put("/root/dimm.xml", "<memory model='dimm'><target><size unit='MiB'>128</size>"
                                   "<node>0</node></target></memory>")
        self.virsh("attach-device", "web", "/root/dimm.xml", "--live")
        self.assertEqual(self._used_kib(), before + 2 * BLOCK_KIB)
        self.assertIn(f"<size unit='KiB'>{BLOCK_KIB}</size>", self.virsh("dumpxml", "web"))
        self.virsh("detach-device", "web", "/root/dimm.xml", "--live")
        self.assertEqual(self._used_kib(), before + BLOCK_KIB)
        # Within the maximum, but not in whole blocks.
        self.refused("setmem", "web", "5G", "--live", saying=["in blocks of 2097152 KiB"])
        self.assertEqual(self._used_kib(), before + BLOCK_KIB)
        self.virsh("setmem", "web", "512M", "--live")
        self.assertEqual(self._used_kib(), before)
        # What it booted with is less than a block; the balloon gives a part of it.
        total = console.total_kib()
        for mib in (400, 450, 512):
            self.virsh("setmem", "web", f"{mib}M", "--live")
            self.assertEqual(self._used_kib(), mib * 1024)
            now = console.total_kib()
            self.assertEqual(total - now, before - mib * 1024)
        self.assertEqual(console.log("BUG|WARNING|soft lockup|stall"), "")
