# SPDX-License-Identifier: Apache-2.0
"""A cold start and a warm call of each runtime, beside the same program without the platform.

Cold is the time from "nothing runs" to the whole response. Without the platform that is: the program is started,
and gets its event on its standard input, over HTTP as soon as its port accepts, or from a runtime API that was there
before. Warm is one call after the other from one caller, who keeps what can be kept open.
"""
import contextlib
import http.client
import http.server
import os
import pathlib
import queue
import socket
import statistics
import subprocess
import sys
import threading
import time

from calls import ECHO
from ground import BUILD, HERE, deploy, directory, end_instances, mounted, timed

sys.path.insert(0, str(HERE / "tests/lib"))
import images  # noqa: E402

PROGRAMS = HERE / "tests/bench/programs"
PYTHON, NODE = "/usr/bin/python3", "/usr/bin/node"
EVENT = b'{"hello":"bench"}'
IN_PYTHON = "import index, json, sys; print(json.dumps(index.handler(json.load(sys.stdin), None)))"
IN_NODE = ("import('./index.mjs').then(async (m) => console.log(JSON.stringify("
           "await m.handler(JSON.parse(require('fs').readFileSync(0))))))")


def insist(answer):
    assert answer.replace(b" ", b"").rstrip() == EVENT, answer


class Function:
    """The program on the platform."""

    def __init__(self, function):
        self.function = function
        self.held = os.open(function / "invoke", os.O_RDWR)

    def cold(self):
        end_instances(self.function)
        return timed(self.call_anew)

    def call_anew(self):
        with open(self.function / "invoke", "r+b", buffering=0) as file:
            file.write(EVENT)
            insist(file.read())

    def call(self):
        os.write(self.held, EVENT)
        insist(os.read(self.held, 4096))

    def close(self):
        os.close(self.held)


class Command:
    """Run once for each call."""

    def __init__(self, command, folder):
        self.command, self.folder = command, folder

    def call(self):
        insist(subprocess.run(self.command, cwd=self.folder, input=EVENT, capture_output=True,
                              check=True).stdout)

    def cold(self):
        return timed(self.call)

    def close(self):
        pass


