# SPDX-License-Identifier: Apache-2.0
"""Calls of an echo beside bare HTTP echoes."""
import contextlib
import re
import statistics
import sys

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
        out = run([BUILD / "tests/bench/bench_client", self.transport, str(self.target), str(callers),
                   str(seconds)]).split()
        return int(out[0]), float(out[2]), float(out[3]), float(out[4])


def daemon_pid(root):
    return int(re.search(r"^pid (\d+)$", (root / "status").read_text(), re.M)[1])


def instance_pid(function):
    for instance in (function / "instances").iterdir():
        return int((instance / "pid").read_text())


@contextlib.contextmanager
def subjects(environment=()):
    """The rows; the daemon has the words NAME=VALUE in its environment."""
    with contextlib.ExitStack() as stack:
        path = stack.enter_context(directory())
        root = stack.enter_context(mounted(path, environment=environment))
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
