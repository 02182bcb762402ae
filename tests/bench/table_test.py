#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What tools/bench makes of figures: without this a table could say that a goal was reached which was missed."""
import argparse
import json
import math
import os
import pathlib
import subprocess
import sys
import tempfile
import xml.dom.minidom

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import chart  # noqa: E402
import history  # noqa: E402
import samples  # noqa: E402
import table  # noqa: E402
import whole  # noqa: E402
from table import Figure, Goal, Line, figure  # noqa: E402

TOOLS = pathlib.Path(__file__).resolve().parent.parent.parent / "tools"


def lines():
    return [
        Line("warm", "python: held", "node <http>", "µs", [((10, 30), (20, 40)), ((30, 50), (20, 50)),
                                                           ((18, 20), (20, 20))], Goal("ratio", 1.0)),
        Line("throughput", "held", "framework", "calls/s", [((2000,), (1000,)), ((2400,), (1000,))],
             Goal("ratio", 3, at_most=False)),
        Line("cold-exec", "again", "fork | exec", "ms", [((5.5, 8), (1.5, 2)), ((4, 6), (1.4, 2))], Goal("more", 3)),
        Line("scale", "mount", "with 10", "s", [((0.7,), (0.2,))], Goal("ours", 1)),
        Line("scale", "ls", "with 10", "ms", [((300,), (2,))]),
    ]


def figures_of_samples():
    "The median and the 99th percentile; of few samples there is none."
    assert figure(range(1, 101)) == Figure(50.5, 99)
    assert figure([3, 1, 2]) == Figure(2, None)


def ratios_are_of_pairs():
    "The ratio is the median of the rounds' ratios: a round that was slow on both sides changes nothing."
    line = Line("", "", "", "", [((10,), (20,)), ((1000,), (2000,)), ((11,), (20,))])
    assert line.ratio() == 0.5
    assert line.middle(0).p50 == 11


def goals_are_judged():
    "Upper and lower bounds, ratios, differences and quantities by themselves."
    warm, throughput, start, mount, listed = lines()
    assert warm.reached() and warm.ratio() == 0.9 and warm.word() == "reached"
    assert not throughput.reached() and math.isclose(throughput.value(), 2.2) and throughput.word() == "missed"
    assert not start.reached() and math.isclose(start.value(), 3.3)
    assert mount.reached() and mount.value() == 0.7
    assert listed.reached() is None and listed.word() == ""
    assert not Line("", "", "", "", [((1.001,), (1,))], Goal("ratio", 1)).reached()
    assert Line("", "", "", "", [((3,), (1,))], Goal("ratio", 3, at_most=False)).reached()


def distances_are_bounded():
    "A lower bound missed is on the same side as an upper one missed, and nothing leaves the drawing."
    assert Goal("ratio", 2).distance(4) == 2
    assert Goal("ratio", 2, at_most=False).distance(1) == 2
    assert Goal("ratio", 2, at_most=False).distance(0) == 100
    assert Goal("more", 3).distance(-1) == 0.01


def tables_show_everything():
    "Every line is in the text and in the page, with its goal; a bar in a name does not break a table."
    shown = table.text(lines())
    for word in "at most 1x", "at least 3x", "at most 3 ms more (is 3.3)", "at most 1 s (is 0.7)", "missed", "node <http>":
        assert word in shown, (word, shown)
    page = table.markdown(lines()).splitlines()
    assert len(page) == 2 + 5 and "fork \\| exec" in page[4]
    assert all(row.replace("\\|", "").count("|") == len(table.HEADS) + 1 for row in page), page
    assert table.counted(lines()) == "2 of 4 goals reached; missed: throughput: held, cold-exec: again"


def numbers_are_short():
    "Three digits that count."
    assert [table.number(value) for value in (1234.5, 123.45, 1.2345, 0.012345, 0.0001, 0, None, math.nan)] == [
        "1234", "123", "1.23", "0.0123", "1.0e-04", "0", "", ""]


def pictures_are_drawn():
    "The SVG is well formed, has a bar for each goal of the right kind, and bars stay inside."
    picture = xml.dom.minidom.parseString(chart.bars("a & b", "<machine>", lines()))
    bars = [bar for bar in picture.getElementsByTagName("rect") if bar.getAttribute("class") in ("good", "bad")]
    assert [bar.getAttribute("class") for bar in bars] == ["good", "bad", "bad", "good"]
    begins, widths = ([float(bar.getAttribute(name)) for bar in bars] for name in ("x", "width"))
    goal = begins[1]
    assert begins[2] == goal and widths[1] > widths[2]  # 3 / 2.2 is farther from the goal than 3.3 / 3
    assert all(abs(begins[at] + widths[at] - goal) < 0.2 for at in (0, 3)), (begins, widths)
    assert min(begins) >= chart.NAMES and max(map(sum, zip(begins, widths))) <= chart.NAMES + chart.PLOT


