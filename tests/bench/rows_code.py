# SPDX-License-Identifier: Apache-2.0
"""Row 10: the work of every day in code/, beside the same on the disk that code/ lies on.

Each sample works in a directory that is new: on our side in code/ of a function made for it, on the other in a directory of
the same disk. Nothing is removed between samples, for a disk from which much was removed is slow at making files for minutes.
Before each sample of ours the function has settled, and after it, outside of the time, it may take in what was saved.

npm    `npm install` of a project with 40 packages of 30 files each, from archives on the disk: no network.
grep   `grep -r` of a tree of 5000 files that was read before.
clone  `git clone` of a repository of these 5000 files, by file://, so that both sides write what they get.
tar    `tar x` of the same tree;  cp: `cp -a` of it from the disk.
read   A file of 128 MB read from beginning to end, in pieces of 128 KiB, when it was read before.
"""
import io
import json
import os
import random
import tarfile
import time

from ground import interleaved, mounted, need, run, say, timed
from publishing import plant, source
from table import Figure, Goal, Line, figure

FILES, PACKAGES, PACKAGE_FILES = 5000, 40, 30
LARGE = 128 << 20
PIECE = 128 << 10


def package(path, number, chance):
    """An archive as `npm pack` writes it."""
    name = f"package-{number:02}"
    members = {"package.json": json.dumps({"name": name, "version": "1.0.0", "main": "lib/file00.js"})}
    members |= {f"lib/file{file:02}.js": source(chance, chance.randrange(500, 8500)) for file in range(PACKAGE_FILES)}
    with tarfile.open(path / f"{name}.tgz", "w:gz") as archive:
        for member, text in members.items():
            info = tarfile.TarInfo(f"package/{member}")
            info.size = len(text.encode())
            archive.addfile(info, io.BytesIO(text.encode()))
    return name


def make_project(path):
    """The text of a package.json that wants all packages."""
    chance, packages = random.Random(2), path / "packages"
    packages.mkdir()
    names = [package(packages, number, chance) for number in range(PACKAGES)]
    return json.dumps({"name": "project", "version": "1.0.0",
                       "dependencies": {name: f"file:{packages / name}.tgz" for name in names}})


def make_tree(path):
    """A tree, a repository that has it, and an archive of it."""
    tree, work, bare = path / "tree", path / "work", path / "bare.git"
    plant(tree, FILES, random.Random(1))
    git = ["git", "-C", work, "-c", "user.name=bench", "-c", "user.email=bench@localhost"]
    run(["cp", "-a", tree, work])
    run([*git[:3], "init", "-q"])
    run([*git, "add", "-A"])
    run([*git, "commit", "-q", "-m", "all"])
    run(["git", "clone", "-q", "--bare", work, bare])
    run(["tar", "-cf", path / "tree.tar", "-C", tree, "."])


class Ground:
    """Where the work is done: hands out directories that are new, and says when all is quiet again."""

    def __init__(self, place):
        self.place, self.count = place, 0
        place.mkdir()

    def fresh(self):
        self.count += 1
        path = self.place / f"work-{self.count}"
        path.mkdir()
        return path

    def settle(self):
        pass


class CodeGround(Ground):
    def __init__(self, root):
        self.root, self.count, self.name = root, 0, None

    def fresh(self):
        self.count += 1
        self.name = f"work-{self.count}"
        (self.root / "functions" / self.name).mkdir()
        return self.root / "functions" / self.name / "code"

    def settle(self):
        """The daemon looks at what was saved after a moment of quiet; this returns when it has."""
        time.sleep(0.3)
        status = self.root / "functions" / self.name / "status"
        while status.read_text().split()[1] in ("changed", "loading", "building"):
            time.sleep(0.02)


def sample(ground, prepare, command):
    """Milliseconds of a command in a fresh directory."""
    at = ground.fresh()
    prepare(at)
    took = timed(lambda: run(command(at)))
    ground.settle()
    return Figure(took * 1000)


def works(path, project):
    """{NAME: (what is there before, the command)}"""
    def nothing(at):
        pass

    def package_json(at):
        (at / "package.json").write_text(project)

    npm = ["npm", "install", "--offline", "--no-audit", "--no-fund", "--cache", path / "cache", "--prefix"]
    return {
        "npm install": (package_json, lambda at: [*npm, at]),
        "git clone": (nothing, lambda at: ["git", "clone", "-q", f"file://{path / 'bare.git'}", at / "clone"]),
        "tar x": (nothing, lambda at: ["tar", "-xf", path / "tree.tar", "-C", at]),
        "cp -a": (nothing, lambda at: ["cp", "-a", f"{path / 'tree'}/.", at]),
    }


def made(path, grounds, rounds):
    """{WORK: {SIDE: [figure]}}"""
    project = make_project(path)
    make_tree(path)
    return {name: interleaved(f"code, {name}", rounds, {
        side: lambda ground=ground: sample(ground, prepare, command) for side, ground in grounds.items()})
        for name, (prepare, command) in works(path, project).items()}


def grep(path):
    return Figure(timed(lambda: run(["grep", "-r", "def handler", path])) * 1000)


def read_through(path):
    """GB/s, the median of some times."""
    piece, rates = bytearray(PIECE), []
    for _ in range(5):
        with open(path, "rb", buffering=0) as file:
            begun = time.perf_counter()
            while file.readinto(piece):
                pass
            rates.append(LARGE / (time.perf_counter() - begun) / 1e9)
    return figure(rates)


def read_again(path, grounds, rounds):
    """{WORK: {SIDE: [figure]}} of what was read before."""
    trees, files = {}, {}
    for side, ground in grounds.items():
        trees[side], files[side] = prepared(path, ground)
    return {"grep -r": interleaved("code, grep -r", rounds, {
        side: lambda tree=tree: grep(tree) for side, tree in trees.items()}),
        "read": interleaved("code, read", rounds, {
            side: lambda file=file: read_through(file) for side, file in files.items()})}


def prepared(path, ground):
    """A tree and a large file that were read before."""
    tree = ground.fresh()
    run(["cp", "-a", f"{path / 'tree'}/.", tree])
    ground.settle()
    grep(tree)
    file = ground.fresh() / "large"
    with open(file, "wb") as out:
        for _ in range(LARGE >> 20):
            out.write(os.urandom(1 << 20))
    ground.settle()
    read_through(file)
    return tree, file


def code(table_run):
    need("npm", "npm")
    need("git", "git")
    path = table_run.place("code")
    with mounted(path) as root:
        grounds = {"ours": CodeGround(root), "theirs": Ground(path / "disk")}
        say("code: making the sources")
        taken = made(path, grounds, table_run.rounds(3))
        taken |= read_again(path, grounds, table_run.rounds(5))
    goals = {"npm install": ("ms", Goal("ratio", 1.5)), "grep -r": ("ms", Goal("ratio", 1.5)),
             "git clone": ("ms", Goal("ratio", 3)), "tar x": ("ms", Goal("ratio", 3)), "cp -a": ("ms", Goal("ratio", 3)),
             "read": ("GB/s", Goal("ratio", 0.8, at_most=False))}
    names = {"npm install": f"npm install, {PACKAGES} packages", "grep -r": f"grep -r of {FILES} files, read before",
             "git clone": f"git clone of {FILES} files", "tar x": f"tar x of {FILES} files",
             "cp -a": f"cp -a of {FILES} files", "read": f"reading {LARGE >> 20} MB, read before"}
    for name, (unit, goal) in goals.items():
        yield Line("code", f"{names[name]} in code/", "the disk below", unit,
                   zip(taken[name]["ours"], taken[name]["theirs"]), goal)
