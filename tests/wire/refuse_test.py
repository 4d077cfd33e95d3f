# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a partition cannot do: actions are refused with a reason, queries never are."""

import pathlib

import libvirt

from harness import WireTest
from raw import ERROR, RawClient, read_error

SUPPORT = pathlib.Path(__file__).resolve().parents[2] / "libvirt-driver/api/SUPPORT.md"
FROM_RPC = 7  # virErrorDomain

NO_SAVE = "the state of a partition cannot be saved: "
NO_SNAPSHOT = "a partition has no snapshots: "
NO_CHECKPOINT = "a partition has no checkpoints and no backups: "
NO_MIGRATION = "a partition cannot move to another host: "
NO_DISK = "a partition has no disk images that the host could copy, merge or limit; "
NO_SCREEN = "a partition has no screen; "
NO_IOTHREAD = "a partition has no I/O threads: "
NO_AGENT = "an app kernel has no guest agent; "


class Actions(WireTest):
    def setUp(self):
        super().setUp()
        self.start()

    def assert_refused(self, reason, *words):
        said = self.virsh_fails(*words)
        self.assertIn("Operation not supported: " + reason, said)

    def test_save(self):
        image = self.daemon.folder / "image"
        self.assert_refused(NO_SAVE, "save", "web", image)
        self.assert_refused(NO_SAVE, "save", "web", image, "--bypass-cache")
        self.assert_refused(NO_SAVE, "restore", image)
        self.assert_refused(NO_SAVE, "managedsave", "web")
        self.assertFalse(image.exists())
        self.assertEqual(self.state(), "running (booted)")

    def test_snapshots_and_checkpoints(self):
        self.assert_refused(NO_SNAPSHOT, "snapshot-create", "web")
        self.assert_refused(NO_SNAPSHOT, "snapshot-create-as", "web", "before")
        self.assert_refused(NO_CHECKPOINT, "checkpoint-create", "web")
        self.assert_refused(NO_CHECKPOINT, "backup-begin", "web")

    def test_migration(self):
        for options in (["--live"], ["--offline", "--persistent"], ["--live", "--p2p"]):
            self.assert_refused(NO_MIGRATION, "migrate", *options, "web", self.daemon.uri())
        self.assert_refused(NO_MIGRATION, "migrate-setspeed", "web", "10")
        self.assert_refused(NO_MIGRATION, "migrate-setmaxdowntime", "web", "10")
        self.assertEqual(self.state(), "running (booted)")

    def test_block_jobs(self):
        self.assert_refused(NO_DISK, "blockpull", "web", "vda")
        self.assert_refused(NO_DISK, "blockcommit", "web", "vda")
        self.assert_refused(NO_DISK, "blockcopy", "web", "vda", "/nowhere", "--pivot")

    def test_the_screen(self):
        self.assert_refused(NO_SCREEN, "screenshot", "web", self.daemon.folder / "screen.ppm")

    def test_iothreads_and_the_emulator(self):
        self.assert_refused(NO_IOTHREAD, "iothreadadd", "web", "1")
        self.assert_refused(NO_IOTHREAD, "iothreadpin", "web", "1", "0")
        self.assert_refused("there is no emulator process", "emulatorpin", "web", "0")

    def test_what_a_guest_agent_would_do(self):
        self.assert_refused(NO_AGENT, "domfsfreeze", "web")
        self.assert_refused(NO_AGENT, "domfsthaw", "web")
        self.assert_refused(NO_AGENT, "domfstrim", "web")
        self.assert_refused(NO_AGENT, "set-user-password", "web", "root", "secret")
        self.assert_refused("the clock of an app kernel cannot be set", "domtime", "web", "--now")

    def test_sleep(self):
        self.assert_refused("an app kernel cannot sleep", "dompmsuspend", "web", "mem")
        self.assert_refused("an app kernel never sleeps", "dompmwakeup", "web")
        self.assert_refused("this host does not sleep", "nodesuspend", "mem", "60")

    def test_rest(self):
        self.assert_refused("app kernels report their memory once a second", "dommemstat", "web",
                            "--period", "2")
        self.assert_refused("the host does not see what an app kernel writes",
                            "domdirtyrate-calc", "web")

    def test_programs_of_other_drivers(self):
        self.assertIn("Cannot find program",
                      self.virsh_fails("qemu-monitor-command", "web", "{}"))
        self.assertIn("Cannot find program",
                      self.virsh_fails("lxc-enter-namespace", "web", "/bin/true"))


