# SPDX-License-Identifier: LGPL-2.1-or-later
"""Definitions and live state on disks that are damaged, edited, full or read-only.

A disk is a small tmpfs in a mount namespace that outlives the daemon, so that a test can fill it,
and no mount outlives the test.
"""

import os
import re
import subprocess

import libvirt

from harness import WireTest, table


class Files(WireTest):
    def path(self, name="web"):
        return self.daemon.sandbox / "etc" / f"{name}.xml"

    def edit(self, old, new, name="web"):
        text = self.path(name).read_text(encoding="utf-8")
        self.assertIn(old, text)
        self.path(name).write_text(text.replace(old, new), encoding="utf-8")

    def names(self):
        return [row[1] for row in table(self.virsh("list", "--all"))]

    def test_damaged_file_is_named_and_neither_lost_nor_written_over(self):
        self.define("good")
        self.define("web")
        self.virsh("autostart", "web")
        half = self.path().read_text(encoding="utf-8")[:300]
        self.path().write_text(half, encoding="utf-8")
        self.daemon.restart()
        self.assertEqual(self.names(), ["good"])
        self.assertIn(f"{self.path()}: ", self.daemon.log_text())
        complaint = self.virsh_fails("define", self.xml_file(self.xml("web")))
        self.assertIn(f"file {self.path()} was found damaged and is not replaced", complaint)
        self.assertEqual(self.path().read_text(encoding="utf-8"), half)
        self.path().rename(self.path("web").with_suffix(".kept"))
        self.define("web")
        self.daemon.restart()
        self.assertEqual(self.names(), ["good", "web"])

    def test_damaged_file_of_a_running_domain_leaves_it_running(self):
        self.start("web")
        self.path().write_text("", encoding="utf-8")
        self.daemon.restart()
        self.assertEqual(self.state(), "running (booted)")
        self.assertIn("Persistent:     no", self.virsh("dominfo", "web"))
        self.virsh("destroy", "web")
        self.assertEqual(self.names(), [])
        self.assertEqual(self.path().read_text(encoding="utf-8"), "")

    def test_damaged_live_record_leaves_the_domain_running(self):
        self.start("web")
        record = self.daemon.sandbox / "run" / "web.xml"
        record.write_text("no record", encoding="utf-8")
        self.daemon.restart()
        self.assertEqual(self.state(), "running (booted)")
        self.assertIn(f"{record}: ", self.daemon.log_text())
        self.assertEqual(record.with_suffix(".xml.damaged").read_text(encoding="utf-8"),
                         "no record")
        self.daemon.restart()
        self.assertEqual(self.state(), "running (booted)")
        self.virsh("destroy", "web")
        self.assertFalse(record.exists())

    def test_state_of_the_previous_version_is_taken_over(self):
        self.start("web", vcpus="<vcpu current='1'>2</vcpu>")
        self.daemon.kill()
        # as in tests/data/store/first-light: where the console stood was in the record then
        state = self.daemon.sandbox / "run"
        [console] = state.glob("*.console")
        console.unlink()
        record = state / "web.xml"
        old, count = re.subn(r" known='[^']*'(.*? tty='[^']*')", r"\1 console='0'",
                             record.read_text(encoding="utf-8"))
        self.assertEqual(count, 1)
        record.write_text(old, encoding="utf-8")
        self.daemon.start()
        self.assertEqual(self.state(), "running (booted)")
        self.assertIn("no core is free: a whole one of CPUs 1 is wanted",
                      self.virsh_fails("setvcpus", "web", "2", "--live"))
        self.assertNotIn("warning", self.daemon.log_text())
        self.virsh("destroy", "web")
        self.assertEqual(self.names(), ["web"])
        self.virsh("start", "web")

    def test_edit_by_hand_is_what_the_next_daemon_reads(self):
        self.define("web")
        self.edit("<vcpu placement='static'>1<", "<vcpu placement='static'>3<")
        self.daemon.restart()
        self.assertEqual(self.virsh("vcpucount", "web", "--maximum", "--config"), "3")

    def test_edit_that_nobody_can_honour_is_named(self):
        self.define("web")
        self.edit("<devices>", "<devices><tpm model='tpm-tis'/>")
        self.daemon.restart()
        self.assertEqual(self.names(), [])
        self.assertRegex(self.daemon.log_text(), rf"{self.path()}: .*tpm")

    def test_second_file_of_a_domain_is_named_whatever_is_duplicate(self):
        self.define("web")
        text = self.path().read_text(encoding="utf-8")
        self.path("copy").write_text(text, encoding="utf-8")  # still says it is web
        self.path("zwin").write_text(text.replace("<name>web", "<name>zwin"), encoding="utf-8")
        self.daemon.restart()
        self.assertEqual(self.names(), ["web"])
        log = self.daemon.log_text()
        self.assertRegex(log, f"{self.path('copy')}: .*it holds domain 'web'")
        self.assertRegex(log, f"{self.path('zwin')}: .*is already that of domain 'web'")
        self.virsh("undefine", "web")
        self.assertTrue(self.path("copy").exists() and self.path("zwin").exists())

    def test_domain_of_a_name_or_uuid_that_is_taken_is_refused(self):
        connection = self.connect()
        web = connection.defineXML(self.xml("web"))
        self.assert_code(libvirt.VIR_ERR_OPERATION_FAILED, connection.defineXML,
                         self.xml("web", uuid="11111111-2222-4333-8444-555555555555"))
        self.assert_code(libvirt.VIR_ERR_OPERATION_FAILED, connection.defineXML,
                         self.xml("shop", uuid=web.UUIDString()))
        self.daemon.restart()
        self.assertEqual(self.names(), ["web"])


