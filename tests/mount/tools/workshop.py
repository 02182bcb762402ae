# SPDX-License-Identifier: Apache-2.0
"""What the tests with real tools share: a thing is done in code/ and in a directory of the local disk,
and what the tools said and left must be the same.

    def edits(place):
        "What a user would lose."
        place.write("a", "text\n")
        place.run("sed", "-i", "s/t/T/", "a")

    if __name__ == "__main__":
        workshop.main(edits, ...)

A Place is the directory; what its `run` prints is kept and compared, as is the tree that is left: names,
kinds, modes, owners, link counts, sizes, contents, and times that tools have set, where `times` says so.
"""
import hashlib
import os
import pathlib
import pty
import select
import shutil
import stat
import subprocess
import sys
import time
import traceback

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent.parent / "lib"))
import mounted  # noqa: E402

LONG = mounted.LONG


class Missing(Exception):
    """A tool is not installed."""


def need(*tools):
    for tool in tools:
        if not shutil.which(tool):
            raise Missing(tool)


class Place:
    """A directory in which a thing is done; `home` is a directory on the local disk beside it."""

    def __init__(self, directory, home, begun=0):
        self.directory = pathlib.Path(directory)
        self.home = pathlib.Path(home)
        self.said = []  # what the tools printed
        self.left_out = ()  # names whose content or presence is the place's own affair
        self.times = False  # compare those that are older than this
        self.begun = begun
        self.environment = {
            **os.environ, "HOME": str(home), "LC_ALL": "C.UTF-8", "TZ": "UTC", "TERM": "xterm",
            "TMPDIR": str(home),
            "GIT_CONFIG_NOSYSTEM": "1", "GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a@b",
            "GIT_COMMITTER_NAME": "A", "GIT_COMMITTER_EMAIL": "a@b", "GIT_EDITOR": "true",
            "GIT_AUTHOR_DATE": "2024-01-02T03:04:05Z", "GIT_COMMITTER_DATE": "2024-01-02T03:04:05Z",
            "PYTHONDONTWRITEBYTECODE": "", "npm_config_cache": str(home) + "/npm",
        }

    def path(self, *names):
        return self.directory.joinpath(*names)

    def write(self, name, text, mode=None):
        path = self.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        if mode is not None:
            path.chmod(mode)

    def read(self, name):
        return self.path(name).read_text()

    def say(self, text):
        self.said.append(str(text).replace(str(self.home), "HOME").replace(str(self.directory), "HERE"))

    def run(self, *command, status=0, silent=False, below=".", sorts=False, stdin=None):
        """Runs a command in the place; what it prints is compared, unless it is silent."""
        done = subprocess.run([str(word) for word in command], cwd=self.path(below), text=True,
                              env=self.environment, stdout=subprocess.PIPE, input=stdin or "",
                              stderr=subprocess.STDOUT, timeout=300, errors="replace")
        assert status is None or done.returncode == status, \
            f"{' '.join(map(str, command))} in {self.directory}: {done.returncode}\n{done.stdout[-3000:]}"
        output = done.stdout
        if sorts:
            output = "".join(sorted(output.splitlines(True)))
        if not silent:
            self.say(f"$ {' '.join(map(str, command))} ({done.returncode})\n{output}")
        return done.stdout

    def shell(self, script, **options):
        return self.run("sh", "-euc", script, **options)

    def type(self, command, *keys, status=0, seconds=60):
        """Runs a program on a terminal and types into it, each time after it has become quiet."""
        pid, terminal = pty.fork()
        if pid == 0:
            os.chdir(self.directory)
            os.execvpe(command[0], list(command), self.environment)
        seen, waiting = converse(terminal, list(keys), seconds)
        os.close(terminal)
        if waiting:
            os.kill(pid, 9)
        ended = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        assert ended == status and not waiting, f"{command} ended with {ended}:\n{seen[-2000:]}"


