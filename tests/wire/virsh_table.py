# SPDX-License-Identifier: LGPL-2.1-or-later
"""What each command of stock virsh does here: (command line, what it says) for each of them.

A text is part of what the command says, and it succeeds; with No(text) it fails, and says that.
Commands of a group run in the order of the table, against one daemon: domain "web"
runs, "off" does not. {names} are files that virsh_test.py makes.
"""

import collections

import libvirt

NEWER_VIRSH = libvirt.getVersion() >= 10_000_000

No = collections.namedtuple("No", "text")


def unsupported(text):
    return No("Operation not supported: " + text)


def unknown(text):
    return No("this function is not supported by the connection driver: " + text)


NO_SAVE = unsupported("the state of a partition cannot be saved: its memory holds the state of "
                      "real hardware; shut it down instead")
NO_BLOCK_JOB = unsupported("a partition has no disk images that the host could copy, merge or "
                           "limit; do it where the image is, with the domain shut off")
NO_MIGRATION = "a partition cannot move to another host"
NO_AGENT = ("an app kernel has no guest agent; log in to it with 'virsh console' or ssh and do it "
            "there")
NO_IOTHREAD = unsupported("a partition has no I/O threads: no process of the host runs for it; "
                          "give it more vCPUs")
NO_SNAPSHOT = unsupported("a partition has no snapshots: its memory holds the state of real "
                          "hardware; 'virsh dumpxml' keeps its definition")
NO_SNAPSHOT_NAMED = No("Domain snapshot not found: no domain snapshot with matching name 's'")
NO_CHECKPOINT = unsupported("a partition has no checkpoints and no backups: the host does not see "
                            "what it writes; back up from inside the app kernel")
NO_CHECKPOINT_NAMED = No("Domain checkpoint not found: no domain checkpoint with matching name "
                         "'c'")
NO_DISK = No("disk 'vda' was not found in the domain config")
NO_DISKS = No("Failed to get disk information")  # says virsh, which reads the definition
NO_DETACH = unsupported("host devices cannot be given to a partition, so their host drivers stay")
NO_QEMU = No("Cannot find program 536903815 version 1")
NO_ENCRYPTION = "the memory of a partition is not encrypted; it starts without a launch secret"

