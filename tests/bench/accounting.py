# SPDX-License-Identifier: Apache-2.0
"""Where the time of one call goes, counted: one caller, one call after the other, nothing else.

Counts are per call, over all calls of a second: of the requests that reach /dev/fuse and of the system calls by strace,
of waits and preemptions and the time on a processor by the kernel's own books (/proc, without strace), of allocations in the
daemon by a library that is loaded before the C library (allocations.c). A wait is a context switch by the thread's own will,
and each is a wake-up later. Nothing here is judged.
"""
import os
import pathlib
import re
import signal
import struct
import subprocess
import tempfile
import time
from collections import Counter

from calls import subjects
from ground import BUILD, need

OPCODES = {1: "lookup", 2: "forget", 3: "getattr", 4: "setattr", 5: "readlink", 6: "symlink", 8: "mknod", 9: "mkdir",
           10: "unlink", 11: "rmdir", 12: "rename", 13: "link", 14: "open", 15: "read", 16: "write", 17: "statfs",
           18: "release", 20: "fsync", 21: "setxattr", 22: "getxattr", 23: "listxattr", 25: "flush", 27: "opendir",
           28: "readdir", 29: "releasedir", 34: "access", 35: "create", 36: "interrupt", 40: "poll", 42: "forget",
           43: "fallocate", 44: "readdir", 45: "rename", 46: "lseek", 47: "copy"}
WARM_UP = 20  # calls of the client that it does not count
HEADER = re.compile(r'read\(\d+[^"]*"((?:\\x[0-9a-f]{2}){8})')


def usage(pid):
    """(voluntary, involuntary switches, nanoseconds on a processor) of all its threads so far."""
    sums = [0, 0, 0]
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        status = (task / "status").read_text()
        sums[0] += int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", status, re.M)[1])
        sums[1] += int(re.search(r"^nonvoluntary_ctxt_switches:\s+(\d+)", status, re.M)[1])
        sums[2] += int((task / "schedstat").read_text().split()[0])
    return sums


def client(row, seconds):
    """Runs one caller: how many calls it made, and its own (voluntary, involuntary switches, nanoseconds)."""
    process = subprocess.Popen([BUILD / "tests/bench/bench_client", row.transport, str(row.target), "1", str(seconds)],
                               stdout=subprocess.PIPE, text=True)
    calls = int(process.stdout.read().split()[0]) + WARM_UP
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return calls, (used.ru_nvcsw, used.ru_nivcsw, (used.ru_utime + used.ru_stime) * 1e9)


def count_switches(row, seconds):
    """Per process and call: voluntary, involuntary switches, microseconds."""
    row.measure(1, 0.2)
    pids = row.processes()
    before = {name: usage(pid) for name, pid in pids.items()}
    calls, ours = client(row, seconds)
    used = {name: [b - a for a, b in zip(before[name], usage(pid))] for name, pid in pids.items()}
    return {name: [count / calls / scale for count, scale in zip(counts, (1, 1, 1000))]
            for name, counts in {"caller": ours, **used}.items()}


def tracing(pid, options, work):
    """(what the work returned, what strace wrote of the process meanwhile)"""
    with tempfile.NamedTemporaryFile("r") as table:
        tracer = subprocess.Popen(["strace", "-q", "-f", *options, "-o", table.name, "-p", str(pid)],
                                  stderr=subprocess.DEVNULL)
        time.sleep(0.5)
        result = work()
        tracer.send_signal(signal.SIGINT)
        tracer.wait()
        return result, table.read()


def traced(pid, options, row, seconds):
    """(calls, what strace wrote)"""
    (calls, _), text = tracing(pid, options, lambda: client(row, seconds))
    return calls, text


def counted_calls(text, parts):
    """System calls by name, of each of so many parts, from the table of strace -c."""
    return {line[-1]: int(line[3]) / parts for line in map(str.split, text.splitlines())
            if len(line) >= 5 and line[3].isdigit() and line[-1] != "total"}


def counted_requests(text, parts):
    """FUSE requests by name, of each of so many parts: the second word of what the daemon reads is the operation."""
    names = Counter()
    for match in HEADER.finditer(text):
        operation = struct.unpack("<II", bytes.fromhex(match[1].replace("\\x", "")))[1]
        names[OPCODES.get(operation, f"operation {operation}")] += 1 / parts
    return names


def count_calls(row, seconds):
    """Per process: system calls per call, by name."""
    counts = {}
    for name, pid in row.processes().items():
        calls, text = traced(pid, ["-c"], row, seconds)
        counts[name] = counted_calls(text, calls)
    return counts


def count_requests(row, seconds):
    """FUSE requests per call, by name."""
    calls, text = traced(row.processes()["daemon"],
                         ["-P", "/dev/fuse", "-e", "trace=read", "-xx", "-s", "8"], row, seconds)
    return counted_requests(text, calls)


class Allocations:
    """The counters that allocations.c keeps in a file: allocations, frees, bytes."""

    def __init__(self, file):
        self.path = file.name
        file.truncate(24)

    def environment(self):
        return (f"LD_PRELOAD={BUILD / 'tests/bench/libbench_allocations.so'}", f"BENCH_ALLOCATIONS={self.path}")

    def read(self):
        return struct.unpack("<QQQ", pathlib.Path(self.path).read_bytes())

    def count(self, row, seconds):
        """(allocations, frees, bytes) per call"""
        before = self.read()
        calls, _ = client(row, seconds)
        return [(b - a) / calls for a, b in zip(before, self.read())]


def listed(counts):
    return ", ".join(f"{count:.2f} {name}" for name, count in sorted(counts.items(), key=lambda item: -item[1])
                     if count >= 0.05)


def show(row, allocations, seconds):
    print(f"\n{row.name}")
    switches = count_switches(row, seconds)
    calls = count_calls(row, seconds)
    if "daemon" in calls:
        requests = count_requests(row, seconds)
        made, freed, size = allocations.count(row, seconds)
        print(f"  {sum(requests.values()):.2f} FUSE requests: {listed(requests)}")
        print(f"  {made:.2f} allocations in the daemon of {size:.0f} bytes, {freed:.2f} frees")
    for name, (voluntary, involuntary, busy_us) in switches.items():
        by_name = calls.get(name, {})
        print(f"  {name:9}{busy_us:7.1f} µs on a processor, {voluntary:5.2f} waits, {involuntary:5.2f} preemptions"
              + (f", {sum(by_name.values()):5.2f} system calls: {listed(by_name)}" if by_name else ""), flush=True)


def account(options):
    need("strace", "strace")
    with tempfile.NamedTemporaryFile(dir="/var/tmp", prefix="fnfs-bench-") as file:
        allocations = Allocations(file)
        with subjects(allocations.environment()) as rows:
            for row in rows:
                if row.name == "bare http.server":
                    continue  # its thread, and what the kernel knows of it, goes with its caller
                show(row, allocations, options.seconds)
