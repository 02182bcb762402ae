# SPDX-License-Identifier: Apache-2.0
"""What the cases are made of: instances of one runtime with the programs they need, and checks."""
import os
import shutil
import tempfile
import textwrap
import time

import shim
from programs import FILES, PROGRAMS
from shim import END, ERROR, READY

RESPONSE_MAX = 6 << 20
CASES = []


def case(*needs, only=None):
    """Registers a case: the programs it needs, the only runtime it is for."""

    def register(function):
        CASES.append((function, needs, only))
        return function

    return register


class Bench:
    """Makes instances of one runtime with the programs of the cases."""

    def __init__(self, directory):
        self.directory = os.path.abspath(directory)
        self.name = os.path.basename(self.directory)
        self.runtime, self.argv = shim.runtime_command(self.directory)
        self.handler = self.runtime.get("default_handler", "index.handler")
        self.rooms = []

    def can(self, program):
        return self.name in PROGRAMS[program]

    def room(self):
        self.rooms.append(tempfile.mkdtemp(prefix="fnfs-conformance-"))
        return self.rooms[-1]

    def write(self, program):
        """The program's files in a fresh code directory."""
        code = self.room() + "/code"
        files = PROGRAMS[program][self.name] if program else {}
        if isinstance(files, str):
            files = {FILES[self.name]: files}
        os.mkdir(code)
        for name, text in files.items():
            os.makedirs(os.path.dirname(f"{code}/{name}"), exist_ok=True)
            text = textwrap.dedent(text).lstrip("\n") if "\n    " in text[:9] else text
            with open(f"{code}/{name}", "w") as file:
                file.write(text)
            os.chmod(f"{code}/{name}", 0o755)
        return code

    def load(self, program, **settings):
        """An instance after FRAME_INIT, with what it answered."""
        settings = {"handler": self.handler} | settings
        instance = shim.Shim(self.argv, self.write(program), **settings)
        try:
            instance.first = instance.begin()
        except BaseException:
            instance.close()
            raise
        return instance

    def start(self, program, **settings):
        instance = self.load(program, **settings)
        if instance.first.kind != READY:
            instance.close()
            raise AssertionError(f"not ready: {instance.first!r}")
        return instance

    def tidy(self):
        for room in self.rooms:
            shutil.rmtree(room, ignore_errors=True)
        self.rooms.clear()


def equal(actual, expected):
    assert actual == expected, f"{actual!r} is not {expected!r}"


def contains(text, part):
    assert part in text, f"{part!r} is not in {text!r}"


def ends_well(frame, payload=None):
    assert frame.kind == END, f"not END: {frame!r}"
    if payload is not None:
        equal(frame.payload, payload)


def fails(frame, kind=None, message=None, flags=0):
    assert frame.kind == ERROR, f"not ERROR: {frame!r}"
    equal(frame.flags, flags)
    check_error(frame.error, kind, message)


def check_error(error, kind=None, message=None):
    assert set(error) == {"errorMessage", "errorType", "stackTrace"}, error
    assert all(isinstance(line, str) and "\n" not in line for line in error["stackTrace"]), error
    if kind:
        equal(error["errorType"], kind)
    if message:
        contains(error["errorMessage"], message)


def appears(path):
    end = time.monotonic() + shim.DEADLINE
    while not os.path.exists(path) or os.path.getsize(path) == 0:
        assert time.monotonic() < end, f"{path} does not appear"
        time.sleep(0.005)


def exists(path):
    end = time.monotonic() + shim.DEADLINE
    while not os.path.exists(path):
        assert time.monotonic() < end, f"{path} does not appear"
        time.sleep(0.005)