DOMAIN = {
    "define": [("define {off}", "Domain 'off' defined from"),
               ("define {broken}", No("domain@type 'kvm' is not supported: this driver runs "
                                    "'multikernel' domains"))],
    "create": [("create {short}", "Domain 'short' created from")],
    "destroy": [("destroy short", "Domain 'short' destroyed"),
                ("destroy off", No("Requested operation is not valid: domain is not running"))],
    "start": [("start off", "Domain 'off' started"),
              ("start web", No("Domain is already active"))],
    "suspend": [("suspend off", "Domain 'off' suspended")],
    "resume": [("resume off", "Domain 'off' resumed")],
    "reboot": [("reboot off", "Domain 'off' is being rebooted")],
    "reset": [("reset off", "Domain 'off' was reset")],
    "shutdown": [("shutdown off --mode acpi", "Domain 'off' is being shutdown")],
    "attach-device": [("attach-device web {dimm} --live", "Device attached successfully")],
    "attach-disk": [("attach-disk web /dev/null vda --config", No(
        "device 'disk' is not supported: only <memory model='dimm'> can be"))],
    "attach-interface": [("attach-interface web network default --config", No(
        "device 'interface' is not supported: only <memory model='dimm'> can be"))],
    "autostart": [("autostart web", "Domain 'web' marked as autostarted"),
                  ("autostart web --disable", "Domain 'web' unmarked as autostarted")],
    "blkdeviotune": [("blkdeviotune web vda", NO_DISK)],
    "blkiotune": [("blkiotune web", "weight         : 0")],
    "blockcommit": [("blockcommit web vda", NO_BLOCK_JOB)],
    "blockcopy": [("blockcopy web vda /tmp/copy", NO_BLOCK_JOB)],
    "blockjob": [("blockjob web vda", No("disk 'vda' not found in domain")),
                 ("blockjob web vda --abort", NO_BLOCK_JOB)],
    "blockpull": [("blockpull web vda", NO_BLOCK_JOB)],
    "blockresize": [("blockresize web vda 1G", NO_DISK)],
    "change-media": [("change-media web hda --eject", NO_DISKS)],
    "console": [("console web", No("Cannot run interactive console without a controlling TTY"))],
    "cpu-stats": [("cpu-stats web", "Total:\n\tcpu_time")],
    "desc": [("desc web", "mk-old"), ("desc web --title --new-desc site --live --config",
                                        "Domain title updated successfully")],
    "detach-device": [("detach-device web {dimm} --live", "Device detached successfully")],
    "detach-device-alias": [("detach-device-alias web dimm7 --live",
                             No("no device found with alias dimm7"))],
    "detach-disk": [("detach-disk web vda", NO_DISKS)],
    "detach-interface": [("detach-interface web network",
                          No("No interface found whose type is network"))],
    "domdisplay": [("domdisplay web", No("No graphical display found"))],
    "domfsfreeze": [("domfsfreeze web", unsupported(NO_AGENT))],
    "domfsthaw": [("domfsthaw web", unsupported(NO_AGENT))],
    "domfsinfo": [("domfsinfo web", unknown("virDomainGetFSInfo"))],
    "domfstrim": [("domfstrim web", unsupported(NO_AGENT))],
    "domhostname": [("domhostname web", "web")],
    "domid": [("domid web", "1")],
    "domif-setlink": [("domif-setlink web vnet0 up", No(
        "Failed to extract interface information or no interfaces found"))],
    "domiftune": [("domiftune web vnet0", No("'vnet0' is not a known interface"))],
    "domjobabort": [("domjobabort web", No("no job is active on the domain"))],
    "domjobinfo": [("domjobinfo web", "Job type:         None")],
    "domlaunchsecinfo": [("domlaunchsecinfo web", "")],
    "domsetlaunchsecstate": [("domsetlaunchsecstate web --secrethdr {text} --secret {text}",
                              unsupported(NO_ENCRYPTION))],
    "domname": [("domname 1", "web")],
    "domrename": [("domrename spare again", "Domain successfully renamed"),
                  ("domrename web site", No("cannot rename active domain"))],
    "dompmsuspend": [("dompmsuspend web mem", unsupported(
        "an app kernel cannot sleep: the hardware under it is the host's; 'virsh suspend' stops "
        "its CPUs"))],
    "dompmwakeup": [("dompmwakeup web", unsupported(
        "an app kernel never sleeps; 'virsh resume' goes on with one that 'virsh suspend' "
        "stopped"))],
    "domuuid": [("domuuid web", "-")],
    "domxml-to-native": [("domxml-to-native multikernel {off}", '"memory-kib"')],
    "domxml-from-native": [("domxml-from-native multikernel {native}",
                            "<domain type='multikernel'")],
    "dump": [("dump web {core} --memory-only", "Domain 'web' dumped to")],
    "dumpxml": [("dumpxml web", "<domain type='multikernel' id='1'"),
                ("dumpxml web --inactive --security-info", "<name>web</name>")],
    "edit": [("edit web", "Domain 'web' XML configuration edited")],
    "get-user-sshkeys": [("get-user-sshkeys web root", unknown(
        "virDomainAuthorizedSSHKeysGet"))],
    "inject-nmi": [("inject-nmi web", "")],
    "iothreadinfo": [("iothreadinfo web", "No IOThreads found for the domain")],
    "iothreadpin": [("iothreadpin web 1 0", NO_IOTHREAD)],
    "iothreadadd": [("iothreadadd web 1", NO_IOTHREAD)],
    "iothreadset": [("iothreadset web 1 --poll-max-ns 1", NO_IOTHREAD)],
    "iothreaddel": [("iothreaddel web 1", NO_IOTHREAD)],
    "send-key": [("send-key web KEY_LEFTALT KEY_SYSRQ KEY_H", ""),
                 ("send-key web KEY_A", No("only"))],
    "send-process-signal": [("send-process-signal web 1 SIGTERM", unsupported(NO_AGENT))],
    "lxc-enter-namespace": [("lxc-enter-namespace web /bin/true",
                             No("Cannot find program 425984 version 1"))],
    "managedsave": [("managedsave web", NO_SAVE)],
    "managedsave-remove": [("managedsave-remove web", "Domain 'web' has no manage save image")],
    "managedsave-edit": [("managedsave-edit web", No("domain does not have managed save image"))],
    "managedsave-dumpxml": [("managedsave-dumpxml web",
                             No("domain does not have managed save image"))],
    "managedsave-define": [("managedsave-define web {off}", NO_SAVE)],
    "memtune": [("memtune web", "hard_limit     : ")],
    "perf": [("perf web", "cpu_cycles     : disabled")],
    "metadata": [("metadata web http://x/y --key k --set <a/> --live --config",
                  "Metadata modified"), ("metadata web http://x/y", "<a/>")],
    "migrate": [("migrate web qemu+unix:///system?socket=/nowhere",
                 No("Failed to connect socket to '/nowhere'")),
                ("migrate web {uri}", No(NO_MIGRATION)),
                ("migrate web {uri} --p2p", No(NO_MIGRATION)),
                ("migrate web test:///default", unknown("virDomainMigrate3"))],
    "migrate-setmaxdowntime": [("migrate-setmaxdowntime web 1", No(NO_MIGRATION))],
    "migrate-getmaxdowntime": [("migrate-getmaxdowntime web",
                                unknown("virDomainMigrateGetMaxDowntime"))],
    "migrate-compcache": [("migrate-compcache web",
                           unknown("virDomainMigrateGetCompressionCache")),
                          ("migrate-compcache web --size 1048576", No(NO_MIGRATION))],
    "migrate-setspeed": [("migrate-setspeed web 1", No(NO_MIGRATION))],
    "migrate-getspeed": [("migrate-getspeed web", unknown("virDomainMigrateGetMaxSpeed"))],
    "migrate-postcopy": [("migrate-postcopy web", No(NO_MIGRATION))],
    "numatune": [("numatune web", "numa_mode      : strict")],
    "qemu-attach": [("qemu-attach 1", NO_QEMU)],
    "qemu-monitor-command": [("qemu-monitor-command web --hmp info", NO_QEMU)],
    "qemu-monitor-event": [("qemu-monitor-event --timeout 1", NO_QEMU)],
    "qemu-agent-command": [("qemu-agent-command web {{}}", NO_QEMU)],
    "guest-agent-timeout": [("guest-agent-timeout web --timeout 5", unsupported(NO_AGENT))],
    "restore": [("restore {core}", NO_SAVE)],
    "save": [("save web {core}", NO_SAVE)],
    "save-image-define": [("save-image-define {core} {off}", NO_SAVE)],
    "save-image-dumpxml": [("save-image-dumpxml {core}",
                            unknown("virDomainSaveImageGetXMLDesc"))],
    "save-image-edit": [("save-image-edit {core}", unknown("virDomainSaveImageGetXMLDesc"))],
    "schedinfo": [("schedinfo web", "Scheduler      : none")],
    "screenshot": [("screenshot web {picture}", unsupported(
        "a partition has no screen; 'virsh console' shows what it prints"))],
    "set-lifecycle-action": [("set-lifecycle-action web reboot destroy --config", "")],
    "set-user-sshkeys": [("set-user-sshkeys web root --reset", unsupported(NO_AGENT))],
    "set-user-password": [("set-user-password web root secret", unsupported(NO_AGENT))],
    "setmaxmem": [("setmaxmem off 384M --config", "")],
    "setmem": [("setmem web 384M --live", "")],
    "setvcpus": [("setvcpus web 3 --live", "")],
    "ttyconsole": [("ttyconsole web", "/dev/pts/")],
    "update-device": [("update-device web {dimm} --live", No("is not supported; detach the device "
                                                             "and attach another"))],
    "update-memory-device": [("update-memory-device web --requested-size 1M",
                              No("no memory device found"))],
    "vcpucount": [("vcpucount web --live --active", "3")],
    "vcpuinfo": [("vcpuinfo web", "VCPU:           0")],
    "vcpupin": [("vcpupin web 1 5 --live", ""), ("vcpupin web", "1      5")],
    "emulatorpin": [("emulatorpin web", "emulator: CPU Affinity"),
                    ("emulatorpin web 1", No("no emulator process"))],
    "vncdisplay": [("vncdisplay web", No("Failed to get VNC port. Is this domain using VNC?"))],
    "guestvcpus": [("guestvcpus web", "online         : 0-2")],
    "setvcpu": [("setvcpu web 2 --disable --live", "")],
    "domblkthreshold": [("domblkthreshold web vda 1G", No("failed to find disk 'vda'"))],
    "guestinfo": [("guestinfo web --os", "os.")],
    "domdirtyrate-calc": [("domdirtyrate-calc web", No("the host does not see what an app kernel "
                                                       "writes"))],
    "dom-fd-associate": [("dom-fd-associate web disk --pass-fds 0", No(
        "fd passing is not supported by this connection"))],
    "undefine": [("undefine again", "Domain 'again' has been undefined"),
                 ("undefine again", No("failed to get domain 'again'"))],
}

