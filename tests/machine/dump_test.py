# SPDX-License-Identifier: LGPL-2.1-or-later
"""Partitions that are interrupted, looked into and dumped; makedumpfile reads every dump."""

from lib.testing import CRASHED, STOPPED, URI, MachineTest

CORE = "/var/tmp/core"
LOG = "/var/log/libvirt/multikernel/{}.log"


class Dump(MachineTest):
    def setUp(self):
        super().setUp()
        self.addCleanup(self.run_in, f"umount -q /mnt; rm -f {CORE}*", check=False)

    def dump(self, name, *words):
        self.run_in(f"rm -f {CORE}*")
        self.virsh("dump", name, CORE, "--memory-only", *words)
        return self.dmesg_of(CORE)

    def notes_of(self, core):
        """How many CPUs have registers in a core file."""
        head = f"open('{core}', 'rb').read(1 << 16)"
        return int(self.script(f"print({head}.count(b'CORE' + bytes(4)))"))

    def test_running_partition_is_interrupted_and_dumped(self):
        console = self.start("web", vcpus=2, memory_mib=320,
                             more="<on_crash>preserve</on_crash>")
        console.command("until [ $(nproc) = 2 ]; do usleep 100000; done")
        console.command("echo 'a line of its own' >/dev/kmsg; marker=kept")

        self.virsh("suspend", "web")
        self.assertEqual(self.state("web"), "paused (user)")
        self.assertIn("a line of its own", self.dump("web"))
        self.assertEqual(self.notes_of(CORE), 2)
        self.assertEqual(self.state("web"), "paused (user)")
        self.virsh("resume", "web")
        self.assertEqual(console.command("echo $marker"), "kept")

        self.assertIn("a line of its own", self.dump("web"))
        self.assertEqual(self.notes_of(CORE), 2)
        self.assertEqual(self.state("web"), "running (unpaused)")
        self.assertIn("a line of its own", self.dump("web", "--live"))
        self.assertIn("a line of its own", self.dump("web", "--format", "kdump-zlib"))
        self.assertEqual(self.run_in(f"ls {CORE}*").split(), [CORE, f"{CORE}.dmesg"])
        self.assert_dump_can_be_aborted()
        self.run_in("mount -t tmpfs -o size=8m none /mnt")
        self.refused("dump", "web", "/mnt/core", "--memory-only",
                     saying=["No space left on device"])
        self.assertEqual(self.run_in("ls /mnt"), "")
        self.assertEqual(console.command("echo $marker"), "kept")

        self.virsh("inject-nmi", "web")
        console.wait_for("NMI backtrace for cpu")
        self.virsh("send-key", "web", "KEY_LEFTALT", "KEY_SYSRQ", "KEY_H")
        console.wait_for("sysrq: HELP")
        with self.events() as events:
            console.wake().type("echo c >/proc/sysrq-trigger")
            events.wait_for("web", CRASHED)
        self.assertIn("Kernel panic - not syncing: sysrq triggered crash", self.dump("web"))

    def assert_dump_can_be_aborted(self):
        """By one client, as soon as it sees the job; two starts of virsh may last longer."""
        self.script(f"""
            import libvirt
            libvirt.registerErrorHandler(lambda *_: None, None)
            said = []

            def dump():
                domain = libvirt.open("{URI}").lookupByName("web")
                try:
                    domain.coreDumpWithFormat("{CORE}", 0, libvirt.VIR_DUMP_MEMORY_ONLY)
                except libvirt.libvirtError as error:
                    said.append(str(error))

            os.remove("{CORE}")
            domain = libvirt.open("{URI}").lookupByName("web")
            dumping = threading.Thread(target=dump)
            dumping.start()
            while domain.jobStats().get("operation") != libvirt.VIR_DOMAIN_JOB_OPERATION_DUMP:
                assert dumping.is_alive(), said
            domain.abortJob()
            dumping.join()
            assert len(said) == 1 and "canceled by client" in said[0], said
            assert not os.path.exists("{CORE}")
            """)

    def test_hung_partition_is_dumped(self):
        console = self.start("web", vcpus=2, memory_mib=320,
                             initrd=self.initrd_with_hang_module())
        console.command("insmod /mk_test_hang.ko")
        console.type("echo hang-all >/sys/module/mk_test_hang/parameters/how")
        console.wait_for("mk_test_hang: hang-all")
        self.assertIn("mk_test_hang: hang-all", self.dump("web"))
        self.virsh("destroy", "web")

    def test_kernel_log_of_one_that_never_reported(self):
        """Its huge pages leave nothing for the initramfs, so its module is never loaded."""
        self.define("web", cmdline="hugepages=115")
        self.virsh("start", "web")
        found = self.run_in(
            f"for i in $(seq 10); do rm -f {CORE}*; "
            f"virsh --quiet -c {URI} dump web {CORE} --memory-only --live; "
            f"if makedumpfile --dump-dmesg -f {CORE} {CORE}.dmesg >/dev/null 2>&1 && "
            f"grep -q 'Linux version' {CORE}.dmesg; then echo found; break; fi; done")
        self.assertIn("found", found)
        self.virsh("destroy", "web")
        log = self.run_in(f"cat {LOG.format('web')}")
        self.assertIn("this is the kernel's log, read from its memory]", log)
        self.assertIn("Linux version", log)

    def test_crash_is_dumped_and_the_domain_ends(self):
        with self.events() as events:
            console = self.start("web", more="<on_crash>coredump-destroy</on_crash>")
            console.type("echo c >/proc/sysrq-trigger")
            events.wait_for("web", CRASHED)
            events.wait_for("web", STOPPED)
        self.assertEqual(self.state("web"), "shut off (crashed)")
        self.assert_automatic_dump()

    def test_crash_is_dumped_and_the_domain_restarted(self):
        with self.events() as events:
            console = self.start("web", more="<on_crash>coredump-restart</on_crash>")
            console.type("echo c >/proc/sysrq-trigger")
            events.wait_for("web", CRASHED)
        console.comes_up_again()
        self.assert_automatic_dump()
        with self.events() as events:
            self.virsh("destroy", "web")
            events.wait_for("web", STOPPED)

    def assert_automatic_dump(self):
        core = self.run_in("ls /var/lib/libvirt/multikernel/dump/web-*.core")
        self.assertIn("sysrq triggered crash", self.dmesg_of(core))
        self.run_in(f"rm -r {core.rsplit('/', 1)[0]}")
