"""Points of the product itself beside simulated ones, at loads that this machine can do."""

from dataclasses import dataclass

import numpy as np
from suite.context import Context
from suite.report import Report

from . import times as kinds
from .points import Load, Measured, Product
from .product import Costs, fast
from .questions import milliseconds, quantiles
from .times import Draw, Seconds, poisson

CALLERS = 4
#: Seconds that a call takes, on average, in the points of the plot.
MEAN = 5e-3

#: A point at which workers are busier has no settled waits, and is not shown.
FULL = 0.95

#: Calls that are simulated for a point of a line; the first fifth is not counted.
CALLS = 100_000


@dataclass(frozen=True)
class Case:
    name: str
    method: str
    times: Draw
    mean: float  # seconds
    workers: tuple[int, ...]
    loads: tuple[float, ...]


CASES = [
    Case("sleep, exponential", "sleep", kinds.exponential, MEAN, (1, 2, 4), (0.5, 0.7, 0.85)),
    Case("sleep, mix", "sleep", kinds.mix, 4e-3, (4,), (0.5, 0.7)),
    Case("processor, exponential", "spin", kinds.exponential, MEAN, (1, 2), (0.5, 0.7)),
    Case("sleep, constant, fast path", "sleep", kinds.constant, 0.3e-3, (1, 2, 4), (0.3, 0.5)),
    Case("sleep, mix, both paths", "sleep", kinds.mix, 0.5e-3, (2, 4), (0.4,)),
]


def beside(context: Context, report: Report, costs: Costs) -> None:
    """A table, a plot of lines, and the points that belong into it."""
    lines = []
    marks: dict[str, list[tuple[float, float]]] = {}
    for case in CASES:
        for workers in case.workers:
            context.say(f"measuring: {case.name}, {label(workers)}")
            with Product(context, workers, CALLERS) as product:
                for load in case.loads:
                    measured = product.run(calls(case, workers, load, context.seconds))
                    if busy(measured, workers) > FULL:
                        context.skip(
                            f"{case.name}, {label(workers)}, at {load:.0%}",
                            "the machine was too busy for that",
                        )
                        continue
                    lines.append(line(case, workers, measured, costs))
                    if case is CASES[0]:
                        point = (busy(measured, workers), 1000 * float(np.quantile(measured.waits, 0.99)))
                        marks.setdefault(label(workers), []).append(point)
    report.table(
        "Measured, and simulated with the same calls",
        [
            "method",
            "workers",
            "busy",
            "calls",
            "p50: measured / simulated",
            "p99",
            "p99.9",
            "mean",
        ],
        lines,
        f"Waits in ms, from call() in PHP until the method begins. {CALLERS} PHP processes call at random moments, answered or "
        "not. The simulation gets the moments of the calls and the times of the methods, and the costs above.",
    )
    report.plot(
        "measured",
        f"Wait, p99, exponential times of {1000 * MEAN:.0f} ms: lines simulated, circles measured",
        "how busy the workers are",
        "ms",
        {label(workers): curve(workers, costs) for workers in CASES[0].workers},
        base_y=10,
        marks=marks,
    )


def calls(case: Case, workers: int, load: float, seconds: float) -> Load:
    random = np.random.default_rng([workers, int(100 * load)])
    rate = load * workers / case.mean
    count = int(rate * seconds)
    return Load(case.method, poisson(random, rate, count), case.times(random, case.mean, count))


def busy(measured: Measured, workers: int) -> float:
    """The share of their time that workers spent in the method: a sleep takes a little longer than it is asked to."""
    return float(measured.times.sum() / (workers * (measured.made[-1] - measured.made[0])))


def line(case: Case, workers: int, measured: Measured, costs: Costs) -> list[str]:
    simulated = fast(measured.made, measured.times, measured.callers, workers, costs).waits
    pairs = zip(summary(measured.waits), summary(simulated))
    load = f"{100 * busy(measured, workers):.0f} %"
    cells = [f"{milliseconds(one)} / {milliseconds(other)}" for one, other in pairs]
    return [case.name, str(workers), load, str(len(measured.waits)), *cells]


def summary(waits: Seconds) -> list[float]:
    return [*quantiles(waits), float(waits.mean())]


def label(workers: int) -> str:
    return f"{workers} worker" + "s" * (workers > 1)


def curve(workers: int, costs: Costs) -> list[tuple[float, float]]:
    points = []
    for load in (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9):
        random = np.random.default_rng(1)
        rate = load * workers / MEAN
        at, took = poisson(random, rate, CALLS), kinds.exponential(random, MEAN, CALLS)
        waits = fast(at, took, random.integers(0, CALLERS, CALLS), workers, costs).waits
        points.append((load, 1000 * float(np.quantile(waits[CALLS // 5 :], 0.99))))
    return points
