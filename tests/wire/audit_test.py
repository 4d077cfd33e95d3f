# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the audit trail is told of domains: the lines that audit_logging puts into our log.

That they reach the kernel is shown in tests/machine: the trail of this host is left alone.
"""

import re
import subprocess
import sys

import libvirt

from harness import FAKE_DAEMON, LIMIT_S, WireTest, run_until

UUID = "8f5bd7b2-12b2-4fbb-b263-7c3e4dc7a79d"
DIMM = ("<memory model='dimm'><target><size unit='MiB'>128</size><node>0</node></target>"
        "</memory>")
MIB = 1024

# Runs a command for which the kernel has no audit: socket(AF_NETLINK, _, NETLINK_AUDIT) fails as
# one that was booted with audit=0 says it. A filter of seccomp(2), in BPF: if the call is
# socket (41) and its third argument 9, EPROTONOSUPPORT (93), else allow.
WITHOUT_AUDIT = """
import ctypes, os, struct, sys
code = b"".join(struct.pack("HBBI", *line) for line in (
    (0x20, 0, 0, 0), (0x15, 0, 3, 41), (0x20, 0, 0, 32), (0x15, 0, 1, 9),
    (0x06, 0, 0, 0x00050000 | 93), (0x06, 0, 0, 0x7fff0000)))
bpf = ctypes.create_string_buffer(code)
program = ctypes.create_string_buffer(struct.pack("HxxxxxxP", 6, ctypes.addressof(bpf)))
libc = ctypes.CDLL(None, use_errno=True)
if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, ctypes.byref(program), 0, 0):
    sys.exit(os.strerror(ctypes.get_errno()))
