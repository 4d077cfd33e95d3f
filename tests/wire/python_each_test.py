# SPDX-License-Identifier: LGPL-2.1-or-later
"""Each method of libvirt-python that asks the daemon for something.

What driver_calls.py has is compared with libvirt's drivers; here is the rest, with what is meant.
"""

import re
import socket
import uuid

import libvirt

import driver_calls
from virsh_test import UUIDS, Commands

LIVE = libvirt.VIR_DOMAIN_AFFECT_LIVE

# Those that ask nobody; and close(), after which nothing can be asked.
OTHERS = {"c_pointer", "connect", "domain", "network", "close", "virConnGetLastError",
          "virConnResetLastError"}


def uuid_bytes(text):
    return uuid.UUID(text).bytes


class Code(int):
    """Of an error that is meant."""


NEVER = Code(libvirt.VIR_ERR_OPERATION_UNSUPPORTED)
UNKNOWN = Code(libvirt.VIR_ERR_NO_SUPPORT)
INVALID = Code(libvirt.VIR_ERR_OPERATION_INVALID)
NO_PORT = Code(libvirt.VIR_ERR_NO_NETWORK_PORT)
NOT_CONFIGURED = Code(libvirt.VIR_ERR_CONFIG_UNSUPPORTED)
NO_FD = Code(libvirt.VIR_ERR_ARGUMENT_UNSUPPORTED)
ANYTHING = re.compile("")


class Asked:
    """An object of libvirt-python that keeps which of its methods were called."""

    def __init__(self, of, names):
        self.of = of
        self.names = names

    def __getattr__(self, name):
        self.names.setdefault(type(self.of), set()).add(name)
        return getattr(self.of, name)


class Each(Commands):
    def setUp(self):
        super().setUp()
        self.connection = self.connect()
        self.names = {}

    def text(self, name):
        with open(self.words[name], encoding="utf-8") as file:
            return file.read()

    def each(self, of, *rows):
        """Rows: (method, arguments, what comes: a value, a pattern of its text, or a Code)."""
        asked = Asked(of, self.names)
        for name, arguments, expected in rows:
            with self.subTest(f"{type(of).__name__}.{name}"):
                if isinstance(expected, Code):
                    self.assert_code(expected, getattr(asked, name), *arguments)
                    continue
                got = getattr(asked, name)(*arguments)
                if isinstance(got, list):
                    got = [each.name() if hasattr(each, "name") else each for each in got]
                elif hasattr(got, "name"):
                    got = got.name()
                if isinstance(expected, re.Pattern):
                    self.assertRegex(str(got), expected)
                else:
                    self.assertEqual(got, expected)

    def registered(self, name):
        """The number of a callback that it has registered."""
        return getattr(Asked(self.connection, self.names), name)(None, 0, print, None)

    def each_of_drivers(self, of, calls):
        for call in calls.values():
            driver_calls.outcome(call, Asked(of, self.names))

    def assert_all(self, *classes):
        if libvirt.getVersion() >= 9001000:
            return  # a newer one has more
        for one in classes:
            methods = {name for name, value in vars(one).items()
                       if callable(value) and not name.startswith("_")}
            self.assertEqual(methods - OTHERS - self.names.get(one, set()), set(), one.__name__)


