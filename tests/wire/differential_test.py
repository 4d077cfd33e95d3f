# SPDX-License-Identifier: LGPL-2.1-or-later
"""The same calls to this daemon and to libvirt's own test driver: same codes, same shapes.

A shape is what types an answer is made of. What libvirt's driver cannot answer here says nothing.
"""

import re

import libvirt

import smbios
from harness import WireTest, run_until

LIVE, CONFIG = libvirt.VIR_DOMAIN_AFFECT_LIVE, libvirt.VIR_DOMAIN_AFFECT_CONFIG
NOBODY = "00000000-0000-4000-8000-000000000000"
MUCH = 1 << 20  # of everything

CPU = "<cpu><arch>x86_64</arch><model>qemu64</model></cpu>"


def named(connection, name, uuid):
    """The definition of their domain "test" with another name and UUID."""
    xml = connection.lookupByName("test").XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
    xml = re.sub(r"<name>.*</name>", f"<name>{name}</name>" if name else "", xml)
    return re.sub(r"<uuid>.*</uuid>", f"<uuid>{uuid}</uuid>", xml)


# Calls of a connection, then of a running domain: (name, call).
CONNECTION = {
    "getType": lambda c: c.getType(),
    "getVersion": lambda c: c.getVersion(),
    "getLibVersion": lambda c: c.getLibVersion(),
    "getHostname": lambda c: c.getHostname(),
    "getURI": lambda c: c.getURI(),
    "getCapabilities": lambda c: c.getCapabilities(),
    "getMaxVcpus": lambda c: c.getMaxVcpus(None),
    "getInfo": lambda c: c.getInfo(),
    "getCPUMap": lambda c: c.getCPUMap(),
    "getFreeMemory": lambda c: c.getFreeMemory(),
    "getCellsFreeMemory": lambda c: c.getCellsFreeMemory(0, 1),
    "getCellsFreeMemory of no cell": lambda c: c.getCellsFreeMemory(7777, 1),
    "getCPUStats": lambda c: c.getCPUStats(libvirt.VIR_NODE_CPU_STATS_ALL_CPUS),
    "getMemoryStats of no cell": lambda c: c.getMemoryStats(7777),
    "isAlive": lambda c: c.isAlive(),
    "isEncrypted": lambda c: c.isEncrypted(),
    "isSecure": lambda c: c.isSecure(),
    "numOfDomains": lambda c: c.numOfDomains(),
    "numOfDefinedDomains": lambda c: c.numOfDefinedDomains(),
    "listDomainsID": lambda c: c.listDomainsID(),
    "listDefinedDomains": lambda c: c.listDefinedDomains(),
    "listAllDomains active": lambda c: len(c.listAllDomains(1)),
    "lookupByName of nobody": lambda c: c.lookupByName("nobody"),
    "lookupByName of nothing": lambda c: c.lookupByName(""),
    "lookupByID of nobody": lambda c: c.lookupByID(7777),
    "lookupByID below all": lambda c: c.lookupByID(-1),
    "lookupByUUIDString of nobody": lambda c: c.lookupByUUIDString(NOBODY),
    "lookupByUUIDString of no UUID": lambda c: c.lookupByUUIDString("web"),
    "defineXML of nothing": lambda c: c.defineXML(""),
    "defineXML of no XML": lambda c: c.defineXML("<domain"),
    "defineXML of another element": lambda c: c.defineXML("<network/>"),
    "defineXML with wrong flags": lambda c: c.defineXMLFlags("<domain/>", 0x400),
    "createXML of no XML": lambda c: c.createXML("text"),
    "createXML with wrong flags": lambda c: c.createXML("<domain/>", 0x4000),
    "getAllDomainStats": lambda c: type(c.getAllDomainStats(libvirt.VIR_DOMAIN_STATS_STATE)),
    "getAllDomainStats with wrong flags": lambda c: c.getAllDomainStats(0, 1 << 20),
    "getAllDomainStats of the running": lambda c: [
        sorted(each) for _, each in c.getAllDomainStats(
            libvirt.VIR_DOMAIN_STATS_STATE,
            libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_RUNNING)],
    "domainListGetStats of nobody": lambda c: c.domainListGetStats([]),
    "listAllDomains of each filter":
        lambda c: [len(c.listAllDomains(1 << bit)) for bit in range(16)],
    "listAllDomains with wrong flags": lambda c: c.listAllDomains(1 << 20),
    "listAllDomains of contradicting filters": lambda c: len(c.listAllDomains(1 | 128)),
    "getSysinfo": lambda c: c.getSysinfo(),
    "getSysinfo with wrong flags": lambda c: c.getSysinfo(1),
    "getSecurityModel": lambda c: c.getSecurityModel(),
    "getFreePages with wrong flags": lambda c: c.getFreePages([4], 0, 1, 1),
    "getCPUModelNames": lambda c: c.getCPUModelNames("x86_64"),
    "getCPUModelNames of no architecture": lambda c: c.getCPUModelNames("abacus"),
    "getCPUModelNames with wrong flags": lambda c: c.getCPUModelNames("x86_64", 1),
    "getCPUStats of a CPU": lambda c: c.getCPUStats(0),
    "getCPUStats of no CPU": lambda c: c.getCPUStats(7777),
    "getCPUStats with wrong flags": lambda c: c.getCPUStats(0, 1),
    "getCPUMap with wrong flags": lambda c: c.getCPUMap(1),
    "baselineCPU": lambda c: c.baselineCPU([CPU]),
    "baselineCPU of nothing": lambda c: c.baselineCPU([]),
    "baselineCPU of no XML": lambda c: c.baselineCPU(["<cpu"]),
    "baselineCPU with wrong flags": lambda c: c.baselineCPU([CPU], 1 << 10),
    "createXML of nothing": lambda c: c.createXML(""),
    "createXML of a name that runs": lambda c: c.createXML(named(c, "test", NOBODY)),
    "defineXML of a name that is taken": lambda c: c.defineXML(named(c, "test", NOBODY)),
    "defineXML of a name with a slash": lambda c: c.defineXML(named(c, "a/b", NOBODY)),
    "defineXML without a name": lambda c: c.defineXML(named(c, "", NOBODY)),
    "defineXML of no memory": lambda c: c.defineXML(
        named(c, "n", NOBODY).replace("<memory", "<nemory")),
    "createXML of a transient domain": lambda c: c.createXML(named(c, "once", NOBODY)),
    "setAutostart of a transient domain": lambda c: c.lookupByName("once").setAutostart(1),
    "autostart of a transient domain": lambda c: c.lookupByName("once").autostart(),
    "undefine of a transient domain": lambda c: c.lookupByName("once").undefine(),
    "XMLDesc of the config of a transient domain": lambda c: c.lookupByName("once").XMLDesc(
        libvirt.VIR_DOMAIN_XML_INACTIVE),
    "vcpusFlags config of a transient domain":
        lambda c: c.lookupByName("once").vcpusFlags(CONFIG),
    "rename of a transient domain": lambda c: c.lookupByName("once").rename("twice"),
    "destroy of a transient domain": lambda c: c.lookupByName("once").destroy(),
    "lookupByName of what is gone": lambda c: c.lookupByName("once"),
    "deregister nobody's callback": lambda c: c.domainEventDeregisterAny(7777),
}

