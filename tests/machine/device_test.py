# SPDX-License-Identifier: LGPL-2.1-or-later
"""/dev/multikernel itself, without the daemon: what its documentation promises, and bad input."""

import pathlib
import subprocess
import tempfile

from lib.testing import INITRD, TOP, MachineTest

BOOT = f"""
partition = Device().create(uuid.uuid4().bytes, "test")
partition.add_memory(256 << 20)
partition.add_cpus([3])
version = app_release()
initrd = with_loader("{INITRD}", "/tmp/test.img", version)

def boot():
    partition.load("/vmlinuz", initrd, "quiet")
    partition.start()
    partition.wait_for("running")
"""


class Device(MachineTest):
    uses_daemon = False

    def test_each_rule_of_the_contract_is_kept(self):
        with tempfile.TemporaryDirectory() as work:
            program = pathlib.Path(work, "uapi_check")
            subprocess.run(["gcc", "-static", "-pthread", "-I", TOP / "kernel/include/uapi", "-o",
                            program, TOP / "tests/support/uapi_check.c"], check=True)
            self.put("/root/uapi_check", program.read_bytes())
        output = self.run_in("chmod +x /root/uapi_check && /root/uapi_check")
        self.assertRegex(output, r"^[1-9][0-9]* checks, 0 failed$")

    def test_says_what_it_can(self):
        self.script("""
            info = Device().info()
            assert info.abi_version == 2
            assert info.blockers == 0, info.said
            assert info.max_partitions >= 3, info.max_partitions
            assert info.partitions == 0
            assert info.memory_align_bytes and info.control_bytes and info.tsc_khz
            """)

    def test_partition_outlives_its_file(self):
        self.script("""
            identity = uuid.uuid4().bytes
            device = Device()
            partition = device.create(identity, "kept")
            partition.add_memory(64 << 20)
            partition.add_cpus([2, 3])
            memory = partition.memory()
            partition.close()
            assert list(device.list()) == [(identity, "kept", "created")]
            found = device.open(identity)
            assert found.memory() == memory
            assert found.cpus() == [(2, RUN), (3, RUN)]
            found.destroy()
            assert list(device.list()) == []
            """)
        self.assertEqual(self.online_cpus(), self.cpus)

    def test_boots_powers_off_and_boots_again(self):
        self.script(BOOT, """
            boot()
            query = partition.query()
            assert query.boots == 1 and query.online_cpus == 1, query.online_cpus
            assert query.release.decode() == version
            assert 160 << 20 < query.app_total_bytes < 256 << 20, query.app_total_bytes
            assert min(query.wake_ns, query.module_ns, query.load_ns, query.offline_ns) > 0
            seq = partition.request(POWEROFF)
            partition.wait_for("poweroff")
            assert partition.query().answers[0].done == seq
            boot()
            assert partition.query().boots == 2
            partition.destroy()
            """)
        self.assertEqual(self.online_cpus(), self.cpus)
        # The stub ran, both times, with the plan for the emulator's CPU: see scrub_test.cpp.
        news = "\n".join(self.new_log())
        self.assertEqual(news.count("test: 1 CPUs answered the reset and are scrubbed: "
                                    "5 registers"), 2, news)

    def test_destroyed_partition_answers_no_more(self):
        self.script("""
            partition = Device().create(uuid.uuid4().bytes, "gone")
            other = Device().open(partition.query().uuid)
            partition.destroy()
            poll = select.poll()
            poll.register(other.fd, 0)
            assert poll.poll(60000)[0][1] & select.POLLHUP
            expect("ENODEV", other.query)
            expect("ENODEV", partition.start)
            """)

    def test_console_is_a_stream_with_an_end(self):
        self.script(BOOT, """
            partition.load("/vmlinuz", initrd, "")
            partition.start()
            assert Shell(partition).run("echo $((6 * 7))") == "42"
            console = partition.console()
            size = partition.query().console_bytes
            said = b""
            while len(said) < size:
                said += os.read(console, 65536)
            assert b"Linux version" in said
            late = partition.console(size - 10)
            assert os.read(late, 10) == said[size - 10:size]
            partition.stop()
            while os.read(console, 65536):
                pass
            partition.destroy()
            """)

    def test_long_claim_shows_progress_and_can_be_cancelled(self):
        free = self.free_kib()
        self.script("""
            partition = Device().create(uuid.uuid4().bytes, "big")
            claim = threading.Thread(target=expect, args=("ECANCELED", partition.add_memory,
                                                          2 << 30))
            failed = []
            threading.excepthook = lambda args: failed.append(args.exc_value)
            claim.start()
            while partition.query().claimed_bytes == 0:
                assert claim.is_alive(), failed
            query = partition.query()
            assert query.wanted_bytes == 2 << 30 and query.claimed_bytes <= 2 << 30
            partition.cancel()
            claim.join()
            assert not failed, failed
            assert partition.query().memory_bytes == 0
            partition.add_memory(64 << 20)
            partition.destroy()
            """)
        self.assert_free_again(free)

    def test_killed_caller_ends_its_claim(self):
        self.script("""
            import signal
            identity = uuid.uuid4().bytes
            partition = Device().create(identity, "big")
            child = os.fork()
            if child == 0:
                partition.add_memory(2 << 30)
                os._exit(0)
            while partition.query().claimed_bytes == 0:
                assert os.waitpid(child, os.WNOHANG) == (0, 0), "it was done already"
            os.kill(child, signal.SIGKILL)
            assert os.WIFSIGNALED(os.waitpid(child, 0)[1])
            assert partition.query().memory_bytes == 0
            partition.destroy()
            """)

    def test_cpus_that_cannot_be_given(self):
        self.script("""
            device = Device()
            one = device.create(uuid.uuid4().bytes, "one")
            two = device.create(uuid.uuid4().bytes, "two")
            expect("EINVAL", one.add_cpus, [0])
            expect("EINVAL", one.add_cpus, [99])
            expect("EINVAL", one.add_cpus, [])
            expect("EBUSY", one.add_cpus, [2, 2])  # the second is held by then
            one.add_cpus([2])
            expect("EBUSY", two.add_cpus, [1, 2])
            assert two.cpus() == []
            two.add_cpus([1])
            one.destroy()
            two.destroy()
            """)
        self.assertEqual(self.online_cpus(), self.cpus)

    def test_memory_that_is_not_there(self):
        self.script("""
            partition = Device().create(uuid.uuid4().bytes, "greedy")
            expect("ENOMEM", partition.add_memory, 64 << 30, saying="MiB")
            expect("EINVAL", partition.add_memory, 0)
            expect("EINVAL", partition.add_memory, 4096 + 1)
            expect("EINVAL", partition.add_memory, 64 << 20, 77)
            assert partition.query().memory_bytes == 0
            partition.destroy()
            """)

    def test_calls_in_the_wrong_order(self):
        self.script("""
            identity = uuid.uuid4().bytes
            device = Device()
            partition = device.create(identity, "early")
            expect("EEXIST", device.create, identity, "twice")
            expect("ENOENT", device.open, uuid.uuid4().bytes)
            expect("EBUSY", partition.start)
            expect("EBUSY", partition.request, POWEROFF)
            partition.stop()
            partition.cancel()
            partition.destroy()
            """)

    def test_load_that_fails_leaves_the_memory_what_it_was(self):
        self.script(BOOT, """
            boot()
            partition.add_memory(128 << 20, align=128 << 20)
            [taken] = partition.ranges(TAKEN)
            partition.stop()
            try:
                partition.load("/etc/passwd", initrd, "quiet")
                raise SystemExit("that is no kernel")
            except OSError:
                pass
            assert partition.ranges(TAKEN) == [taken]
            assert partition.remove_memory(*taken[:2]) == taken[1]
            boot()
            partition.destroy()
            """)

    def test_structures_of_other_sizes_and_unknown_bits(self):
        self.script("""
            import fcntl
            device = Device()

            def raw(size, content, code=0):
                buffer = bytearray(struct.pack("I", size) + content)
                buffer += bytes(4096 - len(buffer))
                return fcntl.ioctl(device.fd, number(code, ctypes.sizeof(Info)), buffer, True)

            known = ctypes.sizeof(Info)
            raw(known + 64, b"")                                     # newer caller, zeros
            expect("E2BIG", raw, known + 64, bytes(known) + b"\\1")  # newer caller, not zeros
            expect("EINVAL", raw, 4, b"")                            # smaller than any version
            expect("ENOTTY", raw, known, b"", 0x7f)
            try:
                raw(known, struct.pack("I", 1 << 31))
                raise AssertionError("an unknown flag was taken")
            except OSError as error:
                assert error.errno in (errno.EOPNOTSUPP, errno.EINVAL), error
            expect("EINVAL", device.create, bytes(16), "no identity")
            expect("EINVAL", device.create, uuid.uuid4().bytes, "")
            """)

    def test_as_many_partitions_as_it_says_and_not_one_more(self):
        self.script("""
            device = Device()
            made = [device.create(uuid.uuid4().bytes, str(number))
                    for number in range(device.info().max_partitions)]
            expect("ENOSPC", device.create, uuid.uuid4().bytes, "one too many")
            for partition in made:
                partition.destroy()
            """)

    def test_memory_file_keeps_the_memory_until_it_is_closed(self):
        self.script("""
            import mmap
            partition = Device().create(uuid.uuid4().bytes, "mapped")
            partition.add_memory(64 << 20)
            fd = partition.memory_fd()
            with mmap.mmap(fd, 64 << 20) as memory:
                assert memory[:4096] == bytes(4096) and memory[-4096:] == bytes(4096)
                memory[32 << 20] = 7
                partition.destroy()
                assert memory[32 << 20] == 7
            os.close(fd)
            """)


    def test_lies_in_the_shared_page_hurt_only_the_liar(self):
        """The app kernel's page says nonsense in every field; a test maps it and writes it."""
        self.script(BOOT, """
            import mmap, random
            boot()
            seed = random.randrange(1 << 32)
            print("seed", seed)
            random.seed(seed)
            memory = mmap.mmap(partition.memory_fd(), 2 << 20)
            console = partition.console()
            page = 0x4000  # MK_APP_PAGE of multikernel_shared.h
            fields = {8: "I", 12: "I", 16: "Q", 24: "I", 28: "i", 32: "I", 36: "I", 40: "I",
                      44: "I"}
            # Doorbells to the host's own CPU, to nobody, and with vectors that are none.
            doorbells = (0 << 32 | 2, 0 << 32 | 300, 255 << 32 | 40, 0xffffffffffffffff, 0)
            for number in range(4000):
                offset = random.choice(list(fields))
                kind = fields[offset]
                value = random.getrandbits(8 * struct.calcsize(kind))
                if offset == 16:
                    value = random.choice(doorbells)
                if offset == 12:
                    value = random.choice((0, 1, 1, 1, 77))  # no end of its own
                if kind == "i":
                    value -= 1 << 31
                struct.pack_into(kind, memory, page + offset, value)
                struct.pack_into("256s", memory, page + 256, random.randbytes(256))
                try:
                    os.write(console, b"x")
                except OSError as error:
                    assert error.errno in (errno.EAGAIN, errno.EBUSY), error
                query = partition.query()
                query.release.decode("ascii"), query.hostname.decode("ascii")
            memory.close()
            partition.destroy()
            boot_again = Device().create(uuid.uuid4().bytes, "after")
            boot_again.destroy()
            """)
        self.assertEqual(self.online_cpus(), self.cpus)

    def test_reader_who_missed_output_is_told_once(self):
        self.script(BOOT, """
            boot()
            reader, ahead = partition.console(), partition.console()
            # Nothing follows, no prompt either: each byte more would be a gap more.
            os.write(ahead, b"seq 100000; echo the-$((1+0))-end; exec sleep 1000\\r")
            said = b""
            while b"the-1-end\\r\\n" not in said[-4000:]:
                said = said[-4000:] + os.read(ahead, 65536)
            expect("EPIPE", os.read, reader, 65536)
            assert len(os.read(reader, 65536)) == 65536
            written = partition.query().console_bytes
            assert written > 400000, written
            partition.destroy()
            """)


