"""Samples over time: whether a curve is flat, and a picture of them."""

from __future__ import annotations

import statistics
from typing import NamedTuple

#: The part of a run that is not judged: caches fill, and allocators come to know the largest bodies.
WARM_UP = 1 / 3

#: Windows that the rest is cut into. What is judged is the median of each: a leak raises that, too, and a large call, or a
#: worker that is missing for a moment, does not.
WINDOWS = 12

Points = list[tuple[float, float]]  # seconds, value


class Fit(NamedTuple):
    """A straight line through the medians. `growth`: how much it rises from the warm-up's end to the end."""

    first: float
    growth: float
    limit: float

    @property
    def is_flat(self) -> bool:
        return self.growth <= self.limit


def fit(points: Points, relative: float, absolute: float) -> Fit:
    """Flat is what grows by no more than that part of its beginning, or by no more than `absolute`, whichever is more."""
    end = points[-1][0]
    begin = points[0][0] + (end - points[0][0]) * WARM_UP
    width = (end - begin) / WINDOWS or 1.0
    windows: dict[int, list[float]] = {}
    for at, value in points:
        if at >= begin:
            windows.setdefault(min(int((at - begin) / width), WINDOWS - 1), []).append(value)
    if len(windows) < 2:
        return Fit(points[-1][1], 0.0, absolute)
    medians = [statistics.median(values) for values in windows.values()]
    slope, first = statistics.linear_regression(list(windows), medians)
    return Fit(first, slope * max(windows), max(relative * first, absolute))


class Panel(NamedTuple):
    title: str
    unit: str
    points: Points
    fit: Fit | None


def svg(title: str, panels: list[Panel], width: int = 900, height: int = 130) -> str:
    """One picture of all panels, below each other over the same time."""
    left, right, top, gap = 70, 20, 44, 44
    total = top + len(panels) * (height + gap)
    seconds = max(panel.points[-1][0] for panel in panels) or 1.0
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {total}" font-family="sans-serif" font-size="12">',
        f'<rect width="{width}" height="{total}" fill="#fff"/>',
        f'<text x="{left}" y="22" font-size="15">{title}</text>',
    ]
    for index, panel in enumerate(panels):
        y = top + index * (height + gap)
        highest = max(value for _, value in panel.points) * 1.1 or 1.0

        def place(at: float, value: float, y: int = y, highest: float = highest) -> str:
            across = left + (width - left - right) * at / seconds
            return f"{across:.1f},{y + height - height * value / highest:.1f}"

        line = " ".join(place(at, value) for at, value in panel.points)
        said = "" if panel.fit is None else f" ({panel.fit.growth:+.2f} {panel.unit} after the warm-up)"
        parts += [
            f'<text x="{left}" y="{y - 6}">{panel.title}{said}</text>',
            f'<rect x="{left}" y="{y}" width="{width - left - right}" height="{height}" fill="none" stroke="#bbb"/>',
            f'<polyline points="{line}" fill="none" stroke="#2463a6" stroke-width="1"/>',
        ]
        for part in (0.0, 0.5, 1.0):
            value = highest * part
            parts.append(
                f'<text x="{left - 6}" y="{y + height - height * part + 4:.1f}" text-anchor="end">{value:.3g}</text>'
            )
        for part in (0.0, 0.25, 0.5, 0.75, 1.0):
            across = left + (width - left - right) * part
            parts.append(
                f'<text x="{across:.1f}" y="{y + height + 15}" text-anchor="middle">{_time(seconds * part)}</text>'
            )
    return "\n".join([*parts, "</svg>\n"])


def thinned(points: Points, most: int = 400) -> Points:
    step = len(points) // most + 1
    return points[::step]


def _time(seconds: float) -> str:
    return f"{seconds / 60:.1f} min" if seconds >= 60 else f"{seconds:.0f} s"
