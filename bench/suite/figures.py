"""Medians, their spread, and ratios that are only printed when they mean something."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


def quantile(values: Sequence[float], share: float) -> float:
    """Between neighbours by their distance; the values need not be sorted."""
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])


@dataclass(frozen=True)
class Figure:
    """What came out of several rounds: the median, and the quartiles as its spread."""

    value: float
    low: float
    high: float
    rounds: int
    unit: str = ""
    relative: bool = False

    # A ratio says something when half of the rounds lie within so much of its median: those that differ by more than a
    # fifth do not tell 0.9 from 1.1.
    WIDEST = 0.2

    @classmethod
    def of(cls, values: Sequence[float], unit: str = "", relative: bool = False) -> "Figure":
        return cls(
            median(values), quantile(values, 0.25), quantile(values, 0.75), len(values), unit, relative
        )

    @classmethod
    def ratio(cls, above: Sequence[float], below: Sequence[float]) -> "Figure":
        """Round by round: what both suffered from in one is not in it."""
        return cls.of([a / b for a, b in zip(above, below, strict=True)], relative=True)

    @property
    def too_noisy(self) -> bool:
        return self.relative and self.high - self.low > self.WIDEST * abs(self.value)

    def text(self) -> str:
        if self.too_noisy:
            return f"too noisy: {number(self.low)}–{number(self.high)}"
        return f"{number(self.value)} {self.unit}".strip()

    def spread(self) -> str:
        return "" if self.rounds < 2 or self.too_noisy else f"{number(self.low)}–{number(self.high)}"


def number(value: float) -> str:
    if abs(value) >= 1000:
        return f"{value:,.0f}".replace(",", " ")
    if abs(value) >= 100:
        return f"{value:.0f}"
    if value == int(value) and abs(value) < 10:
        return "0" if value == 0 else f"{value:.2f}"
    return f"{value:.2f}" if abs(value) < 10 else f"{value:.1f}"


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    section: str
    name: str
    figure: Figure | None
    at_least: float | None = None
    at_most: float | None = None
    note: str = ""

    @property
    def reach(self) -> str:
        if self.at_least is not None:
            return f"≥ {number(self.at_least)}"
        return f"≤ {number(self.at_most)}" if self.at_most is not None else ""

    @property
    def verdict(self) -> str:
        if self.figure is None or self.figure.too_noisy or not self.reach:
            return ""
        met = (self.at_least is None or self.figure.value >= self.at_least) and (
            self.at_most is None or self.figure.value <= self.at_most
        )
        return "yes" if met else "no"
