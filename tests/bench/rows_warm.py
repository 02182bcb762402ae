# SPDX-License-Identifier: Apache-2.0
"""Rows 1 to 4: calls of a function that runs, beside HTTP servers that run.

warm        One client program (client.c), one caller, one call after the other: write and read on an `invoke` that is
            kept open, beside a request on a connection that is kept alive, to the least that Node.js can do.
open        The same, but `invoke` is opened and closed for each call; the other side still keeps its connection.
shell       From one bash that runs already and takes the time of each step by itself: `fnfs call`, and `echo > invoke;
            cat invoke`, beside `curl` to the bare echo.
throughput  64 callers at once of an echo in Node.js, beside the same handler in Google's functions framework. wrk can
            speak HTTP only, so it drives the gateway and the framework; client.c drives `invoke` and the framework;
            that the two clients agree on the framework is a line of its own.
"""
import contextlib
import json
import os
import re
import subprocess

from calls import ECHO, Subject
from ground import BUILD, HERE, NotMeasured, deploy, interleaved, mounted, need, run, served, spare_port, wait_for_port
from table import Figure, Goal, Line, figure

EVENT = '{"key":"value","number":12345}'
CALLERS = 64
BARE = "node:http echo, keep-alive"
FRAMEWORK = "@google-cloud/functions-framework"


def bare_echo():
    return served(["node", HERE / "tests/bench/echo_server.mjs"])


def echoes(root):
    return {runtime: deploy(root, f"echo-{runtime}", dict([file]), concurrency=64, max_instances=1)
            for runtime, file in ECHO.items()}


def once(subject, seconds):
    _, _, p50, p99 = subject.measure(1, seconds)
    return Figure(p50, p99)


def rate(subject, seconds):
    return Figure(subject.measure(CALLERS, seconds)[1])


def one_caller(table_run, row, transports):
    """{NAME: [figure]} of the bare echo, and by RUNTIME and transport of the echo in each runtime."""
    with mounted(table_run.place(row)) as root, bare_echo() as (_, port):
        subjects = {"bare": Subject("bare", "http", port, None)}
        for runtime, function in echoes(root).items():
            subjects |= {(runtime, transport): Subject(runtime, transport, function / "invoke", None)
                         for transport in transports}
        return interleaved(row, table_run.rounds(5), {
            name: lambda subject=subject: once(subject, table_run.seconds) for name, subject in subjects.items()})


def warm(table_run):
    taken = one_caller(table_run, "warm", ["held"])
    for runtime, bound in ("python", 1.0), ("nodejs", 1.2):
        ours = taken[runtime, "held"]
        yield Line("warm", f"{runtime}: write, read on an open invoke", BARE, "µs", zip(ours, taken["bare"]),
                   Goal("ratio", bound))
        yield Line("warm", f"{runtime}: the p99 of that", "its own p50", "µs", tails(ours), Goal("ratio", 2))
    yield Line("warm", "node:http echo: its p99", "its own p50", "µs", tails(taken["bare"]))


def tails(figures):
    return [(Figure(figure.p99), Figure(figure.p50)) for figure in figures]


def opened(table_run):
    taken = one_caller(table_run, "open", ["once", "open"])
    for runtime in ECHO:
        yield Line("open", f"{runtime}: open, write, read, close", BARE, "µs", zip(taken[runtime, "once"], taken["bare"]),
                   Goal("ratio", 1.5))
        yield Line("open", f"{runtime}: the same, read to the end", BARE, "µs", zip(taken[runtime, "open"], taken["bare"]))


# Prints the microseconds of each command. What they print is kept, for an answer that is not right is no answer.
LOOP = r"""
measure() {
    local begun ended times=()
    for ((n = 0; n < COUNT; n++)); do
        begun=${EPOCHREALTIME/[.,]/}
        eval "$1" >>"$OUT"
        ended=${EPOCHREALTIME/[.,]/}
        times+=($((ended - begun)))
    done
    echo "${times[*]}"
}
measure "$COMMAND"
"""


def in_a_shell(command, path, count):
    out = path / "answers"
    out.write_bytes(b"")
    done = subprocess.run(["bash", "-c", LOOP], stdout=subprocess.PIPE, text=True, check=True, env={
        **os.environ, "COUNT": str(count), "OUT": str(out), "COMMAND": command})
    answers = re.sub(r"\s", "", out.read_text())
    if answers != EVENT * count:
        raise RuntimeError(f"{command}: this is not the answer {count} times: {answers[:200]}")
    return figure([int(time) / 1000 for time in done.stdout.split()])


