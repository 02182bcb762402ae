# SPDX-License-Identifier: Apache-2.0
"""What all measurements of tools/bench stand on: the build, a mount of their own, servers beside it, rounds."""
import contextlib
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = pathlib.Path(os.environ.get("FNFS_BUILD") or HERE / "build-bench")
BEGUN = time.monotonic()


class NotMeasured(Exception):
    """A row cannot be measured here; the sentence says what is missing."""


class Failed(Exception):
    """A program that has to succeed did not."""


def say(text):
    """Progress, for whoever waits."""
    print(f"bench: {time.monotonic() - BEGUN:4.0f} s: {text}", file=sys.stderr, flush=True)


def need(program, package):
    """The path of a program of another package, or the row is not measured."""
    path = shutil.which(program)
    if not path:
        raise NotMeasured(f"{program} is not installed: apt-get install {package}")
    return path


def interleaved(row, rounds, subjects):
    """Each subject once in each round, one right after the other: {NAME: [what it returned]}."""
    taken = {name: [] for name in subjects}
    for number in range(rounds):
        say(f"{row}: round {number + 1} of {rounds}")
        for name, measure in subjects.items():
            taken[name].append(measure())
    return taken


def build():
    if not (BUILD / "build.ninja").exists():
        run(["meson", "setup", "--buildtype=release", BUILD, HERE])
    run(["ninja", "-C", BUILD])


def run(command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        raise Failed(f"{done.stdout}\nbench: this failed: {' '.join(map(str, command))}")
    return done.stdout


@contextlib.contextmanager
def directory(below="/var/tmp"):
    path = pathlib.Path(tempfile.mkdtemp(prefix="fnfs-bench-", dir=below))
    try:
        yield path
    finally:
        shutil.rmtree(path)


@contextlib.contextmanager
def mounted(path, *words, environment=()):
    """The platform, on the state that is there; the root of the mount. Words are options of `fnfs mount`."""
    root = path / "fn"
    fnfs = BUILD / "tools/fnfs"
    run(["env", *environment, fnfs, "mount", "--state", path / "state", *words, root])
    try:
        yield root
    finally:
        run([fnfs, "umount", "--force", root])


def deploy(root, name, files, **settings):
    """A function that is ready: its directory. Files are NAME: TEXT or a path to copy; executable unless a module."""
    function = root / "functions" / name
    function.mkdir()
    for key, value in settings.items():
        (function / "config" / key).write_text(str(value))
    for file, content in files.items():
        target = function / "code" / file
        target.write_bytes(content.read_bytes() if isinstance(content, pathlib.Path) else content.encode())
        if "." not in file:
            target.chmod(0o755)
    run(["env", f"FNFS={root}", BUILD / "tools/fnfs", "wait", "--timeout", "30s", name])
    return function


@contextlib.contextmanager
def served(command):
    """A server that prints its port first; (process, port)."""
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield server, server.stdout.readline().strip()
    finally:
        server.kill()
        server.wait()


def spare_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for_port(port, seconds=20):
    """Until somebody listens there."""
    until = time.monotonic() + seconds
    while True:
        with contextlib.suppress(ConnectionRefusedError):
            return socket.create_connection(("127.0.0.1", int(port))).close()
        if time.monotonic() > until:
            raise RuntimeError(f"nobody listens on port {port} after {seconds} s")
        time.sleep(0.01)


def timed(work):
    """Seconds."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def spawned(words, event=b"", environment=None):
    """(seconds, output) of a program from its start to its end, the event on its standard input.

    posix_spawn shares our memory until exec: that this process is large costs nothing.
    """
    begun = time.perf_counter()
    (theirs_in, ours_in), (ours_out, theirs_out) = os.pipe(), os.pipe()
    actions = [(os.POSIX_SPAWN_DUP2, theirs_in, 0), (os.POSIX_SPAWN_DUP2, theirs_out, 1)]
    pid = os.posix_spawn(words[0], words, environment or os.environ, file_actions=actions)
    os.close(theirs_in)
    os.close(theirs_out)
    with open(ours_in, "wb", buffering=0) as stdin:
        stdin.write(event)
    with open(ours_out, "rb", buffering=0) as stdout:
        output = stdout.read()
    _, status = os.waitpid(pid, 0)
    took = time.perf_counter() - begun
    if status:
        raise RuntimeError(f"{words} ended with {os.waitstatus_to_exitcode(status)}")
    return took, output


def ask(invoke, event, size=65536):
    """One conversation: open, write, the first piece of the response, close."""
    fd = os.open(invoke, os.O_RDWR | os.O_CLOEXEC)
    try:
        os.write(fd, event)
        return os.read(fd, size)
    finally:
        os.close(fd)


def ask_whole(invoke, event):
    """One conversation with all of the response, to its end; a call that fails fails there."""
    fd = os.open(invoke, os.O_RDWR | os.O_CLOEXEC)
    try:
        os.write(fd, event)
        return b"".join(iter(lambda: os.read(fd, 65536), b""))
    finally:
        os.close(fd)


@contextlib.contextmanager
def meanwhile(work):
    """Over and over, until what is inside has ended; what went wrong goes on to go wrong here."""
    ended, wrong = threading.Event(), []

    def repeat():
        try:
            while not ended.is_set():
                work()
        except Exception as error:
            wrong.append(error)

    thread = threading.Thread(target=repeat)
    thread.start()
    try:
        time.sleep(0.1)
        yield
    finally:
        ended.set()
        thread.join()
    if wrong:
        raise wrong[0]


def end_instances(function):
    """Ends what runs of a function, and returns when nothing does."""
    instances = function / "instances"
    while names := os.listdir(instances):
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                (instances / name).rmdir()
