# SPDX-License-Identifier: LGPL-2.1-or-later
"""The support matrix that is checked in is the one that the daemon's tables make."""

import os
import pathlib
import subprocess
import unittest

TOP = pathlib.Path(__file__).resolve().parents[2]
MATRIX = "libvirt-driver/api/SUPPORT.md"
BUILD = pathlib.Path(os.environ.get("BUILD") or os.environ.get("MK_BUILD") or TOP / "build")


class Support(unittest.TestCase):
    maxDiff = None

    def test_the_matrix_is_that_of_the_tables(self):
        program = BUILD / "libvirt-driver" / "support-matrix"
        made = subprocess.run([program], capture_output=True, text=True, check=True).stdout
        kept = (TOP / MATRIX).read_text(encoding="utf-8")
        self.assertEqual(kept.splitlines(), made.splitlines(),
                         f"make it anew: {program} > {MATRIX}")


if __name__ == "__main__":
    unittest.main()
