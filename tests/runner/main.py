# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs the classes of tests one after the other and counts; behind tests/run.

Each class has a time budget, and what is not done by then is a failure. A class that cannot be
built, or in which nothing ran, is one too: silence never passes.
"""

import argparse
import os
import pathlib
import signal
import sys
import time

import classes
from results import Results

# About twice what each takes on two CPUs.
BUDGET_S = {"unit": 16 * 60, "style": 16 * 60, "commands": 4 * 60, "wire": 6 * 60,
            "machine": 50 * 60, "sanitizer": 18 * 60, "thread": 16 * 60, "fuzz": 14 * 60}
# All of them together. CI ends us at 90 minutes, without a last line; packages come before this.
WHOLE_S = 85 * 60
# Only if asked for: it needs the network.
CLIENTS_S = 30 * 60


def arguments():
    parser = argparse.ArgumentParser(prog="tests/run", description="Runs the tests.")
    parser.add_argument("--only", action="append", choices=BUDGET_S, metavar="CLASS",
                        help=f"run only this class; may be repeated: {', '.join(BUDGET_S)}")
    parser.add_argument("--clients", action="store_true",
                        help="run the wire tests with the newest clients that Debian has, alone")
    parser.add_argument("filter", nargs="?", default="", metavar="FILTER",
                        help="run only tests with this in their name")
    return parser.parse_args()


def main():
    options = arguments()
    # As an exception, so that what runs is ended too (Run.command): no machine is left behind.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    root = pathlib.Path(__file__).resolve().parent.parent.parent
    build = pathlib.Path(os.environ.get("BUILD", root / "build"))
    total = Results("all")
    spent = []
    end = time.monotonic() + WHOLE_S
    budgets = {"clients": CLIENTS_S} if options.clients else BUDGET_S
    for name in budgets if options.clients else options.only or budgets:
        print(f"==> {name}", flush=True)
        results = Results(name)
        began = time.monotonic()
        runner = classes.Run(root, build, options.filter, results,
                             min(began + budgets[name], end))
        try:
            getattr(classes, name)(runner)
        except classes.Failed as error:
            results.failed(name, str(error))
        if not results.count() and not options.filter:
            results.failed(name, "no test ran")
        spent.append(f"{name}: {results.summary()} in {time.monotonic() - began:.0f} s")
        print(f"==> {spent[-1]}", flush=True)
        total.add(results)
    print("==> summary", *spent, sep="\n")
    if not total.count():
        print(f"no test has '{options.filter}' in its name")
    for failure in total.failures:
        print(f"FAILED {failure}")
    print(total.summary(), flush=True)
    sys.exit(0 if total.passes and not total.failures else 1)


main()
