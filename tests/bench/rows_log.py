# SPDX-License-Identifier: Apache-2.0
"""Row 11: reading old logs, and a function that logs as fast as it can.

reading  `cat` of closed segments in logs/, which lie compressed on the disk, beside `zstdcat` of the very files they lie in;
         bytes of plain text per second, into /dev/null. Segments are read past the page cache, so each read decompresses.
logging  One call of a program that does nothing but `cat` of a text to its standard error, beside `cat` of the same text into
         a file on the same disk; bytes printed per second. The time is from the call until its last line can be read in the
         log, where each line has its time, request id and level. Every line is counted afterwards; one that is missing
         fails the row.
others   The p99 of calls of another function, one caller, before and while the first one does that over and over; and, to
         know what the machine does to it, while `cat` into a file runs over and over instead.
"""
import hashlib
import os
import re
import time

from calls import ECHO, Subject
from ground import ask_whole, deploy, interleaved, meanwhile, mounted, need, say, spawned, timed
from table import Figure, Goal, Line

LINE = "a line of a log, such as programs write them: request %07d took %5d us and went to shard %03d of pool-%02d\n"
LINES = 300000
READ = 20  # segments
PRINTER = "#!/bin/sh\ncat /opt/function/code/lines >&2\nexec cat\n"
EVENT = b'{"log":"all"}'
ARCHIVE = b"\x28\xb5\x2f\xfd"  # how a zstd frame begins
LAST = re.compile(rb"(\S+) \S+ \S+ a line of a log, .* request %07d " % (LINES - 1))


def write_lines(path):
    with open(path, "w") as file:
        file.writelines(LINE % (number, number * 7919 % 90000, number % 997, number % 13) for number in range(LINES))


class Logs:
    """logs/ of a function, and where its segments lie on the disk."""

    def __init__(self, function, state):
        self.function, self.place = function, function / "logs"
        [self.disk] = [path / "logs" for path in (state / "functions").iterdir()
                       if (path / "code/lines").exists() and (path / "logs").is_dir()]

    def names(self):
        return sorted(path.name for path in self.place.iterdir() if path.name.endswith(".log"))

    def printed_to_the_end(self):
        """The request id of the newest call whose last line can be read, or None."""
        for name in reversed(self.names()[-2:]):
            with open(self.place / name, "rb") as file:
                file.seek(max(0, os.fstat(file.fileno()).st_size - 4096))
                if found := LAST.findall(file.read()):
                    return found[-1]
        return None

    def print_all(self):
        """One call; returns when all that it printed can be read."""
        before = self.printed_to_the_end()
        if ask_whole(self.function / "invoke", EVENT) != EVENT:
            raise RuntimeError("the program that logs gave a wrong answer")
        until = time.monotonic() + 20
        while self.printed_to_the_end() in (before, None):
            if time.monotonic() > until:
                raise RuntimeError("the last line that was printed is not in the log")
            time.sleep(0.001)

    def segments(self):
        """(closed segment, its file on the disk), once all of them are compressed."""
        until = time.monotonic() + 60
        while True:
            pairs = [(self.place / name, next(self.disk.glob(f"*-{name}"))) for name in self.names()[:-1]]
            if pairs and all(file.open("rb").read(4) == ARCHIVE for _, file in pairs):
                return pairs
            if time.monotonic() > until:
                raise RuntimeError("segments are still not compressed after a minute")
            time.sleep(0.1)

    def lines(self):
        """How many there are that the program printed."""
        script = 'cat "$@" | grep -c " a line of a log, such "'
        return int(spawned(["/bin/sh", "-c", script, "sh", *(str(self.place / name) for name in self.names())])[1])


def digest(command):
    return hashlib.sha256(spawned(command)[1]).hexdigest()


def read_segments(logs, rounds, zstdcat):
    """MB of plain text per second, {SIDE: [figure]}."""
    pairs = logs.segments()[-READ:]
    commands = {"ours": ["/bin/cat", *(str(segment) for segment, _ in pairs)],
                "theirs": [zstdcat, *(str(file) for _, file in pairs)]}
    if digest(commands["ours"]) != digest(commands["theirs"]):
        raise RuntimeError("a segment is read as another text than what lies on the disk")
    size = sum(segment.stat().st_size for segment, _ in pairs) / 1e6
    say(f"logs: {len(pairs)} segments, {size:.0f} MB")
    into_nothing = {name: ["/bin/sh", "-c", 'exec "$@" >/dev/null', "sh", *words] for name, words in commands.items()}
    return interleaved("logs, reading", rounds, {
        name: lambda words=words: Figure(size / spawned(words)[0]) for name, words in into_nothing.items()})


def logs(table_run):
    zstdcat = need("zstdcat", "zstd")
    path = table_run.place("logs")
    text, copy = path / "lines", path / "copy"
    write_lines(text)
    size, calls = text.stat().st_size / 1e6, 0

    with mounted(path) as root:
        function = deploy(root, "logger", {"main": PRINTER, "lines": text}, timeout="5m", log_retention="30d 10G")
        other = Subject("", "held", deploy(root, "other", dict([ECHO["python"]])) / "invoke", None)
        ask_whole(function / "invoke", EVENT)
        printer = Logs(function, path / "state")

        def printing():
            nonlocal calls
            calls += 1
            return timed(printer.print_all)

        def copying():
            return spawned(["/bin/sh", "-c", f"exec cat {text} >{copy}"])[0]

        def p99_during(work):
            with meanwhile(work):
                return Figure(other.measure(1, max(1, table_run.seconds))[3])

        rounds = table_run.rounds(5)
        printing()
        logged = interleaved("logs, logging", rounds, {"ours": lambda: Figure(size / printing()),
                                                       "theirs": lambda: Figure(size / copying())})
        tails = interleaved("logs, others", rounds, {"before": lambda: p99_during(lambda: time.sleep(0.05)),
                                                     "logging": lambda: p99_during(printing),
                                                     "copying": lambda: p99_during(copying)})
        say("logs: counting lines")
        if printer.lines() != (calls + 1) * LINES:
            raise RuntimeError(f"{(calls + 1) * LINES} lines were printed, and {printer.lines()} are in the log")
        read = read_segments(printer, rounds, zstdcat)
    yield Line("logs", "cat of compressed segments", "zstdcat of their files", "MB/s", zip(read["ours"], read["theirs"]),
               Goal("ratio", 0.5, at_most=False))
    yield Line("logs", "logging as fast as it can, nothing lost", "cat > file", "MB/s",
               zip(logged["ours"], logged["theirs"]), Goal("ratio", 0.3, at_most=False))
    yield Line("logs", "p99 of another function's calls meanwhile", "the same before", "µs",
               zip(tails["logging"], tails["before"]), Goal("ratio", 1.5))
    yield Line("logs", "p99 of the same beside cat > file", "the same before", "µs",
               zip(tails["copying"], tails["before"]))