class Queries(WireTest):
    def setUp(self):
        super().setUp()
        self.domain = self.connect().lookupByName(self.start())

    def test_lists_of_what_a_partition_does_not_have_are_empty(self):
        for words in (("snapshot-list", "web"), ("checkpoint-list", "web"),
                      ("snapshot-list", "web", "--tree")):
            self.assertEqual(self.virsh(*words, *(["--name"] if "--tree" not in words else [])), "",
                             words)
        self.assertEqual(self.virsh("list", "--all", "--name", "--with-snapshot"), "")
        self.assertEqual(self.virsh("list", "--all", "--name", "--with-managed-save"), "")
        self.assertEqual(self.domain.hasManagedSaveImage(), 0)
        self.assertEqual(self.domain.hasCurrentSnapshot(), 0)
        self.assertEqual(self.domain.jobInfo()[0], libvirt.VIR_DOMAIN_JOB_NONE)

    def test_one_that_is_named_is_not_found(self):
        self.assert_code(libvirt.VIR_ERR_NO_DOMAIN_SNAPSHOT, self.domain.snapshotLookupByName, "a")
        self.assert_code(libvirt.VIR_ERR_NO_DOMAIN_SNAPSHOT, self.domain.snapshotCurrent)
        self.assert_code(libvirt.VIR_ERR_NO_DOMAIN_CHECKPOINT, self.domain.checkpointLookupByName,
                         "a")
        self.assert_code(libvirt.VIR_ERR_NO_DOMAIN_BACKUP, self.domain.backupGetXMLDesc)
        self.assert_code(libvirt.VIR_ERR_OPERATION_INVALID, self.domain.managedSaveGetXMLDesc)
        self.assert_code(libvirt.VIR_ERR_OPERATION_INVALID, self.domain.managedSaveRemove)

    def test_the_rest_is_no_support_in_libvirts_words(self):
        for function, arguments in (("fsInfo", ()), ("authorizedSSHKeysGet", ("root",)),
                                    ("securityLabel", ())):
            with self.subTest(function=function):
                message = self.assert_code(libvirt.VIR_ERR_NO_SUPPORT,
                                           getattr(self.domain, function), *arguments)
                self.assertRegex(message, "^this function is not supported by the connection "
                                 "driver: virDomain[A-Za-z]+$")


def matrix():
    """The rows of the support matrix: (function, number, answer, remark)."""
    for line in SUPPORT.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" |")]
        if len(cells) == 8 and cells[1].isdigit():
            yield cells[0], int(cells[1]), cells[2], cells[7]


class Matrix(WireTest):
    def setUp(self):
        super().setUp()
        self.client = RawClient(self.daemon)
        self.addCleanup(self.client.socket.close)

    def error_of(self, procedure):
        reply = self.client.call(procedure)
        self.assertEqual(reply.status, ERROR, procedure)
        return read_error(reply)

    def test_what_it_says_is_what_a_client_reads(self):
        seen = 0
        for function, number, answer, remark in matrix():
            if answer in ("handled", "empty", "relayed"):
                continue
            seen += 1
            with self.subTest(function=function):
                code, _, message = self.error_of(number)
                if answer == "not supported":
                    self.assertEqual((code, message), (
                        libvirt.VIR_ERR_NO_SUPPORT,
                        f"this function is not supported by the connection driver: {function}"))
                else:
                    self.assertEqual(message, remark)
                    self.assertEqual(code == libvirt.VIR_ERR_OPERATION_UNSUPPORTED,
                                     answer == "refused")
        self.assertGreater(seen, 50)

    def test_what_it_does_not_name_is_unknown(self):
        named = {number for _, number, _, _ in matrix()}
        newest = max(named)
        for number in [*sorted(set(range(newest + 1)) - named), newest + 1, 9999, -1]:
            self.assertEqual(self.error_of(number), (libvirt.VIR_ERR_RPC, FROM_RPC,
                                                     f"unknown procedure: {number}"))