class Server:
    """Serves HTTP; started anew for the cold start, one is kept for warm calls."""

    def __init__(self, command, folder):
        self.command, self.folder, self.port = command, folder, None
        self.process, self.connection = self.start()

    def start(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        process = subprocess.Popen(self.command, cwd=self.folder, env={**os.environ, "PORT": str(port)})
        while True:
            connection = http.client.HTTPConnection("127.0.0.1", port)
            try:
                connection.connect()
            except ConnectionRefusedError:
                time.sleep(0.0005)
                continue
            connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return process, connection

    def ask(self, connection):
        connection.request("POST", "/", EVENT)
        insist(connection.getresponse().read())

    def cold(self):
        started = []

        def call():
            started.extend(self.start())
            self.ask(started[1])
        took = timed(call)
        end(started[0])
        return took

    def call(self):
        self.ask(self.connection)

    def close(self):
        end(self.process)


class QuietServer(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, address):
        pass  # a program was ended while it asked


class Poller:
    """Asks a runtime API for its events: here one in this process, of the least that will do."""

    def __init__(self, command, folder, api):
        self.command, self.folder, self.api = command, folder, api
        self.events, self.answers = queue.SimpleQueue(), queue.SimpleQueue()
        self.server = QuietServer(("127.0.0.1", 0), self.handler())
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.process = self.start()

    def handler(self):
        owner = self

        class Api(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1
            disable_nagle_algorithm = True

            def answer(self, body):
                self.send_response(200)
                self.send_header("Lambda-Runtime-Aws-Request-Id", "1")
                self.send_header("X-Cff-Request-Id", "1")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self):
                self.answer(owner.events.get())

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                self.answer(b"")
                owner.answers.put(body)

            def log_message(self, *arguments):
                pass

        return Api

    def start(self):
        address = "127.0.0.1:%d" % self.server.server_address[1]
        return subprocess.Popen(self.command, cwd=self.folder, stderr=subprocess.DEVNULL, env={
            **os.environ, "API": self.api, "AWS_LAMBDA_RUNTIME_API": address, "RUNTIME_API_ADDR": address})

    def call(self):
        self.events.put(EVENT)
        insist(self.answers.get())

    def cold(self):
        end(self.process)
        # Whoever still waits for the one that ended must not take the event.
        self.events.put(b"")
        self.events = queue.SimpleQueue()

        def call():
            self.process = self.start()
            self.call()
        return timed(call)

    def close(self):
        end(self.process)
        self.server.shutdown()


def end(process):
    process.kill()
    process.wait()


def image_of(program, path):
    """An archive of an image with this one file in it."""
    layer = images.layer(images.member("server", data=program.read_bytes(), mode=0o755))
    return pathlib.Path(images.Image([layer], {"Entrypoint": ["/server"]}).archive(path / "image.tar"))


def programs(path):
    """NAME, files, settings, and what is made of the files' folder without the platform."""
    python, node = PROGRAMS / "http.py", PROGRAMS / "http.js"
    poller = PROGRAMS / "poller.py"
    yield ("python", dict([ECHO["python"]]), {}, lambda at: Command([PYTHON, "-c", IN_PYTHON], at))
    yield ("nodejs", dict([ECHO["nodejs"]]), {}, lambda at: Command([NODE, "-e", IN_NODE], at))
    yield ("exec: C", {"main": BUILD / "tests/bench/bench_echo"}, {}, lambda at: Command(["./main"], at))
    yield ("bootstrap: HTTP, Python", {"bootstrap": python}, {}, lambda at: Server(["./bootstrap"], at))
    yield ("bootstrap: HTTP, Node.js", {"bootstrap": node}, {}, lambda at: Server(["./bootstrap"], at))
    for api, name in ("functiongraph", "FunctionGraph API"), ("lambda", "Lambda API"):
        yield (f"bootstrap: {name}, Python", {"bootstrap": poller}, {"env/API": api},
               lambda at, api=api: Poller(["./bootstrap"], at, api))
    server = BUILD / "tests/bench/bench_http_echo"
    yield ("image: HTTP, C", {"image.tar": image_of(server, path)}, {}, lambda at: Server([server], at))


@contextlib.contextmanager
def pairs():
    with contextlib.ExitStack() as stack:
        path = stack.enter_context(directory())
        root = stack.enter_context(mounted(path))
        rows = []
        for number, (name, files, settings, without) in enumerate(programs(path)):
            function = deploy(root, f"bench-{number}", files, **settings)
            subjects = [Function(function), without(function / "code")]
            for subject in subjects:
                stack.callback(subject.close)
            rows.append((name, subjects))
        yield rows


def warm(subject, seconds):
    """The median, seconds."""
    until, times = time.perf_counter() + seconds, []
    while time.perf_counter() < until or len(times) < 3:
        times.append(timed(subject.call))
    return statistics.median(times)


def measure(rows, rounds, work):
    """Interleaved, so that whatever else the machine does falls on all: {name: [ours, theirs]}."""
    figures = {name: [[], []] for name, _ in rows}
    for _ in range(rounds):
        for name, subjects in rows:
            for index, subject in enumerate(subjects):
                figures[name][index].append(work(subject))
    return {name: [statistics.median(column) for column in columns] for name, columns in figures.items()}


def runtimes(options):
    with pairs() as rows:
        measure(rows, 1, lambda subject: warm(subject, 0.1))
        cold = measure(rows, 4 * options.rounds, lambda subject: subject.cold())
        calls = measure(rows, options.rounds, lambda subject: warm(subject, options.seconds))
    print(f"\n{'':36}{'cold start':^31}{'warm call':^33}")
    print(f"{'':36}" + 2 * f"{'fnfs ms':>11}{'bare ms':>11}{'ratio':>9}  ")
    for name, _ in rows:
        print(f"{name:36}" + "".join(f"{ours * 1000:11.3f}{theirs * 1000:11.3f}{ours / theirs:9.2f}  "
                                     for ours, theirs in (cold[name], calls[name])), flush=True)
