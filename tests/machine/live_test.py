# SPDX-License-Identifier: LGPL-2.1-or-later
"""CPUs and memory that come and go while an app kernel runs, as stock virsh asks for them."""

import re

from lib.testing import MachineTest


class Hotplug(MachineTest):
    def count(self, *flags):
        return int(self.virsh("vcpucount", "web", *flags))

    def switch_audit(self, on):
        """The kernel's audit trail, whose records are lines of dmesg while there is no auditd."""
        self.script(f"""
            import socket, struct
            status = struct.pack("10I", 1, {on:d}, *[0] * 8)  # AUDIT_STATUS_ENABLED
            request = struct.pack("IHHII", 16 + len(status), 1001, 5, 1, 0)  # AUDIT_SET, with ACK
            with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 9) as audit:
                audit.sendto(request + status, (0, 0))
                assert struct.unpack_from("i", audit.recv(8192), 16) == (0,)
            with open("/proc/sys/kernel/printk_ratelimit", "w") as limit:
                limit.write("{0 if on else 5}")
            """)

    def audit_records(self, last):
        """Those of domains, once `last` is in one; without what every one has."""
        said = self.run_in(f"until dmesg | grep '{last}' >/dev/null; do :; done; dmesg")
        return re.findall(r"audit: (type=25\d\d) audit\(.*msg='virt=multikernel (.*?) "
                          r"exe=\"/usr/sbin/virtmultikerneld\" .* (res=\w+)'", said)

    def test_guest_vcpus_have_the_app_kernels_numbers(self):
        console = self.start("web", vcpus=2)
        self.virsh("vcpupin", "web", "1", "3", "--live")
        self.assertRegex(self.virsh("guestvcpus", "web"), r"online +: 0,2\n")
        self.virsh("guestvcpus", "web", "--disable", "--cpulist", "2")
        self.assertEqual((console.command("nproc"), self.online_cpus()), ("1", "0,2-3"))
        self.refused("guestvcpus", "web", "--enable", "--cpulist", "2",
                     saying=["guest is missing vCPUs"])
        self.virsh("setvcpu", "web", "1", "--enable", "--live")
        self.assertEqual(console.command("nproc"), "2")

    def test_cpus_come_move_and_go(self):
        self.addCleanup(self.switch_audit, False)
        self.switch_audit(True)
        console = self.start("web", vcpus=2, vcpu_attributes=" current='1'")
        self.assertEqual(console.command("nproc"), "1")
        self.virsh("setvcpus", "web", "2", "--live")
        self.assertEqual(console.command("nproc"), "2")
        self.assertEqual((self.count("--live", "--active"), self.count("--config", "--active")),
                         (2, 1))
        self.assertEqual(self.online_cpus(), "0,3")
        self.virsh("vcpupin", "web", "1", "3", "--live")
        self.assertEqual(console.command("nproc"), "2")
        self.assertEqual(self.online_cpus(), "0,2")
        self.refused("vcpupin", "web", "0", "2", saying=["x86 cannot take offline"])
        self.virsh("setvcpus", "web", "1", "--live")
        self.assertEqual(console.command("nproc"), "1")
        self.assertEqual(self.online_cpus(), "0,2-3")
        domain = f'vm="web" uuid={self.virsh("domuuid", "web")}'
        tty = self.virsh("ttyconsole", "web")
        self.virsh("destroy", "web")
        self.assertEqual(
            [(kind, text.replace(domain, "WEB"), result) for kind, text, result in
             self.audit_records(f"op=stop reason=destroyed {domain}") if domain in text],
            [("type=2501", f'resrc=chardev reason=start WEB old-chardev="?" new-chardev="{tty}"',
              "res=success"),
             ("type=2501", f"resrc=mem reason=start WEB old-mem=0 new-mem={256 * 1024}",
              "res=success"),
             ("type=2501", "resrc=vcpu reason=start WEB old-vcpu=0 new-vcpu=1", "res=success"),
             ("type=2500", "op=start reason=booted WEB vm-pid=0", "res=success"),
             ("type=2501", "resrc=vcpu reason=update WEB old-vcpu=1 new-vcpu=2", "res=success"),
             ("type=2501", "resrc=vcpu reason=update WEB old-vcpu=2 new-vcpu=1", "res=success"),
             ("type=2500", "op=stop reason=destroyed WEB vm-pid=0", "res=success")])

    def memory_kib(self):
        """As dominfo says; what the module's books say is the same."""
        used = int(re.search(r"Used memory:\s+(\d+)", self.virsh("dominfo", "web"))[1])
        self.script(f"""
            [(identity, _, _)] = Device().list()
            partition = Device().open(identity)
            assert partition.query().memory_bytes == {used} << 10, partition.query().memory_bytes
            """)
        return used

    def comes_up_again(self, console):
        """Waits for the second boot: it boots with all that the partition has."""
        console = console.comes_up_again()
        self.script("""
            [(identity, _, _)] = Device().list()
            partition = Device().open(identity)
            assert partition.ranges(TAKEN) == [] == partition.ranges(GIVEN), partition.memory()
            assert partition.query().balloon_bytes == 0
            """)
        return console

    def test_reset_keeps_what_came(self):
        free = self.free_kib()
        console = self.start("web", vcpus=2, vcpu_attributes=" current='1'", memory_mib=256,
                             more="<maxMemory slots='2' unit='MiB'>768</maxMemory>")
        plain = console.total_kib()
        self.put("/root/dimm.xml", "<memory model='dimm'><target><size unit='MiB'>128</size>"
                                   "<node>0</node></target></memory>")
        self.virsh("setvcpus", "web", "2", "--live")
        self.virsh("attach-device", "web", "/root/dimm.xml", "--live")
        self.virsh("setmem", "web", "512M", "--live")
        self.virsh("reset", "web")
        console = self.comes_up_again(console)
        self.assertEqual(console.command("until [ $(nproc) = 2 ]; do usleep 100000; done; nproc"),
                         "2")
        self.assertEqual(self.count("--live", "--active"), 2)
        self.assertEqual(self.memory_kib(), 512 * 1024)
        self.assertGreater(console.total_kib(), plain + 240 * 1024)
        self.assertIn("<alias name='dimm0'/>", self.virsh("dumpxml", "web"))
        self.virsh("detach-device", "web", "/root/dimm.xml", "--live")
        self.assertNotIn("<alias name='dimm0'/>", self.virsh("dumpxml", "web"))
        self.assertEqual(self.memory_kib(), 384 * 1024)
        self.virsh("destroy", "web")
        self.assertEqual(self.online_cpus(), self.cpus)
        self.assert_free_again(free)

    def test_reset_after_the_balloon_gave_all_it_could(self):
        """The host may not have it any more: it boots with less, and its kernel finds its place."""
        free = self.free_kib()
        console = self.start("web", memory_mib=384)
        plain = console.total_kib()
        self.refused("setmem", "web", "32M", "--live", saying=["it has ", "KiB now"])
        used = self.memory_kib()
        self.assertLess(used, 288 * 1024)
        for inside in (False, True):
            if inside:
                console.type("reboot -f")
            else:
                self.virsh("reset", "web")
            console = self.comes_up_again(console)
            self.assertEqual(self.memory_kib(), used)
            self.assertLess(console.total_kib(), plain - (384 * 1024 - used) + 16 * 1024)
        # It can have more again, up to what it is defined with.
        now = console.total_kib()
        self.virsh("setmem", "web", str(used + 64 * 1024), "--live")
        self.assertEqual(self.memory_kib() - used, 128 * 1024)  # a block
        self.assertEqual(console.total_kib() - now, 128 * 1024)
        self.virsh("destroy", "web")
        self.assert_free_again(free)

    def test_clients_that_want_different_things_at_once(self):
        console = self.start("web", vcpus=3, vcpu_attributes=" current='1'", memory_mib=384,
                             more="<maxMemory slots='2' unit='MiB'>768</maxMemory>")
        said = self.run_in("""
            often() {
                for _ in 1 2 3 4; do virsh -q -c multikernel:///system "$@" --live 2>&1; done
            }
            often setvcpus web 3 & often setvcpus web 1 & often setvcpus web 2 &
            often setmem web 512M & often setmem web 384M & wait""")
        self.assertEqual([line for line in said.splitlines() if line], [])
        vcpus = self.count("--live", "--active")
        self.assertEqual(int(console.command("nproc")), vcpus)
        self.assertEqual(int(self.run_in("nproc")), 4 - vcpus)
        used = int(re.search(r"Used memory:\s+(\d+)", self.virsh("dominfo", "web"))[1])
        self.assertIn(used, (384 * 1024, 512 * 1024))
        self.script(f"""
            [(identity, _, _)] = Device().list()
            query = Device().open(identity).query()
            assert query.memory_bytes == {used} << 10, query.memory_bytes
            assert query.online_cpus == {vcpus}, query.online_cpus
            """)

    def test_memory_comes_and_goes(self):
        console = self.start("web", memory_mib=384,
                             more="<maxMemory slots='2' unit='MiB'>768</maxMemory>")
        before = console.total_kib()
        self.virsh("setmem", "web", "512M", "--live")
        self.assertEqual(console.total_kib() - before, 128 * 1024)
        self.assertIn(f"Used memory:    {512 * 1024} KiB", self.virsh("dominfo", "web"))
        self.virsh("setmem", "web", "384M", "--live")
        self.assertEqual(console.total_kib(), before)
        self.put("/root/dimm.xml", "<memory model='dimm'><target><size unit='MiB'>128</size>"
                                   "<node>0</node></target></memory>")
        self.virsh("attach-device", "web", "/root/dimm.xml", "--live")
        self.assertEqual(console.total_kib() - before, 128 * 1024)
        self.assertTrue(re.search("<alias name='dimm0'/>", self.virsh("dumpxml", "web")))
        self.virsh("detach-device", "web", "/root/dimm.xml", "--live")
        self.assertEqual(console.total_kib(), before)
        self.virsh("setmem", "web", "256M", "--live")  # the balloon
        self.assertIn(f"Used memory:    {256 * 1024} KiB", self.virsh("dominfo", "web"))

    def test_what_one_that_hangs_is_asked_for_ends_in_an_error(self):
        console = self.start("web", vcpus=2, vcpu_attributes=" current='1'", memory_mib=384,
                             initrd=self.initrd_with_hang_module(),
                             more="<maxMemory slots='2' unit='MiB'>768</maxMemory>")
        console.command("insmod /mk_test_hang.ko")
        console.type("echo hang-all >/sys/module/mk_test_hang/parameters/how")
        console.wait_for("mk_test_hang: hang-all")
        for words in (("setvcpus", "web", "2"), ("setmem", "web", "512M")):
            self.refused(*words, "--live", saying=["its app kernel does not answer"])
        self.assertEqual(self.count("--live", "--active"), 1)
        self.assertIn(f"Used memory:    {384 * 1024} KiB", self.virsh("dominfo", "web"))
        self.virsh("reset", "web")
        console = console.comes_up_again()
        self.virsh("setvcpus", "web", "2", "--live")
        self.virsh("setmem", "web", "512M", "--live")
        self.assertEqual(console.command("nproc"), "2")
        self.assertIn(f"Used memory:    {512 * 1024} KiB", self.virsh("dominfo", "web"))
