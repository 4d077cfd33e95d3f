# SPDX-License-Identifier: LGPL-2.1-or-later
"""The test machine: a whole PC in QEMU's emulator, booted from Debian packages.

For up, run, down and the tests beside them. Not part of the product, and not a mock of it:
the machine runs the stock kernel, our module, our daemon and stock clients.
"""
