# SPDX-License-Identifier: LGPL-2.1-or-later
"""The CMOS clock is the host's: an app kernel that keeps exact time does not write it."""

from lib.testing import MachineTest

# As an NTP daemon does it once it is sure: the time, and that the kernel may rely on it. Then
# Linux sets the hardware's clock, for the first time within two seconds.
SYNCHRONISE = """
#include <stdio.h>
#include <sys/time.h>
#include <sys/timex.h>

int main(void)
{
    struct timex clock = {.modes = ADJ_STATUS | ADJ_MAXERROR | ADJ_ESTERROR, .status = STA_PLL};
    struct timeval now;

    if (gettimeofday(&now, NULL))
        return 1;
    now.tv_sec += 12345;
    if (settimeofday(&now, NULL) || adjtimex(&clock) < 0)
        return 1;
    puts(clock.status & STA_UNSYNC ? "not synchronised" : "synchronised");
    return 0;
}
"""


class Clock(MachineTest):
    def _cmos_ahead_s(self):
        now, cmos = self.run_in("date +%s; cat /sys/class/rtc/rtc0/since_epoch").split()
        return int(cmos) - int(now)

    def test_exact_time_of_an_app_kernel_stays_its_own(self):
        console = self.start("web", initrd=self.initrd_with("sync", self.program(SYNCHRONISE)))
        self.assertEqual(console.command("ls -d /sys/class/rtc/* /dev/rtc* /proc/driver/rtc "
                                         "2>&1 | grep -v 'No such'"), "")
        self.assertLess(abs(self._cmos_ahead_s()), 60)
        self.assertEqual(console.command("/sync"), "synchronised")
        # It tries until it was told that there is no such clock; then its timer is gone.
        self.assertEqual(console.command(
            "i=0; while [ $i -lt 30 ]; do "
            "grep -q sync_timer_callback /proc/timer_list || break; i=$((i+1)); sleep 1; done; "
            "grep -c sync_timer_callback /proc/timer_list"), "0")
        self.assertLess(abs(self._cmos_ahead_s()), 60)
        ahead = int(console.command("date +%s")) - int(self.run_in("date +%s"))
        self.assertGreater(ahead, 12000)
