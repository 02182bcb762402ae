# SPDX-License-Identifier: Apache-2.0
"""Rows 5 to 7 and 12: the first answer of something that does not run, beside a program that is started.

A function without an instance comes in two kinds, and both are measured, each with a goal of its own:

first       The daemon was mounted two seconds ago and knows nothing of the function but its files: what waits ready
            then is what waits ready for any function. Each function is called once, and there are many alike.
again       The function ran, its instance was ended (as one that was idle for long is), and it is called once more:
            what the platform keeps of a function that ran may serve.

The time is from open(invoke) to the first read that returns, which is the whole answer. After each call of ours there is a
pause, in which the platform does what it does behind a start: neither the program beside it nor the next start pays for that.
Cold starts of one function are rare, or its instance would not have gone. The program beside it is started by posix_spawn, and its time ends
when it has ended. The handler of Python imports what a usual one does; what the interpreter with the same imports takes is
a line of its own, without a goal.

save        index.py is written (open, write, close) and the function called at once; the answer must come from what was
            just written. Beside it: the same file is written to the disk and run by python3, which prints the answer.
"""
import time

from ground import BUILD, ask, deploy, end_instances, interleaved, mounted, spawned
from table import Goal, Line, figure

PYTHON, NODE = "/usr/bin/python3", "/usr/bin/node"
EVENT = b'{"hello":"bench"}'
IMPORTS = "import base64, datetime, hashlib, json, logging, os, re, urllib.parse, uuid"
PAUSE, SETTLING = 0.15, 2
HANDLER = IMPORTS + """

def handler(event, context):
    digest = hashlib.sha256(json.dumps(event).encode()).hexdigest()
    return {**event, "day": datetime.date(2026, 1, 1).isoformat(), "digest": re.sub("[a-f]", "", digest)[:1]}
"""
ANSWERS = b'"hello":"bench"'
CODE = {
    "python": {"index.py": HANDLER},
    "node": {"index.mjs": "export const handler = async (event) => event;\n"},
    "exec": {"main": BUILD / "tests/bench/bench_echo"},
}


def answered(invoke):
    """Seconds to the right answer."""
    begun = time.perf_counter()
    answer = ask(invoke, EVENT)
    took = time.perf_counter() - begun
    if ANSWERS not in answer.replace(b" ", b""):
        raise RuntimeError(f"{invoke} answered {answer[:200]}")
    return took


class Pairs:
    """Samples of sides that are taken in turn: {SIDE: [milliseconds]} for each round."""

    def __init__(self, sides):
        self.sides = sides

    def take(self, count):
        samples = {name: [] for name in self.sides}
        for number in range(count):
            for name, take in self.sides.items():
                samples[name].append(take(number) * 1000)
                if name == "ours":
                    time.sleep(PAUSE)
        return {name: figure(values) for name, values in samples.items()}


def in_rounds(row, rounds, measure):
    """{SIDE: [figure of each round]}"""
    taken = interleaved(row, rounds, {"all": measure})["all"]
    return {name: [figures[name] for figures in taken] for name in taken[0]}


def mounted_anew(path, names, row, rounds, count, besides):
    """First calls: a mount for each round, whose functions have never been called in it."""
    def measure():
        with mounted(path) as root:
            time.sleep(SETTLING)
            return Pairs({"ours": lambda number: answered(root / "functions" / names[number] / "invoke"),
                          **besides}).take(count)
    return in_rounds(f"{row}, first", rounds, measure)


def called_again(path, name, row, rounds, count, besides):
    def once(function):
        end_instances(function)
        time.sleep(PAUSE)
        return answered(function / "invoke")

    with mounted(path) as root:
        function = root / "functions" / name
        answered(function / "invoke")
        time.sleep(SETTLING)
        return in_rounds(f"{row}, again", rounds, lambda: Pairs({"ours": lambda number: once(function),
                                                                 **besides}).take(count))


def cold(table_run, row, code, besides, goal):
    """besides: {NAME: words of a program}; the goal is about the first, the others are there to be known."""
    path = table_run.place(row)
    count, rounds = 20, table_run.rounds(3)
    names = [f"{row}-{number}" for number in range(count)]
    with mounted(path) as root:
        for name in names:
            answered(deploy(root, name, code) / "invoke")
    sides = {name: lambda number, words=words: spawned(words, EVENT)[0] for name, words in besides.items()}
    kinds = {"first call after a mount": mounted_anew(path, names, row, rounds, count, sides),
             "instance gone, called again": called_again(path, names[0], row, rounds, count, sides)}
    for kind, taken in kinds.items():
        for number, name in enumerate(besides):
            yield Line(row, kind, name, "ms", zip(taken["ours"], taken[name]), None if number else goal)


def cold_python(table_run):
    besides = {"python3 -c pass": [PYTHON, "-c", "pass"],
               "python3 -c with the same imports": [PYTHON, "-c", IMPORTS]}
    yield from cold(table_run, "cold-python", CODE["python"], besides, Goal("ratio", 0.5))


def cold_node(table_run):
    yield from cold(table_run, "cold-node", CODE["node"], {"node -e 0": [NODE, "-e", "0"]}, Goal("ratio", 0.3))


def cold_exec(table_run):
    program = str(BUILD / "tests/bench/bench_echo")
    yield from cold(table_run, "cold-exec", CODE["exec"], {"fork and exec of the program": [program]}, Goal("more", 3))


SAVED = """import json, sys

def handler(event, context):
    return {{"hello": event["hello"], "save": {number}}}

if __name__ == "__main__":
    print(json.dumps(handler(json.loads(sys.stdin.read()), None)))
"""


def saved(file, number, answer):
    """Seconds from the save to the answer of what was saved."""
    begun = time.perf_counter()
    file.write_text(SAVED.format(number=number))
    got = answer()
    took = time.perf_counter() - begun
    if f'"save":{number}'.encode() not in got.replace(b" ", b""):
        raise RuntimeError(f"{file}: save {number} was answered by {got[:200]}")
    return took


def save(table_run):
    path = table_run.place("save")
    count, rounds = 20, table_run.rounds(3)
    plain = path / "index.py"
    numbers = iter(range(1, 1 << 30))
    with mounted(path) as root:
        function = deploy(root, "save", {"index.py": SAVED.format(number=0)})
        pairs = Pairs({
            "ours": lambda _: saved(function / "code/index.py", next(numbers), lambda: ask(function / "invoke", EVENT)),
            "theirs": lambda _: saved(plain, next(numbers), lambda: spawned([PYTHON, str(plain)], EVENT)[1]),
        })
        taken = in_rounds("save", rounds, lambda: pairs.take(count))
    yield Line("save", "save of index.py to its first answer", "save, python3 index.py", "ms",
               zip(taken["ours"], taken["theirs"]), Goal("ratio", 1))
