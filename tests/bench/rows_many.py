# SPDX-License-Identifier: Apache-2.0
"""Rows 8 and 9: many instances of one function, and many functions.

memory  So many idle instances of one function, beside as many of python3 that imported the same and sleep. Counted is the
        proportional set size (PSS: what is shared is shared out) of all processes that an instance has and no other one
        has too: those in its process namespace (the runtime, the init), and those above it that lead to it alone.
        What was there before and serves all is not a further instance's. Both sides run at the same time, so
        each side's share of the interpreter's pages is the same. A line of its own has what all processes of the platform
        grew by, the daemon's own memory and whatever waits ready included, divided by the number of instances.
scale   Two mounts stand side by side, one with 100 000 functions that have code, one with 10. The state was made by
        bench_populate, as the daemon would leave it, and lies in memory (/dev/shm) where there is room: half a million files
        would make the disk slow at making files for minutes after they were removed, and what is measured reads them
        from the cache anyway. Times of `fnfs mount` (it returns when the mount answers) and of
        `ls functions`; then calls, one here and one there in turn: the first call of each of 1000 functions at random, whose instance is
        ended after it, beside first calls of the 10, which are mounted anew for each ten of them; the next call of each,
        when its instance is gone, beside the same of the 10; and warm calls (open, write, read, close) of ten functions
        of the many beside the ten. Where a minute does not suffice for the 1000, the line says how many there were.
        Memory is the PSS of the daemon after all that.
"""
import contextlib
import json
import os
import pathlib
import random
import re
import shutil
import subprocess
import threading
import time

from calls import daemon_pid
from ground import BUILD, ask, deploy, directory, end_instances, interleaved, mounted, run, say, timed
from rows_start import IMPORTS, PYTHON, answered
from table import Figure, Goal, Line, figure

ALIKE = 20
HELD = IMPORTS + """
import time

def handler(event, context):
    time.sleep(event["hold"])
    return event
"""


def pss(pid):
    """MB; 0 when it has just ended."""
    with contextlib.suppress(OSError):
        text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
        return int(re.search(r"^Pss:\s+(\d+)", text, re.M)[1]) / 1024
    return 0


def parents():
    """{PID: (parent, process namespace)} of all there are."""
    found = {}
    for entry in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            stat = pathlib.Path(f"/proc/{entry}/stat").read_text()
            found[int(entry)] = (int(stat.rpartition(")")[2].split()[1]), os.readlink(f"/proc/{entry}/ns/pid"))
    return found


def belonging(pids):
    """For each of these processes the set of those that are there for it alone."""
    all_there, here = parents(), os.readlink("/proc/self/ns/pid")
    groups = []
    for pid in pids:
        group = {other for other, (_, space) in all_there.items() if space == all_there[pid][1] and space != here}
        while pid in all_there:
            group.add(pid)
            pid = all_there[pid][0]
        groups.append(group)
    shared = {pid for index, group in enumerate(groups) for other in groups[index + 1:] for pid in group & other}
    return [group - shared for group in groups]


def instance_pids(function):
    return [int((instance / "pid").read_text()) for instance in (function / "instances").iterdir()]


