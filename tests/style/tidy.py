# SPDX-License-Identifier: LGPL-2.1-or-later
"""clang-tidy over many sources at the price of few.

Most of its time goes into the system's headers, which each source includes anew. So sources that
are compiled alike are read several at a time, as one source that includes them. Where that finds
anything, if only that two sources have a name in common, each half of them is read, and so on: what
a source has by itself decides.
"""

import collections
import concurrent.futures
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import tempfile

GROUP = 6  # sources read at a time
# The analyzer follows calls a little: to follow all of them, as clang-tidy by hand does, takes it
# two thirds of the time.
SHALLOW = [f"--extra-arg={word}" for word in ("-Xclang", "-analyzer-config", "-Xclang",
                                              "mode=shallow")]
HEADERS = r"/(libvirt-driver|tests)/[a-z_/]*\.(h|cpp)$"  # with the sources, which are included now


def findings(top, build, ours):
    """What clang-tidy complains of in those of the sources `ours` that are built, line by line."""
    with tempfile.TemporaryDirectory() as work, \
            concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for name in (".clang-tidy", "tests/.clang-tidy"):
            pathlib.Path(work, name).parent.mkdir(exist_ok=True)
            shutil.copy(top / name, pathlib.Path(work, name))
        done = [pool.submit(_group, top, build, pathlib.Path(work), number, *group)
                for number, group in enumerate(_groups(build, ours))]
        assert done, f"nothing is built in {build}"
        return [line for each in done for line in each.result()]


def _groups(build, ours):
    """(flags, sources) of each group."""
    alike = collections.defaultdict(set)
    for entry in json.loads((build / "compile_commands.json").read_text(encoding="utf-8")):
        source = str((build / entry["file"]).resolve())
        if entry["file"].endswith(".cpp") and source in ours:
            alike[_flags(entry)].add(source)
    for flags, sources in sorted(alike.items(), key=lambda item: min(item[1])):
        count = -(-len(sources) // GROUP)
        for first in range(count):
            # Not neighbours: those of one folder are the likeliest to share a name.
            yield flags, sorted(sources)[first::count]


def _flags(entry):
    words = shlex.split(entry["command"])
    while not words[0].startswith("-"):
        del words[0]  # the compiler
    return tuple(word for word in words
                 if entry["output"] not in word and word != entry["file"]
                 and word not in {"-c", "-o", "-MD", "-MQ", "-MF"}
                 and not re.fullmatch(r"-I.*\.p", word))  # a target's own folder: only outputs


def _group(top, build, work, number, flags, sources):
    if len(sources) == 1:
        return _tidy(build, "-p", build, *sources)
    folder = work / "tests" if (top / "tests") in pathlib.Path(sources[0]).parents else work
    # The analyzer follows functions of included sources in a file of this name only.
    unified = folder / f"UnifiedSource{number}.cpp"
    unified.write_text("".join(f'#include "{source}"  // NOLINT\n' for source in sources),
                       encoding="utf-8")
    if not _tidy(build, f"--header-filter={HEADERS}", unified, "--", *flags):
        return []
    # Not neighbours, as in _groups().
    return [line for half in (0, 1)
            for line in _group(top, build, work, f"{number}-{half}", flags, sources[half::2])]


def _tidy(build, *words):
    done = subprocess.run(["clang-tidy", "--quiet", "--warnings-as-errors=*", *SHALLOW, *words],
                          cwd=build, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)
    wrong = [line for line in done.stdout.splitlines() if re.search("(warning|error):", line)]
    return wrong + ([f"exit code {done.returncode}"] if done.returncode else [])
