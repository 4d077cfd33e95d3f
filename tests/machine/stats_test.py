# SPDX-License-Identifier: LGPL-2.1-or-later
"""What an app kernel tells of itself without being asked, and how clients see it."""

from device_test import BOOT
from lib.testing import MachineTest


class StatsPage(MachineTest):
    uses_daemon = False

    def setUp(self):
        super().setUp()
        self.addCleanup(self.script, """
            for identity, _, _ in list(Device().list()):
                Device().open(identity).destroy()
            """)

    def test_page_says_what_the_app_kernel_counts(self):
        self.script(BOOT, """
            assert not partition.stats().valid and partition.stats().count == 1
            boot()
            while not (stats := partition.stats()).each[0][6]:  # idle at last
                time.sleep(0.1)
            assert stats.valid and stats.count == 1
            assert abs(stats.realtime_ns - time.time_ns()) < 3600 * 10**9, stats.realtime_ns
            assert stats.total_bytes == partition.query().app_total_bytes
            assert 0 < stats.free_bytes <= stats.total_bytes
            assert 0 < stats.available_bytes < stats.total_bytes
            assert 0 < stats.cached_bytes < stats.total_bytes
            assert stats.minor_faults > 100, stats.minor_faults
            assert stats.swap_total_bytes == stats.swap_free_bytes == 0
            cpu, app_cpu, online, _, user, system, idle, irq = stats.each[0]
            assert (cpu, app_cpu, online) == (3, 0, 1), stats.each
            assert user > 0 and system > 0, stats.each
            while (later := partition.stats()).uptime_ns == stats.uptime_ns:
                time.sleep(0.1)
            assert later.each[0][6] > idle
            assert sum(later.each[0][4:]) < later.uptime_ns * 3 // 2
            partition.destroy()
            """)
