# SPDX-License-Identifier: Apache-2.0
"""The table of tools/bench: its rows, a run of them, and what is done with what they found."""
import pathlib
import re
import time
import traceback

import chart
import history
import rows_code
import rows_fair
import rows_log
import rows_many
import rows_start
import rows_together
import rows_warm
import table
from ground import NotMeasured, directory, say

# What makes and removes many files comes last: for minutes after it some disks are slow at making new ones.
ROWS = {
    "warm": rows_warm.warm, "open": rows_warm.opened, "shell": rows_warm.shell, "throughput": rows_warm.throughput,
    "cold-python": rows_start.cold_python, "cold-node": rows_start.cold_node, "cold-exec": rows_start.cold_exec,
    "save": rows_start.save, "memory": rows_many.memory, "fair": rows_fair.fair, "logs": rows_log.logs,
    "code": rows_code.code, "together": rows_together.together, "scale": rows_many.scale,
}
SLOW_DISK_US = 200
BEGIN, END = "<!-- tools/bench begins -->", "<!-- tools/bench ends -->"


class Run:
    """What rows are given: a directory of their own, and how long to measure."""

    def __init__(self, base, options):
        self.base, self.options, self.seconds = base, options, options.seconds or 1

    def place(self, row):
        path = self.base / row
        path.mkdir()
        return path

    def rounds(self, usual):
        return self.options.rounds or usual


def take(names, options, told):
    """A run of these rows, told as history.py keeps it; the rows that went wrong, not just lacked something."""
    begun, lines, untaken, wrong = time.monotonic(), [], {}, []
    with directory() as base:
        machine = history.machine(base)
        if machine["creating_us"] > SLOW_DISK_US:
            say(f"a new file costs {machine['creating_us']} µs here, as after much was removed: rows that make files "
                "will tell of the disk")
        for name in names:
            try:
                lines += list(ROWS[name](Run(base, options)))
            except NotMeasured as why:
                untaken[name] = str(why)
            except Exception as error:  # the other rows are still worth having
                traceback.print_exc()
                untaken[name] = f"it went wrong: {error}"
                wrong.append(name)
        told(history.run_of(lines, untaken, machine, time.monotonic() - begun))
        say("removing what was made")
    return wrong


def subtitle(run):
    return f"{run['when'][:16].replace('T', ' ')} UTC, commit {run['commit']}, {run['took_s']} s"


def in_text(run):
    lines = history.lines_of(run)
    why = "".join(f"{name}: not measured, for {why}\n" for name, why in run["untaken"].items())
    return (f"\n{table.text(lines)}\n{why}{table.counted(lines)}\n{history.describe(run['machine'])}\n"
            f"{subtitle(run)}\n")


def in_svg(run):
    return chart.bars("fnfs beside what one would take instead", history.describe(run["machine"]),
                      history.lines_of(run))


def in_markdown(run):
    lines = history.lines_of(run)
    why = "".join(f"* {name}: not measured, for {why}\n" for name, why in run["untaken"].items())
    return (f"{subtitle(run)}: {history.describe(run['machine'])}.\n\n{table.markdown(lines)}\n"
            f"{why}{table.counted(lines)}.\n")


def write_markdown(path, run):
    """Between the marks of a page that has them, else a page of its own."""
    path = pathlib.Path(path)
    page = path.read_text() if path.exists() else ""
    fragment = in_markdown(run)
    if BEGIN in page and END in page:
        fragment = re.sub(f"{BEGIN}.*{END}", lambda _: f"{BEGIN}\n{fragment}{END}", page, flags=re.S)
    path.write_text(fragment)


def deliver(run, options):
    print(in_text(run), end="", flush=True)
    if options.svg:
        pathlib.Path(options.svg).write_text(in_svg(run))
    if options.markdown:
        write_markdown(options.markdown, run)


def show_last(options):
    """The last run that is in the history, shown again."""
    deliver(history.runs(options.history)[-1], options)


def rows(names, options):
    """Measures these rows, or all; 0, or 1 when a row went wrong."""
    def told(run):
        history.append(options.history, run)
        deliver(run, options)
        say(f"kept in {options.history}")

    return 1 if take(names or list(ROWS), options, told) else 0