class Disk:
    """A tmpfs at `folder`, seen by what runs under `wrapper` and through `path()`."""

    def __init__(self, test, folder, size):
        folder.mkdir(parents=True)
        self.folder = folder
        self.holder = subprocess.Popen(
            ["unshare", "--mount", "sh", "-ec",
             "mount -t tmpfs -o \"size=$2,mode=700\" none \"$1\"; echo; read -r _ || :", "sh",
             folder, size], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        test.addCleanup(self.holder.communicate)
        assert self.holder.stdout.readline() == b"\n", "no tmpfs can be mounted"
        self.wrapper = ("nsenter", "--mount", f"--target={self.holder.pid}", "--")

    def run(self, *words):
        subprocess.run([*self.wrapper, *words], check=True, stdin=subprocess.DEVNULL)

    def path(self, name):
        return f"/proc/{self.holder.pid}/root{self.folder}/{name}"

    def fill(self):
        with open(self.path("filler"), "wb", buffering=0) as filler:
            try:
                while filler.write(bytes(4096)):
                    pass
            except OSError:
                pass

    def free(self):
        os.unlink(self.path("filler"))

    def make_read_only(self, yes=True):
        self.run("mount", "-o", f"remount,{'ro' if yes else 'rw'}", str(self.folder))


class DiskTest(WireTest):
    """`disk` is a tmpfs at the folder `on` of the made-up machine."""

    on = "etc"

    def setUp(self):
        super().setUp()
        # The first daemon has made the machine; from now on it runs with the disk.
        self.daemon.kill()
        folder = self.daemon.sandbox / self.on
        folder.rename(folder.with_name("unused"))
        self.disk = Disk(self, folder, "256k")
        self.daemon.wrapper = self.disk.wrapper
        self.daemon.start()
        self.connection = self.connect()

    def restart(self):
        self.daemon.restart()
        self.connection = self.connect()

    def fails(self, why, function, *arguments):
        """It fails as a system call did; the message says where and why."""
        message = self.assert_code(libvirt.VIR_ERR_SYSTEM_ERROR, function, *arguments)
        self.assertIn(str(self.disk.folder), message)
        self.assertIn(why, message)

    def look_up(self, name="web"):
        return self.connection.lookupByName(name)

    def description(self):
        return self.look_up().metadata(libvirt.VIR_DOMAIN_METADATA_DESCRIPTION, None,
                                       libvirt.VIR_DOMAIN_AFFECT_CONFIG)

    def describe(self, text):
        self.look_up().setMetadata(libvirt.VIR_DOMAIN_METADATA_DESCRIPTION, text, None, None,
                                   libvirt.VIR_DOMAIN_AFFECT_CONFIG)

    def names(self):
        return sorted(domain.name() for domain in self.connection.listAllDomains())


class ConfigDisk(DiskTest):
    def nothing_can_be_written(self, why):
        """All that writes fails and changes nothing; all else works, in the next daemon, too."""
        self.fails(why, self.connection.defineXML, self.xml("shop"))
        self.fails(why, self.describe, "after" * 2000)
        self.fails(why, self.look_up().rename, "shop")
        for _ in range(2):
            self.assertEqual(self.names(), ["web"])
            self.assertEqual(self.description(), "before")
            self.assertEqual(self.look_up().autostart(), 0)
            self.look_up().create()
            self.restart()
            self.assertTrue(self.look_up().isActive())
            self.look_up().destroy()

    def setUp(self):
        super().setUp()
        self.connection.defineXML(self.xml("web", more="  <description>before</description>\n"))

    def test_full(self):
        self.disk.fill()
        self.nothing_can_be_written("No space left on device")
        self.disk.free()
        self.describe("after")
        self.restart()
        self.assertEqual(self.description(), "after")

    def test_full_disk_lets_a_domain_be_undefined(self):
        self.disk.fill()
        self.look_up().undefine()
        self.restart()
        self.assertEqual(self.names(), [])

    def test_read_only(self):
        self.disk.make_read_only()
        self.fails("Read-only file system", self.look_up().setAutostart, 1)
        self.nothing_can_be_written("Read-only file system")
        self.fails("Read-only file system", self.look_up().undefine)
        self.disk.make_read_only(False)
        self.describe("after")
        self.restart()
        self.assertEqual(self.description(), "after")


class StateDisk(DiskTest):
    on = "run"

    def test_full_one_stops_starts_and_no_daemon(self):
        self.connection.defineXML(self.xml("shop"))
        web = self.connection.defineXML(self.xml("web"))
        web.create()
        self.disk.fill()
        self.fails("No space left on device", self.look_up("shop").create)
        self.restart()
        self.assertTrue(self.look_up("web").isActive())
        self.assertFalse(self.look_up("shop").isActive())
        self.look_up("web").destroy()
        self.assertFalse(self.look_up("web").isActive())
        self.disk.free()
        self.look_up("shop").create()
        self.restart()
        self.assertTrue(self.look_up("shop").isActive())
