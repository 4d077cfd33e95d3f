# SPDX-License-Identifier: LGPL-2.1-or-later
"""What an app kernel tells of itself without being asked, and how clients see it."""

from device_test import BOOT
from lib.testing import LIMIT_S, RESUMED, STOPPED, SUSPENDED, MachineTest


class StatsPage(MachineTest):
    uses_daemon = False

    def setUp(self):
        super().setUp()
        self.addCleanup(self.script, """
            for identity, _, _ in list(Device().list()):
                Device().open(identity).destroy()
            """)

    def test_page_says_what_the_app_kernel_counts(self):
        self.script(BOOT, """
            assert not partition.stats().valid and partition.stats().count == 1
            boot()
            while not (stats := partition.stats()).each[0][6]:  # idle at last
                time.sleep(0.1)
            assert stats.valid and stats.count == 1
            assert abs(stats.realtime_ns - time.time_ns()) < 3600 * 10**9, stats.realtime_ns
            assert stats.total_bytes == partition.query().app_total_bytes
            assert 0 < stats.free_bytes <= stats.total_bytes
            assert 0 < stats.available_bytes < stats.total_bytes
            assert 0 < stats.cached_bytes < stats.total_bytes
            assert stats.minor_faults > 100, stats.minor_faults
            assert stats.swap_total_bytes == stats.swap_free_bytes == 0
            cpu, app_cpu, online, _, user, system, idle, irq = stats.each[0]
            assert (cpu, app_cpu, online) == (3, 0, 1), stats.each
            assert user > 0 and system > 0, stats.each
            while (later := partition.stats()).uptime_ns == stats.uptime_ns:
                time.sleep(0.1)
            assert later.each[0][6] > idle
            assert sum(later.each[0][4:]) < later.uptime_ns * 3 // 2
            partition.destroy()
            """)

    def test_doorbell_moves_away_from_a_cpu_that_goes_offline(self):
        self.script(BOOT, """
            def doorbells():
                for line in open("/proc/interrupts"):
                    if line.split()[-1] == "multikernel":
                        irq = line.split(":")[0].strip()
                        path = f"/proc/irq/{irq}/effective_affinity_list"
                        yield irq, int(open(path).read())

            boot()
            [(irq, cpu)] = doorbells()
            console = partition.console()
            def rings():
                # the shell's echo is a ring, and it comes through the new place
                before = partition.query().console_bytes
                os.write(console, b"echo\\n")
                poll = select.poll()
                poll.register(console, select.POLLIN)
                while partition.query().console_bytes == before:
                    poll.poll(1000)
                    os.read(console, 4096)
            rings()
            for number in (1, 2):
                with open(f"/sys/devices/system/cpu/cpu{number}/online", "w") as online:
                    online.write("0")
                assert dict(doorbells())[irq] != number
                rings()
            for number in (1, 2):
                with open(f"/sys/devices/system/cpu/cpu{number}/online", "w") as online:
                    online.write("1")
            partition.destroy()
            """)


class Told(MachineTest):
    def test_clients_are_told_what_the_app_kernel_counts(self):
        console = self.start("web", vcpus=2, memory_mib=320)
        console.command("until [ $(nproc) = 2 ]; do usleep 100000; done; "
                        "hostname shop; date -s '2001-02-03 04:05:06'")
        self.run_in("until virsh -q -c multikernel:///system domhostname web | grep shop; do "
                    "sleep 0.2; done; until virsh -q -c multikernel:///system domtime web --pretty "
                    "| grep 2001-02-03; do sleep 0.2; done")
        stats = dict(line.strip().split("=") for line in self.virsh("domstats", "web").split("\n")
                     if "=" in line)
        self.assertEqual((stats["vcpu.0.state"], stats["vcpu.1.state"]), ("1", "1"))
        self.assertGreater(int(stats["vcpu.0.time"]), 0)
        self.assertGreater(int(stats["cpu.user"]) + int(stats["cpu.system"]), 10**7)
        kib = console.total_kib()
        self.assertEqual(int(stats["balloon.available"]), kib)
        self.assertIn(self.app_release(), self.virsh("guestinfo", "web", "--os"))
        self.assertRegex(self.virsh("guestinfo", "web"), r"load\.15m +: \d")
        self.virsh("cpu-stats", "web")

    def hang(self, action, name="web"):
        """Starts a domain with that watchdog and lets its kernel hang; returns its console."""
        path = "/root/watched.xml"
        xml = self.xml(name, vcpus=2, memory_mib=320, initrd=self.initrd_with_hang_module())
        self.put(path, xml.replace(
            "<console", f"<watchdog model='multikernel' action='{action}'/><console", 1))
        self.virsh("define", path)
        console = self.start_defined(name)
        console.command("insmod /mk_test_hang.ko")
        console.type("echo hang-all >/sys/module/mk_test_hang/parameters/how")
        return console

    def test_watchdog_resets_one_that_hangs(self):
        console = self.hang("reset")
        identity = self.virsh("domid", "web")
        console = console.comes_up_again()
        self.assertEqual(self.virsh("domid", "web"), identity)
        self.assertEqual(self.state("web"), "running (booted)")

    def test_watchdog_ends_pauses_or_dumps_one_that_hangs(self):
        with self.events() as events:
            self.hang("poweroff", "ended")
            events.wait_for("ended", STOPPED)
            self.assertEqual(self.state("ended"), "shut off (destroyed)")
            self.hang("pause", "paused")
            events.wait_for("paused", SUSPENDED)
            self.assertEqual(self.state("paused"), "paused (watchdog)")
            self.virsh("destroy", "paused")
            self.hang("dump", "dumped")
            events.wait_for("dumped", RESUMED)
        core = self.run_in("ls /var/lib/libvirt/multikernel/dump/dumped-*.core")
        self.assertIn("mk_test_hang: hang-all", self.dmesg_of(core))
        self.run_in(f"rm -r {core.rsplit('/', 1)[0]}")

    def test_watchdog_says_where_one_hangs(self):
        self.hang("inject-nmi")
        self.run_in("until grep -q 'end of the kernel.s log' /var/log/libvirt/multikernel/web.log; "
                    "do sleep 0.2; done", limit_s=LIMIT_S)
        log = self.run_in("cat /var/log/libvirt/multikernel/web.log")
        self.assertIn("[the app kernel has lost its heartbeat; this is the kernel's log", log)
        self.assertIn("NMI backtrace for cpu 1", log)
        self.assertEqual(self.state("web"), "running (booted)")
