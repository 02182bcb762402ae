# SPDX-License-Identifier: Apache-2.0
"""Draws SVG by hand: how far each line of the table is from its goal, and how quantities went over time.

Both bring a ground of their own and change it for a reader who prefers the dark, so that they can be read on any page.
"""
import math
from xml.sax.saxutils import escape

STYLE = """
.ground { fill: #fafafa } .text { fill: #24292f } .faint { fill: #6a737d } .rule { stroke: #d0d7de }
.goal { stroke: #24292f } .good { fill: #2a9d8f } .bad { fill: #d1495b } .curve { stroke: #2a6f97; fill: none }
text { font: 12px system-ui, sans-serif } .title { font-size: 16px; font-weight: 600 }
@media (prefers-color-scheme: dark) {
.ground { fill: #161b22 } .text { fill: #e6edf3 } .faint { fill: #9198a1 } .rule { stroke: #30363d }
.goal { stroke: #e6edf3 } .good { fill: #3fb8a8 } .bad { fill: #e5697a } .curve { stroke: #6cb6ff } }
"""


class Drawing:
    def __init__(self, width, height, title):
        self.parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
                      f'height="{height}" role="img">\n<title>{escape(title)}</title>\n<style>{STYLE}</style>\n'
                      f'<rect class="ground" width="{width}" height="{height}" rx="6"/>\n']

    def text(self, x, y, what, kind="text", anchor="start"):
        self.parts.append(f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(what)}</text>\n')

    def rule(self, x1, y1, x2, y2, kind="rule"):
        self.parts.append(f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>\n')

    def bar(self, x, y, width, height, kind, hint):
        self.parts.append(f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" width="{max(width, 1.5):.1f}" '
                          f'height="{height:.1f}" rx="2"><title>{escape(hint)}</title></rect>\n')

    def curve(self, points):
        at = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self.parts.append(f'<polyline class="curve" stroke-width="1.5" points="{at}"/>\n')

    def end(self):
        return "".join(self.parts) + "</svg>\n"


NAMES, PLOT, VALUES, STEP, HEAD = 430, 420, 210, 24, 96
TICKS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100)


def scale_of(distances):
    """The least and the most of the axis: the next ticks, and the goal well inside."""
    least = max((tick for tick in TICKS if tick <= min([*distances, 0.5])), default=TICKS[0])
    most = min((tick for tick in TICKS if tick >= max([*distances, 2])), default=TICKS[-1])
    return least, most


def bars(title, subtitle, lines):
    """Lines with a goal: a bar from the goal's mark to what was measured, left of it where it was reached."""
    lines = [line for line in lines if line.goal]
    distances = [line.goal.distance(line.value()) for line in lines]
    least, most = scale_of(distances)
    width, height = NAMES + PLOT + VALUES, HEAD + STEP * len(lines) + 30

    def at(distance):
        return NAMES + PLOT * math.log(distance / least) / math.log(most / least)

    drawing = Drawing(width, height, title)
    drawing.text(16, 28, title, "text title")
    drawing.text(16, 48, subtitle, "faint")
    drawing.text(at(1) - 6, HEAD - 28, "better than the goal", "faint", "end")
    drawing.text(at(1) + 6, HEAD - 28, "worse", "faint")
    for tick in TICKS:
        if least <= tick <= most:
            drawing.rule(at(tick), HEAD - 6, at(tick), height - 24)
            drawing.text(at(tick), HEAD - 12, f"{tick:g}x", "faint", "middle")
    for index, (line, distance) in enumerate(zip(lines, distances)):
        y = HEAD + STEP * index
        bar(drawing, line, at(min(distance, 1)), at(max(distance, 1)), y)
        drawing.text(NAMES - 10, y + 15, shortened(f"{line.row}: {line.what}", 68), "text", "end")
        drawing.text(NAMES + PLOT + 12, y + 15, caption(line))
    drawing.rule(at(1), HEAD - 6, at(1), height - 24, "goal")
    drawing.text(16, height - 8, "distance to the goal, logarithmic; the bar ends where the measurement is", "faint")
    return drawing.end()


def bar(drawing, line, begin, end, y):
    hint = f"{line.row}: {line.what} beside {line.beside}: {line.value():.3g}, {line.goal.text(line.unit)}"
    drawing.bar(begin, y + 4, end - begin, STEP - 9, "good" if line.reached() else "bad", hint)


def caption(line):
    unit = "x" if line.goal.measure == "ratio" else " " + line.unit
    return f"{line.value():.3g}{unit} ({line.goal.text(line.unit)})"


def shortened(text, most):
    return text if len(text) <= most else text[:most - 1].rstrip() + "\u2026"


PANEL, SPAN, LEFT = 120, 760, 110


def curves(title, subtitle, seconds, panels):
    """One panel under the other, each (NAME, UNIT, VALUES), all over the same seconds, each from zero."""
    height = 70 + (PANEL + 34) * len(panels) + 26
    drawing = Drawing(LEFT + SPAN + 30, height, title)
    drawing.text(16, 28, title, "text title")
    drawing.text(16, 48, subtitle, "faint")
    last = max([*seconds, 1])
    for index, (name, unit, values) in enumerate(panels):
        top = 84 + (PANEL + 34) * index
        panel(drawing, top, name, unit, [(second / last, value) for second, value in zip(seconds, values)])
    for share in (0, 0.25, 0.5, 0.75, 1):
        drawing.text(LEFT + SPAN * share, height - 10, f"{last * share / 60:.2g} min", "faint",
                     "end" if share == 1 else "middle")
    return drawing.end()


def panel(drawing, top, name, unit, points):
    most = max([value for _, value in points] + [1]) * 1.1
    for share in (0, 0.5, 1):
        y = top + PANEL * (1 - share)
        drawing.rule(LEFT, y, LEFT + SPAN, y)
        drawing.text(LEFT - 8, y + 4, f"{most * share:.3g}", "faint", "end")
    drawing.text(LEFT, top - 8, f"{name}, {unit}" if unit else name)
    drawing.curve([(LEFT + SPAN * share, top + PANEL * (1 - value / most)) for share, value in points])
