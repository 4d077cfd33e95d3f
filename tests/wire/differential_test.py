# SPDX-License-Identifier: LGPL-2.1-or-later
"""The same calls to this daemon and to libvirt's own test driver: same codes, same shapes.

A shape is what types an answer is made of. What libvirt's driver cannot answer here says nothing.
"""

import libvirt

from harness import WireTest

LIVE, CONFIG = libvirt.VIR_DOMAIN_AFFECT_LIVE, libvirt.VIR_DOMAIN_AFFECT_CONFIG
NOBODY = "00000000-0000-4000-8000-000000000000"
MUCH = 1 << 20  # of everything

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
    "undefine": lambda d: d.undefine(),
    "undefine again": lambda d: d.undefine(),
    "XMLDesc of what is gone": lambda d: d.XMLDesc(),
}

INVALID = f"error {libvirt.VIR_ERR_OPERATION_INVALID}"
# Where another answer is meant: libvirt's test driver says "internal error" of a wrong state, its
# qemu driver does not; and it has disks.
MEANT = {
    "create again": INVALID,
    "resume what runs": INVALID,
    "suspend what is off": INVALID,
    "shutdown what is off": INVALID,
    "diskErrors": {},
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
        self.ours = self.connect()
        self.theirs = libvirt.open("test:///default")
        self.addCleanup(self.theirs.close)
        self.ours.defineXML(self.xml("test", vcpus="<vcpu>2</vcpu>")).create()

    def compare(self, calls, ours, theirs):
        for name, call in calls.items():
            expected, got = outcome(call, theirs), outcome(call, ours)
            if expected == f"error {libvirt.VIR_ERR_NO_SUPPORT}":
                continue
            expected = MEANT.get(name, expected)
            with self.subTest(name):
                self.assertEqual(got, expected)

    def test_connections(self):
        self.compare(CONNECTION, self.ours, self.theirs)

    def test_domains(self):
        self.compare(DOMAIN, self.ours.lookupByName("test"), self.theirs.lookupByName("test"))
