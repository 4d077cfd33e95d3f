# SPDX-License-Identifier: LGPL-2.1-or-later
"""multikernel+ssh://: stock clients, stock sshd, and virt-ssh-helper or nc behind it."""

import libvirt
import pexpect

from admin_test import AdminTest
from auth_test import PolkitTest
from console_test import ESCAPE
from harness import LIMIT_S, close_quietly, run_until, table
from sshd import HELPER, NETCAT, Sshd, make_key

LOST = "error: failed to connect to the hypervisor"


class SshTest(AdminTest):
    programs = HELPER

    def setUp(self):
        super().setUp()
        folder = self.daemon.folder / "ssh"
        folder.mkdir()
        self.sshd = Sshd(folder, self.daemon.folder, self.programs)
        self.sshd.start()
        self.addCleanup(self.sshd.stop)
        self.by = {}  # more parameters of the URI
        self.daemon.uri = lambda readonly=False: self.sshd.uri(**self.by)

    def socket(self, end=""):
        return f"/run/libvirt/virtmultikerneld-sock{end}"

    def peer(self):
        """(program, readonly) that the daemon sees at the other end of the newest connection."""
        info = self.info(self.clients()[-1][0])
        with open(f"/proc/{info['unix_process_id']}/comm", encoding="ascii") as name:
            return name.read().strip(), info["readonly"]

    def check(self, program, **by):
        """`by` leads through `program`, for those who work and those who only look."""
        self.by = by
        connection = self.connect()
        self.assertEqual(self.peer(), (program, "no"))
        domain = connection.defineXML(self.xml())
        domain.create()
        self.assertEqual([each.name() for each in connection.listAllDomains()], ["web"])
        connection = self.connect(readonly=True)
        self.assertEqual(self.peer(), (program, "yes"))
        self.assertEqual(connection.lookupByName("web").isActive(), 1)
        self.assert_code(libvirt.VIR_ERR_OPERATION_DENIED, connection.defineXML, self.xml())

    def complaint(self):
        done = self.run_virsh("list")
        self.assertEqual((done.returncode, done.stdout), (1, ""), done.stderr)
        self.assertTrue(done.stderr.startswith(LOST), done.stderr)
        return done.stderr


class Helper(SshTest):
    def test_it_is_taken_by_itself(self):
        self.check("virt-ssh-helper")

    def test_it_is_taken_when_it_is_named(self):
        self.check("virt-ssh-helper", proxy="native")

    def test_it_finds_the_socket_itself_whatever_the_uri_says(self):
        self.by = {"proxy": "native", "socket": "/nonexistent"}
        if libvirt.getVersion() < 10_000_000:
            self.virsh("list")
        else:  # libvirt 12.8's tells the helper, which does as it is told
            self.assertIn("virt-ssh-helper: cannot connect to '/nonexistent'", self.complaint())
            self.by["socket"] = self.socket()
            self.virsh("list")
        self.by = {"mode": "direct"}
        self.assertIn("Cannot use direct socket mode for ssh transport", self.complaint())

    def test_those_who_only_look_come_by_their_own_socket(self):
        (self.daemon.folder / "virtmultikerneld-sock").unlink()
        self.virsh("list", readonly=True)


class Netcat(SshTest):
    programs = NETCAT

    def test_it_is_taken_where_the_socket_is_named(self):
        self.check("nc", socket=self.socket())

    def test_it_is_taken_when_it_is_named(self):
        self.check("nc", socket=self.socket(), proxy="netcat")
        self.by = {"socket": self.socket(), "netcat": "nc"}
        self.virsh("list")

    def test_socket_for_those_who_only_look(self):
        self.by = {"socket": self.socket("-ro")}
        self.virsh("list", readonly=True)
        connection = self.connect()  # which is not what it says
        self.assertEqual(self.assert_code(libvirt.VIR_ERR_OPERATION_DENIED, connection.defineXML,
                                          self.xml()),
                         "operation forbidden: read only access prevents virDomainDefineXML")

    def test_without_helper_and_socket_the_client_looks_for_libvirtd(self):
        self.assertIn("libvirt-sock: No such file or directory", self.complaint())
        self.by = {"proxy": "native"}
        self.assertIn("virt-ssh-helper: not found", self.complaint())