DOMAIN = {
    "name": lambda d: d.name(),
    "ID": lambda d: d.ID(),
    "UUIDString": lambda d: d.UUIDString(),
    "OSType": lambda d: d.OSType(),
    "isActive": lambda d: d.isActive(),
    "isPersistent": lambda d: d.isPersistent(),
    "isUpdated": lambda d: d.isUpdated(),
    "autostart": lambda d: d.autostart(),
    "info": lambda d: d.info(),
    "state": lambda d: d.state(),
    "state with flags": lambda d: d.state(1),
    "controlInfo with flags": lambda d: d.controlInfo(1),
    "XMLDesc": lambda d: d.XMLDesc(),
    "XMLDesc inactive": lambda d: d.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE),
    "XMLDesc with wrong flags": lambda d: d.XMLDesc(1 << 10),
    "maxMemory": lambda d: d.maxMemory(),
    "maxVcpus": lambda d: d.maxVcpus(),
    "vcpus": lambda d: d.vcpus(),
    "vcpusFlags live": lambda d: d.vcpusFlags(LIVE),
    "vcpusFlags of both": lambda d: d.vcpusFlags(LIVE | CONFIG),
    "vcpusFlags with wrong flags": lambda d: d.vcpusFlags(1 << 10),
    "vcpuPinInfo": lambda d: d.vcpuPinInfo(),
    "emulatorPinInfo": lambda d: d.emulatorPinInfo(),
    "schedulerType": lambda d: d.schedulerType()[1] > 0,
    "memoryParameters": lambda d: d.memoryParameters(),
    "numaParameters": lambda d: d.numaParameters(),
    "blkioParameters": lambda d: d.blkioParameters(),
    "memoryStats": lambda d: {"actual": d.memoryStats()["actual"]},
    "hostname": lambda d: d.hostname(),
    "getTime": lambda d: d.getTime(),
    "getCPUStats": lambda d: d.getCPUStats(True),
    "hasManagedSaveImage": lambda d: d.hasManagedSaveImage(),
    "hasManagedSaveImage with flags": lambda d: d.hasManagedSaveImage(1),
    "snapshotNum": lambda d: d.snapshotNum(),
    "listAllSnapshots": lambda d: d.listAllSnapshots(),
    "hasCurrentSnapshot": lambda d: d.hasCurrentSnapshot(),
    "snapshotLookupByName": lambda d: d.snapshotLookupByName("s"),
    "snapshotCurrent": lambda d: d.snapshotCurrent(),
    "listAllCheckpoints": lambda d: d.listAllCheckpoints(),
    "checkpointLookupByName": lambda d: d.checkpointLookupByName("c"),
    "diskErrors": lambda d: d.diskErrors(),
    "jobInfo": lambda d: d.jobInfo()[0],
    "metadata of nothing": lambda d: d.metadata(libvirt.VIR_DOMAIN_METADATA_TITLE, None),
    "metadata of no URI": lambda d: d.metadata(libvirt.VIR_DOMAIN_METADATA_ELEMENT, None),
    "metadata of an unknown URI":
        lambda d: d.metadata(libvirt.VIR_DOMAIN_METADATA_ELEMENT, "http://n/o"),
    "metadata of no type": lambda d: d.metadata(77, None),
    "setMetadata title": lambda d: d.setMetadata(
        libvirt.VIR_DOMAIN_METADATA_TITLE, "t", None, None, LIVE | CONFIG),
    "metadata title": lambda d: d.metadata(libvirt.VIR_DOMAIN_METADATA_TITLE, None),
    "setMetadata of two lines": lambda d: d.setMetadata(
        libvirt.VIR_DOMAIN_METADATA_TITLE, "a\nb", None, None),
    "setMetadata of no XML": lambda d: d.setMetadata(
        libvirt.VIR_DOMAIN_METADATA_ELEMENT, "<a", "k", "http://n/o"),
    "setMetadata without a key": lambda d: d.setMetadata(
        libvirt.VIR_DOMAIN_METADATA_ELEMENT, "<a/>", None, "http://n/o"),
    "create again": lambda d: d.create(),
    "create with wrong flags": lambda d: d.createWithFlags(1 << 20),
    "rename while it runs": lambda d: d.rename("other"),
    "rename to nothing": lambda d: d.rename(""),
    "resume what runs": lambda d: d.resume(),
    "setVcpusFlags of none": lambda d: d.setVcpusFlags(0, LIVE),
    "setVcpusFlags of too many": lambda d: d.setVcpusFlags(7777, CONFIG),
    "setVcpusFlags with wrong flags": lambda d: d.setVcpusFlags(1, 1 << 10),
    "setVcpusFlags maximum live": lambda d: d.setVcpusFlags(
        1, LIVE | libvirt.VIR_DOMAIN_VCPU_MAXIMUM),
    "pinVcpu of no vCPU": lambda d: d.pinVcpu(7777, (True,)),
    "vcpuPinInfo config": lambda d: d.vcpuPinInfo(CONFIG),
    "pinVcpuFlags to nothing": lambda d: d.pinVcpuFlags(0, (False,) * 4, CONFIG),
    "pinVcpuFlags with wrong flags": lambda d: d.pinVcpuFlags(0, (True,), 1 << 10),
    "emulatorPinInfo config": lambda d: d.emulatorPinInfo(CONFIG),
    "emulatorPinInfo with wrong flags": lambda d: d.emulatorPinInfo(1 << 10),
    "setVcpusFlags config": lambda d: d.setVcpusFlags(1, CONFIG),
    "setVcpusFlags of more than the maximum": lambda d: d.setVcpusFlags(777, LIVE),
    "schedulerParameters": lambda d: type(d.schedulerParameters()),
    "schedulerParametersFlags with wrong flags": lambda d: d.schedulerParametersFlags(1 << 10),
    "memoryParameters with wrong flags": lambda d: d.memoryParameters(1 << 10),
    "setNumaParameters of no nodes":
        lambda d: d.setNumaParameters({"numa_nodeset": "many"}, CONFIG),
    "numaParameters with wrong flags": lambda d: d.numaParameters(1 << 10),
    "blkioParameters with wrong flags": lambda d: d.blkioParameters(1 << 10),
    "perfEvents": lambda d: type(d.perfEvents()),
    "perfEvents with wrong flags": lambda d: d.perfEvents(1 << 10),
    "securityLabel": lambda d: d.securityLabel(),
    "messages": lambda d: d.messages(),
    "messages with wrong flags": lambda d: d.messages(1 << 10),
    "fsInfo": lambda d: type(d.fsInfo()),
    "getTime with wrong flags": lambda d: d.getTime(1 << 10),
    "setTime": lambda d: d.setTime({"seconds": 1, "nseconds": 0}),
    "hostname with wrong flags": lambda d: d.hostname(1 << 10),
    "getCPUStats of each CPU": lambda d: type(d.getCPUStats(False)),
    "getCPUStats with wrong flags": lambda d: d.getCPUStats(True, 1 << 10),
    "memoryPeek with wrong flags": lambda d: d.memoryPeek(0, 8, 1 << 10),
    "memoryPeek of both kinds": lambda d: d.memoryPeek(0, 8, 3),
    "injectNMI": lambda d: d.injectNMI(),
    "injectNMI with wrong flags": lambda d: d.injectNMI(1),
    "sendKey of no key": lambda d: d.sendKey(0, 0, [], 0),
    "sendKey with wrong flags": lambda d: d.sendKey(0, 0, [99, 35], 2, 1),
    "setLifecycleAction": lambda d: d.setLifecycleAction(
        libvirt.VIR_DOMAIN_LIFECYCLE_CRASH, libvirt.VIR_DOMAIN_LIFECYCLE_ACTION_DESTROY, CONFIG),
    "setLifecycleAction of no event": lambda d: d.setLifecycleAction(77, 0),
    "setLifecycleAction with wrong flags": lambda d: d.setLifecycleAction(0, 0, 1 << 10),
    "setAutostart": lambda d: d.setAutostart(1),
    "setMemoryFlags with wrong flags": lambda d: d.setMemoryFlags(131072, 1 << 10),
    "setMemoryFlags maximum live": lambda d: d.setMemoryFlags(
        131072, LIVE | libvirt.VIR_DOMAIN_MEM_MAXIMUM),
    "setMemoryFlags config": lambda d: d.setMemoryFlags(131072, CONFIG),
    "blockInfo with wrong flags": lambda d: d.blockInfo("vdz", 1),
    "interfaceAddresses with wrong flags": lambda d: d.interfaceAddresses(0, 1),
    "coreDump with wrong flags": lambda d: d.coreDump("/tmp/mk-never", 1 << 10),
    "coreDumpWithFormat of no format":
        lambda d: d.coreDumpWithFormat("/tmp/mk-never", 77, DUMP),
    "listAllSnapshots with wrong flags": lambda d: d.listAllSnapshots(1 << 20),
    "reset with wrong flags": lambda d: d.reset(1),
    "reset": lambda d: d.reset(),
    "setMemory of none": lambda d: d.setMemory(0),
    "setMemory of too much": lambda d: d.setMemory(MUCH << 20),
    "setMaxMemory of none": lambda d: d.setMaxMemory(0),
    "blockStats of no disk": lambda d: d.blockStats("vdz"),
    "blockInfo of no disk": lambda d: d.blockInfo("vdz"),
    "blockIoTune of no disk": lambda d: d.blockIoTune("vdz"),
    "blockResize of no disk": lambda d: d.blockResize("vdz", 1024),
    "interfaceStats of none": lambda d: d.interfaceStats("vnet77"),
    "interfaceParameters of none": lambda d: d.interfaceParameters("vnet77"),
    "interfaceAddresses of nowhere": lambda d: d.interfaceAddresses(77),
    "shutdown with wrong flags": lambda d: d.shutdownFlags(1 << 10),
    "destroy with wrong flags": lambda d: d.destroyFlags(1 << 10),
    "undefine with wrong flags": lambda d: d.undefineFlags(1 << 10),
    "suspend": lambda d: d.suspend(),
    "state of a paused one": lambda d: d.state(),
    "resume": lambda d: d.resume(),
    "destroy": lambda d: d.destroy(),
    "destroy again": lambda d: d.destroy(),
    "suspend what is off": lambda d: d.suspend(),
    "shutdown what is off": lambda d: d.shutdown(),
    "reboot what is off": lambda d: d.reboot(),
    "state of what is off": lambda d: d.state(),
    "info of what is off": lambda d: d.info(),
    "vcpus of what is off": lambda d: d.vcpus(),
    "vcpusFlags live of what is off": lambda d: d.vcpusFlags(LIVE),
    "memoryStats of what is off": lambda d: d.memoryStats(),
    "setMemory of what is off": lambda d: d.setMemory(131072),
    "getCPUStats of what is off": lambda d: d.getCPUStats(True),
    "openConsole of what is off": lambda d: d.openConsole(None, d.connect().newStream()),
    "coreDump of what is off": lambda d: d.coreDump("/tmp/mk-never"),
    "autostart of what is off": lambda d: d.autostart(),
    "reset what is off": lambda d: d.reset(),
    "injectNMI of what is off": lambda d: d.injectNMI(),
    "memoryParameters live of what is off": lambda d: d.memoryParameters(LIVE),
    "numaParameters live of what is off": lambda d: d.numaParameters(LIVE),
    "emulatorPinInfo live of what is off": lambda d: d.emulatorPinInfo(LIVE),
    "vcpuPinInfo live of what is off": lambda d: d.vcpuPinInfo(LIVE),
    "setVcpusFlags live of what is off": lambda d: d.setVcpusFlags(1, LIVE),
    "setMetadata live of what is off": lambda d: d.setMetadata(
        libvirt.VIR_DOMAIN_METADATA_TITLE, "t", None, None, LIVE),
    "setLifecycleAction live of what is off": lambda d: d.setLifecycleAction(0, 0, LIVE),
    "perfEvents live of what is off": lambda d: d.perfEvents(LIVE),
    "hostname of what is off": lambda d: d.hostname(),
    "getTime of what is off": lambda d: d.getTime(),
    "interfaceAddresses of what is off": lambda d: d.interfaceAddresses(0),
    "blockStats of what is off": lambda d: d.blockStats("vdz"),
    "interfaceStats of what is off": lambda d: d.interfaceStats("vnet77"),
    "memoryPeek of what is off": lambda d: d.memoryPeek(0, 8, 2),
    "sendKey to what is off": lambda d: d.sendKey(0, 0, [56, 99, 35], 3),
    "rename": lambda d: d.rename("other"),
    "undefine": lambda d: d.undefine(),
    "undefine again": lambda d: d.undefine(),
    "XMLDesc of what is gone": lambda d: d.XMLDesc(),
}

