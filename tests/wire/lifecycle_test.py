# SPDX-License-Identifier: LGPL-2.1-or-later
"""Starting, ending and everything between, by stock virsh."""

import libvirt

from harness import WireTest, pairs, run_until
from raw import OK, RawClient, number, read_error, string

GET_AUTOSTART_ONCE, SET_AUTOSTART_ONCE = 449, 450


class Lifecycle(WireTest):
    def test_start_and_destroy(self):
        self.define()
        self.assertEqual(self.virsh("start", "web"), "Domain 'web' started")
        self.assertEqual(self.state(), "running (booted)")
        self.assertEqual(self.virsh("destroy", "web"), "Domain 'web' destroyed")
        self.assertEqual(self.state(), "shut off (destroyed)")
        self.assertEqual(self.virsh("domid", "web"), "-")

    def test_destroy_gracefully(self):
        self.start()
        self.virsh("destroy", "web", "--graceful")
        self.assertEqual(self.state(), "shut off (destroyed)")

    def test_start_with_options_that_change_nothing(self):
        for option in ("--bypass-cache", "--force-boot"):
            with self.subTest(option=option):
                self.define(uuid="8f4e3f5e-6d1a-4f2e-9d0b-b7d9f5f0c001")
                self.virsh("start", "web", option)
                self.virsh("destroy", "web")

    def test_start_paused_boots_with_the_resume(self):
        self.define()
        self.virsh("start", "web", "--paused")
        self.assertEqual(self.state(), "paused (user)")
        self.virsh("suspend", "web")
        self.assertIn("resume boots it", self.virsh_fails("shutdown", "web"))
        self.assertIn("state.state=3", self.virsh("domstats", "web"))
        with self.terminal("console", "web") as console:
            console.expect("Escape character is")
            self.virsh("resume", "web")
            console.expect("Linux version")  # from the first line on
            console.expect("userspace is up")
        self.assertEqual(self.state(), "running (unpaused)")
        self.virsh("destroy", "web")

    def test_wrong_states_are_refused(self):
        self.define()
        for words in (["destroy", "web"], ["shutdown", "web"], ["reboot", "web"],
                      ["reset", "web"], ["dommemstat", "web"]):
            with self.subTest(command=words[0]):
                self.refused("Requested operation is not valid: domain is not running", *words)
        self.virsh("start", "web")
        domain = self.connect().lookupByName("web")
        self.assertEqual(self.assert_code(libvirt.VIR_ERR_OPERATION_INVALID, domain.create),
                         "Requested operation is not valid: domain is already running")
        self.refused("Domain is already active", "start", "web")

    def test_missing_kernel_is_named(self):
        self.define(kernel="/nonexistent/vmlinuz")
        self.assertIn("/nonexistent/vmlinuz", self.virsh_fails("start", "web"))
        self.assertEqual(self.state(), "shut off (failed)")

    def test_more_cpus_than_there_are_is_refused(self):
        self.define(vcpus="<vcpu>8</vcpu>")
        self.assertRegex(self.virsh_fails("start", "web"), "core|CPU")

    def test_more_memory_than_there_is_is_refused(self):
        self.define(memory="<memory unit='GiB'>64</memory>")
        self.assertRegex(self.virsh_fails("start", "web"), "[Mm]emory|KiB|MiB")

    def test_shutdown_by_every_mode_there_is(self):
        for mode in ([], ["--mode", "acpi"], ["--mode", "paravirt"], ["--mode", "acpi,agent"]):
            with self.subTest(mode=mode), self.lifecycle() as seen:
                self.define(uuid="8f4e3f5e-6d1a-4f2e-9d0b-b7d9f5f0c001")
                self.virsh("start", "web")
                self.booted()
                self.virsh("shutdown", "web", *mode)
                run_until(lambda: (libvirt.VIR_DOMAIN_EVENT_STOPPED,
                                   libvirt.VIR_DOMAIN_EVENT_STOPPED_SHUTDOWN) in seen)
                self.assertEqual(self.state(), "shut off (shutdown)")

    def test_modes_that_do_not_exist_here_are_refused(self):
        self.start()
        for mode in ("agent", "initctl", "signal"):
            for command in ("shutdown", "reboot"):
                with self.subTest(mode=mode, command=command):
                    self.assertIn("argument unsupported: ",
                                  self.virsh_fails(command, "web", "--mode", mode))
        self.assertEqual(self.state(), "running (booted)")

    def test_reboot_keeps_the_id(self):
        self.start()
        self.booted()
        number = self.virsh("domid", "web")
        connection = self.connect()
        rebooted = []
        connection.domainEventRegisterAny(
            None, libvirt.VIR_DOMAIN_EVENT_ID_REBOOT,
            lambda _conn, domain, _opaque: rebooted.append(domain.name()), None)
        self.virsh("reboot", "web")
        run_until(lambda: rebooted == ["web"])
        self.booted()
        self.virsh("reset", "web")
        run_until(lambda: rebooted == ["web", "web"])
        self.assertEqual(self.virsh("domid", "web"), number)
        self.assertTrue(self.state().startswith("running"))

    def test_crash_is_told_and_kept_if_asked(self):
        with self.lifecycle() as seen:
            self.start(more="  <on_crash>preserve</on_crash>\n")
            self.type("panic")
            run_until(lambda: (libvirt.VIR_DOMAIN_EVENT_CRASHED,
                               libvirt.VIR_DOMAIN_EVENT_CRASHED_PANICKED) in seen)
        self.assertEqual(self.state(), "crashed (panicked)")
        self.virsh("destroy", "web")
        self.assertEqual(self.state(), "shut off (destroyed)")

    def test_crash_ends_the_domain_otherwise(self):
        with self.lifecycle() as seen:
            self.start()
            self.type("panic")
            run_until(lambda: (libvirt.VIR_DOMAIN_EVENT_STOPPED,
                               libvirt.VIR_DOMAIN_EVENT_STOPPED_CRASHED) in seen)
        self.assertEqual(self.state(), "shut off (crashed)")

    def test_hung_app_kernel_can_be_destroyed(self):
        self.start()
        self.type("hang")
        self.virsh("destroy", "web")
        self.virsh("start", "web")
        self.assertEqual(self.state(), "running (booted)")

    def test_autostart_is_kept(self):
        self.define()
        self.assertEqual(pairs(self.virsh("dominfo", "web"))["Autostart"], "disable")
        self.virsh("autostart", "web")
        self.assertEqual(pairs(self.virsh("dominfo", "web"))["Autostart"], "enable")
        self.virsh("autostart", "web", "--disable")
        self.assertEqual(pairs(self.virsh("dominfo", "web"))["Autostart"], "disable")

    def test_autostart_once_is_kept_beside_autostart(self):
        self.define()
        domain = string(b"web") + self.connect().lookupByName("web").UUID() + number(-1)
        client = RawClient(self.daemon)  # virsh knows it since 11.2
        self.addCleanup(client.end)
        self.assertEqual(client.call(GET_AUTOSTART_ONCE, domain).payload, number(0))
        self.assertEqual(client.call(SET_AUTOSTART_ONCE, domain + number(1)).status, OK)
        self.assertEqual(client.call(GET_AUTOSTART_ONCE, domain).payload, number(1))
        self.assertEqual(pairs(self.virsh("dominfo", "web"))["Autostart"], "disable")
        self.virsh("domrename", "web", "shop")
        self.assertEqual(client.call(GET_AUTOSTART_ONCE, domain).payload, number(1))
        self.virsh("undefine", "shop")
        self.virsh("create", self.xml_file(self.xml()))
        domain = string(b"web") + self.connect().lookupByName("web").UUID() + number(-1)
        reply = client.call(SET_AUTOSTART_ONCE, domain + number(1))
        self.assertEqual(read_error(reply)[0], libvirt.VIR_ERR_OPERATION_INVALID)

    def test_transient_domain_cannot_autostart(self):
        self.virsh("create", self.xml_file(self.xml()))
        self.refused("Requested operation is not valid: cannot set autostart for transient domain",
                     "autostart", "web")

    def test_twenty_starts_leave_nothing_behind(self):
        self.define()
        free = self.virsh("freecell")
        for _ in range(20):
            self.virsh("start", "web")
            self.virsh("destroy", "web")
        self.assertEqual(self.virsh("freecell"), free)

    def test_actions_that_mean_nothing_here_say_so(self):
        self.start()
        for words in (["save", "web", "/tmp/x"],
                      ["managedsave", "web"], ["restore", "/tmp/x"],
                      ["snapshot-create-as", "web", "s"]):
            with self.subTest(command=words[0]):
                complaint = self.virsh_fails(*words)
                self.assertIn("error: Operation not supported: ", complaint)
        self.assertEqual(self.state(), "running (booted)")

    def lifecycle(self):
        return LifecycleEvents(self.connect())

    def booted(self):
        """Waits for the app kernel's shell."""
        with self.terminal("console", "web", "--force") as console:
            console.expect("userspace is up")

    def type(self, line):
        with self.terminal("console", "web", "--force") as console:
            console.expect("userspace is up")
            console.sendline(line)
            console.expect(line)


class LifecycleEvents:
    """A list of the (event, detail) pairs that come while the context is open."""

    def __init__(self, connection):
        self.connection = connection
        self.seen = []

    def __enter__(self):
        self.callback = self.connection.domainEventRegisterAny(
            None, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE,
            lambda _conn, _domain, event, detail, _opaque: self.seen.append((event, detail)), None)
        return self.seen

    def __exit__(self, *_):
        self.connection.domainEventDeregisterAny(self.callback)
