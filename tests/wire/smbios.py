# SPDX-License-Identifier: LGPL-2.1-or-later
"""SMBIOS tables of a machine that does not exist, in a file that dmidecode reads."""

import struct

ADDRESS = 32  # of the tables in the file


def structure(type_, fixed, *strings):
    """What the SMBIOS specification (DSP0134) calls so: `fixed` refers to `strings` by number."""
    head = struct.pack("<BBH", type_, 4 + len(fixed), type_)
    return head + fixed + (b"".join(text + b"\0" for text in strings) or b"\0") + b"\0"


def tables(*structures):
    """They and their entry point, of SMBIOS 3.2."""
    body = b"".join(structures) + structure(127, b"")
    entry = bytearray(struct.pack("<5sBBBBBBBIQ", b"_SM3_", 0, 24, 3, 2, 0, 1, 0, len(body),
                                  ADDRESS))
    entry[5] = -sum(entry) & 0xff
    return bytes(entry).ljust(ADDRESS, b"\0") + body


def bios(*strings):
    return structure(0, bytes([1, 2, 0, 0xf0, 3, 15]) + bytes(10) + bytes([1, 7, 255, 255]),
                     *strings)


def system(*strings):
    return structure(1, bytes([1, 2, 3, 4]) + bytes(range(16)) + bytes([6, 5, 6]), *strings)


def base_board(*strings):
    return structure(2, bytes([1, 2, 3, 4]), *strings)


def chassis(*strings):
    return structure(3, bytes([1, 3, 2, 3, 4]), *strings)


def processor(*strings):
    """A Xeon of family 6, model 95 that has no flags."""
    return structure(4, bytes([1, 3, 0xb3, 2, 0xf1, 6, 5, 0, 0, 0, 0, 0, 3, 0x8c])
                     + struct.pack("<HHH", 100, 4000, 2500) + bytes([0x41, 0x2b]) + bytes(6)
                     + bytes([4, 5, 6]), *strings)


def memory_device(size_mib, *strings):
    """Of DDR4; 0 MiB: an empty slot."""
    return structure(17, struct.pack("<HHHHHBBBBBHHBBBB", 16, 0xfffe, 72, 64, size_mib, 9, 0, 1, 2,
                                     0x1a, 0x80, 3200, 3, 4, 5, 6), *strings)


def oem_strings(*strings):
    return structure(11, bytes([len(strings)]), *strings)
