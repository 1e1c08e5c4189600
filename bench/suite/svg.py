"""A plot of lines as SVG: axes that may be logarithmic, a colour and a legend for each series."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, log10

Points = Sequence[tuple[float, float]]

WIDTH, HEIGHT = 860, 440
LEFT, RIGHT, TOP, BOTTOM = 80, 290, 40, 60
# Distinguishable with the common colour blindnesses (Okabe and Ito), and on light and dark pages.
COLOURS = [
    "#0072b2",
    "#d55e00",
    "#009e73",
    "#cc79a7",
    "#e69f00",
    "#56b4e9",
    "#8a8a8a",
    "#7a5195",
    "#b5651d",
    "#2f4b7c",
]


@dataclass(frozen=True)
class Axis:
    """`base`: of a logarithmic scale, 2 or 10; 0: the scale is linear and begins at 0."""

    name: str
    base: int = 0


class Scale:
    """From values to pixels."""

    def __init__(self, axis: Axis, values: Sequence[float], start: float, end: float) -> None:
        self.axis, self.start, self.end = axis, start, end
        if axis.base:
            positive = [value for value in values if value > 0] or [1.0]
            self.low, self.high = log10(min(positive)), log10(max(positive))
        else:
            self.low, self.high = 0.0, max(values, default=1.0)
        if self.high <= self.low:
            self.high = self.low + 1.0

    def __call__(self, value: float) -> float:
        place = log10(max(value, 1e-12)) if self.axis.base else value
        share = min(1.0, max(0.0, (place - self.low) / (self.high - self.low)))
        return self.start + share * (self.end - self.start)

    def ticks(self) -> list[float]:
        if self.axis.base == 2:
            powers = range(ceil(self.low / log10(2) - 1e-9), floor(self.high / log10(2) + 1e-9) + 1)
            return [2.0**power for power in powers[:: ceil(len(powers) / 10)]]
        if self.axis.base:
            steps = [1, 2, 5] if self.high - self.low < 1.5 else [1]
            decades = range(floor(self.low), ceil(self.high) + 1)
            inside = [step * 10.0**decade for decade in decades for step in steps]
            return [tick for tick in inside if self.low - 1e-9 <= log10(tick) <= self.high + 1e-9]
        step = 10.0 ** floor(log10(self.high))
        while self.high / step < 4:
            step /= 2
        return [step * place for place in range(int(self.high / step + 1e-9) + 1)]


def plot(title: str, x: Axis, y: Axis, series: Mapping[str, Points], marks: Mapping[str, Points]) -> str:
    """A whole SVG document. Marks: single points beside the series of the same name, in its colour."""
    shown = [point for points in (*series.values(), *marks.values()) for point in points]
    across = Scale(x, [point[0] for point in shown], LEFT, WIDTH - RIGHT)
    up = Scale(y, [point[1] for point in shown], HEIGHT - BOTTOM, TOP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        text((LEFT + WIDTH - RIGHT) / 2, 22, title, "middle", 15),
        text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 14, x.name, "middle"),
        f'<g transform="rotate(-90)">{text(-(TOP + HEIGHT - BOTTOM) / 2, 18, y.name, "middle")}</g>',
    ]
    for tick in up.ticks():
        parts.append(line([(LEFT, up(tick)), (WIDTH - RIGHT, up(tick))], "#dddddd"))
        parts.append(text(LEFT - 8, up(tick) + 4, short(tick, y), "end"))
    for tick in across.ticks():
        parts.append(line([(across(tick), HEIGHT - BOTTOM), (across(tick), HEIGHT - BOTTOM + 5)], "#555555"))
        parts.append(text(across(tick), HEIGHT - BOTTOM + 19, short(tick, x), "middle"))
    parts.append(line([(LEFT, TOP), (LEFT, HEIGHT - BOTTOM), (WIDTH - RIGHT, HEIGHT - BOTTOM)], "#555555"))
    for number, (name, points) in enumerate(series.items()):
        colour = COLOURS[number % len(COLOURS)]
        place = [(across(horizontal), up(vertical)) for horizontal, vertical in points]
        parts.append(line(place, colour, 2))
        parts += [f'<circle cx="{left:.1f}" cy="{top:.1f}" r="2.5" fill="{colour}"/>' for left, top in place]
        parts += [
            f'<circle cx="{across(left):.1f}" cy="{up(top):.1f}" r="6" fill="none" stroke="{colour}" stroke-width="2"/>'
            for left, top in marks.get(name, ())
        ]
        row = TOP + 10 + 19 * number
        parts.append(line([(WIDTH - RIGHT + 14, row), (WIDTH - RIGHT + 34, row)], colour, 2))
        parts.append(text(WIDTH - RIGHT + 40, row + 4, name, "start", 11))
    return "\n".join([*parts, "</svg>"]) + "\n"


def line(points: Points, colour: str, width: int = 1) -> str:
    path = " ".join(f"{left:.1f},{top:.1f}" for left, top in points)
    return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="{width}"/>'


def text(left: float, top: float, words: str, anchor: str, size: int = 12) -> str:
    return f'<text x="{left:.1f}" y="{top:.1f}" text-anchor="{anchor}" font-size="{size}" fill="#222222">{escape(words)}</text>'


def short(value: float, axis: Axis) -> str:
    thousand, units = (1024, ("", "Ki", "Mi", "Gi")) if axis.base == 2 else (1000, ("", "k", "M", "G"))
    unit = 0
    while value >= thousand and unit < 3:
        value /= thousand
        unit += 1
    return f"{value:g}{units[unit]}"