MONITOR = {
    "domblkerror": [("domblkerror web", "No errors found")],
    "domblkinfo": [("domblkinfo web vda", No("invalid path vda not assigned to domain"))],
    "domblklist": [("domblklist web --details", "Type   Device   Target   Source")],
    "domblkstat": [("domblkstat web vda", No("invalid path: vda"))],
    "domcontrol": [("domcontrol web", "ok")],
    "domif-getlink": [("domif-getlink web vnet0", No("Interface (dev: vnet0) not found."))],
    "domifaddr": [("domifaddr web", "Name       MAC address"),
                  ("domifaddr web --source agent", No("app kernels run no guest agent"))],
    "domiflist": [("domiflist web", "Interface   Type   Source   Model   MAC")],
    "domifstat": [("domifstat web vnet0", No("'vnet0' is not a known interface"))],
    "dominfo": [("dominfo web", "State:          running"),
                ("dominfo off", "State:          shut off")],
    "dommemstat": [("dommemstat web", "actual 262144"),
                   ("dommemstat web --period 5 --live", No("the period cannot be changed"))],
    "domstate": [("domstate web --reason", "running (booted)")],
    "domstats": [("domstats web", "state.state=1"), ("domstats", "Domain: 'off'")],
    "domtime": [("domtime web", "Time: "), ("domtime web --now", No(
        "the clock of an app kernel cannot be set from outside; set it there, for example with "
        "NTP"))],
    "list": [("list --all --title", "web"), ("list --inactive --name", "off")],
}

