# SPDX-License-Identifier: LGPL-2.1-or-later
"""CPUs that come and go while an app kernel runs, and many partitions in little low memory."""

from lib.testing import INITRD, MachineTest

BOOT = f"""
version = app_release()
initrd = with_loader("{INITRD}", "/tmp/test.img", version)

def start(name, cpus, spares=(), memory_mib=128, cmdline="quiet"):
    partition = Device().create(uuid.uuid4().bytes, name)
    partition.add_memory(memory_mib << 20)
    partition.add_cpus(cpus)
    if spares:
        partition.add_cpus(spares, SPARE)
    partition.load("/vmlinuz", initrd, cmdline)
    partition.start()
    return partition

def cpu_add(partition, cpu):
    partition.add_cpus([cpu])
    assert partition.ask(CPU_ADD, cpu) == (0, 0)

def cpu_remove(partition, cpu):
    assert partition.ask(CPU_REMOVE, cpu) == (0, 0)
    partition.remove_cpus([cpu])
"""


class Cpus(MachineTest):
    uses_daemon = False
    options = {"cpus": 6}

    def test_come_and_go_while_it_runs(self):
        self.script(BOOT, """
            partition = start("grows", [2], [3, 4])
            assert partition.query().known_cpus == 3
            partition.wait_for("running", 120)
            shell = Shell(partition)
            assert shell.run("nproc") == "1"

            # What is not granted cannot be started, whoever tries.
            said = shell.run("echo 1 >/sys/devices/system/cpu/cpu1/online || echo refused")
            assert said.endswith("refused"), said
            assert online_cpus() == "0-1,3-5"

            cpu_add(partition, 3)
            cpu_add(partition, 4)
            assert online_cpus() == "0-1,5"
            assert shell.run("nproc") == "3"
            assert partition.cpu_states() == [(cpu, RUN, CPU_GIVEN) for cpu in (2, 3, 4)]
            assert shell.run("taskset 6 true && echo ran") == "ran"
            cpu_remove(partition, 3)
            assert online_cpus() == "0-1,3,5"
            assert shell.run("nproc") == "2"
            assert partition.cpu_states() == [(2, RUN, CPU_GIVEN), (4, RUN, CPU_GIVEN),
                                              (3, SPARE, CPU_TAKEN)]
            said = shell.run("echo 1 >/sys/devices/system/cpu/cpu1/online || echo refused")
            assert said.endswith("refused"), said

            # A user may take one offline, and gets it back without asking the host.
            assert shell.run("cd /sys/devices/system/cpu/cpu2; echo 0 >online; nproc") == "1"
            assert shell.run("echo 1 >online; nproc") == "2"

            cpu_add(partition, 3)
            assert shell.run("nproc") == "3"
            assert partition.query().online_cpus == 3
            partition.destroy()
            """)
        self.assertEqual(self.online_cpus(), self.cpus)

    def test_one_on_standby_is_given_without_being_taken_first(self):
        self.script(BOOT, """
            partition = Device().create(uuid.uuid4().bytes, "standby")
            partition.add_memory(128 << 20)
            partition.add_cpus([2])
            partition.add_cpus([4], STANDBY)
            partition.add_cpus([3], SPARE)
            assert online_cpus() == "0-1,3,5"

            def boots():
                partition.load("/vmlinuz", initrd, "quiet")
                partition.start()
                partition.wait_for("running", 120)
                return Shell(partition)

            shell = boots()
            query = partition.query()
            assert (query.cpus, query.idle_cpus, query.known_cpus) == (1, 1, 3)
            said = shell.run("nproc; echo 1 >/sys/devices/system/cpu/cpu1/online || echo refused")
            assert said.split()[0] == "1" and said.endswith("refused"), said
            expect("EBUSY", partition.request, CPU_REMOVE, 4)
            expect("EBUSY", partition.add_cpus, [4])
            assert partition.ask(CPU_ADD, 4) == (0, 0)
            assert shell.run("nproc; taskset 2 true && echo ran").split() == ["2", "ran"]
            expect("EBUSY", partition.remove_cpus, [4], saying="uses")

            # The next one starts on those that this one has; a thread given up waits again.
            partition.stop()
            shell = boots()
            assert partition.query().cpus == 2
            assert partition.ask(CPU_REMOVE, 4) == (0, 0)
            assert shell.run("nproc") == "1"
            assert partition.cpu_states()[1] == (4, RUN, CPU_RELEASED)
            assert partition.ask(CPU_ADD, 4) == (0, 0)
            assert partition.ask(CPU_REMOVE, 4) == (0, 0)
            partition.stop()
            assert sorted(partition.cpus()) == [(2, RUN), (3, SPARE), (4, STANDBY)]
            shell = boots()
            assert shell.run("nproc") == "1"
            partition.remove_cpus([4])
            assert online_cpus() == "0-1,3-5"
            assert sorted(partition.cpus()) == [(2, RUN), (3, SPARE), (4, SPARE)]
            partition.destroy()
            """)
        self.assertEqual(self.online_cpus(), self.cpus)

    def test_wrong_use_is_refused_and_nothing_is_lost(self):
        self.script(BOOT, """
            partition = start("strict", [2], [3, 4])
            other = Device().create(uuid.uuid4().bytes, "other")
            other.add_cpus([4])
            expect("EBUSY", other.add_cpus, [4], SPARE)
            expect("EBUSY", partition.add_cpus, [3])  # it is still booting
            partition.wait_for("running", 120)
            expect("EBUSY", partition.add_cpus, [5], SPARE)
            expect("EINVAL", partition.add_cpus, [0])
            expect("EBUSY", partition.add_cpus, [4], saying="held")
            expect("ENOSPC", partition.add_cpus, [5], saying="CPU 5")
            expect("EBUSY", partition.add_cpus, [3, 3])
            expect("EBUSY", partition.add_cpus, [2])
            assert online_cpus() == "0-1,3,5"
            assert sorted(partition.cpus()) == [(2, RUN), (3, SPARE), (4, SPARE)]
            expect("EINVAL", partition.request, CPU_ADD, 3)  # not taken
            expect("EINVAL", partition.request, CPU_REMOVE, 1 << 40)
            expect("EBUSY", partition.request, CPU_ADD, 2)  # it has it
            expect("EINVAL", partition.remove_cpus, [3])
            expect("EBUSY", partition.remove_cpus, [2], saying="uses")
            assert partition.ask(CPU_REMOVE, 2) == (-errno.EBUSY, 0)
            assert partition.cpu_states()[0] == (2, RUN, CPU_GIVEN)

            # Taken, but the app kernel is never told.
            partition.add_cpus([3])
            assert (3, RUN, CPU_TAKEN) in partition.cpu_states()
            expect("EBUSY", partition.request, CPU_REMOVE, 3)
            expect("EINVAL", partition.remove_cpus, [3, 3])
            partition.remove_cpus([3])
            assert online_cpus() == "0-1,3,5"
            partition.add_cpus([5], IDLE)
            partition.remove_cpus([5])
            assert sorted(partition.cpus()) == [(2, RUN), (3, SPARE), (4, SPARE)]

            partition.ask(POWEROFF)
            partition.wait_for("poweroff", 120)
            expect("EBUSY", partition.add_cpus, [3], saying="poweroff")
            partition.destroy()
            other.destroy()
            """)
        self.assertEqual(self.online_cpus(), self.cpus)

    def test_stray_write_to_the_host_page_grants_nothing(self):
        """The app kernel has a copy of its own of which CPUs are its own."""
        self.script(BOOT, """
            import mmap
            IDS, GRANTED = 248, 4480  # in struct mk_host_page
            partition = start("strict", [2], [3])
            partition.wait_for("running", 120)
            shell = Shell(partition)
            page = mmap.mmap(partition.memory_fd(), 16384)
            assert page[GRANTED:GRANTED + 2] == b"\\1\\0", page[GRANTED:GRANTED + 2]
            bring_up = "echo 1 >/sys/devices/system/cpu/cpu1/online || echo refused"
            page[GRANTED + 1] = 1
            said = shell.run(bring_up)
            assert said.endswith("refused"), said

            partition.add_cpus([3])
            page[IDS + 4:IDS + 8] = (1).to_bytes(4, "little")  # the host's CPU 1
            assert partition.ask(CPU_ADD, 3) == (-errno.EPERM, 0)
            said = shell.run(bring_up)
            assert said.endswith("refused"), said
            page[IDS + 4:IDS + 8] = (3).to_bytes(4, "little")
            assert online_cpus() == "0-1,4-5"
            assert partition.cpu_states() == [(2, RUN, CPU_GIVEN), (3, RUN, CPU_TAKEN)]

            assert partition.ask(CPU_ADD, 3) == (0, 0)
            assert shell.run("nproc") == "2"
            page[GRANTED + 1] = 7  # none, as the host never writes it
            assert shell.run("cd /sys/devices/system/cpu/cpu1; echo 0 >online; nproc") == "1"
            said = shell.run("echo 1 >online || echo refused")
            assert said.endswith("refused"), said
            partition.destroy()
            """)
        self.assertEqual(self.online_cpus(), self.cpus)

    def test_late_and_missing_answers_leave_true_books(self):
        """The app kernel is paused just when it was asked, so that it answers when it may."""
        self.script(BOOT, """
            CPU_CHANNEL = CHANNELS[CPU_ADD]
            partition = start("late", [2], [3])
            partition.wait_for("running", 120)
            shell = Shell(partition)

            def ask_and_pause():
                partition.add_cpus([3])
                partition.request(CPU_ADD, 3)
                partition.pause()

            for withdrawn in (False, True, True):
                ask_and_pause()
                if withdrawn:
                    partition.withdraw(CPU_CHANNEL)
                    partition.withdraw(CPU_CHANNEL)
                expect("EBUSY", partition.remove_cpus, [3])
                partition.resume()
                result, _ = partition.answer(CPU_CHANNEL)
                assert result in (0, -errno.ECANCELED), result
                assert withdrawn or result == 0
                given = result == 0
                assert partition.cpu_states()[1] == (3, RUN, CPU_GIVEN if given else CPU_TAKEN)
                assert shell.run("nproc") == ("2" if given else "1")
                if given:
                    assert partition.ask(CPU_REMOVE, 3) == (0, 0)
                partition.remove_cpus([3])
                assert online_cpus() == "0-1,3-5"

            # One that is stopped instead never answers: the CPU is not its any more.
            ask_and_pause()
            partition.withdraw(CPU_CHANNEL)
            if partition.query().answers[CPU_CHANNEL].done != 4:  # it was faster than the pause
                expect("EBUSY", partition.request, CPU_REMOVE, 3)
            partition.stop()
            assert partition.cpu_states() == [(2, RUN, CPU_TAKEN), (3, RUN, CPU_TAKEN)]
            assert partition.query().answers[CPU_CHANNEL].posted >= 4
            partition.withdraw(CPU_CHANNEL)  # of one that is stopped: nothing to do
            expect("EINVAL", partition.withdraw, 4)
            partition.destroy()
            """)
        self.assertEqual(self.online_cpus(), self.cpus)

    def test_many_times_while_another_one_boots(self):
        self.script(BOOT, """
            partition = start("busy", [2], [3])
            partition.wait_for("running", 120)
            shell = Shell(partition)
            stop = threading.Event()

            def boots():
                while not stop.is_set():
                    other = start("boots", [4, 5])
                    other.wait_for("running", 120)
                    other.destroy()

            beside = threading.Thread(target=boots)
            beside.start()
            try:
                for _ in range(20):
                    cpu_add(partition, 3)
                    cpu_remove(partition, 3)
            finally:
                stop.set()
                beside.join()
            assert shell.run("nproc") == "1"
            partition.destroy()
            """, limit_s=300)
        self.assertEqual(self.online_cpus(), self.cpus)