def runs_are_kept():
    "A run that was kept is shown again as it was; the file only grows."
    with tempfile.TemporaryDirectory() as at:
        path = pathlib.Path(at) / "deep" / "history.jsonl"
        run = history.run_of(lines(), {"code": "npm is not installed"}, history.machine(at), 12.3)
        history.append(path, run)
        history.append(path, run)
        assert history.runs(path) == [json.loads(json.dumps(run))] * 2
        assert table.text(history.lines_of(history.runs(path)[1])) == table.text(lines())
        for name in "processor", "processors", "memory_mb", "kernel", "python", "node", "libfuse", "creating_us":
            assert run["machine"][name], name
        again = subprocess.run([TOOLS / "bench", "--last", "--history", path, "--svg", f"{at}/a.svg", "--markdown",
                                f"{at}/page.md"], stdout=subprocess.PIPE, text=True, check=True).stdout
        assert "code: not measured, for npm is not installed" in again and table.text(lines()) in again
        xml.dom.minidom.parse(f"{at}/a.svg")
        assert table.markdown(lines()) in pathlib.Path(f"{at}/page.md").read_text()


def pages_keep_what_is_around_the_table():
    "Only what is between the marks is written anew."
    with tempfile.TemporaryDirectory() as at:
        page = pathlib.Path(at) / "page.md"
        page.write_text(f"before\n{whole.BEGIN}\nstale words \\1\n{whole.END}\nafter\n")
        run = history.run_of(lines(), {}, history.machine(at), 1)
        whole.write_markdown(page, run)
        whole.write_markdown(page, run)
        text = page.read_text()
        assert text.startswith(f"before\n{whole.BEGIN}\n") and text.endswith(f"{whole.END}\nafter\n")
        assert "stale words" not in text and text.count("| warm |") == 1


def rows_have_names():
    "The page of the manual and the help name every row."
    manual = (TOOLS.parent / "docs/performance.md").read_text()
    told = subprocess.run([TOOLS / "bench", "--help"], stdout=subprocess.PIPE, text=True, check=True).stdout
    assert len(whole.ROWS) == 14
    for name in whole.ROWS:
        assert f"`{name}`" in manual and name in told, name
    wrong = subprocess.run([TOOLS / "bench", "nonsense"], stderr=subprocess.PIPE, text=True)
    assert wrong.returncode == 2 and "there is no nonsense" in wrong.stderr


def what_grows_is_not_flat():
    "A quantity that rises by more than a tenth and its slack between the second and the last quarter is named."
    still = [[10.0] * len(samples.COLUMNS) for _ in range(40)]
    assert all(flat for *_, flat in samples.judge(still))
    filling = [[min(number, 10) * 10] * len(samples.COLUMNS) for number in range(40)]
    assert all(flat for *_, flat in samples.judge(filling)), "the first quarter is for filling up"
    growing = [[50 + number] * len(samples.COLUMNS) for number in range(40)]
    assert not any(flat for *_, flat in samples.judge(growing))
    assert samples.judge(growing)[0][1:3] == (64.5, 84.5)
    assert samples.judge([[1.0] * len(samples.COLUMNS)])[0][3]


def curves_are_drawn():
    "The graph of a soak is well formed, and has a curve for each column."
    rows = [[number % 7] * len(samples.COLUMNS) for number in range(60)]
    picture = xml.dom.minidom.parseString(samples.draw("soak", "<machine>", range(60), rows))
    assert len(picture.getElementsByTagName("polyline")) == len(samples.COLUMNS)
    with tempfile.TemporaryDirectory() as at:
        samples.write_csv(f"{at}/a.csv", range(60), rows)
        table_lines = pathlib.Path(f"{at}/a.csv").read_text().splitlines()
        assert len(table_lines) == 61 and table_lines[0].startswith("second,daemon_RSS,daemon_PSS,")


def main():
    argparse.ArgumentParser(description=__doc__).parse_args()
    failed = 0
    for case in (figures_of_samples, ratios_are_of_pairs, goals_are_judged, distances_are_bounded,
                 tables_show_everything, numbers_are_short, pictures_are_drawn, runs_are_kept,
                 pages_keep_what_is_around_the_table, rows_have_names, what_grows_is_not_flat, curves_are_drawn):
        try:
            case()
            print(f"ok   {case.__name__}: {case.__doc__}")
        except Exception as error:  # one failed case must not hide the others
            import traceback
            traceback.print_exc()
            print(f"FAIL {case.__name__}: {error}")
            failed += 1
    sys.exit(1 if failed else 0)


main()
