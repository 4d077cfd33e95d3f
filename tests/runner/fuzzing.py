# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs the fuzzers, as many at a time as there are CPUs, each FUZZ_S seconds (60).

A find is a failed test: its input stays in the folder "finds" of the build, and small ones are
printed. CORPUS names a folder where what was learned stays, for longer runs by hand.
"""

import concurrent.futures
import os
import pathlib
import re
import shutil
import tempfile

SECONDS = int(os.environ.get("FUZZ_S", "60"))
# Where the seeds are, by fuzzer; those that are not here read what clients send.
SEEDS = {"xml": ("tests/data/domain", "tests/data/fuzz/xml", "xml-schema/examples"), "conf": (),
         "admin": ("tests/data/fuzz/admin",)}
SESSIONS = ("tests/data/fuzz/sessions",)
LONGEST_PRINTED = 2048


def run_all(run, folder, settings):
    programs = [path for path in sorted((folder / "tests" / "fuzz").glob("fuzz-*"))
                if path.is_file() and run.filter in path.name]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for done in [pool.submit(_run_one, run, path, settings) for path in programs]:
            done.result()


def _seed(root, name, corpus):
    for folder in SEEDS.get(name, SESSIONS):
        for path in (root / folder).iterdir():
            if path.suffix in {"", ".xml"}:
                shutil.copy(path, corpus / path.name)
    if name == "conf":
        text = (root / "libvirt-driver/virtmultikerneld.conf").read_text(encoding="utf-8")
        (corpus / "shipped").write_text(text, encoding="utf-8")
        (corpus / "uncommented").write_text(re.sub(r"(?m)^#(?=\w+ = )", "", text),
                                            encoding="utf-8")


def _run_one(run, program, settings):
    name = program.name.removeprefix("fuzz-")
    # Fuzzers run as nobody and write much: in memory, where they may.
    with tempfile.TemporaryDirectory(dir="/dev/shm") as work:
        corpus = pathlib.Path(work, "corpus")
        finds = pathlib.Path(work, "finds")
        for path in (pathlib.Path(work), corpus, finds):
            path.mkdir(exist_ok=True)
            path.chmod(0o777)
        _seed(run.root, name, corpus)
        kept = os.environ.get("CORPUS")
        if kept and (pathlib.Path(kept) / name).is_dir():
            shutil.copytree(pathlib.Path(kept) / name, corpus, dirs_exist_ok=True)
        code, output = run.command(
            [program, f"-max_total_time={SECONDS}", "-timeout=30", "-rss_limit_mb=4096",
             "-max_len=8192", "-detect_leaks=0", "-print_final_stats=1",
             f"-artifact_prefix={finds}/", corpus], {**settings, "TMPDIR": work})
        if kept:
            shutil.copytree(corpus, pathlib.Path(kept) / name, dirs_exist_ok=True)
        if code == 0:
            run.results.passed(f"{program.name}: {_figures(output)}", SECONDS)
        else:
            run.results.failed(program.name, f"{output[-8000:]}\nended with {code}\n"
                               + _keep(finds, program.parents[2] / "finds"))


def _figures(output):
    runs = re.findall(r"number_of_executed_units: (\d+)", output)
    coverage = re.findall(r"cov: (\d+) ft: (\d+) corp: (\d+)", output)
    edges, features, inputs = coverage[-1] if coverage else ("?", "?", "?")
    return f"{runs[-1] if runs else '?'} runs, {edges} edges, {features} features, {inputs} inputs"


def _keep(finds, folder):
    lines = []
    for path in finds.iterdir():
        folder.mkdir(exist_ok=True)
        shutil.copy(path, folder / path.name)
        data = path.read_bytes()
        lines.append(f"the input is {folder / path.name}, {len(data)} bytes"
                     + (f": {data.hex()}" if len(data) <= LONGEST_PRINTED else ""))
    return "\n".join(lines)