EVENTS = {
    "event": [("event off --all --timeout 1", No("events received: 0")),
              ("event --list", "lifecycle")],
}

HOST = {
    "allocpages": [("allocpages 2MiB 4 --cellno 0", "")],
    "capabilities": [("capabilities", "<domain type='multikernel'/>")],
    "cpu-baseline": [("cpu-baseline {cpu}", "<cpu ")],
    "cpu-compare": [("cpu-compare {cpu}", "CPU described in")],
    "cpu-models": [("cpu-models x86_64", "")],
    "domcapabilities": [("domcapabilities", "<domain>multikernel</domain>")],
    "freecell": [("freecell --all", "Total: "), ("freecell", "Total: ")],
    "freepages": [("freepages --all", "4KiB: ")],
    "hostname": [("hostname", "{hostname}")],
    "hypervisor-cpu-baseline": [("hypervisor-cpu-baseline {cpu}", "<cpu ")],
    "hypervisor-cpu-compare": [("hypervisor-cpu-compare {cpu}", "CPU described in")],
    "maxvcpus": [("maxvcpus", "7")],
    "node-memory-tune": [("node-memory-tune", "Shared memory:"),
                         ("node-memory-tune --shm-pages-to-scan 200", "")],
    "nodecpumap": [("nodecpumap", "CPUs present:   8")],
    "nodecpustats": [("nodecpustats", "user: "), ("nodecpustats --percent", "usage:")],
    "nodeinfo": [("nodeinfo", "CPU(s):              8")],
    "nodememstats": [("nodememstats", "total  :")],
    "nodesevinfo": [("nodesevinfo", unknown("virNodeGetSEVInfo"))],
    "nodesuspend": [("nodesuspend mem 60", unsupported(
        "this host does not sleep through libvirt: its partitions would stop with it; shut them "
        "down and use systemctl"))],
    "sysinfo": [("sysinfo", "<sysinfo type='smbios'>")],
    "uri": [("uri", "multikernel")],
    "version": [("version --daemon", "Running against daemon: ")],
}

