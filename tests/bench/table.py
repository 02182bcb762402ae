# SPDX-License-Identifier: Apache-2.0
"""The table of a run: pairs of figures, what was aimed at, and whether it was reached.

A line is one comparison. It has a pair of figures for each round, ours and that of what it stands beside, taken
one right after the other. What is shown of a side is the median over the rounds; the ratio is the median of the
rounds' ratios, not the ratio of the medians: what slowed a whole round slowed both sides of it.
"""
import math
import statistics
from typing import NamedTuple, Optional


class Figure(NamedTuple):
    """What one side did in one round: of many times the 50th and the 99th percentile, or one quantity (p99 None)."""
    p50: float
    p99: Optional[float] = None


def figure(samples):
    """The figure of many samples; too few for a 99th percentile have none."""
    ordered = sorted(samples)
    p99 = ordered[math.ceil(len(ordered) * 0.99) - 1] if len(ordered) >= 20 else None
    return Figure(statistics.median(ordered), p99)


MEASURES = {
    "ratio": ("{:g}x", lambda ours, theirs: ours / theirs),
    "more": ("{:g} {unit} more", lambda ours, theirs: ours - theirs),
    "ours": ("{:g} {unit}", lambda ours, theirs: ours),
}


class Goal(NamedTuple):
    """An upper bound, or (at_most False) a lower one, of what `measure` makes of the two figures."""
    measure: str
    bound: float
    at_most: bool = True

    def text(self, unit):
        return ("at most " if self.at_most else "at least ") + MEASURES[self.measure][0].format(self.bound, unit=unit)

    def value(self, ours, theirs):
        return MEASURES[self.measure][1](ours, theirs)

    def distance(self, value):
        """1 where the value is what was aimed at, less where it is better, at most a hundredfold either way."""
        share = value / self.bound if self.at_most else self.bound / value if value > 0 else 100
        return min(max(share, 0.01), 100)


class Line:
    """One comparison of a row. Without a goal it is there to be known."""

    def __init__(self, row, what, beside, unit, rounds, goal=None):
        self.row, self.what, self.beside, self.unit, self.goal = row, what, beside, unit, goal
        self.rounds = [(Figure(*ours), Figure(*theirs)) for ours, theirs in rounds]

    def middle(self, side):
        """Ours (0) or theirs (1), over the rounds."""
        figures = [pair[side] for pair in self.rounds]
        tails = [figure.p99 for figure in figures if figure.p99 is not None]
        return Figure(statistics.median(figure.p50 for figure in figures),
                      statistics.median(tails) if tails else None)

    def ratios(self):
        return [ours.p50 / theirs.p50 for ours, theirs in self.rounds if theirs.p50]

    def ratio(self):
        return statistics.median(self.ratios() or [math.nan])

    def ratio_p99(self):
        ratios = [ours.p99 / theirs.p99 for ours, theirs in self.rounds if ours.p99 and theirs.p99]
        return statistics.median(ratios) if ratios else None

    def value(self):
        return statistics.median(self.goal.value(ours.p50, theirs.p50) for ours, theirs in self.rounds)

    def reached(self):
        """True, False, or None where nothing was aimed at."""
        return self.goal and self.goal.distance(self.value()) <= 1

    def word(self):
        return {None: "", True: "reached", False: "missed"}[self.reached()]

    def to_json(self):
        return {"row": self.row, "what": self.what, "beside": self.beside, "unit": self.unit,
                "goal": self.goal and self.goal._asdict(), "rounds": [[list(side) for side in pair]
                                                                      for pair in self.rounds],
                "ratio": self.ratio() if self.ratios() else None, "reached": self.reached()}

    @classmethod
    def from_json(cls, fields):
        goal = fields["goal"] and Goal(**fields["goal"])
        return cls(fields["row"], fields["what"], fields["beside"], fields["unit"], fields["rounds"], goal)


def number(value):
    """Three digits that count, and no more than four."""
    if value is None or math.isnan(value):
        return ""
    if abs(value) >= 1000:
        return f"{value:.0f}"
    return f"{value:.3g}" if abs(value) >= 0.01 or value == 0 else f"{value:.1e}"


HEADS = ("row", "what", "beside", "unit", "p50", "p99", "beside p50", "p99", "ratio", "of p99", "from - to", "goal",
         "")


def cells(line):
    ours, theirs = line.middle(0), line.middle(1)
    spread = line.ratios()
    value = line.goal and number(line.value())
    goal = ""
    if line.goal:
        goal = line.goal.text(line.unit) + ("" if line.goal.measure == "ratio" else f" (is {value})")
    return (line.row, line.what, line.beside, line.unit, number(ours.p50), number(ours.p99), number(theirs.p50),
            number(theirs.p99), number(line.ratio()), number(line.ratio_p99()),
            f"{number(min(spread))} - {number(max(spread))}" if spread else "", goal, line.word())


def counted(lines):
    """A sentence about the goals."""
    aims = [line for line in lines if line.goal]
    missed = [f"{line.row}: {line.what}" for line in aims if not line.reached()]
    return (f"{len(aims) - len(missed)} of {len(aims)} goals reached"
            + ("; missed: " + ", ".join(missed) if missed else ""))


def text(lines):
    """The table for a terminal, one line each, rows apart."""
    rows = [HEADS] + [cells(line) for line in lines]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADS))]
    out, before = [], None
    for row in rows:
        if before and row[0] != before:
            out.append("")
        before = row[0]
        out.append("  ".join(cell.ljust(width) if column in (0, 1, 2, 3, 11, 12) else cell.rjust(width)
                             for column, (cell, width) in enumerate(zip(row, widths))).rstrip())
    return "\n".join(out) + "\n"


def markdown(lines):
    rows = [HEADS, tuple("---" if column in (0, 1, 2, 3, 11, 12) else "--:" for column in range(len(HEADS)))]
    rows += [cells(line) for line in lines]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |\n" for row in rows)
