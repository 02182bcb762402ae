# SPDX-License-Identifier: Apache-2.0
"""What tests of the mounted platform share: a mount of their own, and a runner.

A test is a function with a sentence that says what a user would lose, given a Mount:

    def saves(mount):
        "What was saved is what runs."
        ...

    if __name__ == "__main__":
        by_command.main(saves, ...)

All functions of a program share one mount and state directory, below $TMPDIR; both are gone at the
end. FNFS_COMMAND is the `fnfs` to test. Ends with 77 (skipped) where nothing can be mounted.
"""
import contextlib
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import traceback

COMMAND = os.environ.get("FNFS_COMMAND", "fnfs")
SOURCE = pathlib.Path(__file__).resolve().parent.parent.parent
LONG = os.environ.get("LONG", "0") not in ("", "0")


class Mount:
    """A mounted platform: `root` is where, `state` its state directory."""

    def __init__(self, directory):
        self.root = directory / "fn"
        self.state = directory / "state"
        self.environment = {**os.environ, "FNFS": str(self.root),
                            "PATH": f"{pathlib.Path(COMMAND).parent}:{os.environ['PATH']}"}

    def fnfs(self, *words, status=0, **options):
        """Runs the command; its result, after its exit status was compared (None: any)."""
        done = subprocess.run([COMMAND, *map(str, words)], text=True, timeout=120,
                              env=self.environment, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, **{"stdin": subprocess.DEVNULL, **options})
        assert status is None or done.returncode == status, \
            f"fnfs {' '.join(map(str, words))}: exit status {done.returncode}, not {status}\n" \
            f"{done.stdout}{done.stderr}"
        return done

    def start(self, *options):
        self.fnfs("mount", "--state", self.state, *options, self.root)

    def stop(self):
        self.fnfs("umount", "--force", self.root, status=None)

    def daemon(self):
        """The daemon's pid."""
        for line in (self.root / "status").read_text().splitlines():
            if line.startswith("pid "):
                return int(line.split()[1])
        raise AssertionError("status has no pid")

    def function(self, name, code, file="index.py", **config):
        """Makes a function with one file of code and waits until it is loaded."""
        path = self.root / "functions" / name
        path.mkdir()
        for key, value in config.items():
            (path / "config" / key).write_text(f"{value}\n")
        (path / "code" / file).write_text(code)
        self.fnfs("wait", name, status=None)
        return path


def mounted_at(path):
    """How many file systems are mounted at exactly this path."""
    with open("/proc/self/mountinfo") as lines:
        return sum(line.split()[4] == str(path) for line in lines)


def eventually(condition, seconds=20):
    """Waits until the condition holds; its value."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, f"did not come true: {condition.__name__}"
        time.sleep(0.02)
    return value


def can_mount():
    return os.path.exists("/dev/fuse") and (os.geteuid() == 0 or shutil.which("fusermount3"))


@contextlib.contextmanager
def directory():
    path = pathlib.Path(tempfile.mkdtemp(prefix="fnfs-mount-")).resolve()
    try:
        yield path
    finally:
        shutil.rmtree(path)


@contextlib.contextmanager
def mount():
    with directory() as path:
        mount = Mount(path)
        try:
            mount.start()
            yield mount
        finally:
            mount.stop()
            while mounted_at(mount.root):
                subprocess.run(["fusermount3", "-uz", mount.root], check=True)


def main(*tests):
    """Runs the tests named on the command line, or all; never returns."""
    if not can_mount():
        print("nothing can be mounted here")
        sys.exit(77)
    failed = 0
    with mount() as shared:
        for test in tests:
            if sys.argv[1:] and test.__name__ not in sys.argv[1:]:
                continue
            try:
                test(shared)
                print(f"ok   {test.__name__}", flush=True)
            except Exception:
                traceback.print_exc(file=sys.stdout)
                print(f"FAIL {test.__name__}: {test.__doc__}", flush=True)
                failed += 1
    sys.exit(1 if failed else 0)
