# SPDX-License-Identifier: Apache-2.0
"""Drives one shim over pipes as the daemon does, without daemon and sandbox.

A Shim is one instance: it starts the runtime's command line with descriptor 3 for frames to it, 4 for
frames from it, and one pipe for 1 and 2. Whatever a test does, close() ends the whole process group
and waits for it."""
import json
import os
import select
import signal
import struct
import subprocess
import sys
import time

INIT, CALL, CANCEL, STOP = 1, 2, 3, 4
READY, FAILED, DATA, END, ERROR, LOG = 16, 17, 18, 19, 20, 21
BAD_REQUEST, TOO_LARGE, LAST = 1, 2, 3
NAMES = dict(zip((READY, FAILED, DATA, END, ERROR, LOG), "READY FAILED DATA END ERROR LOG".split()))
HEADER = struct.Struct("<IBBHQ")
DEADLINE = 30  # seconds; a shim that says nothing for so long hangs
SEEN_AT = "/opt/fnfs/runtime/"
PARKED = "PARKED" in os.environ  # start shims as those that wait for their function


class Hang(AssertionError):
    pass


class Frame:
    def __init__(self, kind, flags, call, payload):
        self.kind, self.flags, self.call, self.payload = kind, flags, call, payload

    def __repr__(self):
        return f"{NAMES.get(self.kind, self.kind)} call {self.call} {self.payload[:200]!r}"

    @property
    def error(self):
        return json.loads(self.payload)


class Ended(Exception):
    """The shim closed its end of the channel."""


def runtime_command(directory):
    """runtime.json of a directory and its command line on this machine; None when it lacks something."""
    with open(f"{directory}/runtime.json") as file:
        runtime = json.load(file)
    argv = [a.replace(SEEN_AT, f"{directory}/") for a in runtime["argv"]]
    interpreters = runtime.get("interpreters")
    if interpreters:
        other = os.environ.get("INTERPRETER")  # to try another version
        found = [i for i in [other, *interpreters] if i and os.access(i, os.X_OK)]
        if not found:
            return runtime, None
        argv.insert(0, os.path.realpath(found[0]))
    elif not os.access(argv[0], os.X_OK):
        return runtime, None
    return runtime, argv