class Nodes(MachineTest):
    """A machine with two NUMA nodes of two CPUs."""

    options = {"nodes": 2}

    def test_partition_has_cpus_and_memory_of_one_node(self):
        for name, cpus in (("one", "2-3"), ("two", "1")):
            self.start(name, vcpus=2 if name == "one" else 1, memory_mib=320).leave()
            self.script(f"""
                [identity] = [i for i, name, _ in Device().list() if name == "{name}"]
                partition = Device().open(identity)
                nodes = {{node for _, _, node in partition.memory()}}
                cpus = {{cpu for cpu, role in partition.cpus() if role != SPARE}}
                assert len(nodes) == 1, nodes
                [node] = nodes
                listed = open(f"/sys/devices/system/node/node{{node}}/meminfo").read()
                assert listed and cpus <= {{2 * node, 2 * node + 1}}, (cpus, node)
                """)
            self.assertIn(f"cpuset='{cpus}'", self.virsh("dumpxml", name))


class Blocked(MachineTest):
    options = {"words": ""}

    def test_host_without_the_words_is_told_what_to_do(self):
        output = self.script("""
            info = Device().info()
            assert info.blockers != 0
            assert "no_ipi_broadcast=1" in info.said, info.said
            expect("EPERM", Device().create, uuid.uuid4().bytes, "x",
                   saying="no_ipi_broadcast=1")
            """)
        self.assertEqual(output, "")
        self.define("web")
        self.refused("start", "web", saying=["no_ipi_broadcast=1"])