def shell(table_run):
    curl = need("curl", "curl")
    path = table_run.place("shell")
    with mounted(path) as root, bare_echo() as (_, port):
        function = echoes(root)["python"]
        commands = {
            "curl": f"{curl} -s -d '{EVENT}' http://127.0.0.1:{port}/",
            "fnfs call": f"FNFS={root} {BUILD / 'tools/fnfs'} call echo-python '{EVENT}'",
            "echo > invoke; cat invoke": f"echo '{EVENT}' >{function}/invoke; cat {function}/invoke",
        }
        taken = interleaved("shell", table_run.rounds(7), {
            name: lambda command=command: in_a_shell(command, path, 30) for name, command in commands.items()})
    for name in ("fnfs call", "echo > invoke; cat invoke"):
        yield Line("shell", name, "curl to the node:http echo", "ms", zip(taken[name], taken["curl"]), Goal("ratio", 1))


def install_framework(path):
    """Google's functions framework with the same handler, as npm gives it today; (directory, its version)."""
    path.mkdir()
    (path / "index.js").write_text(f'require("{FRAMEWORK}").http("echo", '
                                   '(request, response) => response.json(request.body));\n')
    (path / "package.json").write_text('{"name": "echo", "version": "1.0.0", "main": "index.js"}\n')
    done = subprocess.run([need("npm", "npm"), "install", "--no-audit", "--no-fund", "--cache", path / "cache",
                           FRAMEWORK], cwd=path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        raise NotMeasured(f"npm cannot install {FRAMEWORK}: {' '.join(done.stdout.split())[-300:]}")
    package = path / "node_modules" / FRAMEWORK / "package.json"
    return json.loads(package.read_text())["version"]


@contextlib.contextmanager
def framework(path):
    """The port where it listens."""
    port = spare_port()
    command = ["node", path / "node_modules" / FRAMEWORK / "build/src/main.js", "--target", "echo"]
    server = subprocess.Popen(command, cwd=path, stdout=subprocess.DEVNULL, env={
        **os.environ, "PORT": str(port), "HOST": "127.0.0.1", "NODE_ENV": "production"})
    try:
        wait_for_port(port)
        yield port
    finally:
        server.kill()
        server.wait()


class Wrk:
    """wrk, one thread, as many connections as callers; every answer has to be a good one."""

    def __init__(self, path, url):
        self.url, self.script = url, path / "post.lua"
        self.script.write_text(f'wrk.method = "POST"\nwrk.body = \'{EVENT}\'\n'
                               'wrk.headers["Content-Type"] = "application/json"\n')

    def measure(self, callers, seconds):
        out = run(["wrk", "-t1", f"-c{callers}", f"-d{max(1, round(seconds))}s", "-s", self.script, self.url])
        if "Non-2xx" in out or "Socket errors" in out:
            raise RuntimeError(f"wrk of {self.url}: {out}")
        return 0, float(re.search(r"Requests/sec:\s+([\d.]+)", out)[1]), None, None


def throughput(table_run):
    need("wrk", "wrk")
    path = table_run.place("throughput")
    version = install_framework(path / "framework")
    port = spare_port()
    with contextlib.ExitStack() as stack:
        root = stack.enter_context(mounted(path, "--listen", f"127.0.0.1:{port}", "--open-loopback"))
        theirs = stack.enter_context(framework(path / "framework"))
        deploy(root, "one", dict([ECHO["nodejs"]]), concurrency=1)
        deploy(root, "many", dict([ECHO["nodejs"]]), concurrency=64, max_instances=1)
        subjects = {"framework, wrk": Wrk(path, f"http://127.0.0.1:{theirs}/"),
                    "framework, client": Subject("", "http", theirs, None)}
        for name in ("one", "many"):
            subjects[f"{name}, wrk"] = Wrk(path, f"http://127.0.0.1:{port}/function/{name}")
            subjects[f"{name}, client"] = Subject("", "held", root / "functions" / name / "invoke", None)
        seconds = max(2, table_run.seconds)  # of wrk's time its connections take some
        measures = {name: lambda subject=subject: rate(subject, seconds) for name, subject in subjects.items()}
        interleaved("throughput, to warm up", 1, measures)
        taken = interleaved("throughput", table_run.rounds(4), measures)
    yield from rates(taken, f"functions-framework {version}")


def rates(taken, beside):
    for name, settings in ("one", "concurrency 1"), ("many", "concurrency 64"):
        yield Line("throughput", f"{settings}: held invoke, our client", f"{beside}, our client", "calls/s",
                   zip(taken[f"{name}, client"], taken["framework, client"]), Goal("ratio", 3, at_most=False))
        yield Line("throughput", f"{settings}: the gateway, wrk", f"{beside}, wrk", "calls/s",
                   zip(taken[f"{name}, wrk"], taken["framework, wrk"]), Goal("ratio", 3, at_most=False))
    yield Line("throughput", "functions-framework, our client", "the same, wrk", "calls/s",
               zip(taken["framework, client"], taken["framework, wrk"]))
