# SPDX-License-Identifier: Apache-2.0
"""What a run was made on, and the file that keeps all runs: one JSON object in each line, only ever appended to."""
import datetime
import json
import os
import pathlib
import platform
import subprocess
import tempfile
import time

import table
from ground import HERE


def default_path():
    state = os.environ.get("XDG_STATE_HOME") or pathlib.Path.home() / ".local/state"
    return pathlib.Path(state) / "fnfs/bench.jsonl"


def said(*command):
    """The first line of what a program says, or "none" where there is no such program."""
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=HERE)
    except OSError:
        return "none"
    lines = done.stdout.strip().splitlines()
    return lines[0] if done.returncode == 0 and lines else "none"


def processor():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def memory_mb():
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >> 20


def distribution():
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return "unknown"


def creating_us(directory):
    """What a new file costs here: a disk from which much was just removed can be thirty times slower for minutes."""
    with tempfile.TemporaryDirectory(dir=directory) as at:
        begun = time.perf_counter()
        for count in range(200):
            with open(f"{at}/{count}", "w") as file:
                file.write("a file of the usual kind\n")
        return (time.perf_counter() - begun) / 200 * 1e6


def machine(directory):
    return {
        "processor": processor(), "processors": os.cpu_count(), "memory_mb": memory_mb(),
        "kernel": platform.release(), "system": distribution(),
        "file_system": said("stat", "-f", "-c", "%T", str(directory)), "creating_us": round(creating_us(directory)),
        "python": said("/usr/bin/python3", "--version").removeprefix("Python "),
        "node": said("node", "--version").removeprefix("v"), "libfuse": said("pkg-config", "--modversion", "fuse3"),
        "load": os.getloadavg()[0],
    }


def describe(machine):
    return (f"{machine['processors']} x {machine['processor']}, {machine['memory_mb'] / 1024:.0f} GB, "
            f"{machine['system']}, kernel {machine['kernel']}, {machine['file_system']}; Python {machine['python']}, "
            f"Node.js {machine['node']}, libfuse {machine['libfuse']}; load {machine['load']:.1f} before")


def run_of(lines, untaken, machine, seconds):
    """What is kept of a run. `machine` is as it was at the start; `untaken`: rows that could not be measured, and why."""
    return {"when": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
            "commit": said("git", "describe", "--always", "--dirty", "--abbrev=12"), "took_s": round(seconds),
            "machine": machine, "lines": [line.to_json() for line in lines], "untaken": untaken}


def append(path, run):
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a") as file:
        file.write(json.dumps(run) + "\n")


def runs(path):
    with open(path) as file:
        return [json.loads(line) for line in file if line.strip()]


def lines_of(run):
    return [table.Line.from_json(fields) for fields in run["lines"]]
