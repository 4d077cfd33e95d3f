# SPDX-License-Identifier: LGPL-2.1-or-later
"""Each command of stock virsh, as virsh_table.py says what it does."""

import os
import re
import shlex
import socket
import subprocess
import unittest
import uuid

import smbios
from harness import LIMIT_S, WireTest
from libvirtd import Libvirtd
from virsh_table import GROUPS, RELAYED, No

DIMM = ("<memory model='dimm'><target><size unit='MiB'>128</size><node>0</node></target>"
        "</memory>")
UUIDS = {name: str(uuid.uuid5(uuid.NAMESPACE_DNS, name)) for name in ("network", "secret", "pool")}
HOST_FILES = {
    "dimm": DIMM,
    "text": "text",
    "cpu": "<cpu><arch>x86_64</arch><model>pentium</model></cpu>",
    "native": '{"name": "native", "memory-kib": 262144, "vcpus": 1}',
    "interface": "<interface type='ethernet' name='mk-test0'/>",
    "filter": "<filter name='mk-test' chain='root'/>",
    "binding": "<filterbinding><owner><name>web</name><uuid>" + UUIDS["network"] + "</uuid></owner>"
               "<portdev name='mk-none'/><mac address='52:54:00:00:00:01'/>"
               "<filterref filter='nowhere'/></filterbinding>",
    "network": "<network><name>lan</name><uuid>" + UUIDS["network"] + "</uuid>"
               "<bridge name='mk-test0'/><ip address='192.0.2.1' netmask='255.255.255.0'>"
               "<dhcp><range start='192.0.2.2' end='192.0.2.9'/></dhcp></ip></network>",
    "network_broken": "<network/>",
    "dhcp_host": "<host mac='52:54:00:00:00:01' ip='192.0.2.3'/>",
    "port": "<networkport><uuid>" + UUIDS["pool"] + "</uuid><owner><name>web</name><uuid>"
            + UUIDS["network"] + "</uuid></owner><mac address='52:54:00:00:00:01'/></networkport>",
    "secret": "<secret ephemeral='yes' private='no'><uuid>" + UUIDS["secret"] + "</uuid>"
              "<usage type='ceph'><name>mk-key</name></usage></secret>",
    "pool": "<pool type='dir'><name>images</name><uuid>" + UUIDS["pool"] + "</uuid>"
            "<target><path>{folder}/images</path></target></pool>",
    "volume": "<volume><name>second</name><capacity unit='MiB'>1</capacity></volume>",
    "volume_third": "<volume><name>third</name><capacity unit='MiB'>1</capacity></volume>",
}

EDITOR = "sed -i 's/mk-old/mk-new/; 1i<!-- edited -->'"


def plain(text):
    """Its words: virsh fills up with blanks, which depends on what else is in a table."""
    return " ".join(text.split())


class Complete(unittest.TestCase):
    def test_the_table_is_what_virsh_can(self):
        version, help_ = (subprocess.run(
            ["virsh", word], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True,
            timeout=LIMIT_S, env={**os.environ, "LC_ALL": "C"}).stdout
            for word in ("--version", "help"))
        offered = {}
        for line in help_.split("\n"):
            if group := re.match(r" \S.*\(help keyword '(\w+)'\)", line):
                commands = offered.setdefault(group[1], set())
            elif command := re.match(r"    (\S+)", line):
                commands.add(command[1])
        # a newer virsh has more: only what 9.0 has must be the same
        for group, commands in offered.items():
            with self.subTest(group=group):
                self.assertLessEqual(set(GROUPS[group]), commands)
                if version.startswith("9.0."):
                    self.assertEqual(set(GROUPS[group]), commands)
        self.assertLessEqual(set(GROUPS), set(offered))
        for rows in (rows for group in GROUPS.values() for rows in group.values()):
            self.assertTrue(rows)


class Commands(WireTest):
    def setUp(self):
        super().setUp()
        folder = self.daemon.folder
        self.words = {
            "folder": folder, "core": folder / "core", "picture": folder / "picture",
            "uri": self.daemon.uri(), "hostname": socket.gethostname(),
            **{f"{name}_uuid": value for name, value in UUIDS.items()}}
        for name, text in HOST_FILES.items():
            self.file(name, text.replace("{folder}", str(folder)))
        self.file("off", self.xml("off"))
        self.file("short", self.xml("short"))
        self.file("broken", self.xml("broken").replace("multikernel", "kvm", 1))

    def file(self, name, text):
        self.words[name] = self.xml_file(text, f"{name}.xml")

    def start_with_all(self, name):
        """A running domain that can get more CPUs and memory, and has a description."""
        self.start(name, vcpus="<vcpu current='2'>4</vcpu>",
                   memory="<maxMemory slots='2' unit='MiB'>1024</maxMemory>"
                          "<memory unit='MiB'>256</memory>",
                   more="  <description>mk-old</description>\n")
        with self.terminal("console", name) as console:
            console.expect("userspace is up")

    def put_host(self):
        """Huge pages, samepage merging and firmware for the made-up machine."""
        for path, text in (("kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", "0"),
                           ("kernel/mm/ksm/pages_to_scan", "100")):
            file = self.daemon.sandbox / "sys" / path
            file.parent.mkdir(parents=True)
            file.write_text(text, encoding="utf-8")
        self.daemon.put_firmware(smbios.tables(smbios.bios(b"Somebody")))

    def start_libvirtd(self):
        libvirtd = Libvirtd(self.daemon.folder)
        self.addCleanup(libvirtd.stop)
        libvirtd.start()

    def run_group(self, name):
        for rows in GROUPS[name].values():
            for command, expected in rows:
                with self.subTest(command):
                    self.check(command, expected)

    def check(self, command, expected):
        words = shlex.split(command.format(**self.words))
        done = self.run_virsh(*words, env={"VISUAL": None, "EDITOR": EDITOR})
        said = f"{done.stdout}\n{done.stderr}"
        if isinstance(expected, No):
            self.assertNotEqual(done.returncode, 0, said)
            self.assertIn(plain(expected.text.format(**self.words)), plain(said))
        else:
            self.assertEqual(done.returncode, 0, said)
            self.assertIn(plain(expected.format(**self.words)), plain(done.stderr or done.stdout))


class Ours(Commands):
    def setUp(self):
        super().setUp()
        self.start_with_all("web")

    def test_domains(self):
        self.define("spare")
        self.run_group("domain")

    def test_monitor(self):
        self.define("off")
        self.run_group("monitor")

    def test_events(self):
        self.define("off")  # what happens to "web" meanwhile is not asked for
        self.run_group("events")

    def test_host(self):
        self.put_host()
        self.run_group("host")

    def test_checkpoints_snapshots_and_backups(self):
        for group in ("checkpoint", "snapshot", "backup"):
            self.run_group(group)

    def test_virsh_itself(self):
        self.run_group("virsh")


class Relayed(Commands):
    def test_others(self):
        self.start_libvirtd()
        for group in RELAYED:
            self.run_group(group)