def call_alike(function, count, hold):
    event = json.dumps({"hold": hold}).encode()
    threads = [threading.Thread(target=ask, args=(function / "invoke", event)) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def start_alike(function, count):
    """So many instances or a few more, by as many calls at once, each of which lasts until the last has begun."""
    for hold in (1.5, 5, 15):
        call_alike(function, count, hold)
        if len(pids := instance_pids(function)) >= count:
            return pids
    raise RuntimeError(f"{len(pids)} instances instead of {count}")


@contextlib.contextmanager
def plain_alike(count):
    """So many of python3 that have imported the same."""
    words = [PYTHON, "-c", IMPORTS + "\nimport sys, time\nprint(flush=True)\nsys.stdin.read()"]
    processes = [subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(count)]
    try:
        for process in processes:
            process.stdout.readline()
        yield [process.pid for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def platform_pss(root):
    """The daemon and all below it."""
    all_there, found, todo = parents(), [], [daemon_pid(root)]
    while todo:
        above = todo.pop()
        found.append(above)
        todo += [pid for pid, (parent, _) in all_there.items() if parent == above]
    return sum(map(pss, found))


def measure_memory(root, function):
    """MB of each further one: ours, theirs, and by what the platform grew."""
    end_instances(function)
    ask(function / "invoke", b'{"hold":0}')
    time.sleep(2)
    before = platform_pss(root)
    pids = start_alike(function, ALIKE + 1)
    with plain_alike(len(pids)) as plain:
        time.sleep(2)
        grown = (platform_pss(root) - before) / (len(pids) - 1)
        ours = sum(sum(map(pss, group)) for group in belonging(pids)) / len(pids)
        theirs = sum(map(pss, plain)) / len(plain)
    return {"ours": Figure(ours), "theirs": Figure(theirs), "grown": Figure(grown)}


def memory(table_run):
    with mounted(table_run.place("memory")) as root:
        function = deploy(root, "alike", {"index.py": HELD}, timeout="60s")
        taken = interleaved("memory", table_run.rounds(3), {"all": lambda: measure_memory(root, function)})["all"]
    for what, side, goal in (("its processes", "ours", Goal("ratio", 0.3)), ("all the platform grew by", "grown", None)):
        yield Line("memory", f"a further idle Python instance: {what}", "python3, the same imports", "MB",
                   [(sides[side], sides["theirs"]) for sides in taken], goal)


MANY, FEW, CALLED, CALLING_S = 100000, 10, 1000, 60
FIRST = 300  # first calls of the few: ten for each mount of them
PLAIN = "import json\n\ndef handler(event, context):\n    return event\n"


class Crowd:
    """A mount with so many functions; what is measured of it."""

    def __init__(self, path, count):
        self.path, self.count = path, count
        path.mkdir()
        (path / "index.py").write_text(PLAIN)
        say(f"scale: making {count} functions")
        run([BUILD / "tests/bench/bench_populate", path / "state", str(count), path / "index.py"])
        self.mount, self.root = None, None

    def mount_s(self):
        """Mounts it anew, and leaves it mounted."""
        self.leave()
        begun = time.perf_counter()
        self.mount = contextlib.ExitStack()
        self.root = self.mount.enter_context(mounted(self.path))
        took = time.perf_counter() - begun
        return Figure(took)

    def leave(self):
        if self.mount:
            self.mount.close()
        self.mount = None

    def list_ms(self):
        listed = []
        took = timed(lambda: listed.extend(run(["ls", self.root / "functions"]).split()))
        if len(listed) != self.count:
            raise RuntimeError(f"{len(listed)} functions are listed instead of {self.count}")
        return Figure(took * 1000)

    def function(self, number):
        return self.root / "functions" / f"f{number:06}"

    def memory_mb(self):
        return Figure(pss(daemon_pid(self.root)))


def ended_call(crowd, number):
    """Milliseconds of a call of what does not run; it does not run afterwards either."""
    function = crowd.function(number)
    took = answered(function / "invoke") * 1000
    end_instances(function)
    return took


def cold_calls(many, few, numbers):
    """{KIND: (samples of the many, of the few)}, in turn, and how many functions there was time for."""
    samples, until = {"first": ([], []), "again": ([], [])}, time.monotonic() + CALLING_S
    for count, number in enumerate(numbers):
        if time.monotonic() > until:
            break
        if count % FEW == 0 and count < FIRST:
            few.mount_s()
            time.sleep(0.5)
        samples["first"][0].append(ended_call(many, number))
        # Also where nothing is learnt from it: both sides have then had the same time to make sandboxes ahead.
        took = ended_call(few, count % FEW)
        if count < FIRST:
            samples["first"][1].append(took)
        samples["again"][0].append(ended_call(many, number))
        samples["again"][1].append(ended_call(few, count % FEW))
    say(f"scale: {len(samples['first'][0])} functions were called")
    return samples


def warm_calls(many, few, numbers, rounds):
    """Microseconds of calls of ten that run, on each side, in turn."""
    def one(count, samples):
        for crowd, at, into in ((many, numbers[count % FEW], samples[0]), (few, count % FEW, samples[1])):
            into.append(answered(crowd.function(at) / "invoke") * 1e6)

    taken = []
    for count in range(FEW):
        one(count, ([], []))
    for _ in range(rounds):
        samples = ([], [])
        for count in range(300):
            one(count, samples)
        taken.append(tuple(map(figure, samples)))
    return taken


@contextlib.contextmanager
def roomy(table_run):
    """A directory in memory, where there is much of it, else on the disk."""
    memory = pathlib.Path("/dev/shm")
    if memory.is_dir() and shutil.disk_usage(memory).free > 4 << 30:
        with directory(memory) as path:
            yield path
            say("scale: removing what was made")
    else:
        yield table_run.place("scale")


def scale(table_run):
    chance = random.Random(1)
    with contextlib.ExitStack() as stack:
        path = stack.enter_context(roomy(table_run))
        many, few = (Crowd(path / str(count), count) for count in (MANY, FEW))
        stack.callback(many.leave)
        stack.callback(few.leave)
        both = {"many": many, "few": few}
        mounts = interleaved("scale, mount", table_run.rounds(3),
                             {name: crowd.mount_s for name, crowd in both.items()})
        lists = interleaved("scale, ls", table_run.rounds(3), {name: crowd.list_ms for name, crowd in both.items()})
        numbers = chance.sample(range(MANY), CALLED)
        cold = cold_calls(many, few, numbers)
        warm = warm_calls(many, few, numbers, table_run.rounds(5))
        memory_mb = [(many.memory_mb(), few.memory_mb())]
    beside = f"the same with {FEW}"
    yield Line("scale", f"fnfs mount with {MANY} functions", beside, "s", zip(mounts["many"], mounts["few"]),
               Goal("ours", 1))
    yield Line("scale", f"ls of {MANY} functions", beside, "ms", zip(lists["many"], lists["few"]))
    yield Line("scale", f"memory of the daemon with {MANY}", beside, "MB", memory_mb, Goal("ours", 150))
    called = len(cold["first"][0])
    for kind, what in (("first", f"first call of each of {called} at random"), ("again", "their next, instance gone")):
        yield Line("scale", what, beside, "ms", [tuple(map(figure, cold[kind]))], Goal("ratio", 1.1))
    yield Line("scale", "warm call, of ten of them", beside, "µs", warm, Goal("ratio", 1.1))