CHECKPOINT = {
    "checkpoint-create": [("checkpoint-create web", NO_CHECKPOINT)],
    "checkpoint-create-as": [("checkpoint-create-as web c", NO_CHECKPOINT)],
    "checkpoint-delete": [("checkpoint-delete web c", NO_CHECKPOINT_NAMED)],
    "checkpoint-dumpxml": [("checkpoint-dumpxml web c", NO_CHECKPOINT_NAMED)],
    "checkpoint-edit": [("checkpoint-edit web c", NO_CHECKPOINT_NAMED)],
    "checkpoint-info": [("checkpoint-info web c", NO_CHECKPOINT_NAMED)],
    "checkpoint-list": [("checkpoint-list web", "Name   Creation Time")],
    "checkpoint-parent": [("checkpoint-parent web c", NO_CHECKPOINT_NAMED)],
}

SNAPSHOT = {
    "snapshot-create": [("snapshot-create web", NO_SNAPSHOT)],
    "snapshot-create-as": [("snapshot-create-as web s", NO_SNAPSHOT)],
    "snapshot-current": [("snapshot-current web",
                          No("domain 'web' has no current snapshot"))],
    "snapshot-delete": [("snapshot-delete web s", NO_SNAPSHOT_NAMED)],
    "snapshot-dumpxml": [("snapshot-dumpxml web s", NO_SNAPSHOT_NAMED)],
    "snapshot-edit": [("snapshot-edit web s", NO_SNAPSHOT_NAMED)],
    "snapshot-info": [("snapshot-info web s", NO_SNAPSHOT_NAMED)],
    "snapshot-list": [("snapshot-list web", "Name   Creation Time   State")],
    "snapshot-parent": [("snapshot-parent web s", NO_SNAPSHOT_NAMED)],
    "snapshot-revert": [("snapshot-revert web s", NO_SNAPSHOT_NAMED)],
}

BACKUP = {
    "backup-begin": [("backup-begin web", NO_CHECKPOINT)],
    "backup-dumpxml": [("backup-dumpxml web", No("no domain backup job present"))],
}

# What follows is relayed to a stock libvirtd: its answers.

INTERFACE = {
    "iface-list": [("iface-list --all", "lo")],
    "iface-dumpxml": [("iface-dumpxml lo", "<interface type='ethernet' name='lo'>")],
    "iface-mac": [("iface-mac lo", "00:00:00:00:00:00")],
    "iface-name": [("iface-name 00:00:00:00:00:00", "lo")],
    "iface-bridge": [("iface-bridge lo lo", No("Network device lo already exists"))],
    "iface-unbridge": [("iface-unbridge lo", No("is not a bridge"))],
    "iface-begin": [("iface-begin", unknown("virInterfaceChangeBegin"))],
    "iface-commit": [("iface-commit", unknown("virInterfaceChangeCommit"))],
    "iface-rollback": [("iface-rollback", unknown("virInterfaceChangeRollback"))],
    "iface-define": [("iface-define {interface}", unknown("virInterfaceDefineXML"))],
    "iface-edit": [("iface-edit lo", "Failed.")],
    "iface-start": [("iface-start lo", unknown("virInterfaceCreate"))],
    "iface-destroy": [("iface-destroy lo", unknown("virInterfaceDestroy"))],
    "iface-undefine": [("iface-undefine lo", unknown("virInterfaceUndefine"))],
}

