# SPDX-License-Identifier: Apache-2.0
"""What all measurements of tools/bench stand on: the build, a mount of their own, servers beside it."""
import contextlib
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = pathlib.Path(os.environ.get("FNFS_BUILD") or HERE / "build-bench")


def build():
    if not (BUILD / "build.ninja").exists():
        run(["meson", "setup", "--buildtype=release", BUILD, HERE])
    run(["ninja", "-C", BUILD])


def run(command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        sys.exit(f"{done.stdout}\nbench: this failed: {' '.join(map(str, command))}")
    return done.stdout


@contextlib.contextmanager
def directory():
    path = pathlib.Path(tempfile.mkdtemp(prefix="fnfs-bench-", dir="/var/tmp"))
    try:
        yield path
    finally:
        shutil.rmtree(path)


@contextlib.contextmanager
def mounted(path, *words):
    """The platform, empty; the root of the mount. Words are options of `fnfs mount`."""
    root = path / "fn"
    fnfs = BUILD / "tools/fnfs"
    run([fnfs, "mount", "--state", path / "state", *words, root])
    try:
        yield root
    finally:
        run([fnfs, "umount", "--force", root])


def deploy(root, name, files, **settings):
    """A function that is ready: its directory. Files are NAME: TEXT or a path to copy; executable unless a module."""
    function = root / "functions" / name
    function.mkdir()
    for key, value in settings.items():
        (function / "config" / key).write_text(str(value))
    for file, content in files.items():
        target = function / "code" / file
        target.write_bytes(content.read_bytes() if isinstance(content, pathlib.Path) else content.encode())
        if "." not in file:
            target.chmod(0o755)
    run(["env", f"FNFS={root}", BUILD / "tools/fnfs", "wait", "--timeout", "30s", name])
    return function


@contextlib.contextmanager
def served(command):
    """A server that prints its port first; (process, port)."""
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield server, server.stdout.readline().strip()
    finally:
        server.kill()
        server.wait()
