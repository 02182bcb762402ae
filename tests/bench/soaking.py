# SPDX-License-Identifier: Apache-2.0
"""The load of tools/soak: actors that each do one thing over and over to one mount, and know what the answer must be.

An actor's `step` does its thing once. An answer that is not the one it must be is wrong and is kept; so is an error that
nothing the actor did can explain. Where an actor breaks things by itself (it kills an instance), it says which errors that may
bring, and what must hold afterwards.
"""
import contextlib
import errno
import json
import os
import random
import signal
import subprocess
import threading
import time

from calls import ECHO
from ground import BUILD, ask_whole, deploy

WRONG_KEPT = 20
PATIENCE_S = 90  # longer than any actor may take for a step
ENTRY = """def handler(event, context):
    return {{"number": {number}}}
"""
HOLD = """import time

def handler(event, context):
    time.sleep(event["hold"])
    return event
"""


class Wrong(Exception):
    pass


def insist(got, wanted, what):
    with contextlib.suppress(ValueError):
        if json.loads(got) == wanted:
            return
    raise Wrong(f"{what}: {got[:200]!r} instead of {wanted}")


class Actor:
    """pause: seconds between two steps, so that all actors get their share of the machine."""
    pause = 0.0

    def __init__(self, root, number):
        self.root, self.chance, self.steps = root, random.Random(number), 0
        self.make()

    def make(self):
        """What it needs, before all begin."""

    def function(self, name):
        return self.root / "functions" / name


class Calls(Actor):
    """Warm calls, on an `invoke` that is kept open and on one that is opened each time."""
    pause = 0.002
    runtime = "python"

    def make(self):
        self.path = deploy(self.root, f"echo-{self.runtime}", dict([ECHO[self.runtime]]), concurrency=16) / "invoke"
        self.held = os.open(self.path, os.O_RDWR | os.O_CLOEXEC)

    def step(self):
        event = {"step": self.steps, "text": "x" * self.chance.randrange(2000)}
        body = json.dumps(event).encode()
        insist(ask_whole(self.path, body), event, "a call")
        os.write(self.held, body)
        insist(os.read(self.held, 65536), event, "a call on an open invoke")


class NodeCalls(Calls):
    runtime = "nodejs"


class Saves(Actor):
    """Saved is deployed: a call that starts after a save runs what was saved."""
    pause = 0.4

    def make(self):
        self.path = deploy(self.root, "saved", {"index.py": ENTRY.format(number=0)})

    def step(self):
        (self.path / "code/index.py").write_text(ENTRY.format(number=self.steps))
        insist(ask_whole(self.path / "invoke", b"{}"), {"number": self.steps}, "a call after a save")


class Publishes(Actor):
    """A version is what it was; an alias goes where its routes say, from the moment they are written."""
    pause = 0.7
    kept = 4

    def make(self):
        self.path = deploy(self.root, "published", {"index.py": ENTRY.format(number=0)})

    def step(self):
        name, alias = f"v{self.steps}", self.path / "aliases/prod"
        (self.path / "code/index.py").write_text(ENTRY.format(number=self.steps))
        (self.path / "versions" / name).mkdir()
        if not alias.exists():
            alias.mkdir()
        (alias / "routes").write_text(f"{name} 100\n")
        insist(ask_whole(alias / "invoke", b"{}"), {"number": self.steps}, "a call of an alias")
        if self.steps > self.kept:
            self.go_back(alias)

    def go_back(self, alias):
        before = self.steps - self.chance.randrange(1, self.kept)
        (alias / "routes").write_text(f"v{before} 100\n")
        insist(ask_whole(alias / "invoke", b"{}"), {"number": before}, "a call of an alias that went back")
        (alias / "routes").write_text(f"v{self.steps} 100\n")
        (self.path / "versions" / f"v{self.steps - self.kept}").rmdir()