DUMP = libvirt.VIR_DUMP_MEMORY_ONLY
INVALID = f"error {libvirt.VIR_ERR_OPERATION_INVALID}"
# Where another answer is meant: libvirt's test driver says "internal error" of a wrong state and
# forgives a transient domain much, its qemu driver does not; and it has disks and an agent.
MEANT = {
    "create again": INVALID,
    "resume what runs": INVALID,
    "suspend what is off": INVALID,
    "shutdown what is off": INVALID,
    "setAutostart of a transient domain": INVALID,
    "undefine of a transient domain": INVALID,
    "securityLabel": f"error {libvirt.VIR_ERR_NO_SUPPORT}",
    "fsInfo": f"error {libvirt.VIR_ERR_NO_SUPPORT}",
    "setTime": f"error {libvirt.VIR_ERR_OPERATION_UNSUPPORTED}",
    "diskErrors": {},
    "getCPUStats of no CPU": f"error {libvirt.VIR_ERR_INVALID_ARG}",  # as the qemu driver
}


# Parameters that a newer libvirt tells of: a client must not count on them.
NEWER = {"guest"}


def shape(value):
    if isinstance(value, dict):
        return {key: shape(each) for key, each in value.items() if key not in NEWER}
    if isinstance(value, (list, tuple)):
        shapes = [shape(each) for each in value]
        # of as many of the same: how many is the machine's matter
        if len(shapes) > 1 and all(each == shapes[0] for each in shapes):
            return type(value), shapes[0]
        return type(value), shapes
    return type(value)


