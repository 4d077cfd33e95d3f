# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is costly to make and the same for every machine: made once, kept, shared.

Holds Debian's packages only, never our own build products and no keys.
"""

import contextlib
import fcntl
import os
import pathlib
import shutil
import subprocess


def directory():
    """The cache folder: below $XDG_CACHE_HOME, else below /var/cache."""
    return pathlib.Path(os.environ.get("XDG_CACHE_HOME") or "/var/cache", "multikernel-tests")


@contextlib.contextmanager
def _locked(name):
    directory().mkdir(parents=True, exist_ok=True)
    with open(directory() / f"{name}.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # released when the file is closed, killed or not
        yield


def once(name, make):
    """Returns the path `name` in the cache; if it is not there, make(path) makes it.

    A making that is interrupted leaves nothing that a later call would take for finished.
    """
    final = directory() / name
    if final.exists():
        return final
    if os.geteuid() != 0:
        raise RuntimeError(f"{final} has to be made once, by root: sudo tests/machine/up")
    with _locked(name):
        if not final.exists():
            partial = final.with_name(f"{name}.partial")
            remove(partial)  # of a making that was killed
            try:
                make(partial)
                partial.rename(final)
            finally:
                remove(partial)
    return final


def remove(path):
    """Removes a file or a whole folder; nothing to remove is fine."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def check(command, **options):
    """Runs a command; its output is shown only if it fails, as part of the error."""
    words = [str(word) for word in command]
    with subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace",
                          **options) as process:
        try:
            output = process.communicate()[0]
        except BaseException:
            process.kill()
            process.communicate()  # until all that had its output are gone
            raise
    if process.returncode:
        raise RuntimeError(f"{' '.join(words[:3])} … failed with {process.returncode}:\n"
                           f"{output[-4000:]}")
    return output
