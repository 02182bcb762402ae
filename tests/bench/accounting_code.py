# SPDX-License-Identifier: Apache-2.0
"""What one file costs in code/: `grep -r` of what was read before, `tar x`, `cp -a`; counted as accounting.py does.

Counts are per file, those of directories included; the times are of processors, without strace: the command's own, and the
daemon's with all its threads.
"""
import os
import random
import subprocess

from accounting import counted_calls, counted_requests, listed, tracing, usage
from calls import daemon_pid
from ground import directory, mounted, need, run
from publishing import plant
from rows_code import CodeGround, Ground

FILES = 500


def commands(path):
    """{NAME: (what is there before, the command)}"""
    def copied(at):
        run(["cp", "-a", f"{path / 'tree'}/.", at])
        for _ in range(2):  # a first read moves the time of access, and goes to the disk for that
            run(["grep", "-r", "def handler", at])

    def nothing(at):
        pass

    return {"grep -r": (copied, lambda at: ["grep", "-r", "def handler", at]),
            "tar x": (nothing, lambda at: ["tar", "-xf", path / "tree.tar", "-C", at]),
            "cp -a": (nothing, lambda at: ["cp", "-a", f"{path / 'tree'}/.", at])}


def used(command):
    """Microseconds on a processor, and waits, of a command and what it started."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage_of = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return (usage_of.ru_utime + usage_of.ru_stime) * 1e6, usage_of.ru_nvcsw


def fresh(ground, prepare):
    at = ground.fresh()
    prepare(at)
    ground.settle()
    return at


def busy(name, ground, prepare, command, pid=None):
    at = fresh(ground, prepare)
    before = usage(pid) if pid else None
    own_us, waits = used(command(at))
    print(f"  {name:9}{own_us / FILES:7.1f} µs on a processor, {waits / FILES:5.2f} waits", flush=True)
    if pid:
        waits, _, busy_ns = [b - a for a, b in zip(before, usage(pid))]
        print(f"  {'daemon':9}{busy_ns / FILES / 1000:7.1f} µs on a processor, {waits / FILES:5.2f} waits", flush=True)


def show(name, grounds, prepare, command, pid):
    print(f"\n{name}, per file")
    at = fresh(grounds["code/"], prepare)
    requests = counted_requests(tracing(pid, ["-P", "/dev/fuse", "-e", "trace=read", "-xx", "-s", "8"],
                                        lambda: run(command(at)))[1], FILES)
    at = fresh(grounds["code/"], prepare)
    calls = counted_calls(tracing(pid, ["-c"], lambda: run(command(at)))[1], FILES)
    print(f"  {sum(requests.values()):.2f} FUSE requests: {listed(requests)}")
    print(f"  {sum(calls.values()):.2f} system calls of the daemon: {listed(calls)}")
    busy("in code/", grounds["code/"], prepare, command, pid)
    busy("on disk", grounds["disk"], prepare, command)


def account(options):
    need("strace", "strace")
    with directory() as path, mounted(path) as root:
        plant(path / "tree", FILES, random.Random(1))
        run(["tar", "-cf", path / "tree.tar", "-C", path / "tree", "."])
        grounds = {"code/": CodeGround(root), "disk": Ground(path / "disk")}
        for name, (prepare, command) in commands(path).items():
            show(name, grounds, prepare, command, daemon_pid(root))
