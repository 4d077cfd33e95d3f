# SPDX-License-Identifier: LGPL-2.1-or-later
"""Calls of which libvirt's own drivers tell what the answer should be, for differential_test.py."""

import re

import libvirt

LIVE, CONFIG = libvirt.VIR_DOMAIN_AFFECT_LIVE, libvirt.VIR_DOMAIN_AFFECT_CONFIG
NOBODY = "00000000-0000-4000-8000-000000000000"
MUCH = 1 << 20  # of everything

CPU = "<cpu><arch>x86_64</arch><model>qemu64</model></cpu>"
DIMM = ("<memory model='dimm'><target><size unit='MiB'>128</size><node>0</node></target>"
        "</memory>")
DUMP = libvirt.VIR_DUMP_MEMORY_ONLY
STATS_OF_NOTHING = (libvirt.VIR_DOMAIN_STATS_PERF | libvirt.VIR_DOMAIN_STATS_IOTHREAD
                    | libvirt.VIR_DOMAIN_STATS_MEMORY)


def named(connection, name, uuid):
    """The definition of their domain "test" with another name and UUID."""
    xml = connection.lookupByName("test").XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
    xml = re.sub(r"<name>.*</name>", f"<name>{name}</name>" if name else "", xml)
    return re.sub(r"<uuid>.*</uuid>", f"<uuid>{uuid}</uuid>", xml)


def wrong(connection, instead, old="", name="wrong", flags=0):
    """Defines a domain of which something is wrong: `instead` stands in the place of `old`."""
    xml = (f"<domain type='{connection.getType().lower()}'><name>{name}</name>"
           "<memory>131072</memory><vcpu>2</vcpu><os><type arch='x86_64'>hvm</type></os></domain>")
    return connection.defineXMLFlags(xml.replace(old or "</domain>", instead), flags)


