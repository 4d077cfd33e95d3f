# SPDX-License-Identifier: LGPL-2.1-or-later
"""Counts what passed and failed, and prints each result as it comes."""

import re

LONGEST_REASON = 1500  # characters; all of it is where the test ended


class Results:
    """The results of one class of tests.

    `failures` has a text for each: its class, its name, and the last lines of why.
    """

    def __init__(self, class_name):
        self.class_name = class_name
        self.passes = 0
        self.failures = []

    def passed(self, name, seconds=None):
        self.passes += 1
        self._print("passed", name, seconds)

    def failed(self, name, why="", seconds=None):
        """`why` is printed as it is: what the test said."""
        self.add_failure(name, why)
        self._print("FAILED", name, seconds)
        if why:
            print(why.rstrip(), flush=True)

    def add_failure(self, name, why):
        """One that is printed already."""
        self.failures.append(f"{self.class_name}: {name}\n{_end_of(why)}".rstrip())

    def add(self, other):
        self.passes += other.passes
        self.failures += other.failures

    def count(self):
        return self.passes + len(self.failures)

    def summary(self):
        return f"{self.passes} passed, {len(self.failures)} failed"

    def _print(self, verdict, name, seconds):
        took = "" if seconds is None else f" ({seconds:.1f} s)"
        print(f"{verdict} {self.class_name}: {name}{took}", flush=True)


def _end_of(text):
    """The last lines, indented: a failed assertion is at the end of a trace."""
    return re.sub("^", "    ", text.rstrip()[-LONGEST_REASON:], flags=re.MULTILINE)
