#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Code lives in git. A user would lose the history, or be told of changes that nobody made: git compares
times to the nanosecond, inodes and sizes to know what changed."""
import workshop
from workshop import need

FILES = 400 if workshop.LONG else 120


def origin(place):
    """A repository on the local disk with branches that agree and one that does not."""
    need("git")
    source = workshop.Place(place.home / "origin", place.home)
    source.directory.mkdir()
    source.run("git", "init", "-q", "-b", "main")
    for number in range(FILES):
        source.write(f"src/part{number % 7}/file{number}.py", f"value = {number}\n" * (number + 1))
    source.write("run.sh", "#!/bin/sh\necho run\n", 0o755)
    source.write(".gitattributes", "*.txt text\n")
    source.run("ln", "-s", "src/part0", "link")
    commit(source, "first")
    source.run("git", "checkout", "-q", "-b", "other")
    for number in range(0, FILES, 3):
        source.write(f"src/part{number % 7}/file{number}.py", f"value = 'other {number}'\n")
    source.run("git", "mv", "run.sh", "start.sh")
    source.run("git", "rm", "-rqf", "src/part5")
    commit(source, "other")
    source.run("git", "checkout", "-q", "-b", "conflict", "main")
    source.write("src/part0/file0.py", "value = 'conflict'\n")
    source.write("new/file.py", "new\n")
    commit(source, "conflict")
    source.run("git", "checkout", "-q", "main")
    return source.directory


def commit(place, message):
    place.run("git", "add", "-A")
    place.run("git", "commit", "-q", "-m", message)


def settle(place, below="."):
    """What a repository is, in words that two places have in common."""
    for command in ("git status --porcelain --branch", "git ls-files -s", "git log --all --format=%H%d",
                    "git fsck --full --strict", "git stash list", "git branch -vv"):
        place.run(*command.split(), below=below)


def clone_and_look(place):
    "git clone, status, log, grep, and a second clone of the clone."
    place.run("git", "clone", "-q", origin(place), "copy")
    settle(place, "copy")
    place.run("git", "grep", "-c", "value", below="copy", silent=True)
    place.run("git", "clone", "-q", "copy", "again")
    place.run("git", "clone", "-q", "--bare", "copy", "bare.git")
    settle(place, "again")
    place.left_out = ("copy/.git", "again/.git", "bare.git")


def checkouts_between_branches(place):
    "git checkout there and back: hundreds of files come and go, and status knows it at once."
    place.run("git", "clone", "-q", origin(place), ".")
    for _ in range(3):
        for branch in "other", "conflict", "main":
            place.run("git", "checkout", "-q", branch)
            place.run("git", "status", "--porcelain")
            place.run("git", "diff", "--stat")
    settle(place)
    place.left_out = (".git",)


def rebase_merge_and_stash(place):
    "A rebase that conflicts and is aborted, one that is resolved, a merge, a stash."
    place.run("git", "clone", "-q", origin(place), ".")
    place.run("git", "checkout", "-q", "conflict")
    place.run("git", "rebase", "origin/other", status=1, silent=True)
    place.run("git", "status", "--porcelain")
    place.run("git", "rebase", "--abort", silent=True)
    settle(place)
    place.run("git", "rebase", "origin/other", status=1, silent=True)
    place.write("src/part0/file0.py", "value = 'resolved'\n")
    place.run("git", "add", "-A")
    place.run("git", "rebase", "--continue", silent=True)
    settle(place)
    place.write("run.txt", "unsaved\n")
    place.write("src/part1/file1.py", "unsaved\n")
    place.run("git", "stash", "-u", silent=True)
    place.run("git", "status", "--porcelain")
    place.run("git", "stash", "pop", silent=True)
    place.run("git", "status", "--porcelain")
    place.run("git", "clean", "-dfx", silent=True)
    place.run("git", "reset", "--hard", "-q", "origin/main")
    settle(place)
    place.left_out = (".git",)


def collect_garbage(place):
    "git gc and repack replace every object file; git worktree adds a tree beside."
    place.run("git", "clone", "-q", origin(place), "copy")
    for number in range(8):
        place.write("copy/file", f"{number}\n" * 1000)
        place.run("git", "add", "-A", below="copy")
        place.run("git", "commit", "-q", "-m", f"change {number}", below="copy")
    place.run("git", "gc", "-q", "--prune=now", below="copy")
    place.run("git", "repack", "-adq", below="copy")
    place.run("git", "worktree", "add", "-q", "../beside", "origin/other", below="copy")
    settle(place, "copy")
    place.run("git", "worktree", "remove", "../beside", below="copy")
    settle(place, "copy")
    place.left_out = ("copy/.git",)


def changes_in_one_moment(place):
    "A file changed twice in the same second, to the same size, is seen as changed every time."
    place.run("git", "init", "-q", "-b", "main")
    place.write("a", "000")
    commit(place, "first")
    for number in range(60 if workshop.LONG else 25):
        place.write("a", f"{number:03}")
        assert place.run("git", "status", "--porcelain", silent=True) == (" M a\n" if number else "")
        place.run("git", "commit", "-qam", f"change {number}", status=0 if number else 1, silent=True)
        assert place.run("git", "status", "--porcelain", silent=True) == ""
    settle(place)
    place.left_out = (".git",)


if __name__ == "__main__":
    workshop.main(clone_and_look, checkouts_between_branches, rebase_merge_and_stash, collect_garbage,
                  changes_in_one_moment)
