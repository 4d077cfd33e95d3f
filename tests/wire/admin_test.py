# SPDX-License-Identifier: LGPL-2.1-or-later
"""Stock virt-admin on the admin socket."""

import os
import re
import stat
import subprocess
import time

from harness import LIMIT_S, WireTest, pairs, table
from raw import GET_TYPE, OK, RawClient, frame, number, read_error, string

ADMIN = 0x06900690
# ADMIN_PROC_…
ADMIN_OPEN, ADMIN_SET_THREADPOOL, ADMIN_CLOSE_CLIENT, ADMIN_SHUTDOWN = 1, 7, 11, 20
SOCKET = "virtmultikerneld-admin-sock"
MAIN = "virtmultikerneld"


class AdminTest(WireTest):
    def run_admin(self, *words):
        uri = f"virtmultikerneld:///system?socket={self.daemon.folder / SOCKET}"
        return subprocess.run(["virt-admin", "-c", uri, *words], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=LIMIT_S, check=False,
                              env=self.environment())

    def admin(self, *words):
        """What it printed; it must succeed and not complain."""
        done = self.run_admin(*words)
        self.assertEqual((done.returncode, done.stderr), (0, ""), words)
        return done.stdout.rstrip("\n")

    def admin_refused(self, text, *words):
        done = self.run_admin(*words)
        self.assertNotEqual(done.returncode, 0, done.stdout)
        self.assertIn("error: " + text, done.stderr)

    def raw(self, name=SOCKET):
        client = RawClient(self.daemon, opened=False, name=name)
        self.addCleanup(client.socket.close)
        return client

    def served(self, **options):
        """A client of the other server."""
        client = RawClient(self.daemon, **options)
        self.addCleanup(client.socket.close)
        return client

    def info(self, client, server=MAIN, uri=()):
        """What is told of the client with that id; `uri` is -c and another daemon's."""
        said = self.admin(*uri, "client-info", server, client)
        return dict(re.split(r"\s*: ", line, maxsplit=1) for line in said.split("\n")
                    if ": " in line)

    def clients(self, server=MAIN):
        """[(id, transport, since)]"""
        return table(self.admin("srv-clients-list", server))

    def limits(self, server=MAIN):
        return {key: int(value) for key, value in
                pairs(self.admin("srv-clients-info", server)).items()}

    def workers(self, server=MAIN):
        return {key: int(value) for key, value in
                pairs(self.admin("srv-threadpool-info", server)).items()}


class Socket(AdminTest):
    def test_it_is_for_root_only(self):
        status = os.stat(self.daemon.folder / SOCKET)
        self.assertTrue(stat.S_ISSOCK(status.st_mode))
        self.assertEqual((oct(stat.S_IMODE(status.st_mode)), status.st_uid),
                         ("0o700", os.geteuid()))

    def test_nobody_else_is_served_whatever_its_mode_is(self):
        os.chmod(self.daemon.folder, 0o755)
        os.chmod(self.daemon.folder / SOCKET, 0o777)
        done = subprocess.run(
            ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "virt-admin",
             "-c", f"virtmultikerneld:///system?socket={self.daemon.folder / SOCKET}", "srv-list"],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LIMIT_S, check=False,
            env=self.environment())
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("user 65534", self.daemon.log_text())
        self.assertEqual(table(self.admin("srv-list"))[0], ["0", "virtmultikerneld"])

    def test_it_serves_no_domains_and_the_others_no_administration(self):
        client = self.raw()
        reply = client.call(GET_TYPE)
        self.assertEqual(read_error(reply)[0], 39)
        self.assertIn("Cannot find program", read_error(reply)[2])
        client = self.served()
        reply = client.call(ADMIN_OPEN, number(0), program=ADMIN)
        self.assertIn("Cannot find program", read_error(reply)[2])


