# SPDX-License-Identifier: LGPL-2.1-or-later
"""What stock clients ask about a domain, and the empty truth about what it does not have."""

import libvirt

from harness import WireTest, pairs, table


class Running(WireTest):
    def setUp(self):
        super().setUp()
        self.start("web", vcpus="<vcpu cpuset='2-5'>2</vcpu>")
        with self.terminal("console", "web") as console:
            console.expect("userspace is up")

    def test_dominfo(self):
        info = pairs(self.virsh("dominfo", "web"))
        self.assertEqual(info["Name"], "web")
        self.assertEqual(info["Id"], self.virsh("domid", "web"))
        self.assertEqual(info["UUID"], self.virsh("domuuid", "web"))
        self.assertEqual(info["OS Type"], "hvm")
        self.assertEqual(info["State"], "running")
        self.assertEqual(info["CPU(s)"], "2")
        self.assertEqual(info["Max memory"], f"{256 * 1024} KiB")
        self.assertEqual(info["Used memory"], f"{256 * 1024} KiB")
        self.assertEqual(info["Persistent"], "yes")
        self.assertEqual(info["Autostart"], "disable")
        self.assertEqual(info["Managed save"], "no")
        self.assertNotIn("Messages", info)

    def test_domcontrol_and_domjobinfo(self):
        self.assertEqual(self.virsh("domcontrol", "web"), "ok")
        self.assertRegex(self.virsh("domjobinfo", "web"), r"^Job type:\s+None\s*$")

    def test_vcpuinfo_shows_the_physical_cpus(self):
        blocks = [pairs(block) for block in self.virsh("vcpuinfo", "web").split("\n\n")]
        self.assertEqual([block["VCPU"] for block in blocks], ["0", "1"])
        self.assertEqual({block["State"] for block in blocks}, {"running"})
        for block in blocks:
            cpu = int(block["CPU"])
            self.assertIn(cpu, range(2, 6))
            self.assertEqual(block["CPU Affinity"],
                             "".join("y" if n == cpu else "-" for n in range(8)))

    def test_vcpupin_shows_the_same(self):
        cpus = [pairs(block)["CPU"] for block in self.virsh("vcpuinfo", "web").split("\n\n")]
        rows = table(self.virsh("vcpupin", "web"))
        self.assertEqual(rows, [["0", cpus[0]], ["1", cpus[1]]])
        rows = table(self.virsh("vcpupin", "web", "--config"))
        self.assertEqual(rows, [["0", "2-5"], ["1", "2-5"]])

    def test_vcpucount(self):
        rows = [line.split() for line in self.virsh("vcpucount", "web").split("\n")]
        self.assertEqual(rows, [["maximum", "config", "2"], ["maximum", "live", "2"],
                                ["current", "config", "2"], ["current", "live", "2"]])
        # what the app kernel says
        self.assertEqual(self.virsh("vcpucount", "web", "--guest"), "2")

    def test_vcpus_of_the_app_kernel_are_not_for_readers(self):
        connection = libvirt.open(self.daemon.uri(readonly=True))
        self.addCleanup(connection.close)
        message = self.assert_code(libvirt.VIR_ERR_OPERATION_DENIED,
                                   connection.lookupByName("web").vcpusFlags,
                                   libvirt.VIR_DOMAIN_VCPU_GUEST)
        self.assertEqual(message, "operation forbidden: read only access prevents "
                         "virDomainGetVcpusFlags")

    def test_one_answer_for_live_or_config_not_both(self):
        domain = self.connect().lookupByName("web")
        self.assertIn("mutually exclusive",
                      self.assert_code(libvirt.VIR_ERR_INVALID_ARG, domain.vcpusFlags, 3))

    def test_dommemstat_has_what_the_app_kernel_reports(self):
        stats = dict(line.split() for line in self.virsh("dommemstat", "web").split("\n"))
        self.assertEqual(set(stats), {
            "actual", "swap_in", "swap_out", "major_fault", "minor_fault", "unused", "available",
            "usable", "last_update", "disk_caches", "rss"})
        self.assertEqual((stats["major_fault"], stats["minor_fault"]), ("3", "1000"))
        self.assertEqual(stats["last_update"], "1800000000")
        self.assertEqual((stats["actual"], stats["rss"]), (str(256 * 1024),) * 2)
        self.assertLessEqual(int(stats["unused"]), int(stats["available"]))
        self.assertLessEqual(int(stats["available"]), 256 * 1024)

    def test_domstats_of_a_running_domain(self):
        stats = domstats(self.virsh("domstats", "web"))["web"]
        self.assertEqual((stats["state.state"], stats["state.reason"]), ("1", "1"))
        self.assertEqual((stats["vcpu.current"], stats["vcpu.maximum"]), ("2", "2"))
        self.assertEqual((stats["vcpu.0.state"], stats["vcpu.1.state"]), ("1", "1"))
        self.assertEqual(stats["balloon.current"], str(256 * 1024))
        self.assertEqual(stats["balloon.maximum"], str(256 * 1024))
        self.assertGreaterEqual(int(stats["balloon.available"]), int(stats["balloon.unused"]))
        self.assertEqual((stats["net.count"], stats["block.count"]), ("0", "0"))
        self.assertIn("cpu.time", stats)
        self.assertEqual((stats["cpu.user"], stats["cpu.system"]), ("300000000", "450000000"))
        self.assertEqual((stats["vcpu.0.time"], stats["vcpu.1.time"]), ("250000000", "500000000"))
        self.assertEqual(stats["balloon.major_fault"], "3")
        self.assertEqual(stats["balloon.last-update"], "1800000000")
        self.assertNotIn("vcpu.0.halted", stats)  # not known: left out, never 0

    def test_cpu_stats_are_of_host_cpus(self):
        cpus = [int(pairs(block)["CPU"])
                for block in self.virsh("vcpuinfo", "web").split("\n\n")]
        domain = self.connect().lookupByName("web")
        each = domain.getCPUStats(False)
        self.assertEqual(len(each), 8)
        self.assertEqual({cpu: times["cpu_time"] for cpu, times in enumerate(each)
                          if times["cpu_time"]}, {cpus[0]: 250000000, cpus[1]: 500000000})
        self.assertEqual(each[cpus[1]]["vcpu_time"], 500000000)
        total, = domain.getCPUStats(True)
        self.assertEqual((total["user_time"], total["system_time"]), (300000000, 450000000))
        self.assertIn("cpu_time", total)
        self.virsh("cpu-stats", "web")
        self.assertIn("CPU7:", self.virsh("cpu-stats", "web", "--start", "6", "--count", "2"))
        self.assertIn("period cannot be changed",
                      self.virsh_fails("dommemstat", "web", "--period", "5"))

    def test_what_a_guest_agent_would_say(self):
        self.assertEqual(self.virsh("domtime", "web"), "Time: 1800000000")
        self.assertEqual(self.virsh("domhostname", "web"), "web")
        self.assertEqual(self.connect().lookupByName("web").guestInfo(0),
                         {"os.name": "Linux", "os.kernel-release": "6.1.0-fake",
                          "os.machine": "x86_64", "hostname": "web",
                          "load.1m": 0.5, "load.5m": 0.25, "load.15m": 0.125})
        self.assertEqual(pairs(self.virsh("guestinfo", "web", "--hostname")), {"hostname": "web"})
        self.assertEqual(self.connect().lookupByName("web").guestInfo(1 << 7),  # ..._LOAD
                         {"load.1m": 0.5, "load.5m": 0.25, "load.15m": 0.125})
        self.assertIn("operating system, host name and load only",
                      self.virsh_fails("guestinfo", "web", "--user"))
        self.assertIn("no hostname found",
                      self.virsh_fails("domhostname", "web", "--source", "lease"))
        self.assertIn("cannot be set from outside", self.virsh_fails("domtime", "web", "--now"))
        connection = libvirt.open(self.daemon.uri(readonly=True))
        self.addCleanup(connection.close)
        self.assert_code(libvirt.VIR_ERR_OPERATION_DENIED,
                         connection.lookupByName("web").getTime)

    def test_domstats_groups_and_filters(self):
        self.define("shop")
        self.assertEqual(domstats(self.virsh("domstats", "--state")),
                         {"web": {"state.state": "1", "state.reason": "1"},
                          "shop": {"state.state": "5", "state.reason": "0"}})
        self.assertEqual(set(domstats(self.virsh("domstats", "--list-active"))), {"web"})
        self.assertEqual(set(domstats(self.virsh("domstats", "--list-shutoff"))), {"shop"})
        self.assertEqual(set(domstats(self.virsh("domstats", "--state", "shop"))), {"shop"})
        off = domstats(self.virsh("domstats", "shop"))["shop"]
        self.assertEqual(off, {"state.state": "5", "state.reason": "0",
                               "balloon.current": str(256 * 1024),
                               "balloon.maximum": str(256 * 1024), "vcpu.current": "1",
                               "vcpu.maximum": "1", "block.count": "0"})

    def test_unknown_stats_are_dropped_unless_enforced(self):
        self.assertEqual(domstats(self.virsh("domstats", "--dirtyrate")), {"web": {}})
        self.assertIn("argument unsupported: ",
                      self.virsh_fails("domstats", "--dirtyrate", "--enforce"))

    def test_groups_that_have_nothing_to_tell(self):
        self.assertEqual(domstats(self.virsh("domstats", "--perf", "--iothread", "--memory",
                                             "--enforce")), {"web": {}})

    def test_stats_are_in_the_order_that_was_asked_for(self):
        connection = self.connect()
        web, other = connection.lookupByName("web"), connection.defineXML(self.xml("a"))
        records = connection.domainListGetStats([web, other, web], libvirt.VIR_DOMAIN_STATS_STATE)
        self.assertEqual([record[0].name() for record in records], ["web", "a", "web"])

    def test_stats_skip_a_domain_that_is_gone(self):
        connection = self.connect()
        domain = connection.defineXML(self.xml("shop"))
        web = connection.lookupByName("web")
        domain.undefine()
        records = connection.domainListGetStats([web, domain], 0, 0)
        self.assertEqual([record[0].name() for record in records], ["web"])

    def test_ttyconsole_names_a_terminal(self):
        self.assertRegex(self.virsh("ttyconsole", "web"), r"^/dev/pts/\d+$")

    def test_what_a_partition_does_not_have(self):
        domain = self.connect().lookupByName("web")
        for call, truth in ((domain.hasManagedSaveImage, 0), (domain.snapshotNum, 0),
                            (domain.listAllSnapshots, []), (domain.snapshotListNames, []),
                            (domain.hasCurrentSnapshot, 0), (domain.listAllCheckpoints, []),
                            (domain.jobStats, {"type": 0}), (domain.jobInfo, [0] * 12),
                            (domain.messages, []), (domain.diskErrors, {})):
            with self.subTest(call=call.__name__):
                self.assertEqual(call(), truth)
        self.assertEqual(self.virsh("snapshot-list", "web").count("\n"), 1)
        self.assertEqual(self.virsh("checkpoint-list", "web").count("\n"), 1)
        for words in (["domblklist", "web"], ["domiflist", "web"], ["domblkerror", "web"],
                      ["iothreadinfo", "web"], ["managedsave-remove", "web"]):
            with self.subTest(command=words[0]):
                self.virsh(*words)

    def test_queries_that_we_do_not_know_are_not_supported(self):
        domain = self.connect().lookupByName("web")
        for call, name in ((domain.fsInfo, "virDomainGetFSInfo"),
                           (domain.securityLabel, "virDomainGetSecurityLabel")):
            with self.subTest(call=name):
                self.assertEqual(self.assert_code(libvirt.VIR_ERR_NO_SUPPORT, call),
                                 "this function is not supported by the connection driver: "
                                 + name)


