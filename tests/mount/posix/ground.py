# SPDX-License-Identifier: Apache-2.0
"""What the tests of the mount as a file system share: where the programs are, and a run of one."""
import os
import pathlib
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent / "lib"))
import mounted  # noqa: E402

PROGRAMS = pathlib.Path(mounted.BUILD) / "tests" / "mount" / "posix"
LONG = mounted.LONG
# What the mount does not have, as its documentation says; libfuse passes O_TMPFILE since 3.17.
LICENCE = "device,tmpfile,xattr,collapse,late,seek,setgid"


def licence(code):
    """What may differ in this tree, for what libfuse it was built with passes on O_TMPFILE or not."""
    words = LICENCE.split(",")
    try:
        os.close(os.open(code, os.O_TMPFILE | os.O_RDWR))
        words.remove("tmpfile")
    except OSError:
        pass
    return ",".join(words)


def seed():
    given = [word for word in sys.argv[1:] if word.isdigit()]
    return int(given[0] if given else os.environ.get("SEED") or time.time())


def run(name, *words, fails=False):
    """Runs a program of this folder. It must end well, or, when told to lie, must find that out."""
    command = [str(PROGRAMS / name), *map(str, words)]
    done = subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    lines = done.stdout.strip().split("\n")
    if fails:
        assert done.returncode == 1, f"{' '.join(command)}: ends with {done.returncode}:\n{done.stdout}"
        return
    print(f"{name}: {lines[0]}; {lines[-1]}", flush=True)
    assert done.returncode == 0, f"{' '.join(command)}:\n{done.stdout}"


def tree(mount):
    """A function's code/, and beside the state a directory on the same disk."""
    mount.function("posix", {})
    disk = os.path.join(mount.base, "disk")
    os.makedirs(disk, exist_ok=True)
    return mount.path("functions", "posix", "code"), disk


def mount(**options):
    """A mount; other users may enter it when root makes it."""
    if os.geteuid() == 0:
        options["options"] = "allow_other"
    return mounted.Mounted(patience=1100, **options)