class Servers(AdminTest):
    def test_there_are_two(self):
        self.assertEqual(table(self.admin("srv-list")), [["0", "virtmultikerneld"], ["1", "admin"]])

    def test_unknown_server(self):
        for words in (("srv-clients-list", "libvirtd"), ("srv-threadpool-info", "Admin"),
                      ("srv-clients-info", "x" * 1000), ("srv-threadpool-set", "x",
                                                         "--max-workers", "9")):
            with self.subTest(words=words):
                self.admin_refused(f"Server not found: No server named '{words[1]}'", *words)


class Clients(AdminTest):
    def test_list_and_details(self):
        before = int(time.time())
        client = self.served()
        rows = self.clients()
        self.assertEqual(len(rows), 1)
        self.assertEqual(rows[0][1], "unix")
        details = self.info(rows[0][0])
        self.assertGreaterEqual(
            time.mktime(time.strptime(details["connection_time"][:19], "%Y-%m-%d %H:%M:%S")),
            before - 1)
        self.assertEqual(
            {name: details.get(name) for name in ("id", "transport", "readonly", "unix_user_id",
                                                  "unix_user_name", "unix_group_id",
                                                  "unix_group_name", "unix_process_id")},
            {"id": rows[0][0], "transport": "unix", "readonly": "no",
             "unix_user_id": str(os.geteuid()), "unix_user_name": "root",
             "unix_group_id": str(os.getegid()), "unix_group_name": "root",
             "unix_process_id": str(os.getpid())})
        client.end()
        self.assertEqual([self.clients(), len(self.clients("admin"))], [[], 1])

    def test_disconnect(self):
        stays, goes = self.served(), self.served()
        first, second = (row[0] for row in self.clients())
        self.assertIn("disconnected", self.admin("client-disconnect", MAIN, second))
        self.assertIsNone(goes.receive())
        self.assertEqual(stays.call(GET_TYPE).status, OK)
        self.assertEqual([row[0] for row in self.clients()], [first])

    def test_unknown_client(self):
        for words in (("client-info", MAIN, "77"), ("client-disconnect", MAIN, "0"),
                      ("client-info", "admin", "18446744073709551615")):
            with self.subTest(words=words):
                self.admin_refused(f"Client not found: No client with matching ID '{words[2]}'",
                                   *words)

    def test_client_may_disconnect_itself(self):
        client = self.raw()
        client.call(ADMIN_OPEN, number(0), program=ADMIN)
        ids = [int(row[0]) for row in self.clients("admin")]
        arguments = string(b"admin") + bytes(4) + number(min(ids)) + bytes(8 + 4) + number(0)
        self.assertEqual(client.call(ADMIN_CLOSE_CLIENT, arguments, program=ADMIN).status, OK)
        self.assertIsNone(client.receive())


class ClientLimits(AdminTest):
    daemon_conf = "max_clients = 30\nmax_anonymous_clients = 10\n"

    def test_limits_are_told_and_set_and_felt(self):
        first = self.served()
        self.assertEqual(self.limits(), {"nclients_max": 30, "nclients": 1,
                                         "nclients_unauth_max": 10, "nclients_unauth": 0})
        self.admin("srv-clients-set", MAIN, "--max-clients", "1", "--max-unauth-clients", "1")
        second = self.served(opened=False)
        second.send(frame(GET_TYPE, serial=7))
        self.assertEqual(self.limits(), {"nclients_max": 1, "nclients": 1,
                                         "nclients_unauth_max": 1, "nclients_unauth": 0})
        self.assertFalse(second.has_something())
        self.admin("srv-clients-set", MAIN, "--max-clients", "2")
        self.assertEqual(second.receive().serial, 7)
        first.end()
        second.end()

    def test_mistakes(self):
        self.admin_refused("invalid argument: the number of clients that wait", "srv-clients-set",
                           MAIN, "--max-clients", "9")
        self.admin_refused("invalid argument: the number of clients that wait", "srv-clients-set",
                           MAIN, "--max-unauth-clients", "31")
        for value in ("many", "-1", "4294967296"):
            self.admin_refused("Unable to parse integer parameter 'max-clients'",
                               "srv-clients-set", MAIN, "--max-clients", value)
        self.assertEqual(self.limits()["nclients_max"], 30)

    def test_admin_server_has_limits_of_its_own(self):
        self.assertEqual(self.limits("admin"), {"nclients_max": 5, "nclients": 1,
                                                "nclients_unauth_max": 0, "nclients_unauth": 0})


