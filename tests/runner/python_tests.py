# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs the unittest files of one folder: python_tests.py FOLDER REPORT FILTER FILES

FILES is which of them, a glob pattern. "each:N" stands for all of them, each in a process of its
own, N at a time.

Prints a line for each test as it ends, and appends one JSON object for each to REPORT, so that
the count is right even if this process is killed. A skipped test is a failed one.
"""

import fnmatch
import json
import os
import pathlib
import signal
import subprocess
import sys
import time
import unittest


class Result(unittest.TestResult):
    """Tells each test's end at once."""

    def __init__(self, class_name, report):
        super().__init__()
        self.class_name = class_name
        self.report = report
        self.began = time.monotonic()
        self.told = set()

    def startTest(self, test):
        super().startTest(test)
        self.began = time.monotonic()

    def _tell(self, test, why=""):
        name = short_name(test)
        if name in self.told:  # a sub-test has told already
            return
        self.told.add(name)
        verdict = "FAILED" if why else "passed"
        print(f"{verdict} {self.class_name}: {name} ({time.monotonic() - self.began:.1f} s)")
        if why:
            print(why.rstrip())
        sys.stdout.flush()
        self.report.write(json.dumps({"name": name, "why": why}) + "\n")
        self.report.flush()

    def addSuccess(self, test):
        self._tell(test)

    def addFailure(self, test, err):
        super().addFailure(test, err)  # a test may look whether it has failed
        self._tell(test, self._exc_info_to_string(err, test))

    addError = addFailure

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err:
            self._tell(test, f"{subtest}\n{self._exc_info_to_string(err, test)}")

    def addSkip(self, test, reason):
        self._tell(test, f"skipped ({reason}): a test that does not run proves nothing")

    def addExpectedFailure(self, test, err):
        self._tell(test, "expected failures are not used here")

    def addUnexpectedSuccess(self, test):
        self._tell(test, "expected failures are not used here")


def short_name(test):
    return test.id().replace("_test.", ".", 1)


def chosen(suite, text):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from chosen(test, text)
        elif fnmatch.fnmatchcase(short_name(test), f"*{text}*"):
            yield test


def run_each(folder, report, text, at_a_time):
    """Runs this program for each file, the biggest first; returns whether all ended well."""
    waiting = sorted(folder.glob("*_test.py"), key=lambda path: path.stat().st_size)
    running = []
    good = True
    try:
        while waiting or running:
            while waiting and len(running) < at_a_time:
                running.append(subprocess.Popen([sys.executable, "-B", __file__, folder, report,
                                                 text, waiting.pop().name]))
            os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)
            for process in [each for each in running if each.poll() is not None]:
                running.remove(process)
                good = good and process.returncode == 0
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.wait()
    return good


def main():
    folder, report, text, files = pathlib.Path(sys.argv[1]), *sys.argv[2:]
    if files.startswith("each:"):
        signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
        at_a_time = int(files.removeprefix("each:"))
        sys.exit(0 if run_each(folder, report, text, at_a_time) else 1)
    sys.path.insert(0, str(folder))
    suite = unittest.defaultTestLoader.discover(str(folder), files)
    with open(report, "a", encoding="utf-8") as out:
        result = Result(folder.name, out)

        def terminate(number, _frame):
            # The running test fails by it and is cleaned up after: machines and daemons end.
            result.stop()
            sys.exit(128 + number)

        signal.signal(signal.SIGTERM, terminate)
        unittest.TestSuite(chosen(suite, text)).run(result)
    sys.exit(0 if result.wasSuccessful() else 1)


main()
