# SPDX-License-Identifier: Apache-2.0
"""Calls that answer, and calls that fail."""
import json
import time

from bench import RESPONSE_MAX, appears, case, contains, ends_well, equal, fails
from shim import BAD_REQUEST, CALL, DATA, END, ERROR, HEADER, LAST, STOP, TOO_LARGE, Ended


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
        head = b"r\n4102444800000\nsync\n\n\n"
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
        fails(it.ask(1, {"status": 5}), None, "exit status 5" if bench.name == "exec" else "exit(5)",
              LAST if bench.name == "nodejs" else 0)
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