def names_of_stats(domain):
    """Without the groups that are this daemon's and QEMU's own affair."""
    stats = domain.connect().domainListGetStats([domain])[0][1]
    own = ("perf.", "dirtyrate.", "iothread.", "cpu.", "balloon.", "vcpu.", "memory.")
    return {name: value for name, value in stats.items() if not name.startswith(own)}


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
    "compareCPU": lambda c: c.compareCPU(CPU),
    "compareCPU of no XML": lambda c: c.compareCPU("<cpu"),
    "compareCPU of another element": lambda c: c.compareCPU("<network/>"),
    "compareCPU of no model": lambda c: c.compareCPU(CPU.replace("qemu64", "abacus")),
    "compareCPU with wrong flags": lambda c: c.compareCPU(CPU, 1 << 10),
    "baselineHypervisorCPU of nothing":
        lambda c: c.baselineHypervisorCPU(None, None, None, None, []),
    "baselineHypervisorCPU with wrong flags":
        lambda c: c.baselineHypervisorCPU(None, None, None, None, [CPU], 1 << 10),
    "compareHypervisorCPU of nothing":
        lambda c: c.compareHypervisorCPU(None, None, None, None, "", 0),
    "compareHypervisorCPU of no XML":
        lambda c: c.compareHypervisorCPU(None, None, None, None, "<cpu", 0),
    "getDomainCapabilities of no architecture":
        lambda c: c.getDomainCapabilities(None, "abacus", None, None, 0),
    "getDomainCapabilities of no type":
        lambda c: c.getDomainCapabilities(None, None, None, "abacus", 0),
    "getDomainCapabilities with wrong flags":
        lambda c: c.getDomainCapabilities(None, None, None, None, 1 << 10),
    "getMaxVcpus of no type": lambda c: c.getMaxVcpus("abacus"),
    "domainXMLToNative of no format": lambda c: c.domainXMLToNative("abacus", "<domain/>", 0),
    "getFreePages": lambda c: c.getFreePages([4], 0, 1, 0),
    "getFreePages of no size": lambda c: c.getFreePages([7777], 0, 1, 0),
    "getFreePages of no cell": lambda c: c.getFreePages([4], 7777, 1, 0),
    "allocPages of no size": lambda c: c.allocPages({7777: 1}, 0, 1, 0),
    "allocPages with wrong flags": lambda c: c.allocPages({4: 1}, 0, 1, 1 << 10),
    "getMemoryParameters": lambda c: type(c.getMemoryParameters()),
    "getMemoryParameters with wrong flags": lambda c: c.getMemoryParameters(1 << 10),
    "getMemoryStats": lambda c: c.getMemoryStats(libvirt.VIR_NODE_MEMORY_STATS_ALL_CELLS),
    "getMemoryStats with wrong flags": lambda c: c.getMemoryStats(-1, 1),
    "getAllDomainStats of no group": lambda c: c.getAllDomainStats(
        1 << 20, libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_ENFORCE_STATS),
    "defineXML of no number": lambda c: wrong(c, "much", "131072"),
    "defineXML of no unit": lambda c: wrong(c, "<memory unit='X'>", "<memory>"),
    "defineXML without an OS": lambda c: wrong(c, "", "<os><type arch='x86_64'>hvm</type></os>"),
    "defineXML of another OS": lambda c: wrong(c, "xen", "hvm"),
    "defineXML of no architecture": lambda c: wrong(c, "abacus", "x86_64"),
    "defineXML of another type": lambda c: wrong(c, "<domain type='abacus'>",
                                                 f"<domain type='{c.getType().lower()}'>"),
    "defineXML of no CPU set": lambda c: wrong(c, "<vcpu cpuset='x'>", "<vcpu>"),
    "defineXML of too few vCPUs": lambda c: wrong(c, "<vcpu current='5'>", "<vcpu>"),
    "defineXML of no action": lambda c: wrong(c, "<on_crash>fly</on_crash></domain>"),
    "defineXML against the schema": lambda c: wrong(
        c, "<abacus/></domain>", flags=libvirt.VIR_DOMAIN_DEFINE_VALIDATE),
    "defineXML of a UUID that is taken": lambda c: wrong(
        c, f"<uuid>{c.lookupByName('test').UUIDString()}</uuid></domain>"),
    "lookupByName of what was wrong": lambda c: c.lookupByName("wrong"),
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
    "interfaceAddresses of an agent": lambda d: d.interfaceAddresses(
        libvirt.VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_AGENT),
    "attachDevice of no device": lambda d: d.attachDevice("<abacus/>"),
    "attachDevice of no XML": lambda d: d.attachDevice("<abacus"),
    "attachDevice of nothing": lambda d: d.attachDevice(""),
    "attachDeviceFlags with wrong flags": lambda d: d.attachDeviceFlags(DIMM, 1 << 10),
    "detachDevice of no device": lambda d: d.detachDevice("<abacus/>"),
    "detachDevice of no XML": lambda d: d.detachDevice("<abacus"),
    "detachDevice of none": lambda d: d.detachDeviceFlags(DIMM, LIVE),
    "detachDevice config of none": lambda d: d.detachDeviceFlags(DIMM, CONFIG),
    "detachDeviceFlags with wrong flags": lambda d: d.detachDeviceFlags(DIMM, 1 << 10),
    "detachDeviceAlias with wrong flags": lambda d: d.detachDeviceAlias("ua-a", 1 << 10),
    "updateDeviceFlags with wrong flags": lambda d: d.updateDeviceFlags(DIMM, 1 << 10),
    "ioThreadInfo": lambda d: d.ioThreadInfo(),
    "setInterfaceParameters of none":
        lambda d: d.setInterfaceParameters("vnet77", {"inbound.average": 1}),
    "setBlockIoTune of no disk": lambda d: d.setBlockIoTune("vdz", {"total_bytes_sec": 1}),
    "blockJobInfo of no disk": lambda d: d.blockJobInfo("vdz"),
    "blockJobInfo of nothing": lambda d: d.blockJobInfo(""),
    "blockPeek of no disk": lambda d: d.blockPeek("vdz", 0, 1),
    "blockStatsFlags of no disk": lambda d: d.blockStatsFlags("vdz"),
    "setBlockThreshold of no disk": lambda d: d.setBlockThreshold("vdz", 1),
    "diskErrors with wrong flags": lambda d: d.diskErrors(1),
    "openConsole with wrong flags":
        lambda d: d.openConsole(None, d.connect().newStream(), 1 << 10),
    "setVcpu of no vCPU": lambda d: d.setVcpu("77", 1),
    "setVcpu of no number": lambda d: d.setVcpu("x", 1),
    "setVcpu with wrong flags": lambda d: d.setVcpu("1", 1, 1 << 10),
    "pinVcpuFlags live of no vCPU": lambda d: d.pinVcpuFlags(77, (True,), LIVE),
    "pinVcpuFlags live to nothing": lambda d: d.pinVcpuFlags(0, (False,) * 4096, LIVE),
    "guestInfo of no kind": lambda d: d.guestInfo(1 << 20),
    "guestInfo with wrong flags": lambda d: d.guestInfo(0, 1),
    "abortJob of none": lambda d: d.abortJob(),
    "jobStats": lambda d: d.jobStats(),
    "jobStats of one that is done":
        lambda d: d.jobStats(libvirt.VIR_DOMAIN_JOB_STATS_COMPLETED),
    "jobStats with wrong flags": lambda d: d.jobStats(1 << 10),
    "managedSaveGetXMLDesc of none": lambda d: d.managedSaveGetXMLDesc(),
    "backupGetXMLDesc of none": lambda d: d.backupGetXMLDesc(),
    "snapshotListNames": lambda d: d.snapshotListNames(),
    "snapshotListNames with wrong flags": lambda d: d.snapshotListNames(1 << 20),
    "launchSecurityInfo": lambda d: d.launchSecurityInfo(),
    "domainListGetStats": lambda d: names_of_stats(d),
    "rename with wrong flags": lambda d: d.rename("other", 1),
    "sendKey of no set": lambda d: d.sendKey(77, 0, [1], 1),
    "setMaxMemory while it runs": lambda d: d.setMaxMemory(262144),
    "setMemoryFlags config of too much": lambda d: d.setMemoryFlags(MUCH << 10, CONFIG),
    "metadata with wrong flags": lambda d: d.metadata(0, None, 1 << 10),
    "setMetadata of no type": lambda d: d.setMetadata(77, "t", None, None),
    "setMetadata with wrong flags": lambda d: d.setMetadata(0, "t", None, None, 1 << 10),
    "XMLDesc for another host": lambda d: d.XMLDesc(libvirt.VIR_DOMAIN_XML_MIGRATABLE),
    "XMLDesc with secrets": lambda d: d.XMLDesc(libvirt.VIR_DOMAIN_XML_SECURE),
    "controlInfo": lambda d: d.controlInfo(),
    "setMemoryStatsPeriod below 0": lambda d: d.setMemoryStatsPeriod(-1),
    "reboot with wrong flags": lambda d: d.reboot(1 << 10),
    "reboot by an agent": lambda d: d.reboot(libvirt.VIR_DOMAIN_REBOOT_GUEST_AGENT),
    "shutdown by an agent":
        lambda d: d.shutdownFlags(libvirt.VIR_DOMAIN_SHUTDOWN_GUEST_AGENT),
    "shutdown with wrong flags": lambda d: d.shutdownFlags(1 << 10),
    "destroy with wrong flags": lambda d: d.destroyFlags(1 << 10),
    "undefine with wrong flags": lambda d: d.undefineFlags(1 << 10),
    "undefine with and without NVRAM": lambda d: d.undefineFlags(
        libvirt.VIR_DOMAIN_UNDEFINE_NVRAM | libvirt.VIR_DOMAIN_UNDEFINE_KEEP_NVRAM),
    "domainListGetStats, enforced": lambda d: d.connect().domainListGetStats(
        [d], STATS_OF_NOTHING, libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_ENFORCE_STATS)[0][1],
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
    "attachDeviceFlags live of what is off": lambda d: d.attachDeviceFlags(DIMM, LIVE),
    "detachDeviceFlags live of what is off": lambda d: d.detachDeviceFlags(DIMM, LIVE),
    "updateDeviceFlags live of what is off": lambda d: d.updateDeviceFlags(DIMM, LIVE),
    "detachDeviceAlias live of what is off": lambda d: d.detachDeviceAlias("ua-a", LIVE),
    "setVcpu live of what is off": lambda d: d.setVcpu("1", 1, LIVE),
    "blockJobInfo of what is off": lambda d: d.blockJobInfo("vdz"),
    "abortJob of what is off": lambda d: d.abortJob(),
    "jobStats of what is off": lambda d: d.jobStats(),
    "controlInfo of what is off": lambda d: d.controlInfo(),
    "domainListGetStats of what is off": lambda d: names_of_stats(d),
    "snapshotNum of what is off": lambda d: d.snapshotNum(),
    "rename": lambda d: d.rename("other"),
    "undefine": lambda d: d.undefine(),
    "undefine again": lambda d: d.undefine(),
    "XMLDesc of what is gone": lambda d: d.XMLDesc(),
}

# Parameters that a newer libvirt tells of: a client must not count on them.
NEWER = {"guest", "available"}


def shape(value):
    if isinstance(value, dict):
        return {key: shape(value[key]) for key in sorted(value) if key not in NEWER}
    if isinstance(value, (list, tuple)):
        shapes = [shape(each) for each in value]
        # of as many of the same: how many is the machine's matter
        if len(shapes) > 1 and all(each == shapes[0] for each in shapes):
            return type(value), shapes[0]
        return type(value), shapes
    return type(value)


def outcome(call, on):
    """The text of an answer's shape, or "error" and libvirt's code."""
    try:
        return repr(shape(call(on)))
    except libvirt.libvirtError as error:
        return f"error {error.get_error_code()}"
