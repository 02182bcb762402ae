#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Databases and other programs that map, lock and sync their files. A user would lose a transaction that
was committed, or see two writers at once."""
import dbm.dumb
import fcntl
import mmap
import os
import shelve
import sqlite3
import subprocess
import sys

import workshop

ROUNDS = 300 if workshop.LONG else 40

WRITER = """
import sqlite3, sys
database = sqlite3.connect(sys.argv[1], timeout=60, isolation_level=None)
database.execute('pragma synchronous=' + sys.argv[4])
for number in range(int(sys.argv[3])):
    database.execute('begin immediate')
    last = database.execute('select max(number) from log').fetchone()[0] or 0
    database.execute('insert into log values (?, ?, ?)', (last + 1, sys.argv[2], 'x' * 700))
    database.execute('update total set sum = sum + 1')
    database.execute('commit')
"""


def use_database(place, journal, synchronous="normal"):
    """Two processes write, a third reads; what each committed is there, once."""
    path = str(place.path(f"{journal}.db"))
    database = sqlite3.connect(path)
    place.say(database.execute(f"pragma journal_mode={journal}").fetchone())
    database.executescript("create table log (number integer primary key, who text, text text);"
                           "create table total (sum integer); insert into total values (0);")
    place.write("writer.py", WRITER)
    writers = [subprocess.Popen([sys.executable, place.path("writer.py"), path, name, str(ROUNDS),
                                 synchronous]) for name in "ab"]
    seen = 0
    while any(writer.poll() is None for writer in writers):
        rows, last, total = database.execute(
            "select count(*), max(number), (select sum from total) from log").fetchone()
        assert rows == (last or 0) == total and rows >= seen, (rows, last, total, seen)
        seen = rows
    assert [writer.wait() for writer in writers] == [0, 0]
    place.say(database.execute("select who, count(*) from log group by who order by who").fetchall())
    place.say(database.execute("select max(number), count(*) from log").fetchone())
    place.say(database.execute("pragma integrity_check").fetchall())
    database.execute("delete from log where number % 3 = 0")
    database.commit()
    database.execute("vacuum")
    place.say(database.execute("select count(*) from log").fetchone())
    database.close()
    place.left_out += (f"{journal}.db",)


def sqlite_with_a_journal(place):
    "sqlite with a rollback journal, deleted, truncated and kept."
    for journal in "delete", "truncate", "persist":
        use_database(place, journal)
    place.left_out += ("persist.db-journal",)


def sqlite_with_a_log(place):
    "sqlite with a write-ahead log, whose index is shared memory in a file."
    use_database(place, "wal")
    use_database(place, "memory", "full")


def sqlite_fully_synced(place):
    "sqlite that waits for the disk, with mapped reading."
    database = sqlite3.connect(place.path("full.db"))
    database.executescript("pragma journal_mode=wal; pragma synchronous=full; pragma mmap_size=10000000;"
                           "create table t (a, b);")
    for number in range(ROUNDS):
        database.execute("insert into t values (?, ?)", (number, "y" * number))
        database.commit()
    other = sqlite3.connect(place.path("full.db"))
    other.execute("pragma mmap_size=10000000")
    place.say(other.execute("select count(*), sum(length(b)) from t").fetchone())
    other.close()
    database.close()
    place.run(sys.executable, "-c", "import sqlite3; print(sqlite3.connect('full.db').execute("
              "'pragma integrity_check').fetchone())")
    place.left_out = ("full.db",)


def sqlite_after_a_crash(place):
    "A writer is killed in the middle of transactions: what it committed is there, what it did not is not."
    place.write("crash.py", "import os, sqlite3, sys\n"
                "d = sqlite3.connect('crash.db', isolation_level=None)\n"
                "d.execute('pragma journal_mode=' + sys.argv[1])\n"
                "d.execute('create table if not exists t (a)')\n"
                "d.execute('insert into t values (1)')\n"
                "d.execute('begin'); d.executemany('insert into t values (?)', ((i,) for i in range(5000)))\n"
                "d.execute('pragma cache_spill=1'); os.kill(os.getpid(), 9)\n")
    for journal in "delete", "wal", "delete":
        place.run(sys.executable, "crash.py", journal, status=-9)
        database = sqlite3.connect(place.path("crash.db"))
        place.say(database.execute("select count(*) from t").fetchone())
        place.say(database.execute("pragma integrity_check").fetchone())
        database.close()
    place.left_out = ("crash.db", "crash.db-journal")


def python_maps_files(place):
    "mmap: grown, stored into, flushed, read by another process while it is mapped."
    with open(place.path("map"), "w+b") as file:
        file.truncate(100000)
        with mmap.mmap(file.fileno(), 0) as area:
            area[50000:50005] = b"hello"
            place.run(sys.executable, "-c", "print(open('map','rb').read()[50000:50005])")
            area.flush()
            area[0:3] = b"abc"
            area.resize(200000)
            area[199990:200000] = b"0123456789"
        file.seek(0)
        place.say(file.read(3))
    with open(place.path("map"), "rb") as file, \
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as area:
        place.say(area[199990:])
        place.say(area.find(b"hello"))
    with open(place.path("map"), "r+b") as file, \
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY) as area:
        area[0:3] = b"xyz"


def python_locks_and_shelves(place):
    "fcntl locks between processes, dbm files, atomic replacement."
    with shelve.Shelf(dbm.dumb.open(str(place.path("shelf")))) as shelf:
        for number in range(50):
            shelf[str(number)] = [number] * number
        del shelf["7"]
    with shelve.Shelf(dbm.dumb.open(str(place.path("shelf")))) as shelf:
        place.say(sorted(shelf))
    with open(place.path("lock"), "w") as file:
        fcntl.lockf(file, fcntl.LOCK_EX)
        place.run(sys.executable, "-c", "import fcntl\nf = open('lock', 'w')\n"
                  "try: fcntl.lockf(f, fcntl.LOCK_EX | fcntl.LOCK_NB)\nexcept OSError as e: print(e.strerror)")
        place.run("flock", "-n", "other.lock", "echo", "locked")
    for number in range(20):
        place.write("new", str(number))
        os.replace(place.path("new"), place.path("current"))
        place.say(place.read("current"))


if __name__ == "__main__":
    workshop.main(sqlite_with_a_journal, sqlite_with_a_log, sqlite_fully_synced, sqlite_after_a_crash,
                  python_maps_files, python_locks_and_shelves)
