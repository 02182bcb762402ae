# SPDX-License-Identifier: Apache-2.0
"""Asynchronous calls and calls over HTTP, beside brokers and a bare server on the same disk and loopback."""
import contextlib
import os
import statistics
import sys
import time

from calls import ECHO, Subject, print_table
from ground import BUILD, HERE, deploy, directory, mounted, run, served

sys.path.insert(0, str(HERE / "tests/lib"))
import brokers  # noqa: E402

DRAINED = 5000


class SyncedRedis(brokers.Redis):
    def prepare(self):
        super().prepare()
        with open(self.path("conf"), "a") as conf:
            conf.write("appendfsync always\n")


def bench(*words):
    return [float(word) for word in run([BUILD / "tests/bench/bench_enqueue", *map(str, words)]).split()]


class Files:
    """Entries of a queue/: what is taken out is called, and its result is on the disk."""

    name = "fnfs: a file in queue/"

    def __init__(self, function):
        self.function = function

    def set(self, name, value):
        (self.function / "config" / name).write_text(str(value))

    def put(self, writers, seconds):
        self.set("max_instances", 0)
        return bench("file", self.function / "queue", writers, seconds)

    def drain(self):
        events = b"".join(b'{"order":%d}\n' % number for number in range(DRAINED))
        self.empty()
        self.set("max_instances", 0)
        with open(self.function / "queue/.batch", "wb") as batch:
            batch.write(events)
        self.set("max_instances", 1)
        begun = time.monotonic()
        self.wait()
        return DRAINED / (time.monotonic() - begun)

    def empty(self):
        self.set("max_instances", 1)
        self.wait()

    def wait(self):
        while (self.function / "metrics/queueDepth").read_text() != "0\n" or os.listdir(self.function / "running"):
            time.sleep(0.01)


class Broker:
    def __init__(self, name, place, server):
        self.name, self.place, self.server = name, place, server
        self.target = f"{server.port}:{brokers.USER}:{brokers.PASSWORD}"

    def put(self, writers, seconds):
        return bench(self.place, self.target, writers, seconds)

    def drain(self):
        while (rest := DRAINED - self.server.rest()) > 0:
            self.put(8, rest / 5000 + 0.1)
        return bench(self.place, self.target, "drain", DRAINED)[1]


@contextlib.contextmanager
def places():
    with contextlib.ExitStack() as stack:
        path = stack.enter_context(directory())
        root = stack.enter_context(mounted(path))
        rows = [Files(deploy(root, "drain", dict([ECHO["python"]]), concurrency=64, max_instances=1,
                             queue_limit=1000000))]
        for name, place, server in (("Redis stream, appendfsync always", "redis", SyncedRedis),
                                    ("RabbitMQ, persistent, confirms", "amqp", brokers.RabbitMQ)):
            missing = server.missing()
            if missing:
                print(f"{name}: not measured, for {missing}")
            else:
                rows.append(Broker(name, place, stack.enter_context(server())))
                rows[-1].server.make()
        yield rows


def queue(options):
    with places() as rows:
        for writers in options.callers:
            figures = {row: [] for row in rows}
            for _ in range(options.rounds):
                for row in rows:
                    figures[row].append(row.put(writers, options.seconds))
            print(f"\nput, {writers} writer{'s' if writers > 1 else ''}")
            print(f"{'':34}{'p50 µs':>10}{'p99 µs':>10}{'events/s':>10}{'rate ratio':>11}")
            show(rows, {row: [statistics.median(column) for column in zip(*figures[row])] for row in rows})
        figures = {row: [] for row in rows}
        for _ in range(options.rounds):
            for row in rows:
                figures[row].append(row.drain())
        print(f"\ntaken out again, one by one ({rows[0].name}: called, and the result is on the disk)")
        print(f"{'':34}{'':10}{'':10}{'events/s':>10}{'rate ratio':>11}")
        show(rows, {row: [0, statistics.median(figures[row]), None, None] for row in rows})


def show(rows, middle):
    """Ratios are of the first row to the others."""
    for row in rows:
        _, rate, p50, p99 = middle[row]
        times = f"{p50:10.1f}{p99:10.1f}" if p50 is not None else f"{'':20}"
        print(f"{row.name:34}{times}{rate:10.0f}{middle[rows[0]][1] / rate:11.2f}", flush=True)


def gateway(options):
    with contextlib.ExitStack() as stack:
        path = stack.enter_context(directory())
        port = brokers.spare_port()
        root = stack.enter_context(mounted(path, "--listen", f"127.0.0.1:{port}", "--open-loopback"))
        node, node_port = stack.enter_context(served(["node", HERE / "tests/bench/echo_server.mjs"]))
        rows = [Subject("bare node:http", "http", node_port, None)]
        for runtime, file in ECHO.items():
            function = deploy(root, f"echo-{runtime}", dict([file]), concurrency=64, max_instances=1)
            rows.append(Subject(f"{runtime}: POST /function/NAME", "http", f"{port}/function/echo-{runtime}", None))
            rows.append(Subject(f"{runtime}: write, read", "held", function / "invoke", None))
        for callers in options.callers:
            figures = {row: [] for row in rows}
            for _ in range(options.rounds):
                for row in rows:
                    figures[row].append(row.measure(callers, options.seconds))
            print_table(callers, rows, figures)
