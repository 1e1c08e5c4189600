"""The panels of deploy/grafana/gotask.json with what a Prometheus has, as a page for a browser.

It is no Grafana: axes and colours differ.
"""

from __future__ import annotations

import html
import json
import math
import re
import time
from itertools import accumulate
from typing import Any

from ..test_prometheus import DEPLOY, Prometheus

_COLUMN, _ROW, _GAP = 53, 24, 6
_COLOURS = ("#5794f2", "#73bf69", "#ff9830", "#f2495c", "#b877d9", "#fade2a", "#8ab8ff", "#96d98d")
_NAMED = {"green": "#73bf69", "orange": "#ff9830", "red": "#f2495c"}
_STYLE = """
body { margin: 0; background: #111217; color: #ccccdc; font: 12px system-ui, sans-serif; position: relative }
section { position: absolute; box-sizing: border-box; background: #181b1f; border: 1px solid #25282e; border-radius: 3px;
    padding: 6px 8px; overflow: hidden }
h2 { font-size: 12.5px; font-weight: 500; margin: 0 }
b { display: block; font-size: 28px; font-weight: 500; padding-top: 12px; text-align: center }
svg { display: block } text { fill: #9fa3ae; font-size: 10.5px } .grid { stroke: #2a2d34 }
p { margin: 2px 0 0; white-space: nowrap; color: #9fa3ae; font-size: 10px }
i { display: inline-block; width: 10px; height: 3px; margin: 0 4px 3px 0 } span { margin-right: 7px }
"""

Series = list[tuple[str, dict[float, float]]]


def page(prometheus: Prometheus, seconds: float) -> tuple[str, int, int]:
    """HTML, its width and its height: what there is of the last seconds."""
    panels = json.loads((DEPLOY / "grafana" / "gotask.json").read_text())["panels"]
    end = time.time()
    sections = []
    for panel in panels:
        place = panel["gridPos"]
        x, y, width, height = (
            place["x"] * _COLUMN,
            place["y"] * _ROW,
            place["w"] * _COLUMN - _GAP,
            place["h"] * _ROW - _GAP,
        )
        series: Series = []
        for target in panel["targets"]:
            expression = re.sub(r"\$(instance|method)", ".*", target["expr"]).replace(
                "$__rate_interval", "15s"
            )
            legend = target.get("legendFormat", "")
            found = prometheus.ask(
                "query_range", query=expression, start=str(end - seconds), end=str(end), step="2"
            )["result"]
            for one in found:
                name = legend
                for label, value in one["metric"].items():
                    name = name.replace("{{" + label + "}}", value)
                series.append((name, {at: float(value) for at, value in one["values"] if value != "NaN"}))
        size = (width - 18, height - 30)
        defaults = panel["fieldConfig"]["defaults"]
        if panel["type"] == "stat":
            inside = _number(series, defaults)
        elif panel["type"] == "heatmap":
            inside = _heat(series, end - seconds, end, size)
        else:
            inside = _lines(series, defaults, end - seconds, end, size)
        sections.append(
            f'<section style="left:{x + _GAP}px;top:{y + _GAP}px;width:{width}px;height:{height}px">'
            f"<h2>{html.escape(panel['title'])}</h2>{inside}</section>"
        )
    bottom = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in panels)
    body = f'<!doctype html><meta charset="utf-8"><style>{_STYLE}</style><body>{"".join(sections)}'
    return body, 24 * _COLUMN + _GAP, bottom * _ROW + _GAP


def _number(series: Series, defaults: dict[str, Any]) -> str:
    value = list(series[0][1].values())[-1]
    colour = "green"
    for step in defaults.get("thresholds", {"steps": []})["steps"]:
        if step["value"] is None or value >= step["value"]:
            colour = step["color"]
    return f'<b style="color:{_NAMED[colour]}">{_text(value, defaults["unit"])}</b>'


