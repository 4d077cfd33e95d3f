# SPDX-License-Identifier: LGPL-2.1-or-later
"""CPUs and memory that come and go while a domain runs, as stock virsh asks for them."""

import re

import libvirt

from harness import WireTest, pairs, run_until, table

DIMM = ("<memory model='dimm'><target><size unit='MiB'>128</size><node>0</node></target>"
        "</memory>")


class Hotplug(WireTest):
    def setUp(self):
        super().setUp()
        self.start("web", vcpus="<vcpu current='1'>4</vcpu>",
                   memory="<maxMemory slots='2' unit='MiB'>1024</maxMemory>"
                          "<memory unit='MiB'>256</memory>")
        with self.terminal("console", "web") as console:
            console.expect("userspace is up")

    def count(self, *flags):
        return self.virsh("vcpucount", "web", *flags)

    def memory(self):
        return pairs(self.virsh("dominfo", "web"))["Used memory"]

    def test_vcpus(self):
        self.virsh("setvcpus", "web", "3", "--live")
        self.assertEqual((self.count("--live", "--active"), self.count("--config", "--active"),
                          self.count("--live", "--maximum"), self.count("--guest")),
                         ("3", "1", "4", "3"))
        self.assertEqual(pairs(self.virsh("dominfo", "web"))["CPU(s)"], "3")
        self.assertIn("<vcpu placement='static' cpuset='1-3' current='3'>4</vcpu>",
                      self.virsh("dumpxml", "web"))
        self.virsh("setvcpus", "web", "2", "--live", "--config")
        self.assertEqual(self.count("--config", "--active"), "2")
        self.refused("invalid argument: requested vcpus is greater than max allowable vcpus for "
                     "the live domain: 5 > 4", "setvcpus", "web", "5", "--live")
        self.virsh("setvcpus", "web", "8", "--config", "--maximum")
        self.assertEqual(self.count("--config", "--maximum"), "8")

    def test_current_is_what_runs_or_else_the_definition(self):
        dimm = self.xml_file(DIMM)
        for changes in (("setvcpus", "web", "3"), ("setmem", "web", "512M"),
                        ("attach-device", "web", dimm)):
            self.virsh(*changes, "--current")
        self.assertEqual((self.count("--live", "--active"), self.count("--config", "--active")),
                         ("3", "1"))
        self.assertEqual(self.memory(), f"{640 * 1024} KiB")
        self.assertNotIn("<memory model", self.virsh("dumpxml", "web", "--inactive"))
        self.virsh("destroy", "web")
        self.assertEqual((self.count("--current", "--active"), self.memory()),
                         ("1", f"{256 * 1024} KiB"))
        self.virsh("setvcpus", "web", "2", "--current")
        self.virsh("setmem", "web", "200M", "--current")
        self.virsh("attach-device", "web", dimm, "--current")
        self.assertEqual(self.count("--config", "--active"), "2")
        inactive = self.virsh("dumpxml", "web")
        self.assertIn("<memory model='dimm'>", inactive)
        self.assertIn(f"<currentMemory unit='KiB'>{(200 + 128) * 1024}</currentMemory>", inactive)

    def test_one_vcpu(self):
        self.virsh("setvcpu", "web", "2", "--enable", "--live")
        blocks = [pairs(block) for block in self.virsh("vcpuinfo", "web").split("\n\n")]
        self.assertEqual([block["VCPU"] for block in blocks], ["0", "2"])
        self.assertIn("<vcpu id='1' enabled='no'", self.virsh("dumpxml", "web"))
        self.refused("invalid argument: vcpu '2' is already in requested state",
                     "setvcpu", "web", "2", "--enable", "--live")
        self.virsh("setvcpu", "web", "2", "--disable", "--live")
        self.refused("invalid argument: vcpu '0' can't be hotunplugged",
                     "setvcpu", "web", "0", "--disable", "--live")

    def test_a_vcpu_moves(self):
        self.virsh("setvcpus", "web", "2", "--live")
        self.virsh("vcpupin", "web", "1", "6", "--live")
        self.assertEqual(table(self.virsh("vcpupin", "web"))[1], ["1", "6"])
        self.assertIn("x86 cannot take offline", self.virsh_fails("vcpupin", "web", "0", "5"))
        self.refused("unsupported configuration: '0': the core of CPU 0 stays with the host",
                     "vcpupin", "web", "1", "0", "--live")
        self.virsh("vcpupin", "web", "1", "4-5", "--config")
        self.assertEqual(table(self.virsh("vcpupin", "web", "--config"))[1], ["1", "4-5"])

    def test_vcpus_of_the_app_kernel(self):
        self.virsh("setvcpus", "web", "3", "--live")
        self.assertRegex(self.virsh("dumpxml", "web"), r" known='[0-9,-]+'")
        guest = pairs(self.virsh("guestvcpus", "web"))
        self.assertEqual(guest, {"vcpus": "0-2", "online": "0-2", "offlinable": "1-2"})
        self.virsh("guestvcpus", "web", "--disable", "--cpulist", "2")
        self.assertEqual(self.count("--live", "--active"), "2")
        self.refused("Operation not supported: vCPU '0' is not offlinable",
                     "guestvcpus", "web", "--disable", "--cpulist", "0")

    def test_memory(self):
        self.virsh("setmem", "web", "300M", "--live")
        self.assertEqual(self.memory(), f"{384 * 1024} KiB")  # whole blocks
        self.virsh("setmem", "web", "128M", "--live")
        self.assertEqual(self.memory(), f"{128 * 1024} KiB")
        self.assertIn(f"<currentMemory unit='KiB'>{128 * 1024}</currentMemory>",
                      self.virsh("dumpxml", "web"))
        self.refused("invalid argument: cannot set memory higher than max memory",
                     "setmem", "web", "2G", "--live")
        self.refused("Requested operation is not valid: cannot resize the maximum memory on an "
                     "active domain", "setmaxmem", "web", "512M", "--live")
        self.virsh("setmaxmem", "web", "512M", "--config")
        self.virsh("setmem", "web", "512M", "--config")
        self.assertIn(f"<currentMemory unit='KiB'>{512 * 1024}</currentMemory>",
                      self.virsh("dumpxml", "web", "--inactive"))

    def test_memory_devices_and_their_events(self):
        connection = self.connect()
        heard = []
        for number in (libvirt.VIR_DOMAIN_EVENT_ID_DEVICE_ADDED,
                       libvirt.VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED,
                       libvirt.VIR_DOMAIN_EVENT_ID_BALLOON_CHANGE):
            connection.domainEventRegisterAny(
                None, number, lambda _c, _d, what, kind: heard.append((kind, what)), number)
        domain = connection.lookupByName("web")
        domain.attachDeviceFlags(DIMM, libvirt.VIR_DOMAIN_AFFECT_LIVE)
        xml = domain.XMLDesc()
        self.assertIn("<alias name='dimm0'/>", xml)
        self.assertIn("<address type='dimm' slot='0' base='0x", xml)
        self.assertEqual(domain.info()[1:3], [384 * 1024, 384 * 1024])
        domain.detachDeviceFlags(DIMM, libvirt.VIR_DOMAIN_AFFECT_LIVE)
        run_until(lambda: len(heard) == 4)
        self.assertEqual(set(heard),
                         {(libvirt.VIR_DOMAIN_EVENT_ID_DEVICE_ADDED, "dimm0"),
                          (libvirt.VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED, "dimm0"),
                          (libvirt.VIR_DOMAIN_EVENT_ID_BALLOON_CHANGE, 384 * 1024),
                          (libvirt.VIR_DOMAIN_EVENT_ID_BALLOON_CHANGE, 256 * 1024)})
        self.assert_code(libvirt.VIR_ERR_DEVICE_MISSING, domain.detachDevice, DIMM)
        self.assert_code(libvirt.VIR_ERR_CONFIG_UNSUPPORTED, domain.attachDevice,
                         DIMM.replace("128", "2048"))
        self.assert_code(libvirt.VIR_ERR_CONFIG_UNSUPPORTED, domain.attachDevice,
                         "<disk type='file'/>")

    def test_memory_device_of_less_than_a_block_goes_as_it_was_written_and_as_it_is_shown(self):
        domain = self.connect().lookupByName("web")
        small = DIMM.replace("128", "100")
        both = libvirt.VIR_DOMAIN_AFFECT_LIVE | libvirt.VIR_DOMAIN_AFFECT_CONFIG
        inactive = libvirt.VIR_DOMAIN_XML_INACTIVE

        def sizes(flags=0):
            return re.findall(r"<size unit='KiB'>(\d+)</size>", domain.XMLDesc(flags))

        def shown():
            return re.search(r"<memory model=.*?</memory>", domain.XMLDesc(), re.DOTALL)[0]

        for detached in (lambda: small, shown):
            domain.attachDeviceFlags(small, both)
            self.assertEqual((sizes(), sizes(inactive)), (["131072"], ["102400"]))
            self.assertEqual(domain.info()[1:3], [384 * 1024, 384 * 1024])
            domain.detachDeviceFlags(detached(), both)
            self.assertEqual((sizes(), sizes(inactive)), ([], []))
            self.assertEqual(domain.info()[1:3], [256 * 1024, 256 * 1024])

        # Which of two that are shown alike? Its slot tells, and without that none is taken.
        domain.attachDeviceFlags(small, both)
        domain.attachDeviceFlags(DIMM.replace("128", "110"), both)
        self.assert_code(libvirt.VIR_ERR_DEVICE_MISSING, domain.detachDeviceFlags, DIMM, both)
        self.assertEqual((sizes(), sizes(inactive)), (["131072"] * 2, ["102400", "112640"]))
        domain.detachDeviceFlags(shown(), both)
        self.assertEqual((sizes(), sizes(inactive)), (["131072"], ["112640"]))
        self.assert_code(libvirt.VIR_ERR_DEVICE_MISSING, domain.detachDeviceFlags,
                         DIMM.replace("128", "129"), libvirt.VIR_DOMAIN_AFFECT_LIVE)
