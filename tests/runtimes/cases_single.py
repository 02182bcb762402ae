# SPDX-License-Identifier: Apache-2.0
"""What only one runtime has."""
import json
import os

from bench import appears, case, contains, ends_well, equal, exists, fails
from cases_life import cancelling, meeting
from shim import CANCEL, LAST


def switches(process):
    """How often each of its threads has waited."""
    counts = {}
    for task in os.listdir(f"/proc/{process.pid}/task"):
        with open(f"/proc/{process.pid}/task/{task}/status") as status:
            counts[task] = next(int(line.split()[1]) for line in status if line.startswith("voluntary"))
    return counts


@case("meet", only="python")
def a_call_alone_wakes_one_thread(bench):
    with bench.start("meet", concurrency=8) as it:
        room = bench.room()
        for call in range(1, 41):  # the first ones start the threads
            ends_well(it.ask(call, {"me": "alone", "room": room, "all": 1}), b"alone")
        before = switches(it.process)
        for call in range(41, 141):
            ends_well(it.ask(call, {"me": "alone", "room": room, "all": 1}), b"alone")
        after = switches(it.process)
        equal(sorted(before), sorted(after))
        waits = sorted(after[task] - before[task] for task in after)
        assert sum(waits[:-1]) < 20, f"other threads were woken: {waits}"


@case("meet", only="python")
def the_lead_changes_hands(bench):
    """A call alone blocks, another comes; the more often, the more threads have led and stood by."""
    with bench.start("meet", concurrency=8) as it:
        call = 0
        for round in range(4):
            for _ in range(40):
                call += 1
                room = bench.room()
                ends_well(it.ask(call, {"me": "alone", "room": room, "all": 1}), b"alone")
            room = bench.room()
            it.call(call + 1, {"me": "first", "room": room, "all": 2})
            exists(f"{room}/first")
            it.call(call + 2, {"me": "second", "room": room, "all": 2})
            equal({it.outcome().payload, it.outcome().payload}, {b"first", b"second"})
            call += 2


@case("hang", only="python")
def the_one_that_leads_can_be_cancelled(bench):
    with bench.start("hang", concurrency=2) as it:
        for call in range(1, 4):
            room = bench.room()
            it.call(call, {"file": f"{room}/inside"})
            exists(f"{room}/inside")
            it.send(CANCEL, call)
            fails(it.outcome(call), "Cancelled", "canceled")
        ends_well(it.ask(9, {"quick": 1}), b"quick")


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


@case("processes", only="python")
def multiprocessing_works(bench):
    for concurrency in (1, 2):
        with bench.start("processes", concurrency=concurrency) as it:
            for call, how in enumerate(("fork", "spawn"), 1):
                ends_well(it.ask(call, {"how": how}), b"[1,4,9]")
                contains(it.printed() + "\n".join(it.logs()), "working on 3")


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
            fails(it.outcome(), "TypeError", "late", LAST)
            fails(it.outcome(), "TypeError", "late", LAST)
            equal(it.ends(), 1)


@case("timers", only="nodejs")
def timers_fire_between_calls(bench):
    with bench.start("timers") as it:
        file = bench.room() + "/fired"
        ends_well(it.ask(1, {"file": file}), b"set")
        appears(file)