FILTER = {
    "nwfilter-define": [("nwfilter-define {filter}", "Network filter mk-test defined from")],
    "nwfilter-dumpxml": [("nwfilter-dumpxml mk-test", "<filter name='mk-test'")],
    "nwfilter-edit": [("nwfilter-edit mk-test", "Network filter mk-test XML configuration edited")],
    "nwfilter-list": [("nwfilter-list", "mk-test")],
    "nwfilter-binding-create": [("nwfilter-binding-create {binding}",
                                 "Network filter binding on mk-none created")],
    "nwfilter-binding-list": [("nwfilter-binding-list", "mk-none nowhere")],
    "nwfilter-binding-dumpxml": [("nwfilter-binding-dumpxml mk-none", "<portdev name='mk-none'/>")],
    "nwfilter-binding-delete": [("nwfilter-binding-delete mk-none",
                                 "Network filter binding on mk-none deleted")],
    "nwfilter-undefine": [("nwfilter-undefine mk-test", "Network filter mk-test undefined")],
}

NETWORK = {
    "net-define": [("net-define {network}", "Network lan defined from")],
    "net-list": [("net-list --all", "lan    inactive   no")],
    "net-info": [("net-info lan", "Bridge:         mk-test0")],
    "net-name": [("net-name {network_uuid}", "lan")],
    "net-uuid": [("net-uuid lan", "{network_uuid}")],
    "net-dumpxml": [("net-dumpxml lan", "<name>lan</name>")],
    "net-edit": [("net-edit lan", "Network lan XML configuration edited")],
    "net-update": [("net-update lan add ip-dhcp-host {dhcp_host} --config",
                    "Updated network lan")],
    "net-autostart": [("net-autostart lan", "Network lan marked as autostarted")],
    "net-event": [("net-event --event lifecycle --timeout 1", No("events received: 0"))],
    "net-create": [("net-create {network_broken}", No("missing name information"))],
    "net-start": [("net-start nowhere", No("failed to get network 'nowhere'"))],
    "net-dhcp-leases": [("net-dhcp-leases lan", "Expiry Time")],
    "net-port-list": [("net-port-list lan", No("network 'lan' is not active"))],
    "net-port-create": [("net-port-create lan {port}", No("network 'lan' is not active"))],
    "net-port-dumpxml": [("net-port-dumpxml lan {network_uuid}",
                          "failed to get network port '{network_uuid}'")],
    "net-port-delete": [("net-port-delete lan {network_uuid}",
                         "failed to get network port '{network_uuid}'")],
    "net-destroy": [("net-destroy lan", No("network 'lan' is not active"))],
    "net-undefine": [("net-undefine lan", "Network lan has been undefined")],
}

NODEDEV = {
    "nodedev-list": [("nodedev-list", "computer")],
    "nodedev-dumpxml": [("nodedev-dumpxml computer", "<name>computer</name>")],
    "nodedev-info": [("nodedev-info computer", "Name:           computer")],
    "nodedev-event": [("nodedev-event --event lifecycle --timeout 1", No("events received: 0"))],
    "nodedev-create": [("nodedev-create {text}", No("Start tag expected"))],
    "nodedev-define": [("nodedev-define {text}", No("Start tag expected"))],
    "nodedev-destroy": [("nodedev-destroy computer", No("computer"))],
    "nodedev-undefine": [("nodedev-undefine computer", No("computer"))],
    "nodedev-start": [("nodedev-start computer", No("computer"))],
    "nodedev-autostart": [("nodedev-autostart computer", No("computer"))],
    "nodedev-detach": [("nodedev-detach computer", NO_DETACH)],
    "nodedev-reattach": [("nodedev-reattach computer", NO_DETACH)],
    "nodedev-reset": [("nodedev-reset computer", NO_DETACH)],
}

SECRET = {
    "secret-define": [("secret-define {secret}", "Secret {secret_uuid} created")],
    "secret-set-value": [("secret-set-value {secret_uuid} c2VjcmV0", "insecure")],
    "secret-get-value": [("secret-get-value {secret_uuid}", "c2VjcmV0")],
    "secret-list": [("secret-list", "{secret_uuid}   ceph mk-key")],
    "secret-dumpxml": [("secret-dumpxml {secret_uuid}", "<secret ephemeral='yes' private='no'>")],
    "secret-event": [("secret-event --event lifecycle --timeout 1", No("events received: 0"))],
    "secret-undefine": [("secret-undefine {secret_uuid}", "Secret {secret_uuid} deleted")],
}