class Methods(Each):
    def setUp(self):
        super().setUp()
        self.define("off")
        self.start_with_all("test")

    def test_domains(self):
        domain = self.connection.lookupByName("test")
        core = str(self.daemon.folder / "core")
        stream = self.connection.newStream
        uri = self.daemon.uri()
        one_end, other = socket.socketpair()
        for end in (one_end, other):
            self.addCleanup(end.close)
        p2p = libvirt.VIR_MIGRATE_PEER2PEER
        self.each(
            domain,
            ("UUID", (), uuid_bytes(domain.UUIDString())),
            ("setVcpus", (3,), 0),
            ("guestVcpus", (), {"vcpus": "0-2", "online": "0-2", "offlinable": "1-2"}),
            ("setGuestVcpus", ("1", 0), 0),
            ("setSchedulerParameters", ({"vcpu_quota": -1},), ANYTHING),
            ("setSchedulerParametersFlags", ({"vcpu_quota": 5000}, LIVE), NEVER),
            ("setMemoryParameters", ({"hard_limit": 1}, LIVE), NEVER),
            ("setBlkioParameters", ({"weight": 500}, LIVE), NEVER),
            ("setPerfEvents", ({"cmt": True}, LIVE), NEVER),
            ("pinEmulator", ((True,), LIVE), NEVER),
            ("addIOThread", (1,), NEVER),
            ("pinIOThread", (1, (True,)), NEVER),
            ("setIOThreadParams", (1, {"poll_max_ns": 1}), NEVER),
            ("delIOThread", (1,), NEVER),
            ("agentSetResponseTimeout", (5,), NEVER),
            ("authorizedSSHKeysGet", ("root",), UNKNOWN),
            ("authorizedSSHKeysSet", ("root", ["key"]), NEVER),
            ("fSTrim", ("/", 0), NEVER),
            ("fsFreeze", (), NEVER),
            ("fsThaw", (), NEVER),
            ("setUserPassword", ("root", "secret"), NEVER),
            ("sendProcessSignal", (1, 9), NEVER),
            ("pMSuspendForDuration", (libvirt.VIR_NODE_SUSPEND_TARGET_MEM, 0), NEVER),
            ("pMWakeup", (), NEVER),
            ("startDirtyRateCalc", (1,), NEVER),
            ("setLaunchSecurityState", ({"sev-secret": "a"},), NEVER),
            ("FDAssociate", ("disk", [0]), NO_FD),
            ("openChannel", (None, stream()), NEVER),
            ("openGraphics", (0, one_end.fileno()), NO_FD),
            ("openGraphicsFD", (0,), NO_FD),
            ("screenshot", (stream(), 0), NEVER),
            ("securityLabelList", (), []),
            ("blockCommit", ("vda", None, None), NEVER),
            ("blockCopy", ("vda", "<disk/>"), NEVER),
            ("blockPull", ("vda",), NEVER),
            ("blockRebase", ("vda", None), NEVER),
            ("blockJobAbort", ("vda",), NEVER),
            ("blockJobSetSpeed", ("vda", 1), NEVER),
            ("snapshotCreateXML", ("<domainsnapshot/>",), NEVER),
            ("checkpointCreateXML", ("<domaincheckpoint/>",), NEVER),
            ("backupBegin", ("<domainbackup/>", None), NEVER),
            ("managedSave", (), NEVER),
            ("managedSaveDefineXML", (self.text("off"),), NEVER),
            ("managedSaveRemove", (), INVALID),
            ("save", (core,), NEVER),
            ("saveFlags", (core, None), NEVER),
            ("saveParams", ({"file": core},), NEVER),
            ("migrate", (self.connect(),), NEVER),
            ("migrate2", (self.connect(),), NEVER),
            ("migrate3", (self.connect(), {}), NEVER),
            ("migrateToURI", (uri, p2p), NEVER),
            ("migrateToURI2", (uri, None, None, p2p), NEVER),
            ("migrateToURI3", (uri, {}, p2p), NEVER),
            ("migrateSetMaxDowntime", (1,), NEVER),
            ("migrateSetMaxSpeed", (1,), NEVER),
            ("migrateSetCompressionCache", (1,), NEVER),
            ("migrateGetMaxDowntime", (), None),
            ("migrateGetMaxSpeed", (), UNKNOWN),
            ("migrateGetCompressionCache", (), None),
            ("migrateStartPostCopy", (), NEVER),
            ("abortJobFlags", (), INVALID),
            ("createWithFiles", ([],), UNKNOWN))
        with self.assertRaises(libvirt.libvirtError):
            Asked(domain, self.names).revertToSnapshot(None)
        self.each_of_drivers(domain, driver_calls.DOMAIN)
        self.assert_all(libvirt.virDomain)

    def test_connections_and_what_others_have(self):
        self.start_libvirtd()
        self.put_host()
        self.each(
            self.connection,
            ("createLinux", (self.text("short"), 0), "short"),
            ("createXMLWithFiles", (self.text("off"), []), UNKNOWN),  # as the qemu driver
            ("domainXMLFromNative", ("multikernel", self.text("native")),
             re.compile("^<domain type='multikernel'")),
            ("getSEVInfo", (), UNKNOWN),
            ("setIdentity", ({},), 0),
            ("setKeepAlive", (5, 3), 0),
            ("setMemoryParameters", ({"shm_pages_to_scan": 200},), 0),
            ("suspendForDuration", (libvirt.VIR_NODE_SUSPEND_TARGET_MEM, 60), NEVER),
            ("restore", ("/tmp/mk-never",), NEVER),
            ("restoreFlags", ("/tmp/mk-never",), NEVER),
            ("restoreParams", ({"file": "/tmp/mk-never"},), NEVER),
            ("saveImageDefineXML", ("/tmp/mk-never", self.text("off")), NEVER),
            ("saveImageGetXMLDesc", ("/tmp/mk-never",), UNKNOWN),
            ("registerCloseCallback", (lambda *_: None, None), 0),
            ("unregisterCloseCallback", (), None),
            ("domainEventRegister", (print, None), None),
            ("domainEventDeregister", (print,), None),
            ("newStream", (), ANYTHING),
            ("lookupByUUID", (uuid_bytes(UUIDS["pool"]),), Code(libvirt.VIR_ERR_NO_DOMAIN)))
        number = Asked(self.connection, self.names).domainEventRegisterAny(None, 0, print, None)
        self.connection.domainEventDeregisterAny(number)
        self.each_of_drivers(self.connection, driver_calls.CONNECTION)
        for family in (self.networks, self.pools, self.secrets, self.filters, self.devices,
                       self.interfaces):
            family()
        self.assert_all(
            libvirt.virConnect, libvirt.virNetwork, libvirt.virStoragePool, libvirt.virStorageVol,
            libvirt.virSecret, libvirt.virNWFilter, libvirt.virNWFilterBinding,
            libvirt.virNodeDevice, libvirt.virInterface)

    def networks(self):
        xml, identity = self.text("network"), UUIDS["network"]
        self.each(
            self.connection,
            ("networkDefineXML", (xml,), "lan"),
            ("networkDefineXMLFlags", (xml,), "lan"),
            ("networkCreateXML", (self.text("network_broken"),), Code(libvirt.VIR_ERR_NO_NAME)),
            ("networkCreateXMLFlags", (self.text("network_broken"),),
             Code(libvirt.VIR_ERR_NO_NAME)),
            ("numOfNetworks", (), 0),
            ("listNetworks", (), []),
            ("numOfDefinedNetworks", (), 1),
            ("listDefinedNetworks", (), ["lan"]),
            ("listAllNetworks", (), ["lan"]),
            ("networkLookupByName", ("lan",), "lan"),
            ("networkLookupByUUIDString", (identity,), "lan"),
            ("networkLookupByUUID", (uuid_bytes(identity),), "lan"),
            ("networkEventDeregisterAny", (self.registered("networkEventRegisterAny"),), None))
        self.each(
            self.connection.networkLookupByName("lan"),
            ("name", (), "lan"),
            ("UUID", (), uuid_bytes(identity)),
            ("UUIDString", (), identity),
            ("isActive", (), 0),
            ("isPersistent", (), 1),
            ("XMLDesc", (), re.compile("<name>lan</name>")),
            ("bridgeName", (), "mk-test0"),
            ("setAutostart", (1,), 0),
            ("autostart", (), 1),
            ("DHCPLeases", (), []),
            ("update", (libvirt.VIR_NETWORK_UPDATE_COMMAND_ADD_LAST,
                        libvirt.VIR_NETWORK_SECTION_IP_DHCP_HOST, 0, self.text("dhcp_host"),
                        libvirt.VIR_NETWORK_UPDATE_AFFECT_CONFIG), 0),
            ("listAllPorts", (), INVALID),
            ("portCreateXML", (self.text("port"),), INVALID),
            ("portLookupByUUID", (uuid_bytes(identity),), NO_PORT),
            ("portLookupByUUIDString", (identity,), NO_PORT),
            ("destroy", (), INVALID),
            ("undefine", (), 0),
            ("create", (), Code(libvirt.VIR_ERR_NO_NETWORK)))  # this host gets no bridge

    def pools(self):
        identity, path = UUIDS["pool"], str(self.daemon.folder / "images")
        self.each(
            self.connection,
            ("storagePoolDefineXML", (self.text("pool"),), "images"),
            ("storagePoolCreateXML", ("text",), Code(libvirt.VIR_ERR_XML_DETAIL)),
            ("numOfStoragePools", (), 0),
            ("listStoragePools", (), []),
            ("numOfDefinedStoragePools", (), 1),
            ("listDefinedStoragePools", (), ["images"]),
            ("listAllStoragePools", (), ["images"]),
            ("storagePoolLookupByName", ("images",), "images"),
            ("storagePoolLookupByUUIDString", (identity,), "images"),
            ("storagePoolLookupByUUID", (uuid_bytes(identity),), "images"),
            ("getStoragePoolCapabilities", (), re.compile("<pool type='dir' supported='yes'>")),
            ("findStoragePoolSources", ("dir", None), UNKNOWN),
            ("storagePoolEventDeregisterAny",
             (self.registered("storagePoolEventRegisterAny"),), None))
        pool = self.connection.storagePoolLookupByName("images")
        self.each(
            pool,
            ("build", (), 0),
            ("create", (), 0),
            ("name", (), "images"),
            ("UUID", (), uuid_bytes(identity)),
            ("UUIDString", (), identity),
            ("isActive", (), 1),
            ("isPersistent", (), 1),
            ("XMLDesc", (), re.compile("<pool type='dir'>")),
            ("setAutostart", (1,), 0),
            ("autostart", (), 1),
            ("refresh", (), 0),
            ("info", (), re.compile(r"^\[2, ")),
            ("createXML", (self.text("volume"),), "second"),
            ("numOfVolumes", (), 1),
            ("listVolumes", (), ["second"]),
            ("listAllVolumes", (), ["second"]),
            ("storageVolLookupByName", ("second",), "second"))
        volume = pool.storageVolLookupByName("second")
        self.each(pool, ("createXMLFrom", (self.text("volume_third"), volume), "third"))
        self.each(
            self.connection,
            ("storagePoolLookupByTargetPath", (path,), "images"),
            ("storageVolLookupByPath", (f"{path}/second",), "second"),
            ("storageVolLookupByKey", (f"{path}/second",), "second"))
        up, down, came = self.connection.newStream(), self.connection.newStream(), []
        text = [b"text"]
        self.each(
            volume,
            ("name", (), "second"),
            ("key", (), f"{path}/second"),
            ("path", (), f"{path}/second"),
            ("XMLDesc", (), re.compile("<volume type='file'>")),
            ("info", (), re.compile(r"^\[0, 1048576, ")),
            ("infoFlags", (), ANYTHING),
            ("resize", (2 << 20,), 0),
            ("storagePoolLookupByVolume", (), "images"),
            ("upload", (up, 0, 4), 0))
        up.sendAll(lambda *_: text.pop() if text else b"", None)
        up.finish()
        self.each(volume, ("download", (down, 0, 4), 0))
        down.recvAll(lambda _stream, data, _opaque: came.append(data), None)
        down.finish()
        self.assertEqual(b"".join(came), b"text")
        self.each(
            volume,
            ("wipe", (), 0),
            ("wipePattern", (libvirt.VIR_STORAGE_VOL_WIPE_ALG_ZERO,), 0),
            ("delete", (), 0))
        pool.storageVolLookupByName("third").delete()
        self.each(pool, ("destroy", (), 0), ("delete", (), 0), ("undefine", (), 0))

    def secrets(self):
        identity = UUIDS["secret"]
        self.each(
            self.connection,
            ("secretDefineXML", (self.text("secret"),), ANYTHING),
            ("numOfSecrets", (), 1),
            ("listSecrets", (), [identity]),
            ("listAllSecrets", (), ANYTHING),
            ("secretLookupByUUIDString", (identity,), ANYTHING),
            ("secretLookupByUUID", (uuid_bytes(identity),), ANYTHING),
            ("secretLookupByUsage", (libvirt.VIR_SECRET_USAGE_TYPE_CEPH, "mk-key"), ANYTHING),
            ("secretEventDeregisterAny", (self.registered("secretEventRegisterAny"),), None))
        self.each(
            self.connection.secretLookupByUUIDString(identity),
            ("UUID", (), uuid_bytes(identity)),
            ("UUIDString", (), identity),
            ("usageType", (), libvirt.VIR_SECRET_USAGE_TYPE_CEPH),
            ("usageID", (), "mk-key"),
            ("XMLDesc", (), re.compile("<secret ephemeral='yes' private='no'>")),
            ("setValue", (b"secret",), 0),
            ("value", (), b"secret"),
            ("undefine", (), 0))

    def filters(self):
        self.each(
            self.connection,
            ("nwfilterDefineXML", (self.text("filter"),), "mk-test"),
            ("nwfilterDefineXMLFlags", (self.text("filter").replace("mk-test", "mk-more"),),
             "mk-more"),
            ("numOfNWFilters", (), 2),
            ("listNWFilters", (), re.compile("mk-test")),
            ("listAllNWFilters", (), re.compile("mk-test")),
            ("nwfilterLookupByName", ("mk-test",), "mk-test"),
            ("nwfilterBindingCreateXML", (self.text("binding"),), ANYTHING),
            ("listAllNWFilterBindings", (), ANYTHING),
            ("nwfilterBindingLookupByPortDev", ("mk-none",), ANYTHING))
        self.each(
            self.connection.nwfilterBindingLookupByPortDev("mk-none"),
            ("portDev", (), "mk-none"),
            ("filterName", (), "nowhere"),
            ("XMLDesc", (), re.compile("<portdev name='mk-none'/>")),
            ("delete", (), 0))
        found = self.connection.nwfilterLookupByName("mk-test")
        self.each(
            self.connection,
            ("nwfilterLookupByUUID", (found.UUID(),), "mk-test"),
            ("nwfilterLookupByUUIDString", (found.UUIDString(),), "mk-test"))
        self.each(
            found,
            ("name", (), "mk-test"),
            ("UUID", (), ANYTHING),
            ("UUIDString", (), ANYTHING),
            ("XMLDesc", (), re.compile("<filter name='mk-test'")),
            ("undefine", (), 0))

    def devices(self):
        self.each(
            self.connection,
            ("numOfDevices", ("system",), 1),
            ("listDevices", ("system",), ["computer"]),
            ("listAllDevices", (libvirt.VIR_CONNECT_LIST_NODE_DEVICES_CAP_SYSTEM,), ["computer"]),
            ("nodeDeviceLookupByName", ("computer",), "computer"),
            ("nodeDeviceLookupSCSIHostByWWN", ("1", "2"), Code(libvirt.VIR_ERR_INTERNAL_ERROR)),
            ("nodeDeviceCreateXML", ("text",), Code(libvirt.VIR_ERR_XML_DETAIL)),
            ("nodeDeviceDefineXML", ("text",), Code(libvirt.VIR_ERR_XML_DETAIL)),
            ("nodeDeviceEventDeregisterAny",
             (self.registered("nodeDeviceEventRegisterAny"),), None))
        self.each(
            self.connection.nodeDeviceLookupByName("computer"),
            ("name", (), "computer"),
            ("parent", (), None),
            ("XMLDesc", (), re.compile("<name>computer</name>")),
            ("numOfCaps", (), 1),
            ("listCaps", (), ["system"]),
            ("isActive", (), 1),
            ("isPersistent", (), ANYTHING),
            ("autostart", (), ANYTHING),
            ("setAutostart", (1,), NEVER),
            ("create", (), INVALID),
            ("destroy", (), NOT_CONFIGURED),
            ("undefine", (), NOT_CONFIGURED),
            ("dettach", (), NEVER),
            ("detachFlags", (None,), NEVER),
            ("reAttach", (), NEVER),
            ("reset", (), NEVER))

    def interfaces(self):
        self.each(
            self.connection,
            ("numOfInterfaces", (), ANYTHING),
            ("listInterfaces", (), ANYTHING),
            ("numOfDefinedInterfaces", (), ANYTHING),
            ("listDefinedInterfaces", (), ANYTHING),
            ("listAllInterfaces", (), re.compile("'lo'")),
            ("interfaceLookupByName", ("lo",), "lo"),
            ("interfaceLookupByMACString", ("00:00:00:00:00:00",), "lo"),
            ("interfaceDefineXML", (self.text("interface"),), UNKNOWN),
            ("changeBegin", (), UNKNOWN),
            ("changeCommit", (), UNKNOWN),
            ("changeRollback", (), UNKNOWN))
        self.each(
            self.connection.interfaceLookupByName("lo"),
            ("name", (), "lo"),
            ("MACString", (), "00:00:00:00:00:00"),
            ("isActive", (), ANYTHING),
            ("XMLDesc", (), re.compile("<interface type='ethernet' name='lo'>")),
            ("create", (), UNKNOWN),
            ("destroy", (), UNKNOWN),
            ("undefine", (), UNKNOWN))
