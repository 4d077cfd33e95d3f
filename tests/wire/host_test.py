# SPDX-License-Identifier: LGPL-2.1-or-later
"""The host as clients see it: the same and true while partitions own its CPUs."""

import pathlib
import shutil

import libvirt

import smbios
from harness import LIMIT_S, WireTest, pairs

MEMORY = (4 << 30) + (2 << 20)  # where the first partition of the made-up machine is


class Stable(WireTest):
    """What Nova and virt-manager cache, and what they read each minute."""

    def look(self):
        connection = self.connect()
        return {"info": connection.getInfo(), "map": connection.getCPUMap(),
                "capabilities": connection.getCapabilities(),
                "domain capabilities": connection.getDomainCapabilities(),
                "maximum": connection.getMaxVcpus(None), "nodeinfo": self.virsh("nodeinfo"),
                "nodecpumap": self.virsh("nodecpumap", "--pretty")}

    def test_host_is_the_same_while_a_partition_owns_its_cpus(self):
        before = self.look()
        self.assertEqual(before["map"], (8, [True] * 8, 8))
        self.assertEqual(before["info"][2], 8)
        self.start("web", vcpus="<vcpu cpuset='4-7'>4</vcpu>")
        self.assertEqual(self.look(), before)

    def hide(self, cpus):
        """What the kernel does when it gives CPUs away: they are present, and it forgets them."""
        folder = self.daemon.sandbox / "sys/devices/system/cpu"
        for cpu in cpus:
            shutil.rmtree(folder / f"cpu{cpu}" / "topology")
        left = sorted(set(range(8)) - set(cpus))
        (folder / "online").write_text(",".join(map(str, left)) + "\n", encoding="utf-8")
        info = self.daemon.sandbox / "proc/cpuinfo"
        blocks = info.read_text(encoding="utf-8").split("\n\n")
        info.write_text("\n\n".join(blocks[cpu] for cpu in left) + "\n\n", encoding="utf-8")

    def test_host_is_the_same_for_the_next_daemon(self):
        before = self.look()
        machine = {name: self.daemon.folder / f"whole-{name}" for name in ("sys", "proc")}
        for name, copy in machine.items():
            shutil.copytree(self.daemon.sandbox / name, copy)
        self.start("web", vcpus="<vcpu cpuset='4-7'>4</vcpu>")
        self.hide(range(4, 8))
        self.assertEqual(self.look(), before)
        self.daemon.restart()  # killed
        self.assertEqual(self.look(), before)
        self.daemon.process.terminate()
        self.daemon.process.wait(LIMIT_S)
        self.daemon.start()
        self.assertEqual(self.look(), before)
        self.assertEqual(self.state("web"), "running (booted)")
        for name, copy in machine.items():  # the partition's end gives them back
            shutil.copytree(copy, self.daemon.sandbox / name, dirs_exist_ok=True)
        self.virsh("destroy", "web")
        self.assertEqual(self.look(), before)
        self.daemon.restart()
        self.assertEqual(self.look(), before)

    def test_cpu_of_a_partition_has_the_times_that_its_app_kernel_tells(self):
        connection = self.connect()
        before = connection.getCPUStats(libvirt.VIR_NODE_CPU_STATS_ALL_CPUS)
        self.start("web", vcpus="<vcpu cpuset='2-5'>2</vcpu>")
        with self.terminal("console", "web") as console:
            console.expect("userspace is up")
        cpus = [int(pairs(block)["CPU"])
                for block in self.virsh("vcpuinfo", "web").split("\n\n")]
        times = connection.getCPUStats(cpus[0])
        self.assertEqual(set(times), {"kernel", "user", "idle", "iowait"})
        self.assertEqual((times["user"], times["kernel"]), (100000000, 150000000))
        self.assertEqual(times["iowait"], 0)
        everything = connection.getCPUStats(libvirt.VIR_NODE_CPU_STATS_ALL_CPUS)
        self.assertEqual(everything["user"] - before["user"], 300000000)  # of both
        self.virsh("destroy", "web")
        self.assertEqual(connection.getCPUStats(libvirt.VIR_NODE_CPU_STATS_ALL_CPUS)["user"],
                         everything["user"])
        self.virsh("start", "web")
        with self.terminal("console", "web") as console:
            console.expect("userspace is up")
        self.assertEqual(connection.getCPUStats(cpus[0])["user"], 2 * times["user"])
        self.assertIn("user:", self.virsh("nodecpustats", "--cpu", str(cpus[1])))
        self.assert_code(libvirt.VIR_ERR_INVALID_ARG, connection.getCPUStats, 8)


