# SPDX-License-Identifier: Apache-2.0
"""Publishing beside git and cp."""
import os
import random
import statistics
import time
import zlib

from calls import ECHO
from ground import directory, mounted, run

WORDS = ["return ", "self.", "import ", "def ", "if ", "\n    ", "x = ", "None", "(value, ", "):\n", "for ",
         "in range", "error", "class "]


def source(chance, size):
    """A text that is as compressible as sources are."""
    parts = []
    while size > 0:
        part = chance.choice(WORDS) + (f"{chance.randrange(1 << 20):x}" if chance.random() < 0.25 else "")
        parts.append(part)
        size -= len(part)
    return "".join(parts)


def plant(path, files, chance):
    for number in range(files):
        folder = path / f"package{number // 1000:02}" / f"module{number // 100 % 10:02}"
        if number % 100 == 0:
            folder.mkdir(parents=True)
        (folder / f"file{number:05}.py").write_text(source(chance, chance.randrange(500, 8500)))
    (path / "index.py").write_text(ECHO["python"][1])


def room(*paths):
    """Bytes of all files below, whatever the blocks of the disk."""
    total = 0
    for path in paths:
        for folder, _, names in os.walk(path):
            total += sum(os.lstat(os.path.join(folder, name)).st_size for name in names)
    return total


class Way:
    """A way to keep a state of the tree: where the tree is, what keeps it, and where that grows."""

    def __init__(self, name, tree, keep, store):
        self.name, self.tree, self.keep, self.store, self.count = name, tree, keep, store, 0

    def measure(self):
        """(milliseconds, bytes)"""
        self.count += 1
        before = room(self.store)
        begun = time.monotonic()
        self.keep(str(self.count))
        return (time.monotonic() - begun) * 1000, room(self.store) - before


def insist(path):
    while True:
        try:
            return path.mkdir()
        except BlockingIOError:
            continue  # longer than three seconds, and going on


def ways(path, root, files):
    function = root / "functions/tree"
    function.mkdir()
    plain = path / "plain"
    plain.mkdir()
    plant(plain, files, random.Random(1))
    run(["cp", "-a", f"{plain}/.", function / "code"])
    run(["cp", "-a", plain, path / "git"])
    (path / "copies").mkdir()
    run(["git", "init", "-q", path / "git"])

    def commit(number):
        git = ["git", "-C", path / "git", "-c", "user.name=bench", "-c", "user.email=bench@localhost"]
        run(git + ["add", "-A"])
        run(git + ["commit", "-q", "--allow-empty", "-m", number])

    return [Way("mkdir versions/N", function / "code", lambda number: insist(function / "versions" / number),
                path / "state/packs"),
            Way("git add -A && git commit", path / "git", commit, path / "git/.git"),
            Way("cp -a", plain, lambda number: run(["cp", "-a", plain, path / "copies" / number]),
                path / "copies")]


def change(tree, number, size):
    """One file gets another text; its compressed size."""
    text = source(random.Random(number), size).encode()
    (tree / "package00/module00/file00007.py").write_bytes(text)
    return len(zlib.compress(text))


def print_publish(name, rows, figures, compressed=0):
    print(f"\n{name}")
    ours = statistics.median(time for time, _ in figures[rows[0]])
    for row in rows:
        took = statistics.median(time for time, _ in figures[row])
        grew = statistics.median(size for _, size in figures[row])
        print(f"  {row.name:26}{took:9.1f} ms{took / ours:8.1f} x{grew / 1024:11.1f} KiB"
              + (f"{grew / compressed:8.1f} x the compressed change" if compressed else ""), flush=True)


def publish(options):
    with directory() as path, mounted(path) as root:
        rows = ways(path, root, options.files)
        print_publish(f"{options.files} files, the first time", rows, {row: [row.measure()] for row in rows})
        figures = {row: [] for row in rows}
        for _ in range(options.rounds):
            for row in rows:
                figures[row].append(row.measure())
        print_publish("unchanged", rows, figures)
        for size in 4000, 40000:
            figures = {row: [] for row in rows}
            for number in range(options.rounds):
                for row in rows:
                    compressed = change(row.tree, number, size)
                    figures[row].append(row.measure())
            print_publish(f"one file of {size} bytes changed", rows, figures, compressed)