class Shim:
    def __init__(self, argv, code, channel="pipe", **settings):
        environment = settings.pop("environment", {})
        self.init = {
            "function": "greeter",
            "version": "latest",
            "handler": "index.handler",
            "initializer": "",
            "timeout_ms": 3000,
            "init_timeout_ms": 10000,
            "memory_mb": 128,
            "cpu_millicores": 300,
            "concurrency": 1,
            "package": "default",
            "project": "p1",
            "region": "here",
            "environment": environment,
            "code": code,
        } | settings
        if PARKED:
            self.init["variables"] = self._environment(environment)
        self.data = b""
        self.output = b""
        self.frames = []
        self.pieces = {}
        self._start(argv, channel, environment)

    def _start(self, argv, channel, environment):
        if channel == "pipe":
            theirs_in, self.to = os.pipe()
            self.back, theirs_out = os.pipe()
        else:
            import socket

            ours, theirs = socket.socketpair()
            self.to, theirs_in = ours.detach(), theirs.detach()
            self.back, theirs_out = os.dup(self.to), os.dup(theirs_in)
        self.out, theirs_log = os.pipe()

        def inherit():
            high = [os.dup2(fd, 900 + i) for i, fd in enumerate((theirs_in, theirs_out, theirs_log))]
            os.dup2(high[0], 3)
            os.dup2(high[1], 4)
            os.dup2(high[2], 1)
            os.dup2(high[2], 2)
            os.closerange(5, 1000)

        self.process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            preexec_fn=inherit,
            close_fds=False,
            start_new_session=True,
            cwd=os.path.dirname(self.init["code"]),
            env={"PATH": "/usr/bin:/bin", "RUNTIME_PARKED": "1"} if PARKED else self._environment(environment),
        )
        for fd in (theirs_in, theirs_out, theirs_log):
            os.close(fd)
        os.set_blocking(self.out, False)

    def _environment(self, environment):
        return {
            "PATH": "/usr/bin:/bin",
            "RUNTIME_FUNC_NAME": self.init["function"],
            "RUNTIME_CODE_ROOT": self.init["code"],
        } | environment

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        for fd in (self.to, self.back, self.out):
            try:
                os.close(fd)
            except OSError:
                pass
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()

    # ---- to the shim ----

    def write(self, data):
        view = memoryview(data)
        while view:
            ready = select.select([self.out], [self.to], [], DEADLINE)
            if ready[0]:
                self._read_output()
            if ready[1]:
                os.set_blocking(self.to, False)
                try:
                    view = view[os.write(self.to, view[: 64 << 10]) :]
                except BlockingIOError:
                    pass
                finally:
                    os.set_blocking(self.to, True)
            if not ready[0] and not ready[1]:
                raise Hang("the shim does not read")

    def send(self, kind, call=0, payload=b""):
        self.write(HEADER.pack(len(payload), kind, 0, 0, call) + payload)

    def begin(self):
        """FRAME_INIT; gives the READY or FAILED frame."""
        self.send(INIT, 0, json.dumps(self.init).encode())
        return self.until(READY, FAILED)

    def call(self, call, event, request_id=None, remaining_ms=3000, source="sync", alias="", name=""):
        if not isinstance(event, bytes):
            event = json.dumps(event).encode()
        deadline = int(time.time() * 1000) + remaining_ms
        head = f"{request_id or f'request-{call}'}\n{deadline}\n{source}\n{alias}\n{name}\n".encode()
        self.send(CALL, call, struct.pack("<H", len(head)) + head + event)

    # ---- from the shim ----

    def _read_output(self):
        try:
            more = os.read(self.out, 1 << 16)
        except (BlockingIOError, OSError):
            return False
        self.output += more
        return more != b""

    def receive(self, timeout=DEADLINE):
        """The next frame of any kind."""
        end = time.monotonic() + timeout
        while True:
            if len(self.data) >= 16:
                length, kind, flags, zero, call = HEADER.unpack_from(self.data)
                assert kind in NAMES and zero == 0 and length <= 8 << 20, "a bad frame"
                if len(self.data) >= 16 + length:
                    frame = Frame(kind, flags, call, self.data[16 : 16 + length])
                    self.data = self.data[16 + length :]
                    self.frames.append(frame)
                    self._gather(frame)
                    return frame
            left = end - time.monotonic()
            ready = select.select([self.back, self.out], [], [], max(0, left))[0]
            if not ready:
                raise Hang(f"no frame for {timeout} s; printed so far: {self.output[-2000:]!r}")
            if self.out in ready and not self._read_output() and self.back not in ready:
                time.sleep(0.001)
            if self.back in ready:
                more = os.read(self.back, 1 << 16)
                if not more:
                    raise Ended(self.printed())
                self.data += more

    def _gather(self, frame):
        """Puts the pieces of a response in front of its last one."""
        if frame.kind == DATA:
            self.pieces[frame.call] = self.pieces.get(frame.call, b"") + frame.payload
        elif frame.kind == END:
            frame.payload = self.pieces.pop(frame.call, b"") + frame.payload
        elif frame.kind == ERROR:
            self.pieces.pop(frame.call, None)

    def until(self, *kinds, call=None):
        while True:
            frame = self.receive()
            if frame.kind in kinds and call in (None, frame.call):
                return frame

    def outcome(self, call=None):
        """The END or ERROR of a call, or of any."""
        while True:
            frame = self.until(END, ERROR)
            if call in (None, frame.call):
                return frame

    def ask(self, call, event, **head):
        self.call(call, event, **head)
        return self.outcome(call)

    def printed(self):
        """What has arrived on 1 and 2 by now."""
        while self._read_output():
            pass
        return self.output.decode("utf-8", "replace")

    def logs(self, call=None):
        """Texts of the log frames so far."""
        return [
            frame.payload[1:].decode()
            for frame in self.frames
            if frame.kind == LOG and call in (None, frame.call)
        ]

    def records(self, call):
        """Levels and texts of a call's log records: as frames, or marked among what was printed."""
        framed = [(f.payload[0], f.payload[1:].decode()) for f in self.frames
                  if f.kind == LOG and f.call == call]
        marked = [(int(line[1]), line[2:]) for line in self.printed().split("\n")
                  if line[:1] == "\x1e"]
        return framed + marked

    def ends(self, timeout=DEADLINE):
        """Waits for the end of the process; its exit status."""
        end = time.monotonic() + timeout
        while self.process.poll() is None:
            if time.monotonic() > end:
                raise Hang("the shim does not end")
            select.select([self.out], [], [], 0.01)
            self._read_output()
            time.sleep(0.001)
        return self.process.returncode


if __name__ == "__main__":
    sys.exit("this is a library; run conformance.py")