class Workers(AdminTest):
    daemon_conf = ("min_workers = 2\nmax_workers = 4\nprio_workers = 1\n"
                   "admin_min_workers = 1\nadmin_max_workers = 2\n")

    def test_threads_are_told_and_set(self):
        now = self.workers()
        self.assertEqual([now[name] for name in ("minWorkers", "maxWorkers", "prioWorkers")],
                         [2, 4, 1])
        self.assertTrue(2 <= now["nWorkers"] <= 4, now)
        self.admin("srv-threadpool-set", MAIN, "--min-workers", "7", "--max-workers", "7",
                   "--priority-workers", "2")
        now = self.workers()
        self.assertEqual((now["minWorkers"], now["maxWorkers"], now["nWorkers"],
                          now["prioWorkers"]), (7, 7, 7, 2))
        self.admin("srv-threadpool-set", MAIN, "--min-workers", "1", "--max-workers", "1")
        for _ in range(LIMIT_S):  # each leaves when it has nothing to do
            if self.workers()["nWorkers"] == 1:
                break
        self.assertEqual(self.workers()["nWorkers"], 1)
        self.assertEqual(self.workers("admin")["maxWorkers"], 2)

    def test_mistakes(self):
        self.admin_refused("invalid argument: minWorkers cannot be larger than maxWorkers",
                           "srv-threadpool-set", MAIN, "--min-workers", "5")
        self.admin_refused("invalid argument: maxWorkers must not be zero",
                           "srv-threadpool-set", MAIN, "--min-workers", "0", "--max-workers", "0")
        self.admin_refused("invalid argument: there are at most 10000 workers",
                           "srv-threadpool-set", MAIN, "--max-workers", "4294967295")
        self.assertEqual(self.workers()["maxWorkers"], 4)

    def test_parameters_that_no_stock_client_sends(self):
        client = self.raw()
        server = string(MAIN.encode())

        def parameter(field, type_=2, value=number(3)):
            return string(field) + number(type_) + value
        for parameters, code, sentence in (
                ([parameter(b"nWorkers")], 74, "parameter 'nWorkers' not supported"),
                ([parameter(b"maxWorkers", 1)], 8, "must be an unsigned int"),
                ([parameter(b"maxWorkers")] * 2, 8, "occurs multiple times"),
                ([parameter(b"maxWorkers", 9)], 39, "Unable to decode message payload"),
                ([parameter(b"maxWorkers")] * 33, 39, "Unable to decode message payload")):
            with self.subTest(sentence=sentence):
                reply = client.call(
                    ADMIN_SET_THREADPOOL, server + number(len(parameters)) + b"".join(parameters)
                    + number(0), program=ADMIN)
                self.assertEqual(read_error(reply)[0], code)
                self.assertIn(sentence, read_error(reply)[2])
        reply = client.call(ADMIN_OPEN, number(1), program=ADMIN)
        self.assertEqual(read_error(reply)[0], 8)
        self.assertIn("unsupported flags (0x1) in function virAdmConnectOpen", read_error(reply)[2])
        reply = client.call(21, program=ADMIN)
        self.assertEqual(read_error(reply)[2], "unknown procedure: 21")


