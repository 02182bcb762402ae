#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""conformance.py DIRECTORY [CASE...]: whether the runtime in that directory keeps the contract.

Each case runs one or more instances of the shim over pipes. A case whose program cannot be written
for the runtime (programs.py) is skipped, and said to be. The last line counts."""
import json
import os
import shutil
import sys
import tempfile
import textwrap
import time
import traceback

import shim
from programs import FILES, PROGRAMS
from shim import BAD_REQUEST, CALL, CANCEL, DATA, END, ERROR, FAILED, HEADER, INIT, LOG, READY, STOP
from shim import TOO_LARGE, Ended

RESPONSE_MAX = 6 << 20
CASES = []


def case(*needs, only=None):
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


# ---- the ordinary course ----


@case("echo")
def a_call_is_answered(bench):
    with bench.start("echo") as it:
        for call, event in enumerate(({"n": 1}, [1, 2.5, None, True], "text", "Zoë 日本 🚀"), 1):
            answer = it.ask(call, event)
            ends_well(answer)
            if isinstance(event, str) and bench.name != "exec":
                equal(answer.payload.decode(), event)
            else:
                equal(json.loads(answer.payload), event)
        ends_well(it.ask((1 << 33) + 5, {"high": 1}))


@case("count")
def white_space_is_the_empty_event(bench):
    with bench.start("count") as it:
        for call, event in enumerate((b"", b" \n\t\r\n"), 1):
            equal(json.loads(it.ask(call, event).payload), {"calls": call, "event": {}})


@case("echo")
def json_is_compact_utf8(bench):
    if bench.name == "exec":
        return
    with bench.start("echo") as it:
        equal(it.ask(1, b'{"a": [1, 2],\n "b": "\xc3\xa9"}').payload, b'{"a":[1,2],"b":"\xc3\xa9"}')


@case("nothing")
def nothing_is_an_empty_response(bench):
    with bench.start("nothing") as it:
        ends_well(it.ask(1, {}), b"")


@case("bytes")
def bytes_are_themselves(bench):
    with bench.start("bytes") as it:
        payload = it.ask(1, {}).payload
        equal(payload, b"\0\1\xff" if bench.name == "exec" else bytes(range(256)))


@case("echo")
def six_mebibytes_go_through(bench):
    with bench.start("echo") as it:
        event = b'"' + b"x" * (RESPONSE_MAX - 2) + b'"'
        answer = it.ask(1, event)
        ends_well(answer)
        equal(len(answer.payload.strip(b'"')), RESPONSE_MAX - 2)
        ends_well(it.ask(2, {}), b"{}")


@case("echo")
def frames_come_in_any_pieces(bench):
    with bench.start("echo") as it:
        head = b"r\n4102444800000\nsync\n\n"
        payload = len(head).to_bytes(2, "little") + head + b'{"n":1}'
        frame = HEADER.pack(len(payload), CALL, 0, 0, 1) + payload
        for size in (1, 3, 15, 16, 17, 31, len(frame) - 1):
            for start in range(0, len(frame), size):
                it.write(frame[start : start + size])
                if size > 1:
                    time.sleep(0.002)
            ends_well(it.outcome(1), b'{"n":1}')
        several = b"".join(HEADER.pack(len(payload), CALL, 0, 0, n) + payload for n in (5, 6, 7))
        it.write(several[:-3])
        it.write(several[-3:])
        equal(sorted(it.outcome().call for _ in range(3)), [5, 6, 7])


@case("gate")
def pieces_come_as_they_are_made(bench):
    with bench.start("gate") as it:
        go = bench.room() + "/go"
        it.call(1, {"go": go})
        first = it.until(DATA, END, ERROR)
        equal((first.kind, first.payload), (DATA, b"one "))
        open(go, "w").close()
        ends_well(it.outcome(1), b"one two")


@case("folder")
def code_has_folders(bench):
    handler = "src/app.main"
    with bench.start("folder", handler=handler) as it:
        equal(json.loads(it.ask(1, {}).payload), [1, 2])


# ---- errors of a call ----


@case("raise")
def an_error_has_its_shape(bench):
    with bench.start("raise") as it:
        kind, message = {
            "python": ("ValueError", "no value"),
            "nodejs": ("RangeError", "no value"),
            "exec": ("ExitError", "exit status 3"),
        }[bench.name]
        answer = it.ask(1, {})
        fails(answer, kind, message)
        stack = "\n".join(answer.error["stackTrace"])
        contains(stack, "no value" if bench.name == "exec" else it.init["code"] + "/index.")
        assert bench.directory not in stack and "node:" not in stack, stack
        ends_well(it.ask(2, {"fine": 1}), b"fine")


@case("size")
def seven_mebibytes_are_too_large(bench):
    with bench.start("size") as it:
        answer = it.ask(1, {"size": RESPONSE_MAX + 1})
        fails(answer, "FunctionResponseTooLarge", "larger than max value '6291456'", TOO_LARGE)
        fails(it.ask(2, {"size": 7 << 20}), "FunctionResponseTooLarge", None, TOO_LARGE)
        ends_well(it.ask(3, {"size": 2}))


@case("endless")
def an_endless_stream_is_too_large(bench):
    with bench.start("endless") as it:
        fails(it.ask(1, {}), "FunctionResponseTooLarge", None, TOO_LARGE)
        sent = sum(len(f.payload) for f in it.frames if f.kind == DATA)
        assert sent <= RESPONSE_MAX, sent
        fails(it.ask(2, {}), "FunctionResponseTooLarge", None, TOO_LARGE)


@case("stream-fails")
def a_stream_can_fail_half_way(bench):
    with bench.start("stream-fails") as it:
        it.call(1, {})
        equal(it.until(DATA, END, ERROR).payload, b"begun")
        fails(it.outcome(1), None, "exit status 3" if bench.name == "exec" else "half-way")


@case("count")
def what_is_not_json_never_runs(bench):
    bad = (b"{", b"{}x", b"\xff", b'"\xff"', b"NaN", b"nul", b"'a'", b"[" * 200000, b"\xef\xbb\xbf{}", b"\0")
    with bench.start("count") as it:
        for call, event in enumerate(bad, 1):
            fails(it.ask(call, event), "BadRequest", None, BAD_REQUEST)
        equal(json.loads(it.ask(99, {}).payload)["calls"], 1)


@case("invalid")
def what_has_no_json_is_an_error(bench):
    whats = {"python": ("cycle", "nan", "set", "deep", "inner", "surrogate"),
             "nodejs": ("cycle", "nan", "big", "function")}[bench.name]
    with bench.start("invalid") as it:
        for call, what in enumerate(whats, 1):
            fails(it.ask(call, {"what": what}), "FunctionResultInvalid", "function result is invalid")
        ends_well(it.ask(99, {"what": "nothing"}), b"fine")


@case("exits")
def an_exit_is_an_error_of_its_call(bench):
    with bench.start("exits") as it:
        fails(it.ask(1, {"status": 5}), None, "exit status 5" if bench.name == "exec" else "exit(5)")
        if bench.name != "nodejs":
            fails(it.ask(2, {}))
            return
        equal(it.ends(), 5)


@case("dies")
def a_death_is_no_hang(bench):
    with bench.start("dies") as it:
        it.call(1, {})
        try:
            frame = it.outcome(1)
            raise AssertionError(f"{frame!r} of a dead process")
        except Ended:
            assert it.ends() != 0


@case("closes")
def closed_descriptors_hurt_nobody_else(bench):
    for what in ("stdout", "fds", "all"):
        if bench.name == "nodejs" and what == "all":
            continue
        with bench.start("closes") as it:
            try:
                first = it.ask(1, {"what": what})
            except Ended:
                assert what == "all", f"{what}: it ended"
                assert it.ends() != 0
                continue
            assert first.kind in (END, ERROR)
            ends_well(it.ask(2, {"what": "none"}), b"closed")
            printed = it.printed() + "".join(it.logs())
            equal(printed.count("before"), 2)


@case("children")
def children_left_behind_answer_nothing(bench):
    with bench.start("children") as it:
        file = bench.room() + "/pid"
        ends_well(it.ask(1, {"file": file, "returns": False}), b"parent")
        appears(file)
        ends_well(it.ask(2, {"file": bench.room() + "/pid", "returns": bench.name == "python"}), b"parent")
        ends_well(it.ask(3, {"file": bench.room() + "/pid", "returns": False}), b"parent")
        it.send(STOP)
        equal(it.ends(), 0)
        equal([f.call for f in it.frames if f.kind == END], [1, 2, 3])


# ---- code that does not start ----


def does_not_start(bench, program, kind, message, **settings):
    with bench.load(program, **settings) as it:
        equal(it.first.kind, FAILED)
        check_error(it.first.error, kind, message)
        equal(it.ends(), 1)
        return it.first.error, it


@case("echo")
def a_missing_file_is_said(bench):
    handler = "nowhere.handler" if bench.name != "exec" else "nowhere"
    does_not_start(bench, "echo", "FunctionLoadError",
                   "function entry exception, error: not found module './nowhere", handler=handler)
    for bad in ("../index.handler", "/etc/passwd", "", "handler") if bench.name != "exec" else ("../x", "/bin/ls", ""):
        does_not_start(bench, "echo", "FunctionConfigError", "function entry exception, error: ", handler=bad)


@case("no-handler")
def a_missing_function_is_said(bench):
    does_not_start(bench, "no-handler", "FunctionConfigError", "handler 'handler' not found in module './index.")


@case("arity")
def a_wrong_arity_is_said(bench):
    does_not_start(bench, "arity", "FunctionConfigError", "expect to have")


@case("syntax-error")
def a_syntax_error_shows_its_place(bench):
    error, it = does_not_start(bench, "syntax-error", "SyntaxError", "Syntax error in module 'index'")
    stack = "\n".join(error["stackTrace"])
    contains(stack, "event context")
    contains(stack, it.init["code"] + "/index.")


@case("import-fails")
def a_failing_import_is_said(bench):
    does_not_start(bench, "import-fails", None, "this" + {"python": "_is_not_there", "nodejs": "-is-not-there"}.get(bench.name, "/is/not/there"))


@case("load-raises")
def an_exception_at_the_start_is_said(bench):
    error, it = does_not_start(bench, "load-raises", None, "function entry exception, error: at the start")
    contains("\n".join(error["stackTrace"]), it.init["code"] + "/index.")


@case("load-exits")
def an_exit_at_the_start_is_said(bench):
    does_not_start(bench, "load-exits", None, "exit(7)")


@case("initializer")
def the_initializer_runs_once(bench):
    with bench.start("initializer", initializer="index.init", environment={"COLOUR": "blue"}) as it:
        for call in (1, 2, 3):
            equal(json.loads(it.ask(call, {}).payload), [["init", "blue", "blue", True]])


@case("initializer-fails")
def a_failing_initializer_is_said(bench):
    message = "exit status 4" if bench.name == "exec" else "no database"
    does_not_start(bench, "initializer-fails", None,
                   "function initialization exception, error: " + message, initializer="index.init")


# ---- what a handler sees ----


@case("context")
def the_context_is_whole(bench):
    with bench.start("context", environment={"COLOUR": "blue"}) as it:
        seen = json.loads(it.ask(1, {}, request_id="id-1", remaining_ms=2000, alias="prod").payload)
        assert 0 < seen.pop("left") <= 2000 and 0 < seen.pop("aws_left") <= 2000
        arn = "arn:aws:lambda:here:p1:function:greeter:prod"
        equal(seen, {
            "request": "id-1", "user": "blue", "missing": None, "name": "greeter", "seconds": 3,
            "version": "latest", "memory": 128, "cpu": 300, "package": "default", "project": "p1",
            "alias": "prod", "token": "", "key": "", "secret": "", "security": "", "streams": True,
            "aws": ["id-1", "greeter", "$LATEST", "128", arn, "/aws/lambda/greeter"],
        })
        again = json.loads(it.ask(2, {}, request_id="id-2", remaining_ms=-5).payload)
        equal((again["request"], again["left"], again["alias"]), ("id-2", 0, ""))


@case("exec-context")
def the_environment_is_whole(bench):
    with bench.start("exec-context", environment={"COLOUR": "blue"}) as it:
        ends_well(it.ask(1, {}, request_id="id-1", alias="prod"), b"id-1|sync|prod|greeter|blue")
        ends_well(it.ask(2, {}, request_id="id-2"), b"id-2|sync||greeter|blue")


# ---- what it prints ----


@case("prints")
def what_is_printed_is_out_before_the_end(bench):
    with bench.start("prints") as it:
        for call in (1, 2):
            ends_well(it.ask(call, {"n": call}), b"done")
            printed = it.printed()
            for part in (f"to out {call}", f"to err {call}"):
                contains(printed, part)
            equal(printed.count("half a line"), call)


@case("levels")
def log_records_keep_their_level(bench):
    with bench.start("levels") as it:
        it.ask(1, {})
        records = [(f.call, f.payload[0], f.payload[1:].decode()) for f in it.frames if f.kind == LOG]
        equal(records, [(1, 1, "informed 1"), (1, 2, "warned"), (1, 3, "failed"),
                        (1, 2, "from logging"), (1, 0, "seen")])


@case("flood")
def a_flood_is_no_hang(bench):
    with bench.start("flood") as it:
        ends_well(it.ask(1, {}), b"flooded")
        size = len(it.printed()) + sum(map(len, it.logs()))
        assert size >= 19_000_000, size


@case("binary")
def binary_output_harms_nobody(bench):
    for concurrency in (1, 2):
        with bench.start("binary", concurrency=concurrency) as it:
            ends_well(it.ask(1, {}), b"printed")
            ends_well(it.ask(2, {}), b"printed")


# ---- several calls at once ----


def meeting(bench, program, count):
    with bench.start(program, concurrency=count) as it:
        room = bench.room()
        calls = range(1, count + 1)
        for call in calls:
            it.call(call, {"me": f"call{call}", "room": room, "all": count})
        answers = {}
        while len(answers) < count:
            answer = it.outcome()
            ends_well(answer)
            answers[answer.call] = answer.payload.decode()
        equal(answers, {call: f"call{call}" for call in calls})
        for call in calls:
            equal(it.logs(call), [f"enters call{call}", f"leaves call{call}"])


@case("meet")
def calls_run_at_once_under_their_names(bench):
    meeting(bench, "meet", 10)


@case("prints")
def lines_of_concurrent_calls_are_records(bench):
    with bench.start("prints", concurrency=2) as it:
        ends_well(it.ask(7, {"n": 7}), b"done")
        equal(sorted(it.logs(7)), ["half a line", "to err 7", "to out 7"])


def cancelling(bench, program):
    with bench.start(program, concurrency=3) as it:
        room = bench.room()
        for call in (1, 2):
            it.call(call, {"file": f"{room}/{call}"})
            exists(f"{room}/{call}")
        it.send(CANCEL, 1)
        it.send(CANCEL, 77)
        fails(it.outcome(), "Cancelled", "canceled")
        equal(it.frames[-1].call, 1)
        ends_well(it.ask(3, {"quick": 1}), b"quick")
        it.send(CANCEL, 2)
        fails(it.outcome(2), "Cancelled", "canceled")
        ends_well(it.ask(4, {"quick": 1}), b"quick")


@case("hang")
def a_cancelled_call_ends_alone(bench):
    cancelling(bench, "hang")


# ---- the end ----


@case("gate")
def stop_lets_calls_end(bench):
    for concurrency in (1, 2):
        with bench.start("gate", concurrency=concurrency) as it:
            go = bench.room() + "/go"
            it.call(1, {"go": go})
            it.until(DATA)
            it.send(STOP)
            open(go, "w").close()
            ends_well(it.outcome(1), b"one two")
            equal(it.ends(), 0)


@case("echo")
def the_end_of_the_stream_is_a_stop(bench):
    with bench.start("echo") as it:
        ends_well(it.ask(1, {}))
        os.close(it.to)
        it.to = os.open("/dev/null", os.O_RDONLY)
        equal(it.ends(), 0)


@case("echo")
def garbage_ends_the_instance(bench):
    call = b"\x08\0r\n1\ns\n\n\n{}"
    for what, data in {
        "text": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        "4 GiB": HEADER.pack(0xFFFFFFFF, CALL, 0, 0, 1),
        "9 MiB": HEADER.pack(9 << 20, CALL, 0, 0, 1),
        "an unknown type": HEADER.pack(0, 9, 0, 0, 0),
        "its own type": HEADER.pack(0, END, 0, 0, 1),
        "reserved": HEADER.pack(len(call), CALL, 0, 1, 1) + call,
        "a second INIT": HEADER.pack(2, INIT, 0, 0, 0) + b"{}",
        "a short call": HEADER.pack(1, CALL, 0, 0, 1) + b"x",
        "a long head": HEADER.pack(4, CALL, 0, 0, 1) + b"\xff\xffxx",
        "a call without head": HEADER.pack(4, CALL, 0, 0, 1) + b"\0\0{}",
    }.items():
        with bench.start("echo") as it:
            it.write(data)
            equal((what, it.ends()), (what, 70))
    with shim.Shim(bench.argv, bench.write("echo"), handler=bench.handler) as it:
        it.call(1, {})
        equal(("a call before INIT", it.ends()), ("a call before INIT", 70))


@case("echo")
def idling_costs_nothing(bench):
    with bench.start("echo", concurrency=4) as it:
        ends_well(it.ask(1, {}))
        time.sleep(0.1)
        ticks = lambda: sum(map(int, open(f"/proc/{it.process.pid}/stat").read().rsplit(")")[-1].split()[11:13]))
        before = ticks()
        time.sleep(0.5)
        used = ticks() - before
        assert used < 25, f"{used} ticks in half a second"


# ---- what only one runtime has ----


@case("async", only="python")
def async_def_works(bench):
    for concurrency in (1, 3):
        with bench.start("async", initializer="index.init", concurrency=concurrency) as it:
            ends_well(it.ask(1, {"n": 1}), b'{"n":1}')
            fails(it.ask(2, {"fail": 1}), "LookupError", "none")
            ends_well(it.ask(3, {"n": 2}), b'{"n":2}')


@case("async-meet", only="python")
def async_calls_run_at_once(bench):
    meeting(bench, "async-meet", 10)


@case("async-stream", only="python")
def async_generators_stream(bench):
    with bench.start("async-stream") as it:
        ends_well(it.ask(1, {}), b'a{"b":1}\n')


@case("async-hidden", only="python")
def a_coroutine_nobody_announced_is_awaited(bench):
    for concurrency in (1, 2):
        with bench.start("async-hidden", concurrency=concurrency) as it:
            ends_well(it.ask(1, {"n": 1}), b'{"n":1}')
            ends_well(it.ask(2, {"n": 2}), b'{"n":2}')


@case("async-hang", only="python")
def an_async_call_can_be_cancelled(bench):
    cancelling(bench, "async-hang")


@case("shadows", only="python")
def a_module_may_have_a_name_of_the_library(bench):
    with bench.start("shadows", handler="json.handler") as it:
        equal(json.loads(it.ask(1, {}).payload), ["types", "json"])


@case("callback", only="nodejs")
def callbacks_answer(bench):
    with bench.start("callback") as it:
        ends_well(it.ask(1, {"n": 1}), b'{"n":1}')
        equal(it.logs(1), [])
        ends_well(it.ask(2, {"wait": 1}), b'{"wait":1}')
        contains(it.logs(), "later")
        fails(it.ask(3, {"fail": 1}), "string", "bad luck")
        ends_well(it.ask(4, {"twice": 1}), b"1")
        ends_well(it.ask(5, {"silent": 1}), b"")


@case("old-style", only="nodejs")
def context_done_succeed_fail_answer(bench):
    with bench.start("old-style") as it:
        ends_well(it.ask(1, {"how": "done"}), b"data")
        ends_well(it.ask(2, {"how": "succeed"}), b"said")
        fails(it.ask(3, {"how": "fail"}), "string", "said")
        ends_well(it.ask(4, {"how": "value"}), b"value")
        ends_well(it.ask(5, {"how": "nothing"}), b"")


@case(only="nodejs")
def modules_of_every_kind_load(bench):
    for program, answer in {
        "module-mjs": b"mjs", "module-type": b"index.js", "module-cjs": b"cjs", "module-default": b"default",
    }.items():
        with bench.start(program) as it:
            ends_well(it.ask(1, {}), answer)
    with bench.start("nested", handler="index.api.get") as it:
        ends_well(it.ask(1, {}), b"nested")


@case("readable", only="nodejs")
def readable_streams_are_sent(bench):
    with bench.start("readable") as it:
        ends_well(it.ask(1, {}), b"abc")


@case("never", only="nodejs")
def a_promise_that_cannot_settle_is_an_error(bench):
    with bench.start("never") as it:
        fails(it.ask(1, {}), "NeverSettled")
        ends_well(it.ask(2, {"quick": 1}), b"quick")


@case("late-throw", only="nodejs")
def what_nobody_catches_ends_the_instance(bench):
    for how in ("throw", "reject"):
        with bench.start("late-throw", concurrency=2) as it:
            it.call(1, {})
            it.call(2, {"how": how})
            fails(it.outcome(), "TypeError", "late")
            fails(it.outcome(), "TypeError", "late")
            equal(it.ends(), 1)


@case("timers", only="nodejs")
def timers_fire_between_calls(bench):
    with bench.start("timers") as it:
        file = bench.room() + "/fired"
        ends_well(it.ask(1, {"file": file}), b"set")
        appears(file)


def run(bench, function):
    try:
        function(bench)
        print(f"ok      {bench.name}: {function.__name__}")
        return True
    except (AssertionError, Ended, OSError, ValueError, KeyError):
        print(f"FAILED  {bench.name}: {function.__name__}")
        traceback.print_exc(limit=-3, file=sys.stdout)
        return False
    finally:
        bench.tidy()


def main(directory, wanted):
    sys.stdout.reconfigure(line_buffering=True)
    bench = Bench(directory)
    if not bench.argv:
        print(f"{bench.name}: what it needs is not on this machine: {bench.runtime.get('interpreters')}")
        return 77
    passed = failed = skipped = 0
    for function, needs, only in CASES:
        if wanted and function.__name__ not in wanted:
            continue
        if only not in (None, bench.name) or not all(map(bench.can, needs)):
            skipped += 1
        elif run(bench, function):
            passed += 1
        else:
            failed += 1
    print(f"{bench.name}: {passed} cases held, {failed} failed, {skipped} not for this runtime")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1], sys.argv[2:]))
