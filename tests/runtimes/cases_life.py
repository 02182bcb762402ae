# SPDX-License-Identifier: Apache-2.0
"""The life of an instance: its start, what it sees and prints, several calls, its end."""
import json
import os
import time

import shim
from bench import case, check_error, contains, ends_well, equal, exists, fails
from shim import CALL, CANCEL, DATA, END, FAILED, HEADER, INIT, STOP


@case("own-modules", only="python")
def a_file_of_the_code_is_imported_before_the_library(bench):
    """Whatever a process imported before it had this code."""
    with bench.start("own-modules") as it:
        equal(json.loads(it.ask(1, {}).payload), ["mine", "mine too", "2"])


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
        seen = json.loads(it.ask(1, {}, request_id="id-1", remaining_ms=2000, alias="prod", name="order-17").payload)
        assert 0 < seen.pop("left") <= 2000 and 0 < seen.pop("aws_left") <= 2000
        arn = "arn:aws:lambda:here:p1:function:greeter:prod"
        equal(seen, {
            "request": "id-1", "user": "blue", "missing": None, "name": "greeter", "seconds": 3,
            "version": "latest", "memory": 128, "cpu": 300, "package": "default", "project": "p1",
            "alias": "prod", "entry": "order-17", "token": "", "key": "", "secret": "", "security": "", "streams": True,
            "aws": ["id-1", "greeter", "$LATEST", "128", arn, "/aws/lambda/greeter"],
        })
        again = json.loads(it.ask(2, {}, request_id="id-2", remaining_ms=-5).payload)
        equal((again["request"], again["left"], again["alias"], again["entry"]), ("id-2", 0, "", ""))


@case("exec-context")
def the_environment_is_whole(bench):
    odd = '}"],{\\ "handler": "x", \u00e9\n'
    with bench.start("exec-context", environment={"ODD": odd, "COLOUR": "blue"}) as it:
        ends_well(it.ask(1, {}, request_id="id-1", alias="prod", name="o 17"), b"id-1|sync|prod|o 17|greeter|blue")
        ends_well(it.ask(2, {}, request_id="id-2"), b"id-2|sync|||greeter|blue")


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
        equal(it.records(1), [(1, "informed 1"), (2, "warned"), (3, "failed"), (2, "from logging"),
                              (0, "seen")])


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