class Doorbells(MachineTest):
    """Only on Intel's CPUs an app kernel can take its first CPU offline, and only up to 6.4."""

    uses_daemon = False
    options = {"cpus": 6, "threads": 2}

    def test_doorbells_move_when_their_cpu_goes(self):
        """On both sides. cpu0_hotplug lets an app kernel take its first CPU offline itself."""
        self.script(BOOT, """
            def talks():
                assert shell.run("echo $((6*7))") == "42"
                assert partition.ask(SYSRQ, ord("h")) == (0, 0)

            def bell():
                line = [line for line in open("/proc/interrupts") if "multikernel" in line][-1]
                number = line.split(":")[0].strip()
                return int(open(f"/proc/irq/{number}/effective_affinity_list").read())

            default = "/proc/irq/default_smp_affinity"
            before = open(default).read()
            open(default, "w").write("2")  # CPU 1
            try:
                partition = start("moves", [2, 3], cmdline="quiet cpu0_hotplug")
            finally:
                open(default, "w").write(before)
            partition.wait_for("running", 120)
            shell = Shell(partition)
            assert shell.run("until [ $(nproc) = 2 ]; do usleep 100000; done; nproc") == "2"
            assert bell() == 1, bell()
            talks()
            for _ in range(3):  # to wherever the host likes it
                cpu = bell()
                if cpu == 0:  # which cannot go
                    break
                path = f"/sys/devices/system/cpu/cpu{cpu}/online"
                open(path, "w").write("0")
                try:
                    assert bell() != cpu
                    talks()
                finally:
                    open(path, "w").write("1")
                talks()
            # There the CPU that is rung, the first one, goes offline.
            assert shell.run("echo 0 >/sys/devices/system/cpu/cpu0/online; nproc") == "1"
            talks()
            partition.pause()
            partition.resume()
            talks()
            partition.destroy()
            """)
        self.assertEqual(self.online_cpus(), self.cpus)


class Many(MachineTest):
    """More partitions than windows below 1 MiB."""

    uses_daemon = False
    options = {"cpus": 24, "memory_mib": 4096}

    def test_twenty_at_once(self):
        free = self.free_kib()
        self.script(BOOT, """
            partitions = []
            # One after the other: a kernel without TSC deadlines measures its APIC timer in a tenth
            # of a second, and may end up without one if its CPU does not run just then.
            for number in range(20):
                partitions.append(start(f"p{number}", [number + 1], memory_mib=96))
                partitions[-1].wait_for("running", 120)
            assert Device().info().partitions == 20
            before = [partition.query().heartbeat for partition in partitions]
            time.sleep(3)  # the beats are the test
            after = [partition.query().heartbeat for partition in partitions]
            assert all(b < a for b, a in zip(before, after)), (before, after)
            assert all(partition.state() == "running" for partition in partitions)
            for partition in partitions:
                partition.destroy()
            """, limit_s=400)
        self.assertEqual(self.online_cpus(), self.cpus)
        self.assert_free_again(free)