class Work(SshTest):
    def test_virsh_does_over_ssh_what_it_does_over_the_socket(self):
        self.start("web")
        self.assertEqual([row[1:] for row in table(self.virsh("list"))], [["web", "running"]])
        self.assertEqual(self.virsh("domstate", "web", readonly=True), "running")
        self.refused("operation forbidden: read only access prevents virDomainDestroy",
                     "destroy", "web", readonly=True)
        self.virsh("destroy", "web")

    def test_console_goes_both_ways_and_can_be_left(self):
        self.start("web")
        with self.terminal("console", "web") as console:
            console.expect_exact("Escape character")
            self.wake(console)
            console.send("echo over ssh\r")
            console.expect_exact("\r\nover ssh\r\n")
            console.send(ESCAPE)
            console.expect(pexpect.EOF)
        self.assertEqual(console.exitstatus, 0)
        self.assertEqual(self.state("web"), "running (booted)")

    def console_ends(self, end):
        self.start("web")
        with self.terminal("console", "web") as console:
            console.expect("userspace is up")
            end()
            console.expect(pexpect.EOF)
        self.assertEqual(console.exitstatus, 0)

    def test_console_ends_with_the_domain(self):
        self.console_ends(lambda: self.virsh("destroy", "web"))

    def test_console_ends_with_the_daemon(self):
        self.console_ends(self.daemon.process.terminate)
        self.daemon.process.wait(LIMIT_S)  # a second signal would cut its end short

    def test_viewer_that_dies_leaves_the_console_free(self):
        self.start("web")
        self.check_that_a_dead_viewer_leaves_its_console()

    def test_events_arrive(self):
        connection, other = self.connect(), self.connect()
        seen = self.lifecycle_events(connection)
        domain = other.defineXML(self.xml("web"))
        domain.create()
        domain.destroy()
        run_until(lambda: len(seen) >= 3)
        self.assertEqual(seen, [("web", libvirt.VIR_DOMAIN_EVENT_DEFINED),
                                ("web", libvirt.VIR_DOMAIN_EVENT_STARTED),
                                ("web", libvirt.VIR_DOMAIN_EVENT_STOPPED)])

    def test_megabytes_arrive_whole(self):
        text = "".join(f"{i:07x}\n" for i in range(3 << 17))  # 3 MiB
        domain = self.connect().defineXML(self.xml(more=f"<description>{text}</description>"))
        self.assertIn(text, domain.XMLDesc())

    def test_library_calls_it_secure(self):
        connection = self.connect()
        self.assertEqual((connection.isSecure(), connection.getURI()), (1, self.sshd.uri()))

    def test_client_learns_that_the_daemon_died(self):
        self.kill_daemon(self.connect())
        self.daemon.start()
        self.assertEqual(self.connect().getType(), "multikernel")

    def test_other_transports_over_ssh(self):
        for transport in ("libssh", "libssh2"):
            uri = self.sshd.uri(known_hosts=self.sshd.folder / "known", sshauth="privkey",
                                known_hosts_verify="normal")
            with self.subTest(transport=transport):
                connection = libvirt.open(uri.replace("+ssh", f"+{transport}"))
                self.addCleanup(close_quietly, connection)
                self.assertEqual(connection.getType(), "multikernel")


class Strangers(SshTest):
    def test_key_that_nobody_knows(self):
        self.by = {"keyfile": make_key(self.sshd.folder / "other")}
        self.assertIn("Permission denied (publickey)", self.complaint())

    def test_host_that_is_not_the_one_it_was(self):
        known = self.sshd.folder / "known"
        make_key(self.sshd.folder / "another")
        name = known.read_text(encoding="utf-8").split()[0]
        key = (self.sshd.folder / "another.pub").read_text(encoding="utf-8")
        known.write_text(f"{name} {key}", encoding="utf-8")
        self.assertIn("Host key verification failed", self.complaint())
        known.write_text("", encoding="utf-8")
        self.assertIn("Host key verification failed", self.complaint())

    def test_nobody_listens(self):
        self.sshd.stop()
        self.assertIn("Connection refused", self.complaint())

    def test_host_without_our_daemon(self):
        self.daemon.process.terminate()
        self.assertEqual(self.daemon.process.wait(LIMIT_S), 0)
        self.assertIn("virt-ssh-helper: cannot connect to '/var/run/libvirt/libvirt-sock': Failed "
                      "to connect socket to '/var/run/libvirt/libvirt-sock': No such file or "
                      "directory", self.complaint())


class Users(SshTest, PolkitTest):
    """Who logs in is whom polkit is asked about."""

    def setUp(self):
        super().setUp()
        self.daemon.uri = lambda readonly=False: self.sshd.uri("nobody")

    def test_whom_a_rule_allows_is_let_in(self):
        self.bus.polkit('return action.id == "org.libvirt.unix.manage" && subject.user == "nobody"'
                        ' ? polkit.Result.YES : polkit.Result.NO;')
        self.start("web")
        self.assertEqual(self.state("web"), "running (booted)")

    def test_whom_a_rule_denies_is_told_so(self):
        self.bus.polkit("return polkit.Result.NO;")
        self.assertIn("error: authentication failed: access denied by policy", self.complaint())

    def test_anyone_may_look(self):
        self.bus.polkit("")  # libvirt's defaults
        self.virsh("list", readonly=True)
        self.assertIn("error: authentication unavailable: no polkit agent available",
                      self.complaint())


class Inside(SshTest):
    programs = ("sh", "virsh", "virt-admin")

    def test_without_parameters_the_sockets_are_found_where_libvirt_has_them(self):
        done = self.sshd.run("virsh", "-c", "multikernel:///system", "list", "--all", "--name")
        self.assertEqual((done.stdout.strip(), done.stderr), ("", ""))
        done = self.sshd.run("virt-admin", "-c", "virtmultikerneld:///system", "srv-list")
        self.assertEqual((table(done.stdout), done.stderr),
                         ([["0", "virtmultikerneld"], ["1", "admin"]], ""))
