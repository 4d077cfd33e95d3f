# SPDX-License-Identifier: LGPL-2.1-or-later
"""The daemon is killed at random moments while clients work.

Each client has domains of its own and knows what the daemon has acknowledged. So whatever the
next daemon shows has to be what the last acknowledged call left, or what the call that was cut
off would have left. KILLS says how many times, SEED repeats a run as far as time allows.
"""

import configparser
import dataclasses
import os
import random
import threading
import uuid

import libvirt

from harness import LIMIT_S, WireTest, close_quietly, run_until

KILLS = int(os.environ.get("KILLS", "20"))
SEED = int(os.environ.get("SEED") or random.SystemRandom().randrange(1 << 32))
CLIENTS = 4
DOMAINS = 2  # of each client; the made-up machine has room for CLIENTS times so many, less one
LONGEST_ROUND_S = 0.25
CONFIG, LIVE = libvirt.VIR_DOMAIN_AFFECT_CONFIG, libvirt.VIR_DOMAIN_AFFECT_LIVE


@dataclasses.dataclass(frozen=True)
class State:
    """A domain, as far as calls change it; descriptions tell one definition from another."""

    name: str
    config: str = None  # of the persistent definition, if there is one
    live: str = None  # of the running one, if it runs
    autostart: bool = False


def observed(connection):
    """UUID -> State of all there is."""
    states = {}
    for domain in connection.listAllDomains():
        def description(flag, domain=domain):
            return domain.metadata(libvirt.VIR_DOMAIN_METADATA_DESCRIPTION, None, flag)
        persistent = domain.isPersistent()
        states[domain.UUIDString()] = State(
            domain.name(), description(CONFIG) if persistent else None,
            description(LIVE) if domain.isActive() else None,
            bool(persistent and domain.autostart()))
    return states


def close(connections):
    """libvirt closes their sockets in its event loop only, when nothing else is to be done."""
    for connection in connections:
        close_quietly(connection)
    done = []
    timer = libvirt.virEventAddTimeout(10, lambda *_: done.append(True), None)
    run_until(lambda: done)
    libvirt.virEventRemoveTimeout(timer)


class Worker(threading.Thread):
    """One client. `states` is what was acknowledged; `allowed` is what else `pending` may be."""

    def __init__(self, test, states, seed):
        super().__init__(daemon=True)
        self.test = test
        self.connection = libvirt.open(test.daemon.uri())
        self.states = states  # UUID -> State or None
        self.random = random.Random(seed)
        self.pending = None  # (UUID, the states that the cut off call may have left)
        self.stop = threading.Event()
        self.failure = None
        self.calls = 0

    def run(self):
        try:
            while not self.stop.is_set():
                self.step()
        except libvirt.libvirtError as error:
            if not self.stop.is_set():
                self.failure = f"{self.pending}: {error}"

    def step(self):
        key = self.random.choice(list(self.states))
        state = self.states[key]
        call, *after = self.choose(key, state)
        self.pending = (key, [state, *after])
        call()
        self.states[key] = after[-1]
        self.pending = None
        self.calls += 1

    def choose(self, key, state):
        """A call that is possible now, and what it leaves: last, when it was acknowledged."""
        text = f"d{self.random.randrange(1 << 30)}"
        if state is None:
            name = f"n{self.random.randrange(1 << 60)}"
            xml = self.xml(key, name, text)
            return self.random.choice([
                (lambda: self.connection.defineXML(xml), State(name, config=text)),
                (lambda: self.connection.createXML(xml), State(name, live=text))])
        domain = self.connection.lookupByUUIDString(key)
        xml = self.xml(key, state.name, text)
        replace = dataclasses.replace
        choices = [(lambda: self.connection.defineXML(xml), replace(state, config=text))]
        if state.config:
            forgotten = replace(state, autostart=False)
            gone = replace(forgotten, config=None) if state.live else None
            choices += [
                (domain.undefine, forgotten, gone),
                (lambda: domain.setAutostart(not state.autostart),
                 replace(state, autostart=not state.autostart)),
                (lambda: domain.setMetadata(libvirt.VIR_DOMAIN_METADATA_DESCRIPTION, text, None,
                                            None, CONFIG), replace(state, config=text))]
        if state.live:
            choices += 2 * [(domain.destroy, replace(state, live=None) if state.config else None)]
        else:
            name = f"r{self.random.randrange(1 << 60)}"
            choices += 2 * [(domain.create, replace(state, live=state.config))]
            choices += [(lambda: domain.rename(name), replace(state, name=name))]
        return self.random.choice(choices)

    def xml(self, key, name, text):
        return self.test.xml(name, uuid=key, memory="<memory unit='MiB'>64</memory>",
                             more=f"  <description>{text}</description>\n")


