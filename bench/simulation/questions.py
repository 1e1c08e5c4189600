"""What is asked of the simulation: each gives a table or a plot. Without a unit, 1 is the mean time of a method."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.random import Generator
from suite.report import Report

from .product import OVERDUE, Costs, brokered, fast
from .queues import by_connection, idle_first, least_loaded, round_robin, shared
from .times import TIMES, Draw, Seconds, poisson

Policy = Callable[[Seconds, Seconds, int, Generator], Seconds]

#: Calls of a point; the first fifth, when the queue has yet to fill, is not counted.
CALLS = 300_000
SHARES = (0.5, 0.99, 0.999)
#: Seconds.
LATE = 0.05
WORKERS = (1, 2, 4, 8, 16, 32, 64, 125, 250, 500, 1000)

POLICIES: dict[str, Policy] = {
    "one shared queue (GoTask)": lambda at, times, workers, random: shared(at, times, workers),
    "an idle worker, else in turn (TaskWorker)": lambda at, times, workers, random: idle_first(
        at, times, workers
    ),
    "round robin": lambda at, times, workers, random: round_robin(at, times, workers),
    "each connection has its worker": by_connection,
}
SHARED = next(iter(POLICIES.values()))


def costs(report: Report, found: Costs) -> None:
    rows = {
        "the broker, each time it wakes up": found.turn,
        "the broker, a call with its reply, beside that": found.broker,
        "a worker, between two methods, by the broker": found.worker,
        "the same on the fast path": found.fast_worker,
        "on its way from call() to the method, by the broker, all idle": found.way,
        "on its way on the fast path, all idle": found.fast_way,
    }
    lines = [[name, f"{1e6 * value:.1f} µs"] for name, value in rows.items()]
    report.table("What a call costs beside its method, measured", ["", ""], lines)


def waits_by_the_number_of_workers(report: Report, costs: Costs) -> None:
    lines = []
    for name, draw in TIMES.items():
        for load in (0.8, 0.95):
            cells = [waits(SHARED, draw, workers, load) for workers in (1, 4, 16, 64, 250, 1000)]
            lines.append([name, f"{100 * load:.0f} %", *map(three, cells)])
    report.table(
        "One shared queue: waits by the number of workers",
        ["times", "busy", "1", "4", "16", "64", "250", "1000"],
        lines,
        "p50 / p99 / p99.9; 1 is the mean time of a method.",
    )


def who_gets_a_call(report: Report, costs: Costs) -> None:
    workers, load = 16, 0.7
    lines = [
        [name, *(three(waits(policy, draw, workers, load)) for draw in TIMES.values())]
        for name, policy in POLICIES.items()
    ]
    report.table(
        f"The same calls, given to {workers} workers in four ways, {100 * load:.0f} % busy",
        ["", *TIMES],
        lines,
        "p50 / p99 / p99.9 of the wait; 1 is the mean time of a method.",
    )
    loads = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95)
    series = {
        name: [(each, waits(policy, TIMES["lognormal"], workers, each)[1]) for each in loads]
        for name, policy in POLICIES.items()
    }
    # No wait at all has no place on the axis.
    shown = {name: [(x, y) for x, y in points if y > 0.01] for name, points in series.items()}
    report.plot(
        "queues",
        f"Wait, p99, {workers} workers, lognormal times",
        "how busy the workers are",
        "mean times of a method",
        shown,
        base_y=10,
    )


def how_busy_workers_may_be(report: Report, costs: Costs) -> None:
    """The most at which 99 of 100 calls wait no longer than a method takes on average."""
    cases: dict[str, tuple[Policy, Draw]] = {
        f"shared queue: {name}": (SHARED, draw) for name, draw in TIMES.items()
    }
    for name, policy in zip(("TaskWorker", "round robin", "by connection"), list(POLICIES.values())[1:]):
        cases[f"{name}: lognormal"] = (policy, TIMES["lognormal"])
    series = {
        name: [(float(workers), 100 * most_busy(policy, draw, workers)) for workers in WORKERS]
        for name, (policy, draw) in cases.items()
    }
    title = "How busy workers may be: p99 of the wait at most the mean time"
    report.plot("busy", title, "workers", "% busy", series, base_x=10)


def most_busy(policy: Policy, draw: Draw, workers: int) -> float:
    low, high = 0.0, 1.0
    for _ in range(6):
        middle = (low + high) / 2
        if waits(policy, draw, workers, middle, CALLS // 3)[1] <= 1.0:
            low = middle
        else:
            high = middle
    return low


def where_the_broker_saturates(report: Report, costs: Costs) -> None:
    """Calls that keep the workers 95 % busy, or the broker 98 %, whichever is less: all are answered."""
    means = {"0.1 ms": 1e-4, "1 ms": 1e-3, "10 ms": 1e-2, "100 ms": 0.1}
    series: dict[str, list[tuple[float, float]]] = {}
    for name, mean in means.items():
        for workers in WORKERS:
            rate = min(0.95 * workers / (mean + costs.worker), 0.98 / costs.broker)
            random = np.random.default_rng(1)
            count = 100_000
            run = brokered(
                poisson(random, rate, count), TIMES["exponential"](random, mean, count), workers, costs
            )
            done = np.sort(run.ends)[count // 5 : -count // 5]
            series.setdefault(f"methods of {name}", []).append(
                (workers, (len(done) - 1) / (done[-1] - done[0]))
            )
    report.plot(
        "broker",
        "Calls a second through one broker",
        "workers",
        "calls/s",
        series,
        base_x=10,
        base_y=10,
    )


def several_machines(report: Report, costs: Costs) -> None:
    """As many workers in all; each machine has a broker. To many clients that is: in turn."""
    mean, workers, count = 5e-3, 1000, 200_000
    lines = []
    for busy in (0.2, 0.4, 0.5, 0.6, 0.8, 0.9):
        rate = busy * workers / mean
        cells = []
        for machines in (1, 2, 4, 10):
            random = np.random.default_rng(1)
            at, times = poisson(random, rate, count), TIMES["exponential"](random, mean, count)
            found = [
                brokered(at[place::machines], times[place::machines], workers // machines, costs).waits
                for place in range(machines)
            ]
            wait = np.concatenate([each[len(each) // 5 :] for each in found])
            cells.append(in_milliseconds(wait))
        share = rate * costs.broker
        lines.append([f"{rate:,.0f}".replace(",", " "), f"{100 * share:.0f} %", *cells])
    report.table(
        f"{workers} workers, exponential times of {1000 * mean:.0f} ms, on one machine or several",
        ["calls/s", "one broker busy", "1 machine", "2", "4", "10"],
        lines,
        "p50 / p99 / p99.9 of the wait in ms. Where a broker is asked for more than it can do, waits grow without end: "
        "those of the first seconds stand there.",
    )
    lines = []
    for machines in (1, 2, 4, 16):
        cells = []
        for load in (0.7, 0.9):
            random = np.random.default_rng(1)
            at, times = poisson(random, 64 * load, CALLS), TIMES["lognormal"](random, 1.0, CALLS)
            cells.append(three(quantiles(least_loaded(at, times, machines, 64 // machines)[CALLS // 5 :])))
        lines.append([f"{machines} × {64 // machines}", *cells])
    report.table(
        "64 workers on one machine or several, no cost of a broker, lognormal times",
        ["machines × workers", "70 % busy", "90 % busy"],
        lines,
        "p50 / p99 / p99.9 of the wait; 1 is the mean time. One client that calls the machine with the fewest of its calls.",
    )


def quick_calls(report: Report, costs: Costs) -> None:
    """Those of a fast path: many callers, calls of 50 µs, of which one in a thousand takes 50 ms in the second table column."""
    count, mean, callers = 200_000, 50e-6, 32
    lines = []
    for workers in (1, 2, 4, 8, 16):
        cells = []
        for slow in (0.0, 1e-3):
            random = np.random.default_rng(1)
            times = np.where(random.random(count) < slow, 50e-3, mean)
            at = poisson(random, 0.6 * workers / (float(times.mean()) + costs.worker), count)
            whose = random.integers(0, callers, count)
            quick = times == mean
            for run in (fast(at, times, whose, workers, costs), brokered(at, times, workers, costs)):
                wait = run.waits[quick][count // 5 :]
                cells.append(in_milliseconds(wait))
            at_once = round_robin(at, times + costs.fast_worker, workers)[quick][count // 5 :]
            cells.append(in_milliseconds(at_once))
        lines.append([str(workers), *cells])
    heads = [
        f"{name}, {what}"
        for what in ("all quick", "1 in 1 000 of 50 ms")
        for name in ("fast path", "by the broker", "round robin")
    ]
    report.table(
        "Waits of quick calls of 50 µs, 60 % busy",
        ["workers", *heads],
        lines,
        "p50 / p99 / p99.9 in ms, of the quick calls alone. Round robin without any way or broker.",
    )


def behind_slow_ones(report: Report, costs: Costs) -> None:
    """Callers make eight calls at a time: some share a message with a slow one, and some their socket."""
    count, at_once, callers, slow = 200_000, 8, 32, 0.2
    lines = []
    for workers in (4, 8, 16):
        random = np.random.default_rng(1)
        times = np.where(random.random(count) < 2e-4, slow, 50e-6)
        rate = 0.3 * workers / (float(times.mean()) + costs.worker)
        at = np.repeat(poisson(random, rate / at_once, count // at_once), at_once)
        whose = np.repeat(random.integers(0, callers, count // at_once), at_once)
        cells = [str(workers)]
        for overdue in (OVERDUE, np.inf):
            run = fast(at, times, whose, workers, costs, overdue)
            wait = run.waits[times < slow][count // 5 :]
            late = f"{1e6 * float((wait > LATE).mean()):.0f}"
            cells += [in_milliseconds(wait), late]
        lines.append(cells)
    report.table(
        f"Quick calls of 50 µs, eight at a time, one in 5 000 takes {1000 * slow:.0f} ms, 30 % busy",
        ["workers", "wait", "late", "wait, never taken back", "late, never taken back"],
        lines,
        f"p50 / p99 / p99.9 in ms, and of a million quick calls those that wait over {1000 * LATE:.0f} ms. What no worker has "
        f"begun after {1000 * OVERDUE:.0f} ms is taken back and goes by the broker.",
    )


ALL: Sequence[Callable[[Report, Costs], None]] = (
    waits_by_the_number_of_workers,
    who_gets_a_call,
    how_busy_workers_may_be,
    where_the_broker_saturates,
    several_machines,
    quick_calls,
    behind_slow_ones,
)


def waits(policy: Policy, draw: Draw, workers: int, load: float, count: int = CALLS) -> list[float]:
    """Quantiles of the waits, in mean times of a method."""
    random = np.random.default_rng(1)
    at = poisson(random, load * workers, count)
    return quantiles(policy(at, draw(random, 1.0, count), workers, random)[count // 5 :])


def quantiles(values: Seconds) -> list[float]:
    return [float(each) for each in np.quantile(values, SHARES)]


def three(values: Sequence[float]) -> str:
    return " / ".join(f"{value:.0f}" if value >= 9.95 else f"{value:.1f}" for value in values)


def in_milliseconds(waits: Seconds) -> str:
    return " / ".join(map(milliseconds, quantiles(waits)))


def milliseconds(seconds: float) -> str:
    value = 1000 * seconds
    return f"{value:.0f}" if value >= 99.5 else f"{value:.1f}" if value >= 9.95 else f"{value:.2f}"
