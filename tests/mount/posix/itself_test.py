#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A test that cannot fail is worth nothing: played on two directories of one disk, none of the posix
tests finds a difference, and each finds every kind of lie that it is told."""
import pathlib
import shutil
import tempfile

import ground

LIES = ["errno", "returned", "mode", "content", "times", "name", "links"]


def nothing_differs(one, other):
    "The disk is like itself."
    cases = sorted((ground.HERE / "cases").glob("*.cases"))
    ground.run("differential", "--seed", 1, "--sequences", 54, one, other, *cases)
    ground.run("exerciser", "--seed", 1, "--steps", 20000, one)
    ground.run("stress", "--seed", 1, "--seconds", 2, one)


def lies_are_found(one, other):
    "What is changed behind the test's back is found."
    for lie in LIES:
        ground.run("differential", "--seed", 1, "--sequences", 27, "--whole", "--sabotage", lie, one, other,
                  fails=True)
    ground.run("exerciser", "--seed", 1, "--steps", 20000, "--lie", one, fails=True)


def main():
    base = pathlib.Path(tempfile.mkdtemp(prefix="fnfs-posix-"))
    base.chmod(0o755)
    try:
        one, other = base / "one", base / "other"
        one.mkdir()
        other.mkdir()
        nothing_differs(one, other)
        lies_are_found(one, other)
    finally:
        shutil.rmtree(base, ignore_errors=True)
    print("ok")


if __name__ == "__main__":
    main()