def outcome(call, on):
    try:
        return shape(call(on))
    except libvirt.libvirtError as error:
        return f"error {error.get_error_code()}"


class Differential(WireTest):
    """One test each for connections and domains: the order of the calls counts."""

    def setUp(self):
        super().setUp()
        self.daemon.put_firmware(smbios.tables(smbios.bios(b"Somebody")))
        self.ours = self.connect()
        self.theirs = libvirt.open("test:///default")
        self.addCleanup(self.theirs.close)
        self.boot(self.ours.defineXML(self.xml("test", vcpus="<vcpu>2</vcpu>")))

    def boot(self, domain):
        """Returns when its app kernel has reported: before, it is asked in vain for its name."""
        reported = []
        number = self.ours.domainEventRegisterAny(
            domain, libvirt.VIR_DOMAIN_EVENT_ID_AGENT_LIFECYCLE,
            lambda *_: reported.append(True), None)
        domain.create()
        run_until(lambda: reported)
        self.ours.domainEventDeregisterAny(number)

    def compare(self, calls, ours, theirs):
        compared = 0
        for name, call in calls.items():
            expected, got = outcome(call, theirs), outcome(call, ours)
            if expected == f"error {libvirt.VIR_ERR_NO_SUPPORT}":
                continue
            compared += 1
            expected = MEANT.get(name, expected)
            with self.subTest(name):
                self.assertEqual(got, expected)
        self.assertGreater(compared, len(calls) * 9 // 10)  # the rest their driver has not

    def test_connections(self):
        self.compare(CONNECTION, self.ours, self.theirs)

    def test_domains(self):
        self.compare(DOMAIN, self.ours.lookupByName("test"), self.theirs.lookupByName("test"))
