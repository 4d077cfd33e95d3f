#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Writes the header that gives each struct of a .x file one overload of xdr_value(), so that
# xdr.h can be a template. Usage: make_codec.py FILE.x, to standard output. Not a parser of XDR:
# it looks for "struct NAME {" at the start of a line.
import pathlib
import re
import sys

source = pathlib.Path(sys.argv[1])
print("// Made by make_codec.py from", source.name)
print("#pragma once\n")
print(f'#include "protocol/{source.stem}.h"\n')
for name in re.findall(r"^struct (\w+) \{", source.read_text(encoding="utf-8"), re.MULTILINE):
    print(f"inline bool_t xdr_value(XDR* stream, {name}* value) {{")
    print(f"    return xdr_{name}(stream, value);")
    print("}")
