# SPDX-License-Identifier: LGPL-2.1-or-later
"""Core dumps by stock virsh: files, jobs and events. What is in a core file, machine tests say."""

import os
import struct

import libvirt

from harness import WireTest, pairs, run_until
from lifecycle_test import LifecycleEvents

MEMORY_ONLY = ("--memory-only",)


class Dump(WireTest):
    def setUp(self):
        super().setUp()
        self.core = self.daemon.folder / "web.core"

    def booted(self):
        self.start()
        with self.terminal("console", "web", "--force") as console:
            console.expect("userspace is up")

    def test_dump_is_a_core_file_and_the_domain_runs_on(self):
        self.booted()
        with LifecycleEvents(self.connect()) as seen:
            self.virsh("dump", "web", self.core, "--memory-only")
            run_until(lambda: len(seen) >= 2)
        self.assertEqual([event for event, _ in seen], [
            libvirt.VIR_DOMAIN_EVENT_SUSPENDED, libvirt.VIR_DOMAIN_EVENT_RESUMED])
        self.assertEqual(self.state(), "running (unpaused)")
        head = self.core.read_bytes()[:64]
        self.assertEqual(head[:4], b"\x7fELF")
        kind, machine = struct.unpack_from("<HH", head, 16)
        self.assertEqual((kind, machine), (4, 62))
        status = self.core.stat()
        self.assertEqual(status.st_mode & 0o777, 0o600)
        self.assertGreaterEqual(status.st_size, 256 << 20)
        self.assertLess(status.st_blocks * 512, 1 << 20)  # its memory is all zeroes: holes

    def test_live_dump_never_stops_it(self):
        self.booted()
        with LifecycleEvents(self.connect()) as seen:
            self.virsh("dump", "web", self.core, "--memory-only", "--live", "--format", "elf")
        self.assertEqual((self.state(), seen), ("running (booted)", []))

    def test_paused_domain_stays_paused(self):
        self.booted()
        self.virsh("suspend", "web")
        done = self.run_virsh("dump", "web", self.core, "--memory-only", "--verbose")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stderr, r"\[100(\.00)? %\]")
        self.assertEqual(self.state(), "paused (user)")

    def test_crash_and_reset_follow_the_dump(self):
        self.booted()
        self.virsh("dump", "web", self.core, "--memory-only", "--reset")
        self.assertEqual(self.state(), "running (booted)")
        self.virsh("dump", "web", self.core, "--memory-only", "--crash")
        self.assertEqual(self.state(), "shut off (crashed)")
        self.refused("Requested operation is not valid: domain is not running",
                     "dump", "web", self.core, "--memory-only")

    def test_what_cannot_be_written_is_refused_and_leaves_nothing(self):
        self.booted()
        fifo = self.daemon.folder / "fifo"
        os.mkfifo(fifo)
        for path, words, said in (
                (self.daemon.folder, MEMORY_ONLY, "Is a directory"),
                (self.daemon.folder / "no" / "core", MEMORY_ONLY, "No such file"),
                (fifo, MEMORY_ONLY, "fifo"),
                (self.core, (), "use --memory-only"),
                (self.core, (*MEMORY_ONLY, "--format", "win-dmp"), "Operation not supported")):
            with self.subTest(path=path, words=words):
                self.assertIn(said, self.virsh_fails("dump", "web", path, *words))
        self.assertFalse(self.core.exists())
        self.assertTrue(fifo.exists())
        self.assertTrue(self.state().startswith("running"))

    def test_jobs(self):
        self.booted()
        self.assertRegex(self.virsh("domjobinfo", "web"), r"^Job type:\s+None\s*$")
        self.refused("Requested operation is not valid: no job is active on the domain",
                     "domjobabort", "web")
        connection = self.connect()
        done = []
        connection.domainEventRegisterAny(
            None, libvirt.VIR_DOMAIN_EVENT_ID_JOB_COMPLETED,
            lambda _conn, _domain, params, _opaque: done.append(params), None)
        self.virsh("dump", "web", self.core, "--memory-only")
        run_until(lambda: done)
        self.assertEqual(done[0]["operation"], libvirt.VIR_DOMAIN_JOB_OPERATION_DUMP)
        self.assertEqual(done[0]["data_total"], 256 << 20)
        self.assertEqual(done[0]["data_remaining"], 0)
        told = pairs(self.virsh("domjobinfo", "web", "--completed", "--keep-completed"))
        self.assertEqual((told["Job type"], told["Operation"], told["Data processed"]),
                         ("Completed", "Dump", "256.000 MiB"))
        self.virsh("domjobinfo", "web", "--completed")
        self.assertRegex(self.virsh("domjobinfo", "web", "--completed"),
                         r"^Job type:\s+None\s*$")

    def test_crash_is_dumped_if_asked(self):
        with LifecycleEvents(self.connect()) as seen:
            self.start(more="  <on_crash>coredump-restart</on_crash>\n")
            with self.terminal("console", "web", "--force") as console:
                console.expect("userspace is up")
                console.sendline("panic")
                console.expect("panic")
            run_until(lambda: [event for event, _ in seen].count(
                libvirt.VIR_DOMAIN_EVENT_STARTED) == 2)
        cores = list((self.daemon.sandbox / "dump").iterdir())
        self.assertRegex(cores[0].name, r"^web-\d{4}-\d\d-\d\d-\d\d:\d\d:\d\d\.core$")
        self.assertEqual(len(cores), 1)
        log = (self.daemon.sandbox / "log" / "web.log").read_text(encoding="utf-8")
        self.assertIn("no kernel log could be read from its memory: "
                      "it ended before it said where its log is]", log)