os.execvp(sys.argv[1], sys.argv[1:])
"""


class AuditTest(WireTest):
    daemon_conf = "audit_level = 0\naudit_logging = 1\nlog_level = 2\n"

    def records(self):
        """["yes op=start …"], of all that came so far, without what all of `web` have."""
        lines = re.findall(r"(info|warning) : util\.audit:\d+ : success=(yes|no) "
                           r"virt=multikernel (.*)\n", self.daemon.log_text())
        for level, success, text in lines:
            self.assertEqual(level == "info", success == "yes", text)
        return [f"{success} {text}".replace(f' vm="web" uuid={UUID}', "")
                for _, success, text in lines]

    def records_after(self, before):
        return self.records()[len(before):]


class Starts(AuditTest):
    def test_start_tells_what_the_domain_got(self):
        self.start(uuid=UUID, vcpus="<vcpu current='2'>3</vcpu>")
        tty = self.virsh("ttyconsole", "web")
        self.assertEqual(self.records(), [
            f'yes resrc=chardev reason=start old-chardev="?" new-chardev="{tty}"',
            f"yes resrc=mem reason=start old-mem=0 new-mem={256 * MIB}",
            "yes resrc=vcpu reason=start old-vcpu=0 new-vcpu=2",
            "yes op=start reason=booted vm-pid=0"])

    def test_failed_start_says_so_of_all_it_wanted(self):
        self.define(uuid=UUID, vcpus="<vcpu>8</vcpu>")
        self.virsh_fails("start", "web")
        self.assertEqual(self.records(), [
            f"no resrc=mem reason=start old-mem=0 new-mem={256 * MIB}",
            "no resrc=vcpu reason=start old-vcpu=0 new-vcpu=8",
            "no op=start reason=booted vm-pid=0"])

    def test_transient_domain_is_told_of_too(self):
        self.virsh("create", self.xml_file(self.xml(uuid=UUID)))
        self.assertEqual(self.records()[-1], "yes op=start reason=booted vm-pid=0")

    def test_name_that_could_forge_fields_is_in_hexadecimal(self):
        name = 'w" uuid=x ü'
        self.start(name, uuid=UUID)
        encoded = name.encode().hex().upper()
        for record in self.records():
            self.assertIn(f" vm={encoded} uuid={UUID} ", record)


class Stops(AuditTest):
    def setUp(self):
        super().setUp()
        self.start(uuid=UUID)
        with self.terminal("console", "web") as console:
            console.expect("userspace is up")
        self.before = self.records()
        self.stops = []
        self.connect().domainEventRegisterAny(
            None, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE,
            lambda _conn, _domain, event, *_: self.stops.append(event), None)

    def since(self):
        return self.records_after(self.before)

    def since_the_stop(self):
        """Returns once it has stopped."""
        run_until(lambda: libvirt.VIR_DOMAIN_EVENT_STOPPED in self.stops)
        return self.since()

    def test_destroyed(self):
        self.virsh("destroy", "web")
        self.assertEqual(self.since(), ["yes op=stop reason=destroyed vm-pid=0"])

    def test_shut_down(self):
        self.virsh("shutdown", "web")
        self.assertEqual(self.since_the_stop(), ["yes op=stop reason=shutdown vm-pid=0"])

    def test_crashed(self):
        with self.terminal("console", "web") as console:
            self.wake(console)
            console.sendline("panic")
            self.assertEqual(self.since_the_stop(), ["yes op=stop reason=crashed vm-pid=0"])

    def test_reboot_that_finds_no_kernel_any_more(self):
        (self.daemon.sandbox / "vmlinuz").unlink()
        self.virsh("reboot", "web")
        self.assertEqual(self.since_the_stop(), ["yes op=stop reason=failed vm-pid=0"])

    def test_reset_is_no_stop(self):
        self.virsh("reset", "web")
        self.assertEqual(self.since(), [])

    def test_partition_that_is_gone_when_the_daemon_comes_back(self):
        self.daemon.kill()
        (self.daemon.sandbox / "partitions").unlink()
        self.daemon.start()
        self.assertEqual(self.since(), ["yes op=stop reason=crashed vm-pid=0"])

    def test_partition_that_is_there_when_the_daemon_comes_back(self):
        self.daemon.restart()
        self.assertEqual(self.since(), [])
        self.virsh("destroy", "web")
        self.assertEqual(self.since(), ["yes op=stop reason=destroyed vm-pid=0"])


class Changes(AuditTest):
    def setUp(self):
        super().setUp()
        self.start(uuid=UUID, vcpus="<vcpu current='1'>4</vcpu>",
                   memory="<maxMemory slots='2' unit='MiB'>1024</maxMemory>"
                          "<memory unit='MiB'>256</memory>")
        with self.terminal("console", "web") as console:
            console.expect("userspace is up")
        self.before = self.records()

    def test_each_vcpu_that_comes_and_goes(self):
        self.virsh("setvcpus", "web", "3", "--live")
        self.virsh("vcpupin", "web", "1", "6", "--live")  # another CPU, not more of them
        self.virsh("setvcpu", "web", "1", "--disable", "--live")
        self.assertEqual(self.records_after(self.before), [
            "yes resrc=vcpu reason=update old-vcpu=1 new-vcpu=2",
            "yes resrc=vcpu reason=update old-vcpu=2 new-vcpu=3",
            "yes resrc=vcpu reason=update old-vcpu=3 new-vcpu=2"])

    def test_vcpu_that_cannot_be_had(self):
        self.virsh("setvcpus", "web", "3", "--live")
        self.start("shop", vcpus="<vcpu>4</vcpu>")
        before = self.records()
        self.virsh_fails("setvcpus", "web", "4", "--live")
        self.assertEqual(self.records_after(before),
                         ["no resrc=vcpu reason=update old-vcpu=3 new-vcpu=4"])

    def test_memory(self):
        self.virsh("setmem", "web", "512M", "--live")
        self.virsh("setmem", "web", "128M", "--live")
        records = self.records_after(self.before)
        self.assertEqual(records[0], "yes resrc=mem reason=update "
                                     f"old-mem={256 * MIB} new-mem={512 * MIB}")
        # What came last goes back, and then the balloon takes the rest.
        self.assertEqual(records[1:], [
            f"yes resrc=mem reason=update old-mem={512 * MIB} new-mem={256 * MIB}",
            f"yes resrc=mem reason=update old-mem={256 * MIB} new-mem={128 * MIB}"])

    def test_memory_device(self):
        domain = self.connect().lookupByName("web")
        domain.attachDeviceFlags(DIMM, libvirt.VIR_DOMAIN_AFFECT_LIVE)
        domain.detachDeviceFlags(DIMM, libvirt.VIR_DOMAIN_AFFECT_LIVE)
        self.assertEqual(self.records_after(self.before), [
            f"yes resrc=mem reason=update old-mem={256 * MIB} new-mem={384 * MIB}",
            f"yes resrc=mem reason=update old-mem={384 * MIB} new-mem={256 * MIB}"])

    def test_memory_device_that_is_given_up_in_part(self):
        domain = self.connect().lookupByName("web")
        domain.attachDeviceFlags(DIMM, libvirt.VIR_DOMAIN_AFFECT_LIVE)
        with self.terminal("console", "web", "--force") as console:
            self.wake(console)
            console.sendline(f"busy {64 * MIB}")
            self.wake(console)
        before = self.records()
        self.assert_code(libvirt.VIR_ERR_OPERATION_FAILED, domain.detachDeviceFlags, DIMM,
                         libvirt.VIR_DOMAIN_AFFECT_LIVE)
        self.assertEqual(self.records_after(before), [
            f"yes resrc=mem reason=update old-mem={384 * MIB} new-mem={320 * MIB}",
            f"no resrc=mem reason=update old-mem={320 * MIB} new-mem={256 * MIB}"])

    def test_what_is_refused_or_only_defined_is_no_change(self):
        self.virsh_fails("setvcpus", "web", "5", "--live")
        self.virsh_fails("setmem", "web", "2G", "--live")
        self.virsh("setvcpus", "web", "2", "--config")
        self.virsh("vcpupin", "web", "0", "1-4", "--config")
        self.assertEqual(self.records_after(self.before), [])


class Off(AuditTest):
    daemon_conf = "audit_level = 0\n"

    def test_our_log_has_none_unless_it_is_asked_for(self):
        self.start(uuid=UUID)
        self.assertEqual(self.records(), [])


class KernelWithoutAudit(AuditTest):
    daemon_conf = "audit_level = 1\naudit_logging = 1\nlog_level = 2\n"
    daemon_wrapper = (sys.executable, "-c", WITHOUT_AUDIT)

    def test_domains_start_all_the_same(self):
        self.start(uuid=UUID)
        self.assertEqual(self.records()[-1], "yes op=start reason=booted vm-pid=0")
        self.assertIn("the kernel does not support auditing: no audit records are written",
                      self.daemon.log_text())
        self.assertNotIn("could not be written", self.daemon.log_text())

    def test_daemon_that_must_have_it_does_not_start(self):
        folder = self.daemon.folder / "second"
        folder.mkdir()
        path = folder / "required.conf"
        path.write_text("audit_level = 2\n", encoding="utf-8")
        done = subprocess.run(
            [*self.daemon_wrapper, FAKE_DAEMON, "--config", path, "--socket-dir", folder],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LIMIT_S, check=False,
            env=self.environment({"TMPDIR": str(self.daemon.folder)}))
        self.assertEqual(
            (done.returncode, done.stderr),
            (1, "fake-daemon: unsupported configuration: audit_level is 2, and the kernel does "
                "not support auditing\n"))
