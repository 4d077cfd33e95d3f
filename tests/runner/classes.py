# SPDX-License-Identifier: LGPL-2.1-or-later
"""The classes of tests: one function each, called with a Run.

unit is GoogleTest programs that meson knows; commands, wire, machine and style are Python unittest
files in the folders of these names; sanitizer and thread are wire and unit in builds that watch
them, and clients is wire with newer clients; fuzz is in fuzzing.py. What is in a class is found,
never listed here.
"""

import concurrent.futures
import dataclasses
import json
import os
import pathlib
import signal
import subprocess
import tempfile
import time

import fuzzing
from results import Results

# An error found must end the program: a test that goes on after it would pass.
SANITIZER_SETTINGS = {"ASAN_OPTIONS": "detect_leaks=1:abort_on_error=1",
                      "UBSAN_OPTIONS": "halt_on_error=1:abort_on_error=1:print_stacktrace=1",
                      # GLib keeps its own memory for ever; leaks of ours are found all the same
                      "G_SLICE": "always-malloc"}


class Failed(Exception):
    """A whole class cannot run; the text says why."""


@dataclasses.dataclass
class Run:
    """What a class gets: where things are, which tests, where results go, until when."""

    root: pathlib.Path
    build: pathlib.Path
    filter: str
    results: Results
    deadline: float  # time.monotonic()

    def command(self, words, env=None, **options):
        """Runs a command in a session of its own until the deadline, then kills all of it.

        Returns (exit code, output); the code is None if it was out of time.
        """
        process = subprocess.Popen(
            [str(word) for word in words], cwd=self.root, stdin=subprocess.DEVNULL,
            env={**os.environ, **(env or {})}, start_new_session=True, text=True,
            errors="replace", **{"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT,
                                 **options})
        try:
            output = process.communicate(timeout=max(1, self.deadline - time.monotonic()))[0]
            return process.returncode, output or ""
        except subprocess.TimeoutExpired:
            # Asked first: what started a machine ends it.
            os.killpg(process.pid, signal.SIGTERM)
            try:
                output = process.communicate(timeout=20)[0]
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                output = process.communicate()[0]
            return None, (output or "") + "\nout of time\n"
        except BaseException:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait()
            raise


# By the compiler that is quicker at it, with line numbers only: these builds are run once. What gcc
# warns of, and its optimizer, the build of unit tells.
WATCHED_ENV = {"KERNELS": "none", "CC": "clang", "CXX": "clang++"}


def _watched_build(sanitize, optimization, flags):
    return [f"-Db_sanitize={sanitize}", "-Db_lundef=false", f"-Doptimization={optimization}",
            f"-Dcpp_args={flags}", f"-Dc_args={flags}"]


# Optimized a little, which fuzzers need.
SANITIZER_BUILD = _watched_build("address,undefined", 1, "-g1 -fsanitize=fuzzer-no-link")
THREAD_BUILD = _watched_build("thread", 0, "-g1")


def _build(run, folder, settings=(), env=None, targets=()):
    if not (folder / "build.ninja").exists():
        code, output = run.command(["meson", "setup", folder, run.root, *settings], env)
        if code != 0:
            raise Failed(f"meson setup {folder}:\n{output}")
    code, output = run.command(["ninja", "-C", folder, *targets], env)
    if code != 0:
        raise Failed(f"the build in {folder} failed:\n{output[-8000:]}")


def _gtest_programs(run, folder, env=None, names=None):
    """All that meson knows, or those called `names`."""
    code, text = run.command(["meson", "introspect", folder, "--tests"])
    if code != 0:
        raise Failed(f"meson introspect {folder}:\n{text}")
    for test in json.loads(text):
        if names and test["name"] not in names:
            continue
        if test["protocol"] == "gtest":
            _gtest(run, test, env)
        elif run.filter in test["name"]:
            code, output = run.command(test["cmd"], {**test["env"], **(env or {})})
            if code == 0:
                run.results.passed(test["name"])
            else:
                run.results.failed(test["name"], output[-8000:])


def _gtest(run, test, env):
    """A part of its tests for each CPU: many wait more than they work."""
    parts = os.cpu_count()
    with concurrent.futures.ThreadPoolExecutor(parts) as pool:
        for done in [pool.submit(_gtest_part, run, test, env, number, parts)
                     for number in range(parts)]:
            _tell_gtest(run, test, *done.result())


def _gtest_part(run, test, env, number, parts):
    """(exit code, output, suites, which are None without a report)"""
    with tempfile.TemporaryDirectory() as work:
        report = pathlib.Path(work, "report.json")
        words = [*test["cmd"], f"--gtest_output=json:{report}", "--gtest_color=no"]
        if run.filter:
            words.append(f"--gtest_filter=*{run.filter}*")
        code, output = run.command(words, {
            **test["env"], **(env or {}),
            "GTEST_TOTAL_SHARDS": str(parts), "GTEST_SHARD_INDEX": str(number)})
        try:
            return code, output, json.loads(report.read_text(encoding="utf-8"))["testsuites"]
        except (OSError, ValueError):
            return code, output, None