class Pages(WireTest):
    def setUp(self):
        super().setUp()
        self.pages = self.daemon.sandbox / "sys/kernel/mm/hugepages/hugepages-2048kB"
        self.pages.mkdir(parents=True)
        self.pool("nr_hugepages", "0\n")

    def pool(self, name, text=None):
        path = self.pages / name
        if text is not None:
            path.write_text(text, encoding="utf-8")
        return path.read_text(encoding="utf-8")

    def test_small_pages_are_what_a_partition_could_get(self):
        connection = self.connect()
        free = connection.getFreePages([4], 0, 1)
        self.assertEqual(free, {0: {4: connection.getFreeMemory() // 4096}})
        self.start("web", memory="<memory unit='MiB'>256</memory>")
        left = connection.getFreePages([4], 0, 1)
        self.assertEqual(free[0][4] - left[0][4], 256 * 256)

    def test_huge_pages_are_the_hosts(self):
        self.pool("free_hugepages", "3\n")
        connection = self.connect()
        # more cells than there are: those that there are
        self.assertEqual(connection.getFreePages([2048], 0, 2), {0: {2048: 3}})
        rows = self.virsh("freepages", "--cellno", "0", "--pagesize", "2048KiB")
        self.assertEqual(pairs(rows)["2048KiB"], "3")
        self.assertIn("4KiB: ", self.virsh("freepages", "--all"))
        self.assertIn("page size 1048576 is not available on node 0",
                      self.virsh_fails("freepages", "--cellno", "0", "--pagesize", "1GiB"))
        self.assert_code(libvirt.VIR_ERR_INTERNAL_ERROR, connection.getFreePages, [4], 1, 1)
        self.assert_code(libvirt.VIR_ERR_INTERNAL_ERROR, connection.getFreePages, [4], -1, 1)

    def test_pools_grow_and_shrink(self):
        self.virsh("allocpages", "2MiB", "16", "--cellno", "0")
        self.assertEqual(self.pool("nr_hugepages"), "16")
        self.virsh("allocpages", "2MiB", "4", "--cellno", "0", "--add")
        self.assertEqual(self.pool("nr_hugepages"), "20")
        connection = self.connect()
        self.assert_code(libvirt.VIR_ERR_OPERATION_UNSUPPORTED, connection.allocPages, {4: 1}, 0, 1)
        self.assert_code(libvirt.VIR_ERR_OPERATION_FAILED, connection.allocPages, {1234: 1}, 0, 1)
        reader = self.connect(readonly=True)
        self.assert_code(libvirt.VIR_ERR_OPERATION_DENIED, reader.allocPages, {2048: 1}, 0, 1)

    def test_samepage_merging(self):
        self.assertEqual(self.connect().getMemoryParameters(), {})  # a kernel without it
        folder = self.daemon.sandbox / "sys/kernel/mm/ksm"
        folder.mkdir(parents=True)
        for name, value in (("pages_to_scan", "100"), ("sleep_millisecs", "20"),
                            ("pages_shared", "5"), ("merge_across_nodes", "1")):
            (folder / name).write_text(value + "\n", encoding="utf-8")
        self.assertEqual(self.connect().getMemoryParameters(),
                         {"shm_pages_to_scan": 100, "shm_sleep_millisecs": 20,
                          "shm_pages_shared": 5, "shm_merge_across_nodes": 1})
        self.virsh("node-memory-tune", "--shm-pages-to-scan", "200")
        self.assertIn("200", self.virsh("node-memory-tune"))
        (folder / "merge_across_nodes").unlink()
        self.assertIn("not supported by this kernel",
                      self.virsh_fails("node-memory-tune", "--shm-pages-to-scan", "300",
                                       "--shm-merge-across-nodes", "0"))
        self.assertEqual((folder / "pages_to_scan").read_text(encoding="utf-8").strip(), "200")


class Firmware(WireTest):
    def test_sysinfo_of_a_machine_without_smbios(self):
        self.daemon.put_firmware(b"no entry point")
        self.refused("unsupported configuration: Host SMBIOS information is not available",
                     "sysinfo")

    def test_sysinfo(self):
        self.daemon.put_firmware(smbios.tables(
            smbios.bios(b"Lions & Sons", b"1.2 ", b"11/27/2026"),
            smbios.system(b"Maker", b"Machine <1>", b"\x01\xff", b"S1", b"K1", b"Racks"),
            smbios.base_board(b"Maker", b"Board", b"2", b"S2"),
            smbios.base_board(b"Maker", b"Riser", b"2", b"S3"),
            smbios.chassis(b"Maker", b"3", b"S4", b"A1"),
            smbios.processor(b"CPU0", b"Intel", b"Xeon", b"S5", b"A2", b"P1"),
            smbios.processor(b"CPU1", b"Intel", b"Xeon", b"S6", b"A3", b"P1"),
            smbios.memory_device(16384, b"DIMM A", b"BANK 0", b"Chips", b"S7", b"A4", b"P2"),
            smbios.memory_device(0, b"DIMM B", b"BANK 1", b"Chips", b"S8", b"A5", b"P2"),
            smbios.oem_strings(b"one", b"two.three")))
        expected = (pathlib.Path(__file__).parents[1] / "data/sysinfo/machine.xml").read_text(
            encoding="utf-8")
        self.assertEqual(self.virsh("sysinfo") + "\n", expected)
        self.assertEqual(self.virsh("sysinfo", readonly=True) + "\n", expected)
        connection = self.connect()
        self.assertEqual(connection.getSysinfo(), expected)
        self.assert_code(libvirt.VIR_ERR_INVALID_ARG, connection.getSysinfo, 1)


class Messages(WireTest):
    DEVICES = ('    <controller type="usb" index="0" model="none"/>\n'
               '    <input type="tablet" bus="usb"/>\n'
               '    <input type="mouse" bus="ps2"/>\n'
               '    <rng model="virtio">\n      <backend model="random">/dev/urandom</backend>\n'
               "    </rng>\n")

    def test_elements_without_effect_are_kept_and_told(self):
        self.define(devices=self.DEVICES)
        sentences = [
            "element domain/devices/controller has no effect: an app kernel sees no emulated bus",
            "element domain/devices/input has no effect: an app kernel has no screen or keyboard; "
            "<console> is its terminal",
            "element domain/devices/rng has no effect: app kernels use the CPU's own RDRAND"]
        domain = self.connect().lookupByName("web")
        self.assertEqual(domain.messages(), sentences)
        self.assertEqual(domain.messages(libvirt.VIR_DOMAIN_MESSAGE_TAINTING), sentences)
        self.assertEqual(domain.messages(libvirt.VIR_DOMAIN_MESSAGE_DEPRECATION), [])
        self.assertIn(sentences[0], self.virsh("dominfo", "web"))
        for sentence in sentences:
            self.assertIn(f"domain 'web': {sentence}", self.daemon.log_text())
        self.assertIn(self.DEVICES, domain.XMLDesc(0))
        # what is printed defines the same domain, also when it runs
        self.virsh("start", "web")
        self.assertIn(self.DEVICES, domain.XMLDesc(0))
        self.assertEqual(domain.messages(), sentences)
        again = self.connect().defineXML(domain.XMLDesc(0))
        self.assertEqual(again.isUpdated(), 0)
        self.assert_code(libvirt.VIR_ERR_INVALID_ARG, domain.messages, 1 << 7)

    def test_a_domain_without_them_has_nothing_to_tell(self):
        self.define()
        self.assertEqual(self.connect().lookupByName("web").messages(), [])
        self.assertNotIn("Messages", self.virsh("dominfo", "web"))


class Changes(WireTest):
    def test_lifecycle_actions(self):
        self.start()
        self.virsh("set-lifecycle-action", "web", "crash", "restart", "--live")
        self.virsh("set-lifecycle-action", "web", "reboot", "destroy", "--config")
        live = self.virsh("dumpxml", "web")
        config = self.virsh("dumpxml", "web", "--inactive")
        self.assertIn("<on_crash>restart</on_crash>", live)
        self.assertIn("<on_reboot>restart</on_reboot>", live)
        self.assertIn("<on_crash>destroy</on_crash>", config)
        self.assertIn("<on_reboot>destroy</on_reboot>", config)
        self.assertIn("only a crash is dumped",
                      self.virsh_fails("set-lifecycle-action", "web", "reboot", "coredump-destroy"))
        self.assertIn("rename-restart",
                      self.virsh_fails("set-lifecycle-action", "web", "crash", "rename-restart"))
        domain = self.connect().lookupByName("web")
        for arguments in ((3, 0), (0, 6)):
            self.assert_code(libvirt.VIR_ERR_INVALID_ARG, domain.setLifecycleAction, *arguments, 0)
        self.virsh("destroy", "web")
        self.assert_code(libvirt.VIR_ERR_OPERATION_INVALID, domain.setLifecycleAction, 0, 0,
                         libvirt.VIR_DOMAIN_AFFECT_LIVE)

    def test_memory_peek(self):
        self.start()
        domain = self.connect().lookupByName("web")
        self.assertEqual(len(domain.memoryPeek(MEMORY, 4096, libvirt.VIR_MEMORY_PHYSICAL)), 4096)
        for address in (1 << 50, (1 << 64) - 4096):
            self.assert_code(libvirt.VIR_ERR_INVALID_ARG, domain.memoryPeek, address, 4096,
                             libvirt.VIR_MEMORY_PHYSICAL)
        self.assert_code(libvirt.VIR_ERR_INVALID_ARG, domain.memoryPeek, 0, 8, 0)
        reader = self.connect(readonly=True).lookupByName("web")
        self.assert_code(libvirt.VIR_ERR_OPERATION_DENIED, reader.memoryPeek, 0, 8,
                         libvirt.VIR_MEMORY_PHYSICAL)
        self.virsh("destroy", "web")
        self.assert_code(libvirt.VIR_ERR_OPERATION_INVALID, domain.memoryPeek, 0, 8,
                         libvirt.VIR_MEMORY_PHYSICAL)
