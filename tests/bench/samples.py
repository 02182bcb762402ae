# SPDX-License-Identifier: Apache-2.0
"""What tools/soak looks at once a second, and whether it is flat."""
import contextlib
import csv
import os
import pathlib
import re
import statistics
from typing import NamedTuple

import chart


class Quantity(NamedTuple):
    """A column. It is flat when its mean over the last quarter is at most a tenth and `slack` above that of the second."""
    name: str
    unit: str
    slack: float

    def flat(self, second, last):
        return last <= second * 1.1 + self.slack


COLUMNS = tuple(Quantity(f"{who} {what}", unit, slack) for who in ("daemon", "guardian")
                for what, unit, slack in (("RSS", "MB", 2), ("PSS", "MB", 2), ("descriptors", "", 4))) + (
    Quantity("processes", "", 4),)


def memory(pid):
    """[RSS, PSS] in MB."""
    text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    return [int(re.search(rf"^{name}:\s+(\d+)", text, re.M)[1]) / 1024 for name in ("Rss", "Pss")]


def process_table():
    """{PID: (parent, name)}"""
    found = {}
    for entry in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            head, _, rest = pathlib.Path(f"/proc/{entry}/stat").read_text().rpartition(")")
            found[int(entry)] = (int(rest.split()[1]), head.partition("(")[2])
    return found


def below(pid, table):
    found, todo = [], [pid]
    while todo:
        above = todo.pop()
        children = [child for child, (parent, _) in table.items() if parent == above]
        found += children
        todo += children
    return found


def guardian_of(daemon):
    return next(pid for pid, (parent, name) in process_table().items()
                if parent == daemon and name.startswith("fnfs-guardian"))


def sample(daemon, guardian):
    """The columns, of now."""
    taken = []
    for pid in (daemon, guardian):
        taken += memory(pid) + [len(os.listdir(f"/proc/{pid}/fd"))]
    return taken + [len(below(daemon, process_table()))]


def quarters(rows, column):
    """Means over the second and the last quarter."""
    quarter = max(1, len(rows) // 4)
    values = [row[column] for row in rows]
    return statistics.mean(values[quarter:2 * quarter] or values), statistics.mean(values[-quarter:])


def judge(rows):
    """[(quantity, mean of the second quarter, of the last, whether it is flat)]"""
    judged = []
    for column, quantity in enumerate(COLUMNS):
        second, last = quarters(rows, column)
        judged.append((quantity, second, last, quantity.flat(second, last)))
    return judged


def write_csv(path, seconds, rows):
    with open(path, "w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["second", *(quantity.name.replace(" ", "_") for quantity in COLUMNS)])
        table.writerows([round(second, 1), *(round(value, 2) for value in row)] for second, row in zip(seconds, rows))


def draw(title, subtitle, seconds, rows):
    panels = [(quantity.name, quantity.unit, [row[column] for row in rows]) for column, quantity in enumerate(COLUMNS)]
    return chart.curves(title, subtitle, seconds, panels)