def _tell_gtest(run, test, code, output, suites):
    if suites is None:
        run.results.failed(test["name"], f"{output[-8000:]}\nended with {code}, no report")
        return
    found_failure = False
    for case in (case for suite in suites for case in suite["testsuite"]):
        name = f"{case['classname']}.{case['name']}"
        seconds = float(case["time"].rstrip("s"))
        why = "\n".join(failure["failure"] for failure in case.get("failures", []))
        if case["result"] == "SKIPPED":
            why = "skipped: a test that does not run proves nothing"
        if why:
            found_failure = True
            run.results.failed(name, why, seconds)
        elif case["status"] == "RUN":
            run.results.passed(name, seconds)
    if code != 0 and not found_failure:
        run.results.failed(test["name"], f"{output[-8000:]}\nended with {code}")


def _python(run, folder, env=None, lanes=1, around=()):
    """Runs a folder's tests with python_tests.py, whose report has a line for each test.

    `around` are words in front of its command.
    """
    with tempfile.TemporaryDirectory() as work:
        report = pathlib.Path(work, "report")
        report.touch()
        code, _ = run.command(
            [*around, "/usr/bin/python3", "-B", run.root / "tests/runner/python_tests.py", folder,
             report, run.filter, lanes], {"BUILD": str(run.build), **(env or {})}, stdout=None,
            stderr=None)
        failed = False
        for line in report.read_text(encoding="utf-8").splitlines():
            entry = json.loads(line)
            if not entry["why"]:
                run.results.passes += 1
            else:
                failed = True
                run.results.add_failure(entry["name"], entry["why"])
        if code is None:
            run.results.failed(folder.name, "out of time")
        elif code != 0 and not failed:
            run.results.failed(folder.name, f"the tests ended with {code}")


def unit(run):
    _build(run, run.build)
    _gtest_programs(run, run.build)


def style(run):
    try:
        _build(run, run.build)  # clang-tidy reads generated headers; the rest needs no build
    except Failed as error:
        run.results.failed("build", str(error))
    _python(run, run.root / "tests" / "style", lanes=os.cpu_count())


def commands(run):
    """The commands of virsh-ext, which are scripts that talk to nobody."""
    _python(run, run.root / "tests" / "commands")


def _wire(run, env=None, around=()):
    # Its tests share nothing, and each waits for its daemon most of the time.
    _python(run, run.root / "tests" / "wire", env, 2 * os.cpu_count(), around)


def wire(run):
    _build(run, run.build)
    _wire(run)


def clients(run):
    """wire, with the newest virsh, libvirt-python and schemas of Debian around the same daemon."""
    _build(run, run.build)
    script = run.root / "tests" / "runner" / "newest_clients"
    code, output = run.command([script, "prepare", run.build])
    if code != 0:
        raise Failed(f"{script.name} prepare:\n{output[-8000:]}")
    print(output.rstrip().rpartition("\n")[2], flush=True)  # the versions
    _wire(run, around=[script, "run", run.build])


def machine(run):
    _build(run, run.build)
    # Two machines or more: much of a test is one kernel that boots on one CPU.
    _python(run, run.root / "tests" / "machine", lanes=os.cpu_count())


def _watched_folder(run, name):
    return run.build.with_name(f"{run.build.name}-{name}")


def _watched(run, words, settings, units=()):
    """unit, or its programs `units`, and wire again, in a build that watches them, no modules."""
    folder = _watched_folder(run, run.results.class_name)
    targets = [f"tests/unit/test-{name}" for name in units] + ["tests/fake-daemon"]
    _build(run, folder, words, WATCHED_ENV, targets if units else ())
    _gtest_programs(run, folder, settings, units)
    _wire(dataclasses.replace(run, build=folder), settings)


def sanitizer(run):
    """Addresses, leaks, undefined behaviour."""
    _watched(run, SANITIZER_BUILD, SANITIZER_SETTINGS)


def thread(run):
    """Data races and lock order; TSan cannot run together with ASan.

    Of unit only what is about threads: most of it has one, and would be much of the build.
    """
    suppressions = run.root / "tests" / "support" / "tsan.supp"
    _watched(run, THREAD_BUILD, {"TSAN_OPTIONS": f"suppressions={suppressions}:halt_on_error=1"},
             ("rpc", "util"))


def fuzz(run):
    """libFuzzer's inputs, each program for a minute, in the build of sanitizer."""
    folder = _watched_folder(run, "sanitizer")
    _build(run, folder, SANITIZER_BUILD, WATCHED_ENV, ["fuzzers"])
    fuzzing.run_all(run, folder, SANITIZER_SETTINGS)
