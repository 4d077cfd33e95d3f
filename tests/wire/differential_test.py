# SPDX-License-Identifier: LGPL-2.1-or-later
"""The same calls to this daemon and to libvirt's own drivers: same codes, same shapes.

A shape is what types an answer is made of. What a driver of libvirt's cannot answer here says
nothing.
"""

import json
import pathlib
import subprocess
import sys

import libvirt

import driver_flow
import smbios
from driver_calls import CONNECTION, DOMAIN, outcome
from harness import LIMIT_S, WireTest, run_until

NOT_HERE = f"error {libvirt.VIR_ERR_NO_SUPPORT}"
INVALID = f"error {libvirt.VIR_ERR_OPERATION_INVALID}"

# Where another answer than theirs is meant.
MEANT = {
    "securityLabel": NOT_HERE,
    "fsInfo": NOT_HERE,
    "setTime": f"error {libvirt.VIR_ERR_OPERATION_UNSUPPORTED}",
    "diskErrors": "{}",
}
# The test driver says "internal error" of a wrong state and forgives a transient domain much.
MEANT_UNLIKE_TEST = {
    "create again": INVALID,
    "resume what runs": INVALID,
    "suspend what is off": INVALID,
    "shutdown what is off": INVALID,
    "setAutostart of a transient domain": INVALID,
    "undefine of a transient domain": INVALID,
    "getCPUStats of no CPU": f"error {libvirt.VIR_ERR_INVALID_ARG}",
    "getCellsFreeMemory of no cell": f"error {libvirt.VIR_ERR_INTERNAL_ERROR}",
}
# What it makes up, or lets pass: the qemu driver knows better.
NOTHING_OF_TEST = {
    "getMaxVcpus of no type", "getFreePages", "getFreePages of no size", "getFreePages of no cell",
    "defineXML of another OS", "lookupByName of what was wrong", "diskErrors with wrong flags",
    "interfaceAddresses of an agent", "launchSecurityInfo", "domainListGetStats",
    "domainListGetStats of what is off", "domainListGetStats, enforced",
    "undefine with and without NVRAM", "reboot by an agent", "shutdown by an agent",
}
# Their QEMU runs as root, which is told in a message; it has no cgroups here, no agent and no
# firmware tables.
MEANT_UNLIKE_QEMU = {
    "messages": "(<class 'list'>, [])",
}
NOTHING_OF_QEMU = {
    "getSysinfo", "schedulerType", "schedulerParameters",
    "schedulerParametersFlags with wrong flags", "memoryParameters", "blkioParameters",
    "getCPUStats", "getCPUStats of each CPU", "hostname", "getTime", "fsInfo", "setTime",
}


class Differential(WireTest):
    """Of each kind of object all calls at once: their order counts."""

    def setUp(self):
        super().setUp()
        self.daemon.put_firmware(smbios.tables(smbios.bios(b"Somebody")))
        self.ours = self.connect()
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

    def compare(self, calls, ours, theirs, meant):
        """`theirs` are the texts of their answers, `meant` what differs on purpose."""
        for name, call in calls.items():
            got = outcome(call, ours)
            if name not in theirs:
                continue
            with self.subTest(name):
                self.assertEqual(got, meant.get(name, theirs[name]))

    def test_test_driver(self):
        theirs = libvirt.open("test:///default")
        self.addCleanup(theirs.close)
        for calls, ours, on in ((CONNECTION, self.ours, theirs), (
                DOMAIN, self.ours.lookupByName("test"), theirs.lookupByName("test"))):
            answers = {name: outcome(call, on) for name, call in calls.items()}
            answers = {name: each for name, each in answers.items()
                       if name not in NOTHING_OF_TEST and each != NOT_HERE}
            self.assertGreater(len(answers), len(calls) * 3 // 4)
            self.compare(calls, ours, answers, MEANT | MEANT_UNLIKE_TEST)

    def test_qemu_driver(self):
        done = subprocess.run(
            ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc",
             "sh", "-c", '"$@"; exit $?', "sh",  # which waits for the QEMUs that nobody does
             sys.executable, pathlib.Path(__file__).with_name("qemu_driver.py"),
             self.daemon.folder],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
            timeout=LIMIT_S)
        self.assertEqual(done.returncode, 0, done.stderr)
        *all_answers, flow = json.loads(done.stdout)
        for calls, ours, theirs in zip(
                (CONNECTION, DOMAIN), (self.ours, self.ours.lookupByName("test")), all_answers,
                strict=True):
            answers = {name: each for name, each in theirs.items()
                       if name not in NOTHING_OF_QEMU}
            self.compare(calls, ours, answers, MEANT | MEANT_UNLIKE_QEMU)
        self.compare_flow(flow)

    def compare_flow(self, theirs):
        """What became of a domain, step by step, and the events of all steps."""
        name = driver_flow.NAME
        their_results, their_events = theirs
        results, events = driver_flow.live(
            self.ours, self.xml(name), self.xml(name, kernel="/no/kernel"), run_until)
        for what, expected in their_results.items():
            with self.subTest(what):
                self.assertEqual(results[what], expected)
        self.assertEqual(events, self.without_qemu_itself(name, their_events))

    @staticmethod
    def without_qemu_itself(name, events):
        """Their QEMU lets its CPUs go on at each start, is ended by a signal, and tells of both."""
        resumed = [name, libvirt.VIR_DOMAIN_EVENT_RESUMED,
                   libvirt.VIR_DOMAIN_EVENT_RESUMED_UNPAUSED]
        started = [name, libvirt.VIR_DOMAIN_EVENT_STARTED, libvirt.VIR_DOMAIN_EVENT_STARTED_BOOTED]
        ended = [name, libvirt.VIR_DOMAIN_EVENT_SHUTDOWN, libvirt.VIR_DOMAIN_EVENT_SHUTDOWN_HOST]
        return [event for event, after in zip(events, events[1:] + [None])
                if event != ended and (event, after) != (resumed, started)]
