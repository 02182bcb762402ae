# SPDX-License-Identifier: Apache-2.0
"""Calls and work in code/ at the same time: what each does to the other. Nothing is aimed at.

calls  One caller of an echo in Python through its open `invoke`, while something works in code/ of another function, beside the
       same calls while it works in a directory of the disk below: what the machine does to them, and no more.
work   How much of it is done in a second while calls come, beside how much is done without them.

fio    Random reads and writes of 64 KiB of a file of 64 MB.
cp     `cp -a` of 200 files, over those of the time before: to remove what was made would slow the disk.
grep   `grep -r` of 1000 files that were read before.
"""
import contextlib
import json
import random
import time

from calls import ECHO, Subject
from ground import deploy, interleaved, meanwhile, mounted, need, run, say
from publishing import plant
from rows_code import CodeGround, Ground
from table import Figure, Line

COPIED, SEARCHED = 200, 1000


class Work:
    """Something that is done over and over in a place of its own: once() says how much it did."""

    def __init__(self, name, unit, prepare, once):
        self.name, self.unit, self.prepare, self.once = name, unit, prepare, once


def works(path):
    def copy(files):
        return lambda at: run(["cp", "-a", f"{path / files}/.", at])

    def copied(at):
        copy("copied")(at)
        return COPIED

    def searched(at):
        run(["grep", "-r", "def handler", at])
        return SEARCHED

    def mixed(at):
        report = run(["fio", "--name=work", f"--directory={at}", "--size=64m", "--rw=randrw", "--bs=64k", "--runtime=1",
                      "--time_based", "--output-format=json"])
        [job] = json.loads(report[report.index("{"):])["jobs"]
        return (job["read"]["io_bytes"] + job["write"]["io_bytes"]) / 1e6

    return (Work("fio", "MB/s", mixed, mixed), Work("cp -a", "files/s", copy("copied"), copied),
            Work("grep -r", "files/s", copy("searched"), searched))


@contextlib.contextmanager
def at_work(work, place):
    """Works until what is inside has ended; then [how much, seconds] has what was done of whole times."""
    done, begun = [0, 0], time.perf_counter()

    def once():
        done[0] += work.once(place)
        done[1] = time.perf_counter() - begun

    with meanwhile(once):
        yield done


def both(echo, work, place, seconds):
    """(calls, work) while both are under way."""
    with at_work(work, place) as done:
        _, _, p50, p99 = echo.measure(1, seconds)
    return Figure(p50, p99), Figure(done[0] / done[1])


def alone(work, place, seconds):
    with at_work(work, place) as done:
        time.sleep(seconds)
    return Figure(done[0] / done[1])


def compare(work, echo, places, table_run):
    seconds = max(1, table_run.seconds)
    taken = interleaved(f"together, {work.name}", table_run.rounds(3), {
        "code": lambda: both(echo, work, places["code"], seconds),
        "disk": lambda: both(echo, work, places["disk"], seconds),
        "alone": lambda: alone(work, places["code"], seconds)})
    yield Line("together", f"calls while {work.name} works in code/", "while it works on the disk", "µs",
               zip([calls for calls, _ in taken["code"]], [calls for calls, _ in taken["disk"]]))
    yield Line("together", f"{work.name} in code/ while calls come", "on the disk while calls come", work.unit,
               zip([rate for _, rate in taken["code"]], [rate for _, rate in taken["disk"]]))
    yield Line("together", f"{work.name} in code/ while calls come", "in code/ without calls", work.unit,
               zip([rate for _, rate in taken["code"]], taken["alone"]))


def together(table_run):
    need("fio", "fio")
    path = table_run.place("together")
    chance = random.Random(3)
    plant(path / "copied", COPIED, chance)
    plant(path / "searched", SEARCHED, chance)
    with mounted(path) as root:
        echo = Subject("", "held", deploy(root, "echo", dict([ECHO["python"]])) / "invoke", None)
        grounds = {"code": CodeGround(root), "disk": Ground(path / "disk")}
        for work in works(path):
            places = {side: ground.fresh() for side, ground in grounds.items()}
            say(f"together, {work.name}: getting ready")
            for side, place in places.items():
                work.prepare(place)
                work.once(place)
                grounds[side].settle()
            yield from compare(work, echo, places, table_run)
            grounds["code"].settle()
