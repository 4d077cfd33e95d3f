# SPDX-License-Identifier: LGPL-2.1-or-later
"""Tunables, disks and interfaces: what is always true is told, what cannot be is refused.

libvirt's own test driver answers the same questions where it can: same codes, same words.
"""

import struct

import libvirt

from harness import WireTest, pairs
from raw import RawClient, number, read_error, string

UNLIMITED = 9007199254740991
LLONG, ULLONG = libvirt.VIR_TYPED_PARAM_LLONG, libvirt.VIR_TYPED_PARAM_ULLONG
# REMOTE_PROC_DOMAIN_…
GET_SCHEDULER_PARAMETERS, SET_SCHEDULER_PARAMETERS, GET_MEMORY_PARAMETERS = 57, 58, 198


class Tunables(WireTest):
    def setUp(self):
        super().setUp()
        self.start("web", vcpus="<vcpu cpuset='2-5'>2</vcpu>")
        self.domain = self.connect().lookupByName("web")

    def test_scheduler_never_throttles(self):
        self.assertEqual(self.domain.schedulerType(), ("none", 2))
        truth = {"vcpu_quota": -1, "global_quota": -1}
        self.assertEqual(self.domain.schedulerParameters(), truth)
        for flags in (0, libvirt.VIR_DOMAIN_AFFECT_LIVE, libvirt.VIR_DOMAIN_AFFECT_CONFIG):
            self.assertEqual(self.domain.schedulerParametersFlags(flags), truth)
        shown = pairs(self.virsh("schedinfo", "web"))
        self.assertEqual(shown, {"Scheduler": "none", "vcpu_quota": "-1", "global_quota": "-1"})
        self.virsh("schedinfo", "web", "--set", "vcpu_quota=-1")
        self.assertIn("parameter 'vcpu_quota' cannot be changed: a partition owns its CPUs whole",
                      self.virsh_fails("schedinfo", "web", "--set", "vcpu_quota=50000"))
        self.assert_code(libvirt.VIR_ERR_OPERATION_UNSUPPORTED,
                         self.domain.setSchedulerParameters, {"vcpu_quota": 50000})

    def test_memory_limit_is_the_memory(self):
        truth = {"hard_limit": 256 * 1024, "soft_limit": UNLIMITED, "swap_hard_limit": UNLIMITED}
        for flags in (0, libvirt.VIR_DOMAIN_AFFECT_LIVE, libvirt.VIR_DOMAIN_AFFECT_CONFIG):
            self.assertEqual(self.domain.memoryParameters(flags), truth)
        shown = pairs(self.virsh("memtune", "web"))
        self.assertEqual((shown["hard_limit"], shown["soft_limit"]), ("262144", "unlimited"))
        self.virsh("memtune", "web", "--hard-limit", "262144", "--live", "--config")
        self.assertIn("use setmem or setmaxmem",
                      self.virsh_fails("memtune", "web", "--hard-limit", "100000"))
        self.assertIn("parameter 'min_guarantee' not supported",
                      self.virsh_fails("memtune", "web", "--min-guarantee", "100000"))

    def test_memory_limit_is_what_a_domain_may_grow_to(self):
        self.define("db", memory="<maxMemory slots='2' unit='MiB'>1024</maxMemory>"
                                 "<memory unit='MiB'>256</memory>")
        self.assertEqual(pairs(self.virsh("memtune", "db"))["hard_limit"], str(1 << 20))

    def test_numa_nodes_of_a_running_domain_are_where_its_memory_is(self):
        live = self.domain.numaParameters(libvirt.VIR_DOMAIN_AFFECT_LIVE)
        self.assertEqual(live["numa_mode"], libvirt.VIR_DOMAIN_NUMATUNE_MEM_STRICT)
        self.assertRegex(live["numa_nodeset"], r"^[01]$")
        self.assertIn(f"nodeset='{live['numa_nodeset']}'", self.domain.XMLDesc(0))
        self.assertEqual(self.domain.numaParameters(libvirt.VIR_DOMAIN_AFFECT_CONFIG),
                         {"numa_mode": 0, "numa_nodeset": ""})
        shown = pairs(self.virsh("numatune", "web"))
        self.assertEqual(shown, {"numa_mode": "strict", "numa_nodeset": live["numa_nodeset"]})
        self.virsh("numatune", "web", "--mode", "strict", "--nodeset", live["numa_nodeset"])
        other = "1" if live["numa_nodeset"] == "0" else "0"
        self.assertIn("stays on the nodes", self.virsh_fails("numatune", "web", "--nodeset", other))
        self.assertIn("cannot be chosen yet",
                      self.virsh_fails("numatune", "web", "--nodeset", "0", "--config"))
        self.assert_code(libvirt.VIR_ERR_INVALID_ARG, self.domain.setNumaParameters,
                         {"numa_mode": 17})
        self.assert_code(libvirt.VIR_ERR_INVALID_ARG, self.domain.setNumaParameters,
                         {"numa_nodeset": "nowhere"})

    def test_block_weights_are_those_of_a_domain_without_any(self):
        test = libvirt.open("test:///default")
        self.addCleanup(test.close)
        self.assertEqual(self.domain.blkioParameters(),
                         test.lookupByName("test").blkioParameters())
        self.virsh("blkiotune", "web")
        self.assertIn("in no cgroup", self.virsh_fails("blkiotune", "web", "--weight", "500"))
        self.assertIn("in no cgroup",
                      self.virsh_fails("blkiotune", "web", "--device-weights", "/dev/sda,500"))

    def test_perf_events_are_all_off(self):
        events = self.domain.perfEvents()
        self.assertEqual(len(events), 22)
        self.assertEqual(set(events.values()), {False})
        self.assertEqual(set(pairs(self.virsh("perf", "web")).values()), {"disabled"})
        self.virsh("perf", "web", "--disable", "cpu_cycles")
        self.assertIn("performance counters",
                      self.virsh_fails("perf", "web", "--enable", "cpu_cycles"))

    def test_parameters_are_checked_before_anything_else(self):
        # libvirt-python sends only what the getter told
        client = RawClient(self.daemon)
        self.addCleanup(client.end)
        unknown = string(b"web") + bytes(16) + number(-1)  # a domain that is not there
        for params, code, message in (
                ([("vcpu_colour", LLONG, 1)], libvirt.VIR_ERR_ARGUMENT_UNSUPPORTED,
                 "argument unsupported: parameter 'vcpu_colour' not supported"),
                ([("vcpu_quota", LLONG, -1)] * 2, libvirt.VIR_ERR_INVALID_ARG,
                 "invalid argument: parameter 'vcpu_quota' occurs multiple times"),
                ([("vcpu_quota", ULLONG, 1)], libvirt.VIR_ERR_INVALID_ARG,
                 "invalid argument: invalid type 'ullong' for parameter 'vcpu_quota', expected "
                 "'llong'"),
                ([], libvirt.VIR_ERR_INVALID_ARG, "invalid argument: params must not be NULL")):
            with self.subTest(message=message):
                encoded = b"".join(string(field.encode()) + number(kind) + struct.pack(">q", value)
                                   for field, kind, value in params)
                reply = client.call(SET_SCHEDULER_PARAMETERS,
                                    unknown + number(len(params)) + encoded)
                self.assertEqual(read_error(reply)[::2], (code, message))
        wrong_union = string(b"vcpu_quota") + number(99) + bytes(8)
        reply = client.call(SET_SCHEDULER_PARAMETERS, unknown + number(1) + wrong_union)
        self.assertEqual(read_error(reply)[0], libvirt.VIR_ERR_RPC)

    def test_room_for_parameters_is_bounded(self):
        client = RawClient(self.daemon)
        self.addCleanup(client.end)
        domain = string(b"web") + self.domain.UUID() + number(-1)
        for room, code in ((17, libvirt.VIR_ERR_INTERNAL_ERROR), (-1, libvirt.VIR_ERR_INVALID_ARG)):
            for procedure in (GET_SCHEDULER_PARAMETERS, GET_MEMORY_PARAMETERS):
                reply = client.call(procedure, domain + number(room) + number(0))
                self.assertEqual(read_error(reply)[0], code)

    def test_definition_that_is_meant_must_be_there(self):
        self.define("off")
        off = self.connect().lookupByName("off")
        live = libvirt.VIR_DOMAIN_AFFECT_LIVE
        both = live | libvirt.VIR_DOMAIN_AFFECT_CONFIG
        for call in (lambda: off.schedulerParametersFlags(live), lambda: off.memoryParameters(live),
                     lambda: off.numaParameters(live), lambda: off.blkioParameters(live),
                     lambda: off.perfEvents(live),
                     lambda: off.setMemoryParameters({"hard_limit": 1}, live)):
            self.assertEqual(self.assert_code(libvirt.VIR_ERR_OPERATION_INVALID, call),
                             "Requested operation is not valid: domain is not running")
        for call in (self.domain.memoryParameters, self.domain.numaParameters,
                     self.domain.schedulerParametersFlags):
            self.assert_code(libvirt.VIR_ERR_INVALID_ARG, call, both)
            self.assert_code(libvirt.VIR_ERR_INVALID_ARG, call, 1 << 10)
        self.assertEqual(off.numaParameters(0), {"numa_mode": 0, "numa_nodeset": ""})


