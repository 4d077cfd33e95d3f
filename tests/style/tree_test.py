# SPDX-License-Identifier: LGPL-2.1-or-later
"""The shape of the tree: licences, sizes, who includes whom. Not what a formatter can see."""

import pathlib
import re
import subprocess
import unittest

TOP = pathlib.Path(__file__).resolve().parents[2]
TOP_LEVEL = {
    "libvirt-driver", "kernel", "xml-schema", "virsh-ext", "tests", "packaging", "meson.build",
    "README.md", "ARCHITECTURE.md", "CHANGELOG.md", "LICENSE.GPL-2.0", "LICENSE.LGPL-2.1",
}
# Which folders of libvirt-driver/ a folder may include from, beside itself and util/.
INCLUDES = {
    "protocol": set(),
    "util": set(),
    "rpc": {"protocol"},
    "access": set(),
    "admin": {"protocol", "rpc"},
    "relay": {"protocol", "rpc"},
    "api": {"access", "domain", "host", "protocol", "relay", "rpc", "backend", "dump"},
    "domain": {"host", "image", "backend", "dump"},
    "host": set(),
    "image": set(),
    "backend": set(),
    "dump": {"backend"},
}
RPC_FOR_API = {"rpc/session.h", "rpc/stream.h"}


def tracked():
    names = subprocess.run(["git", "ls-files", "-z"], cwd=TOP, capture_output=True, text=True,
                           check=True).stdout
    return [pathlib.Path(name) for name in names.split("\0") if name]


def text_of(path):
    return (TOP / path).read_text(encoding="utf-8", errors="replace")


def is_source(path):
    return path.suffix in {".c", ".cpp", ".h", ".py", ".S", ".x"}


class Tree(unittest.TestCase):
    def test_top_level_holds_only_what_the_layout_names(self):
        names = {path.parts[0] for path in tracked() if not path.parts[0].startswith(".")}
        self.assertEqual(names - TOP_LEVEL, set())

    def test_each_source_begins_with_its_licence(self):
        wrong = []
        for path in tracked():
            if not is_source(path) or path.parts[:2] == ("tests", "data"):
                continue
            in_kernel = path.parts[0] == "kernel" or \
                path.parts[:3] == ("tests", "support", "modules")
            licence = "GPL-2.0-only" if in_kernel and path.name != "loader.c" \
                else "LGPL-2.1-or-later"
            head = "\n".join(text_of(path).splitlines()[:2])
            if not re.search(rf"SPDX-License-Identifier: {licence}\b", head):
                wrong.append(f"{path}: no {licence}")
        self.assertEqual(wrong, [])

    def test_no_source_is_too_long_or_too_wide(self):
        wrong = []
        for path in tracked():
            if not is_source(path) or "data" in path.parts:
                continue
            lines = text_of(path).splitlines()
            limit = 500
            if path.suffix == ".x" or "uapi" in path.parts:
                limit = 2000  # one contract, one file: most of it is documentation
            if len(lines) > limit:
                wrong.append(f"{path}: {len(lines)} lines")
            # The kernel's style does not break a sentence that somebody may search for.
            whole = r'.*".*"' if path.parts[0] == "kernel" else r"(?!)"
            wrong += [f"{path}:{number}: over 100 columns" for number, line in
                      enumerate(lines, 1)
                      if len(line.expandtabs(8)) > 100 and not re.match(whole, line)]
        self.assertEqual(wrong, [])

    def test_text_ends_in_one_newline_and_lines_in_no_blanks(self):
        wrong = []
        for path in tracked():
            if not (is_source(path) or path.suffix in {".md", ".build"}):
                continue
            text = text_of(path)
            if not text.endswith("\n") or text.endswith("\n\n"):
                wrong.append(f"{path}: end of file")
            wrong += [f"{path}:{number}: blank at the end" for number, line in
                      enumerate(text.splitlines(), 1) if line != line.rstrip()]
        self.assertEqual(wrong, [])


    def test_shipped_configuration_has_each_key(self):
        daemon = TOP / "libvirt-driver"
        known = re.findall(r'\{"(\w+)",\s*\[\]',
                           (daemon / "daemon_conf.cpp").read_text(encoding="utf-8"))
        shipped = re.findall(r"(?m)^#(\w+) = ",
                             (daemon / "virtmultikerneld.conf").read_text(encoding="utf-8"))
        self.assertGreater(len(known), 40)
        self.assertEqual(sorted(shipped), sorted(known))

    def test_documents_name_files_that_are_there(self):
        wrong = []
        for path in tracked():
            if path.suffix != ".md":
                continue
            for name in re.findall(r"\]\(([\w./-]+)\)|`([\w.-]+(?:/[\w.-]+)+)`", text_of(path)):
                name = "".join(name)
                places = (TOP / path.parent / name, TOP / name)
                if name.split("/")[0] in TOP_LEVEL and not any(p.exists() for p in places):
                    wrong.append(f"{path}: {name}")
        self.assertEqual(wrong, [])


class Layers(unittest.TestCase):
    def test_folders_include_only_what_their_layer_may(self):
        wrong = []
        for path in tracked():
            if path.parts[0] != "libvirt-driver" or len(path.parts) != 3:
                continue
            folder = path.parts[1]
            for name in re.findall(r'^#include "([^"]+/[^"]+)"', text_of(path), re.MULTILINE):
                target = name.split("/")[0]
                if target in {folder, "util", "uapi"} or folder not in INCLUDES:
                    continue
                if target not in INCLUDES[folder] or (
                        (folder, target) == ("api", "rpc") and name not in RPC_FOR_API):
                    wrong.append(f"{path} includes {name}")
        self.assertEqual(wrong, [])

    def test_raw_ownership_stays_in_util_and_xdr(self):
        pattern = re.compile(r"(?<![\w:.>])(new\s+[A-Za-z_:<>]+[({]|delete\s|::close\(|::free\()")
        wrong = []
        for path in tracked():
            if path.parts[0] != "libvirt-driver" or path.suffix not in {".cpp", ".h"}:
                continue
            if path.parts[1] == "util" or path.name == "xdr.h":
                continue
            for number, line in enumerate(text_of(path).splitlines(), 1):
                code = re.sub(r'//.*|"([^"\\]|\\.)*"', "", line)
                if pattern.search(code):
                    wrong.append(f"{path}:{number}: {line.strip()}")
        self.assertEqual(wrong, [])


class Commits(unittest.TestCase):
    def test_subjects_are_short(self):
        subjects = subprocess.run(["git", "log", "--format=%s"], cwd=TOP, capture_output=True,
                                  text=True, check=True).stdout.splitlines()
        self.assertEqual([subject for subject in subjects if len(subject) > 72], [])


if __name__ == "__main__":
    unittest.main()
