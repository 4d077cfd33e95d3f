# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the benchmarks share: a test machine of their own, and a program that runs in it."""

import argparse
import pathlib
import subprocess
import tempfile

BENCH = pathlib.Path(__file__).resolve().parent
MACHINE = BENCH.parent / "machine"
UAPI = BENCH.parent.parent / "kernel/include/uapi"
NAME = ["--name", "bench"]


def parser(description):
    made = argparse.ArgumentParser(description=description,
                                   formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--build", default=str(BENCH.parent.parent / "build"),
                      help="default ./build")
    return made


def run(inside, *arguments, build, cpus=4, memory_mib=3072, measure=False):
    """Runs tests/bench/INSIDE in a new machine; returns its exit code.

    measure: with measure.c, compiled, as /root/measure.
    """
    try:
        subprocess.run([MACHINE / "up", *NAME, "--build", build, "--cpus", str(cpus),
                        "--memory", str(memory_mib)], check=True)
        if measure:
            _put_measure()
        with open(BENCH / inside, "rb") as program:
            return subprocess.run(
                [MACHINE / "run", *NAME, "env", "PYTHONPATH=/usr/lib/multikernel-machine",
                 "python3", "-", *map(str, arguments)], stdin=program, check=False).returncode
    finally:
        subprocess.run([MACHINE / "down", *NAME], check=False)


def _put_measure():
    with tempfile.TemporaryDirectory() as work:
        program = pathlib.Path(work, "measure")
        subprocess.run(["gcc", "-O2", "-static", "-I", UAPI, "-o", program,
                        BENCH / "measure.c"], check=True)
        subprocess.run([MACHINE / "run", *NAME, "cat >/root/measure; chmod 755 /root/measure"],
                       input=program.read_bytes(), check=True)