class Logging(AdminTest):
    daemon_conf = "log_level = 2\n"

    def test_filters(self):
        self.assertEqual(self.admin("daemon-log-filters").split(), ["Logging", "filters:"])
        self.virsh_fails("domstate", "nobody")
        self.assertNotIn("nobody", self.daemon.log_text())
        self.admin("daemon-log-filters", "--filters", "1:dispatch 3:util.log")
        self.assertEqual(self.admin("daemon-log-filters").split(": ")[1].strip(),
                         "1:*dispatch* 3:*util.log*")
        self.virsh_fails("domstate", "nobody")
        self.assertIn("no domain with matching name 'nobody'", self.daemon.log_text())
        self.admin("daemon-log-filters", "--filters", "")
        self.assertEqual(self.admin("daemon-log-filters").split(), ["Logging", "filters:"])

    def test_outputs(self):
        path = self.daemon.folder / "more.log"
        self.assertEqual(self.admin("daemon-log-outputs").split(": ")[1].strip(), "1:stderr")
        self.admin("daemon-log-outputs", "--outputs", f"1:file:{path} 4:stderr")
        self.assertEqual(self.admin("daemon-log-outputs").split(": ")[1].strip(),
                         f"1:file:{path} 4:stderr")
        self.assertIn("log outputs: ", path.read_text(encoding="utf-8"))
        self.assertNotIn("log outputs: ", self.daemon.log_text())
        self.admin("daemon-log-outputs", "--outputs", "")
        self.assertEqual(self.admin("daemon-log-outputs").split(": ")[1].strip(), "1:stderr")

    def test_mistakes_change_nothing(self):
        for words, sentence in {
                ("daemon-log-filters", "--filters", "1:rpc 7:x"):
                    "invalid argument: log filter '7:x'",
                ("daemon-log-filters", "--filters", "rpc"):
                    "invalid argument: log filter 'rpc'",
                ("daemon-log-filters", "--filters", "1:"): "invalid argument: log filter '1:'",
                ("daemon-log-outputs", "--outputs", "1:printer"):
                    "invalid argument: log output '1:printer'",
                ("daemon-log-outputs", "--outputs", "stderr"):
                    "invalid argument: log output 'stderr'",
                ("daemon-log-outputs", "--outputs", "1:file:/nonexistent/x"):
                    "open /nonexistent/x: No such file or directory"}.items():
            with self.subTest(words=words):
                self.admin_refused(sentence, *words)
        self.assertEqual(self.admin("daemon-log-filters").split(), ["Logging", "filters:"])
        self.assertEqual(self.admin("daemon-log-outputs").split(": ")[1].strip(), "1:stderr")


class Ending(AdminTest):
    def wait_for_the_end(self):
        self.assertEqual(self.daemon.process.wait(LIMIT_S), 0)
        self.assertFalse((self.daemon.folder / SOCKET).exists())

    def test_timeout_ends_an_idle_daemon(self):
        client = self.served()
        self.admin("daemon-timeout", "--timeout", "1")
        self.assertEqual(client.call(GET_TYPE).status, OK)
        client.end()
        self.wait_for_the_end()

    def test_timeout_can_be_taken_back(self):
        self.admin("daemon-timeout", "--timeout", "100000")
        self.admin("daemon-timeout", "--timeout", "0")
        self.assertIsNone(self.daemon.process.poll())
        for value in ("soon", "-1", "4294967296"):
            self.admin_refused(f"Numeric value '{value}' for <timeout> option is malformed",
                               "daemon-timeout", "--timeout", value)

    def test_shutdown(self):
        client = self.raw()
        for flags, name in ((2, "0x2"), (5, "0x4")):
            reply = client.call(ADMIN_SHUTDOWN, number(flags), program=ADMIN)
            self.assertEqual(read_error(reply)[0], 8)
            self.assertIn(f"unsupported flags ({name})", read_error(reply)[2])
        reply = client.call(ADMIN_SHUTDOWN, number(1), program=ADMIN)
        self.assertEqual((reply.procedure, reply.status), (ADMIN_SHUTDOWN, OK))
        self.wait_for_the_end()


class Tls(AdminTest):
    def test_there_are_no_certificates_to_read_again(self):
        self.admin_refused("internal error: no tls service found, unable to update tls files",
                           "srv-update-tls", MAIN)
        self.admin_refused("internal error: no tls service found", "srv-update-tls", "admin")
        self.admin_refused("Server not found", "srv-update-tls", "x")