POOL = {
    "pool-define": [("pool-define {pool}", "Pool images defined from")],
    "pool-define-as": [("pool-define-as more dir --target {folder}/more", "Pool more defined")],
    "pool-build": [("pool-build images", "Pool images built"),
                   ("pool-build more", "Pool more built")],
    "pool-start": [("pool-start images", "Pool images started")],
    "pool-autostart": [("pool-autostart images", "Pool images marked as autostarted")],
    "pool-create": [("pool-create {text}", No("Start tag expected"))],
    "pool-create-as": [("pool-create-as short dir --target {folder}/short --build",
                        "Pool short created")],
    "pool-list": [("pool-list --all", "more     inactive   no")],
    "pool-info": [("pool-info images", "State:          running")],
    "pool-name": [("pool-name {pool_uuid}", "images")],
    "pool-uuid": [("pool-uuid images", "{pool_uuid}")],
    "pool-dumpxml": [("pool-dumpxml images", "<pool type='dir'>")],
    "pool-edit": [("pool-edit images", "Pool images XML configuration edited")],
    "pool-refresh": [("pool-refresh images", "Pool images refreshed")],
    "pool-event": [("pool-event --event lifecycle --timeout 1", No("events received: 0"))],
    "pool-capabilities": [("pool-capabilities", "<pool type='dir' supported='yes'>")],
    "find-storage-pool-sources": [("find-storage-pool-sources dir",
                                   No("pool type 'dir' does not support source discovery"))],
    "find-storage-pool-sources-as": [("find-storage-pool-sources-as dir",
                                      No("pool type 'dir' does not support source discovery"))],
    "pool-destroy": [("pool-destroy short", "Pool short destroyed")],
    "pool-delete": [("pool-delete more", "Pool more deleted")],
    "pool-undefine": [("pool-undefine more", "Pool more has been undefined")],
}

VOLUME = {
    "vol-create-as": [("vol-create-as images disk 1M", "Vol disk created")],
    "vol-create": [("vol-create images {volume}", "Vol second created from")],
    "vol-create-from": [("vol-create-from images {volume_third} disk --inputpool images",
                         "Vol third created from input vol disk")],
    "vol-clone": [("vol-clone disk copy --pool images", "Vol copy cloned from disk")],
    "vol-list": [("vol-list images", "disk     ")],
    "vol-info": [("vol-info disk images", "Capacity:       1.00 MiB")],
    "vol-key": [("vol-key disk images", "/images/disk")],
    "vol-name": [("vol-name {folder}/images/disk", "disk")],
    "vol-path": [("vol-path disk images", "/images/disk")],
    "vol-pool": [("vol-pool {folder}/images/disk", "images")],
    "vol-dumpxml": [("vol-dumpxml disk images", "<volume type='file'>")],
    "vol-upload": [("vol-upload disk {text} images", "")],
    "vol-download": [("vol-download disk {folder}/down images --length 4", "")],
    "vol-resize": [("vol-resize disk 2M images", "Size of volume 'disk' successfully changed")],
    "vol-wipe": [("vol-wipe copy images", "Vol copy wiped")],
    "vol-delete": [("vol-delete copy images", "Vol copy deleted")],
}

VIRSH = {
    "cd": [("cd /", "" if NEWER_VIRSH else No("cd: command valid only in interactive mode"))],
    "echo": [("echo a b", "a b")],
    "exit": [("exit", "")],
    "help": [("help list", "list - list domains")],
    "pwd": [("pwd", "/")],
    "quit": [("quit", "")],
    "connect": [("connect {uri}", "")],
}

# The keyword of `virsh help`: its commands.
GROUPS = {
    "domain": DOMAIN, "monitor": MONITOR, "events": EVENTS, "host": HOST,
    "checkpoint": CHECKPOINT, "snapshot": SNAPSHOT, "backup": BACKUP, "virsh": VIRSH,
    "interface": INTERFACE, "filter": FILTER, "network": NETWORK, "nodedev": NODEDEV,
    "secret": SECRET, "pool": POOL, "volume": VOLUME,
}
RELAYED = ("interface", "filter", "network", "nodedev", "secret", "pool", "volume")
