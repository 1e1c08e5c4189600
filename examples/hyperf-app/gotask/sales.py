"""A report, by numpy where it is installed, else in plain Python."""

import calendar
import random
import statistics

try:
    import numpy
except ImportError:
    numpy = None


class Sales:
    def open(self):
        """Runs once in each process, before it takes calls: the place for models, tables, connections."""
        chance = random.Random(7)
        self._noise = [chance.gauss(0.0, 40.0) for _ in range(366)]

    def year(self, year: int) -> dict:
        """Turnover of one year's days: months, average, median, 95th percentile, trend per day."""
        days = [
            500.0 + 0.5 * day + noise for day, noise in enumerate(self._noise[: 365 + calendar.isleap(year)])
        ]
        lengths = [calendar.monthrange(year, month)[1] for month in range(1, 13)]
        figures = _with_numpy(days, lengths) if numpy else _without_numpy(days, lengths)
        return {"year": year, "engine": "numpy" if numpy else "python", **_rounded(figures)}


def _with_numpy(days: list, lengths: list) -> dict:
    turnover = numpy.array(days)
    months = numpy.split(turnover, numpy.cumsum(lengths)[:-1])
    return {
        "months": [float(month.sum()) for month in months],
        "average": float(turnover.mean()),
        "median": float(numpy.median(turnover)),
        "p95": float(numpy.percentile(turnover, 95)),
        "trend": float(numpy.polyfit(numpy.arange(len(days)), turnover, 1)[0]),
    }


def _without_numpy(days: list, lengths: list) -> dict:
    left = iter(days)
    return {
        "months": [sum(next(left) for _ in range(length)) for length in lengths],
        "average": statistics.fmean(days),
        "median": statistics.median(days),
        "p95": statistics.quantiles(days, n=20, method="inclusive")[-1],
        "trend": statistics.linear_regression(range(len(days)), days).slope,
    }


def _rounded(figures: dict) -> dict:
    return {
        name: [round(of, 2) for of in figure] if isinstance(figure, list) else round(figure, 2)
        for name, figure in figures.items()
    }