def converse(terminal, keys, seconds):
    """Types; returns what appeared, and whether the program is still there."""
    seen, end = "", time.monotonic() + seconds
    while time.monotonic() < end:
        ready, _, _ = select.select([terminal], [], [], 0.3 if keys else 1)
        try:
            if ready:
                data = os.read(terminal, 65536)
                seen += data.decode("utf-8", "replace")
                if not data:
                    return seen, False
            elif keys:
                os.write(terminal, keys.pop(0).encode())
        except OSError:
            return seen, False
    return seen, True


def entry(place, path, inodes):
    """One line of what there is to compare about a name."""
    status = path.lstat()
    kind = stat.S_IFMT(status.st_mode)
    line = f"{status.st_mode:o} {status.st_uid}:{status.st_gid}"
    if kind != stat.S_IFDIR:
        line += f" links={status.st_nlink} size={status.st_size}"
    if status.st_nlink > 1 and kind != stat.S_IFDIR:
        line += f" same as {inodes.setdefault(status.st_ino, path.relative_to(place.directory))}"
    if kind == stat.S_IFLNK:
        line += " -> " + os.readlink(path).replace(str(place.directory), "HERE")
    if kind == stat.S_IFREG:
        line += " " + hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    if place.times and status.st_mtime < place.begun:
        line += f" {status.st_mtime_ns}"
    return line


def tree(place):
    """Everything below the place, as {name: line}."""
    lines, inodes = {}, {}
    for parent, directories, files in os.walk(place.directory):
        directories.sort()
        for name in sorted(directories + files):
            path = pathlib.Path(parent, name)
            known = str(path.relative_to(place.directory))
            if not any(known == left or known.startswith(left + "/") for left in place.left_out):
                lines[known] = entry(place, path, inodes)
    return lines


def compare(mount, disk):
    """Raises with what differs between the two places."""
    different = []
    for one, other in zip(mount.said, disk.said):
        if one != other:
            different.append(f"on the mount: {one}\non the disk:  {other}")
            break
    here, there = tree(mount), tree(disk)
    for name in sorted(here.keys() | there.keys()):
        if here.get(name) != there.get(name):
            different.append(f"{name}\n  on the mount: {here.get(name)}\n  on the disk:  {there.get(name)}")
    assert not different, "\n".join(different[:20])
    assert here or mount.said, "nothing was done"


def play(mount, number, scenario):
    """Does the thing in both places; True when they agree."""
    mount.step()
    name = scenario.__name__
    function = mount.path("functions", name.replace("_", "-"))
    os.mkdir(function)
    places, begun = [], time.time() - 1
    for kind, directory in ("disk", mount.base + "/disk/" + name), ("mount", function + "/code"):
        home = f"{mount.base}/home/{name}-{kind}"
        os.makedirs(home)
        os.makedirs(directory, exist_ok=True)
        places.append(Place(directory, home, begun))
        scenario(places[-1])
    compare(places[1], places[0])
    for path in function, mount.base + "/disk/" + name:
        subprocess.run(["rm", "-rf", path], check=True)
        assert not os.path.exists(path), f"{path} is still there"


def main(*scenarios):
    chosen = [word for word in sys.argv[1:] if not word.startswith("-")]
    passed = failed = missing = 0
    with mounted.Mounted(patience=600) as mount:
        for number, scenario in enumerate(scenarios):
            if chosen and scenario.__name__ not in chosen:
                continue
            started = time.monotonic()
            try:
                play(mount, number, scenario)
                passed += 1
                print(f"ok   {scenario.__name__} ({time.monotonic() - started:.1f} s)", flush=True)
            except Missing as tool:
                missing += 1
                print(f"skip {scenario.__name__}: {tool} is not installed", flush=True)
            except Exception:  # the others have their say, too
                failed += 1
                print(f"FAIL {scenario.__name__}", flush=True)
                traceback.print_exc(file=sys.stdout)
    print(f"{passed} passed, {failed} failed, {missing} without their tool")
    sys.exit(1 if failed else 0 if passed else mounted.SKIP)