class ShutOff(WireTest):
    def setUp(self):
        super().setUp()
        self.define("web", vcpus="<vcpu>2</vcpu>")

    def test_dominfo(self):
        info = pairs(self.virsh("dominfo", "web"))
        self.assertEqual((info["Id"], info["State"], info["CPU(s)"]), ("-", "shut off", "2"))

    def test_vcpuinfo_falls_back_to_the_definition(self):
        blocks = [pairs(block) for block in self.virsh("vcpuinfo", "web").split("\n\n")]
        self.assertEqual([(b["CPU"], b["CPU Affinity"]) for b in blocks],
                         [("N/A", "yyyyyyyy")] * 2)

    def test_vcpucount(self):
        rows = [line.split() for line in self.virsh("vcpucount", "web").split("\n")]
        self.assertEqual(rows, [["maximum", "config", "2"], ["current", "config", "2"]])

    def test_running_values_are_refused(self):
        domain = self.connect().lookupByName("web")
        self.assertEqual(self.assert_code(libvirt.VIR_ERR_OPERATION_INVALID, domain.vcpus),
                         "Requested operation is not valid: cannot retrieve vcpu information for "
                         "inactive domain")
        self.refused("Requested operation is not valid: domain is not running",
                     "domcontrol", "web")
        self.refused("Requested operation is not valid: domain is not running",
                     "vcpucount", "web", "--live", "--current")


def domstats(text):
    """Domain name -> {field: value}."""
    result = {}
    for line in text.split("\n"):
        if line.startswith("Domain: "):
            current = result.setdefault(line[len("Domain: "):].strip("'"), {})
        elif line.strip():
            key, _, value = line.strip().partition("=")
            current[key] = value
    return result
