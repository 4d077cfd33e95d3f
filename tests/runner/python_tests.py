# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs the unittest files of one folder: python_tests.py FOLDER REPORT FILTER LANES

LANES is how many processes share the work, class by class.

Prints a line for each test as it ends, and appends one JSON object for each to REPORT, so that
the count is right even if this process is killed. A skipped test is a failed one.
"""

import collections
import fnmatch
import json
import os
import pathlib
import signal
import sys
import time
import unittest

TURN = 2  # bytes of a class's number in the pipe


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


def in_turn(folder, text):
    """The chosen tests of a folder, a list for each class, in the order in which they begin.

    A class method turn() of a class gives its place; of equal ones the biggest begins.
    """
    found = collections.defaultdict(list)
    for test in chosen(unittest.defaultTestLoader.discover(str(folder), "*_test.py"), text):
        found[type(test)].append(test)
    return sorted(found.values(), key=lambda tests: (
        type(tests[0]).turn() if hasattr(tests[0], "turn") else (), -len(tests)))


def run_classes(classes, folder, report):
    """Runs the classes that come; returns whether all their tests passed."""
    with open(report, "a", encoding="utf-8") as out:
        result = Result(folder.name, out)

        def terminate(number, _frame):
            # The running test fails by it and is cleaned up after: machines and daemons end.
            result.stop()
            sys.exit(128 + number)

        signal.signal(signal.SIGTERM, terminate)
        for tests in classes:
            if not result.shouldStop:
                unittest.TestSuite(tests).run(result)
    return result.wasSuccessful()


def run_lanes(classes, folder, report, count):
    """Runs them in `count` processes, each of which takes the class that comes next until the end.

    So what a class leaves for the next one in its process, as a machine, serves several.
    """
    turns, writer = os.pipe()
    for number in range(len(classes)):
        os.write(writer, number.to_bytes(TURN, "little"))
    os.close(writer)
    sys.stdout.flush()
    lanes = []
    for _ in range(count):
        if not (pid := os.fork()):
            mine = (classes[int.from_bytes(turn, "little")]
                    for turn in iter(lambda: os.read(turns, TURN), b""))
            sys.exit(0 if run_classes(mine, folder, report) else 1)
        lanes.append(pid)
    # Who ends us ends the lanes too: all are one process group.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    ends = [os.waitpid(pid, 0)[1] for pid in lanes]
    return not any(ends)


def main():
    folder, report, text, count = pathlib.Path(sys.argv[1]), *sys.argv[2:]
    sys.path.insert(0, str(folder))
    good = run_lanes(in_turn(folder, text), folder, report, int(count))
    sys.exit(0 if good else 1)


main()
