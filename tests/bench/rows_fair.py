# SPDX-License-Identifier: Apache-2.0
"""Fairness: calls of one function while another one is overloaded.

A function of two instances, whose handler waits 20 ms, is called a thousand times at once, all the time: each
call that is answered is followed by the next. The other function is an echo with one caller. Its p99, and that of its cold starts, is
taken while the thousand wait and while nothing does, in turn. The overloaded function takes little time of the processors,
for what those do to each other is not a platform's choice; beside it stands what 64 callers of bare `node:http` do to the same calls.
"""
import contextlib
import re
import subprocess
import time

from calls import ECHO, Subject
from ground import BUILD, HERE, deploy, end_instances, interleaved, mounted, served
from rows_start import answered
from table import Figure, Goal, Line, figure

WAITING = 1000
SLOW = "export const handler = (event) => new Promise((resolve) => setTimeout(() => resolve(event), 20));\n"
STARTS = 20


@contextlib.contextmanager
def called(transport, target, callers):
    """So many callers, one call after the other, until this is left."""
    words = [BUILD / "tests/bench/bench_client", transport, str(target), str(callers), "600"]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def waiting(function):
    found = re.search(r"^waiting (\d+)", (function / "status").read_text(), re.M)
    return int(found[1]) if found else 0


@contextlib.contextmanager
def overloaded(function):
    with called("held", function / "invoke", WAITING) as process:
        until = time.monotonic() + 20
        while waiting(function) < WAITING - 10:
            if time.monotonic() > until or process.poll() is not None:
                raise RuntimeError(f"{waiting(function)} calls wait instead of {WAITING}")
            time.sleep(0.05)
        yield
        if process.poll() is not None:
            raise RuntimeError("the callers gave up: " + process.stderr.read())


def start_ms(function):
    end_instances(function)
    return answered(function / "invoke") * 1000


def fair(table_run):
    with mounted(table_run.place("fair")) as root, served(["node", HERE / "tests/bench/echo_server.mjs"]) as (_, port):
        crowded = deploy(root, "crowded", {"index.mjs": SLOW}, runtime="nodejs", timeout="5m", max_instances=2)
        echo = deploy(root, "echo", dict([ECHO["python"]]))
        cold = deploy(root, "cold", dict([ECHO["python"]]))
        other = Subject("", "held", echo / "invoke", None)

        def warm_and_cold(load):
            with load() as _:
                warm = other.measure(1, max(1, table_run.seconds))
                return warm[2:4], figure([start_ms(cold) for _ in range(STARTS)])

        start_ms(cold)
        taken = interleaved("fair", table_run.rounds(5), {
            "alone": lambda: warm_and_cold(contextlib.nullcontext),
            "crowded": lambda: warm_and_cold(lambda: overloaded(crowded)),
            "http": lambda: warm_and_cold(lambda: called("http", port, 64))})

    def p99s(side):
        return [(Figure(warm[1]), Figure(alone[1])) for (warm, _), (alone, _) in zip(taken[side], taken["alone"])]

    beside = "the same alone"
    yield Line("fair", f"p99 of calls while {WAITING} of another function wait", beside, "µs", p99s("crowded"),
               Goal("ratio", 2))
    yield Line("fair", "cold start meanwhile", beside, "ms",
               [(ours, theirs) for (_, ours), (_, theirs) in zip(taken["crowded"], taken["alone"])])
    yield Line("fair", "p99 of calls beside 64 callers of node:http", beside, "µs", p99s("http"))
