# SPDX-License-Identifier: Apache-2.0
"""Calls of an echo beside bare HTTP echoes, and where their time goes."""
import contextlib
import pathlib
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time

from ground import BUILD, HERE, deploy, directory, mounted, run, served

ECHO = {
    "python": ("index.py", "def handler(event, context):\n    return event\n"),
    "nodejs": ("index.mjs", "export const handler = async (event) => event;\n"),
}


class Subject:
    """One row of the table: a transport, what it is pointed at, and the processes that serve it."""

    def __init__(self, name, transport, target, processes):
        self.name, self.transport, self.target, self.processes = name, transport, target, processes

    def measure(self, callers, seconds):
        """(calls, calls/s, p50, p99), times in microseconds."""
        out = run([BUILD / "tests/bench/bench_client", self.transport, self.target, str(callers),
                   str(seconds)]).split()
        return int(out[0]), float(out[2]), float(out[3]), float(out[4])


def daemon_pid(root):
    return int(re.search(r"^pid (\d+)$", (root / "status").read_text(), re.M)[1])


def instance_pid(function):
    for instance in (function / "instances").iterdir():
        return int((instance / "pid").read_text())


@contextlib.contextmanager
def subjects():
    with contextlib.ExitStack() as stack:
        path = stack.enter_context(directory())
        root = stack.enter_context(mounted(path))
        echoes = {runtime: deploy(root, f"echo-{runtime}", dict([file]), concurrency=64, max_instances=1)
                  for runtime, file in ECHO.items()}
        node, node_port = stack.enter_context(served(["node", HERE / "tests/bench/echo_server.mjs"]))
        python, python_port = stack.enter_context(
            served([sys.executable, HERE / "tests/bench/echo_server.py"]))
        rows = [Subject("bare node:http", "http", node_port, lambda: {"server": node.pid}),
                Subject("bare http.server", "http", python_port, lambda: {"server": python.pid})]
        for runtime, function in echoes.items():
            processes = (lambda function=function: {"daemon": daemon_pid(root),
                                                    "instance": instance_pid(function)})
            for transport, way in ("held", "write, read"), ("open", "open, write, read, close"):
                rows.append(Subject(f"{runtime}: {way}", transport, function / "invoke", processes))
        yield rows


def call(options):
    with subjects() as rows:
        for callers in options.callers:
            figures = {row: [] for row in rows}
            for _ in range(options.rounds):
                for row in rows:
                    figures[row].append(row.measure(callers, options.seconds))
            print_table(callers, rows, figures)


def print_table(callers, rows, figures):
    middle = {row: [statistics.median(column) for column in zip(*figures[row])] for row in rows}
    floor = middle[rows[0]]
    print(f"\n{callers} caller{'s' if callers > 1 else ''}")
    print(f"{'':34}{'p50 µs':>10}{'p99 µs':>10}{'calls/s':>10}{'p50 ratio':>11}{'rate ratio':>11}")
    for row in rows:
        _, rate, p50, p99 = middle[row]
        print(f"{row.name:34}{p50:10.1f}{p99:10.1f}{rate:10.0f}{p50 / floor[2]:11.2f}"
              f"{rate / floor[1]:11.2f}", flush=True)


def tasks_of(pid):
    return pathlib.Path(f"/proc/{pid}/task").iterdir()


def usage(pid):
    """(voluntary, involuntary switches, nanoseconds on a processor) of all its threads so far."""
    sums = [0, 0, 0]
    for task in tasks_of(pid):
        status = (task / "status").read_text()
        sums[0] += int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", status, re.M)[1])
        sums[1] += int(re.search(r"^nonvoluntary_ctxt_switches:\s+(\d+)", status, re.M)[1])
        sums[2] += int((task / "schedstat").read_text().split()[0])
    return sums


def count_switches(row, seconds):
    """Per process and call: voluntary, involuntary switches, microseconds."""
    row.measure(1, 0.2)
    pids = row.processes()
    before = {name: usage(pid) for name, pid in pids.items()}
    calls = row.measure(1, seconds)[0] + 20
    return {name: [(b - a) / calls / scale for a, b, scale in
                   zip(before[name], usage(pid), (1, 1, 1000))] for name, pid in pids.items()}


def count_calls(row, seconds):
    """Per process: system calls per call, by name. Needs strace."""
    counts = {}
    for name, pid in row.processes().items():
        with tempfile.NamedTemporaryFile("r") as table:
            tracer = subprocess.Popen(["strace", "-q", "-c", "-f", "-o", table.name, "-p", str(pid)],
                                      stderr=subprocess.DEVNULL)
            time.sleep(0.5)
            calls = row.measure(1, seconds)[0] + 20
            tracer.send_signal(signal.SIGINT)
            tracer.wait()
            counts[name] = {line[-1]: int(line[3]) / calls for line in
                            map(str.split, table.read().splitlines())
                            if len(line) >= 5 and line[3].isdigit() and line[-1] != "total"}
    return counts


def account(options):
    with subjects() as rows:
        for row in rows:
            print(f"\n{row.name}")
            switches = count_switches(row, options.seconds)
            calls = count_calls(row, options.seconds)
            for name, (voluntary, involuntary, busy_us) in switches.items():
                by_name = sorted(calls[name].items(), key=lambda item: -item[1])
                print(f"  {name:9}{busy_us:7.1f} µs on a processor, {voluntary:5.2f} waits, "
                      f"{involuntary:5.2f} preemptions, {sum(calls[name].values()):5.2f} system calls: "
                      + ", ".join(f"{count:.2f} {call}" for call, count in by_name if count >= 0.05),
                      flush=True)