class Cancellations(Actor):
    """Callers that go before their answer comes: by Ctrl-C, and by kill -9."""
    pause = 0.1

    def make(self):
        self.path = deploy(self.root, "held", {"index.py": HOLD}, max_instances=4)

    def step(self):
        caller = subprocess.Popen([BUILD / "tools/fnfs", "call", "held", '{"hold": 0.3}'], stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL, env={**os.environ, "FNFS": str(self.root)})
        time.sleep(self.chance.random() * 0.2)
        caller.send_signal(self.chance.choice((signal.SIGINT, signal.SIGKILL)))
        caller.wait()
        if self.steps % 10 == 0:
            insist(ask_whole(self.path / "invoke", b'{"hold": 0}'), {"hold": 0}, "a call after cancelled ones")


class Kills(Actor):
    """Instances that are killed, idle or in the middle of a call: the call fails and says so, the next one does not."""
    pause = 0.5

    def make(self):
        self.path = deploy(self.root, "killed", {"index.py": HOLD})

    def kill(self):
        for instance in (self.path / "instances").iterdir():
            with contextlib.suppress(OSError, ValueError):  # it has gone by itself
                pid = int((instance / "pid").read_text())
                if pid > 1:  # it has one already
                    os.kill(pid, signal.SIGKILL)

    def step(self):
        event = {"hold": self.chance.choice((0, 0.2))}
        killer = threading.Timer(self.chance.random() * 0.2, self.kill)
        killer.start()
        try:
            insist(ask_whole(self.path / "invoke", json.dumps(event).encode()), event, "a call while instances are killed")
        except OSError as error:
            if error.errno != errno.EREMOTEIO:
                raise
        finally:
            killer.join()
        insist_soon(self.path / "invoke")


def insist_soon(invoke, tries=5):
    """The platform may hear of a death a moment after it: a call that was handed to the dead one fails like it."""
    for left in reversed(range(tries)):
        try:
            return insist(ask_whole(invoke, b'{"hold": 0}'), {"hold": 0}, "a call after a kill")
        except OSError as error:
            if error.errno != errno.EREMOTEIO or not left:
                raise
            time.sleep(0.05)


class Queue(Actor):
    """Each entry that was accepted is carried out, and its result is the right one.

    Not too many: the name of each stays taken for an hour, which is memory that rightly grows for so long.
    """
    pause = 0.5
    patience_s = 60

    def make(self):
        self.path = deploy(self.root, "queued", dict([ECHO["python"]]), concurrency=4)

    def step(self):
        names = [f"{self.steps}-{number}" for number in range(4)]
        for name in names:
            (self.path / "queue" / name).write_text(json.dumps({"entry": name}))
        for name in names:
            result = self.path / "results" / name
            self.wait(result)
            insist(result.read_bytes(), {"entry": name}, "a result")
            result.unlink()

    def wait(self, result):
        until = time.monotonic() + self.patience_s
        while not result.exists():
            if time.monotonic() > until:
                raise Wrong(f"{result.name}: no result after {self.patience_s} s")
            time.sleep(0.01)


ACTORS = (Calls, NodeCalls, Saves, Publishes, Cancellations, Kills, Queue)


class Load:
    """All actors, each in a thread of its own, until stop()."""

    def __init__(self, root):
        self.actors = [actor(root, number) for number, actor in enumerate(ACTORS)]
        self.wrong, self.ended = [], threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(actor,), daemon=True) for actor in self.actors]

    def run(self, actor):
        while not self.ended.is_set():
            actor.steps += 1
            try:
                actor.step()
            except (Exception, Wrong) as error:  # kept, and on: what comes after it matters too
                self.wrong.append(f"{type(actor).__name__}, step {actor.steps}: {error!r}")
                if len(self.wrong) >= WRONG_KEPT:
                    return self.ended.set()
            self.ended.wait(actor.pause)

    def start(self):
        for thread in self.threads:
            thread.start()

    def stop(self):
        """Returns when all have ended, or after a while: who still waits for an answer then is wrong too."""
        self.ended.set()
        until = time.monotonic() + PATIENCE_S
        for thread, actor in zip(self.threads, self.actors):
            thread.join(max(0, until - time.monotonic()))
            if thread.is_alive():
                self.wrong.append(f"{type(actor).__name__}, step {actor.steps}: no end after {PATIENCE_S} s")

    def counts(self):
        return {type(actor).__name__: actor.steps for actor in self.actors}