def _lines(series: Series, defaults: dict[str, Any], start: float, end: float, size: tuple[int, int]) -> str:
    width, height = size[0], size[1] - 16
    times = sorted({at for _, points in series for at in points})
    if "stacking" in defaults["custom"]:
        sums = [list(accumulate(points.get(at, 0.0) for _, points in series)) for at in times]
        series = [
            (name, {at: sums[i][k] for i, at in enumerate(times)}) for k, (name, _) in enumerate(series)
        ]
    most = max((value for _, points in series for value in points.values()), default=0) or 1.0
    step = _nice(most / 3, 1024 if "b" in defaults["unit"].lower() and defaults["unit"] != "ops" else 10)
    high = math.ceil(most / step) * step

    def x(at: float) -> float:
        return 60 + (at - start) / (end - start) * (width - 64)

    def y(value: float) -> float:
        return 6 + (1 - value / high) * (height - 26)

    drawn: list[str] = []
    legend: list[str] = []
    for k in range(round(high / step) + 1):
        drawn.append(f'<path class="grid" d="M60 {y(k * step):.1f}H{width - 4}"/>')
        drawn.append(
            f'<text x="54" y="{y(k * step) + 4:.1f}" text-anchor="end">{_text(k * step, defaults["unit"])}</text>'
        )
    drawn.append(_times(start, end, x, height))
    for (name, points), colour in reversed(list(zip(series, _COLOURS * 9))):
        line = "".join(
            f"{'L' if at - 2.5 < last else 'M'}{x(at):.1f} {y(points[at]):.1f}"
            for last, at in zip([-9.0, *points], points)
        )
        fill = f"{colour}{'30' if 'stacking' in defaults['custom'] else '14'}"
        if points:
            first, last = x(min(points)), x(max(points))
            drawn.append(
                f'<path fill="{fill}" d="{"M" + line[1:].replace("M", "L")}L{last:.1f} {y(0):.1f}L{first:.1f} {y(0):.1f}z"/>'
            )
        drawn.append(f'<path fill="none" stroke="{colour}" stroke-width="1.3" d="{line}"/>')
        legend.insert(0, f'<span><i style="background:{colour}"></i>{html.escape(name)}</span>')
    return f'<svg width="{width}" height="{height}">{"".join(drawn)}</svg><p>{"".join(legend)}</p>'


def _heat(series: Series, start: float, end: float, size: tuple[int, int]) -> str:
    """Buckets hold what is up to their bound, so each less the one before."""
    width, height = size
    nothing: dict[float, float] = {}
    rows = sorted((float(le), points) for le, points in series if le != "+Inf")
    each = [
        (le, {at: value - below.get(at, 0.0) for at, value in points.items()})
        for (le, points), (_, below) in zip(rows, [(0.0, nothing), *rows])
    ]
    each = [(le, points) for le, points in each if max(points.values(), default=0) > 0.5]
    most = max(value for _, points in each for value in points.values())
    high = (height - 26) / len(each)

    def x(at: float) -> float:
        return 60 + (at - start) / (end - start) * (width - 64)

    drawn = [_times(start, end, x, height)]
    for k, (le, points) in enumerate(each):
        top = height - 20 - (k + 1) * high
        if k % 3 == 0:
            drawn.append(f'<text x="54" y="{top + high:.1f}" text-anchor="end">{_text(le, "s")}</text>')
        for at, value in points.items():
            if value > 0:
                shade = math.sqrt(value / most)
                box = f'x="{x(at):.1f}" y="{top:.1f}" width="{x(start + 2.3) - 60:.1f}" height="{high:.1f}"'
                drawn.append(f'<rect {box} fill="#5794f2" opacity="{shade:.2f}"/>')
    return f'<svg width="{width}" height="{height}">{"".join(drawn)}</svg>'


def _times(start: float, end: float, x: Any, height: float) -> str:
    drawn = ""
    for ago in range(int((end - start - 10) / 60) + 1):
        at = min(x(end - 60 * ago), x(end) - 8)
        label = f"−{ago} min" if ago else "now"
        drawn += f'<text x="{at:.1f}" y="{height - 4}" text-anchor="middle">{label}</text>'
    return drawn


def _nice(value: float, base: int) -> float:
    power = float(base) ** math.floor(math.log(value, base))
    steps: tuple[float, ...] = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1024)
    return min(step * power for step in steps if step * power >= value * 0.999)


def _text(value: float, unit: str) -> str:
    if unit == "s":
        for bound, name in ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs")):
            if value >= bound:
                return f"{value / bound:.3g} {name}"
        return "0"
    if unit in ("bytes", "Bps"):
        for power, name in ((2, "MiB"), (1, "KiB"), (0, "B")):
            if value >= 1024**power or not power:
                return f"{value / 1024**power:.3g} {name}" + ("/s" if unit == "Bps" else "")
    if unit == "percentunit":
        return f"{100 * value:.3g} %"
    return f"{value:.3g}" + ("/s" if unit == "ops" else "")