class Kill(WireTest):
    def setUp(self):
        super().setUp()
        self.random = random.Random(SEED)
        self.states = [{self.new_uuid(): None for _ in range(DOMAINS)} for _ in range(CLIENTS)]
        self.states[0].popitem()  # CPU 0 stays the host's

    def new_uuid(self):
        return str(uuid.UUID(int=self.random.getrandbits(128), version=4))

    def test_next_daemon_has_what_was_acknowledged(self):
        calls = 0
        for number in range(1, KILLS + 1):
            workers = self.round()
            connection = libvirt.open(self.daemon.uri())
            context = f"kill {number} of {KILLS}, SEED={SEED}"
            self.compare(workers, observed(connection), context)
            self.compare_partitions(connection, context)
            close([connection, *(worker.connection for worker in workers)])
            calls += sum(worker.calls for worker in workers)
        print(f"seed {SEED}: {KILLS} kills, {calls} calls", flush=True)
        self.nothing_is_held()

    def round(self):
        workers = [Worker(self, states, self.random.getrandbits(64))
                   for states in self.states]
        for worker in workers:
            worker.start()
        threading.Event().wait(self.random.uniform(0, LONGEST_ROUND_S))  # any moment
        for worker in workers:
            worker.stop.set()
        self.daemon.kill()
        for worker in workers:
            worker.join(LIMIT_S)
            self.assertFalse(worker.is_alive(), "a client waits for a daemon that is dead")
            self.assertIsNone(worker.failure, f"SEED={SEED}")
        self.daemon.start()
        return workers

    def compare(self, workers, seen, context):
        for worker in workers:
            for key, state in worker.states.items():
                allowed = [state]
                if worker.pending and worker.pending[0] == key:
                    allowed = worker.pending[1]
                self.assertIn(seen.get(key), allowed, f"{context}\n{self.daemon.log_text()}")
                worker.states[key] = seen.pop(key, None)
        self.assertEqual(seen, {}, f"nobody's: {context}")

    def compare_partitions(self, connection, context):
        partitions = configparser.ConfigParser(interpolation=None)
        partitions.read(self.daemon.sandbox / "partitions", encoding="utf-8")
        active = connection.listAllDomains(libvirt.VIR_CONNECT_LIST_DOMAINS_ACTIVE)
        self.assertEqual(sorted(set(partitions.sections()) - {"machine"}),
                         sorted(domain.UUIDString() for domain in active), context)

    def nothing_is_held(self):
        connection = self.connect()
        for domain in connection.listAllDomains(libvirt.VIR_CONNECT_LIST_DOMAINS_ACTIVE):
            domain.destroy()
        for domain in connection.listAllDomains():
            domain.undefine()
        folder = self.daemon.sandbox
        self.assertEqual(sorted(path.name for path in (folder / "run").iterdir()),
                         ["autostarted", "topology"])
        self.assertEqual([path.name for path in (folder / "etc").rglob("*")], ["autostart"])
        cpus = connection.getMaxVcpus(None)
        connection.createXML(self.xml("all-of-it", vcpus=f"<vcpu>{cpus}</vcpu>")).destroy()