class NoDevices(WireTest):
    """Disks and interfaces: none yet, and named ones are not found, as by libvirt's drivers."""

    def setUp(self):
        super().setUp()
        self.start("web")
        self.domain = self.connect().lookupByName("web")

    def error(self, domain, method, arguments):
        with self.assertRaises(libvirt.libvirtError) as caught:
            getattr(domain, method)(*arguments)
        return caught.exception.get_error_code(), caught.exception.get_error_message()

    def test_same_errors_as_the_test_driver(self):
        test = libvirt.open("test:///default")
        self.addCleanup(test.close)
        other = test.lookupByName("test")
        for method, arguments in (
                ("blockStats", ["vdx"]), ("blockInfo", ["vdx"]), ("blockIoTune", ["vdx"]),
                ("blockInfo", [""]), ("blockIoTune", ["vdx", 3]),
                ("setBlockIoTune", ["vdx", {"total_bytes_sec": 1}]),
                ("interfaceStats", ["vnet9"]),
                ("interfaceParameters", ["vnet9"]),
                ("setInterfaceParameters", ["vnet9", {"inbound.average": 1}]),
                ("snapshotLookupByName", ["before"]), ("snapshotCurrent", []),
                ("checkpointLookupByName", ["before"]), ("interfaceAddresses", [77])):
            with self.subTest(call=method):
                ours = self.error(self.domain, method, arguments)
                theirs = self.error(other, method, arguments)
                self.assertEqual(ours[0], theirs[0])
                if libvirt.getVersion() < 9001000:  # later ones have other words
                    self.assertEqual(ours[1], theirs[1])

    def test_disks(self):
        self.assertIn("invalid path: vda", self.virsh_fails("domblkstat", "web", "vda"))
        self.assertIn("invalid path vda not assigned", self.virsh_fails("domblkinfo", "web", "vda"))
        self.assertIn("disk 'vda' was not found", self.virsh_fails("blkdeviotune", "web", "vda"))
        self.assertIn("disk 'vda' was not found",
                      self.virsh_fails("blockresize", "web", "vda", "1G"))
        self.assertIn("failed to find disk 'vda'",
                      self.virsh_fails("domblkthreshold", "web", "vda", "4096"))
        self.assert_code(libvirt.VIR_ERR_INVALID_ARG, self.domain.blockPeek, "vda", 0, 512)
        # all disks together
        self.assertEqual(self.domain.blockStats(""), (0, 0, 0, 0, -1))
        self.assertEqual(set(self.domain.blockStatsFlags("").values()), {0})
        self.assertEqual(len(self.domain.blockStatsFlags("")), 8)

    def test_interfaces(self):
        self.assertIn("'vnet0' is not a known", self.virsh_fails("domifstat", "web", "vnet0"))
        self.assertIn("'vnet0' is not a known", self.virsh_fails("domiftune", "web", "vnet0"))
        self.assertIn("not a known", self.virsh_fails("domifstat", "web", "52:54:00:11:22:33"))
        for source in ("lease", "arp"):
            self.assertEqual(self.virsh("domifaddr", "web", "--source", source).count("\n"), 1)
        self.assertIn("run no guest agent",
                      self.virsh_fails("domifaddr", "web", "--source", "agent"))
        reader = self.connect(readonly=True).lookupByName("web")
        self.assertEqual(reader.interfaceAddresses(libvirt.VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_ARP),
                         {})
        self.assert_code(libvirt.VIR_ERR_OPERATION_DENIED, reader.interfaceAddresses,
                         libvirt.VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_AGENT)

    def test_inactive_domain_has_no_statistics(self):
        self.define("off")
        off = self.connect().lookupByName("off")
        for method, arguments in (("blockStats", [""]), ("blockStatsFlags", [""]),
                                  ("interfaceStats", ["vnet0"]), ("interfaceAddresses", [0]),
                                  ("blockResize", ["vda", 1]),
                                  ("setBlockThreshold", ["vda", 1])):
            with self.subTest(call=method):
                self.assertEqual(self.error(off, method, arguments),
                                 (libvirt.VIR_ERR_OPERATION_INVALID,
                                  "Requested operation is not valid: domain is not running"))

    def test_labels_and_launch_security(self):
        self.assertEqual(self.domain.securityLabelList(), [])
        self.assertEqual(self.domain.launchSecurityInfo(), {})
