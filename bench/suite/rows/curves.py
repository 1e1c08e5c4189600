"""The plots: throughput by concurrency, the distribution of latencies, cost by payload size."""

from ..contenders import Contender
from ..contenders.echo import Echo
from ..contenders.gotask import GoTask
from ..contenders.http import Asgi, Threaded
from ..contenders.process import EachProcess
from ..contenders.redis import Redis
from ..context import Context
from ..figures import Figure
from ..measure import alternate, started
from ..report import Report
from ..svg import Points

CONCURRENCIES = [1, 2, 4, 8, 16, 32, 64, 128, 256]
SIZES = [1, 64, 1024, 16 << 10, 256 << 10, 1 << 20, 4 << 20, 16 << 20, 64 << 20]
ROUNDS = 3
#: Calls that take longer than this are not measured with anything larger.
TOO_LONG = 5e6


def throughput(context: Context, report: Report) -> None:
    context.say("throughput by concurrency")
    kinds = (GoTask, Echo, EachProcess, Asgi, Threaded, Redis)
    points: dict[str, list[tuple[float, float]]] = {}
    with started(context, [kind(context) for kind in kinds]) as running:
        for concurrency in CONCURRENCIES:
            # More processes than this at a time only wait for each other.
            some: list[Contender] = [
                each for each in running if concurrency <= 16 or not isinstance(each, EachProcess)
            ]
            results = alternate(context, some, concurrency, seconds=0.3 * context.seconds, rounds=ROUNDS)
            for contender in some:
                if results.get(contender.name):
                    rate = Figure.of([result.rate for result in results[contender.name]]).value
                    points.setdefault(contender.title, []).append((concurrency, rate))
    report.plot(
        "throughput",
        "Calls a second by calls under way at a time",
        "at a time",
        "calls/s",
        points,
        base_x=2,
        base_y=10,
    )


def latency(context: Context, report: Report) -> None:
    """From the runs of one call at a time: for each share of the calls, how long the slowest of them took."""
    runs = report.results.get("plain, one at a time", {})
    kinds: tuple[type[Contender], ...] = (GoTask, Echo, Asgi, Threaded, Redis)
    points: dict[str, Points] = {}
    for kind in kinds:
        name, title = kind.name, kind.title
        if runs.get(name):
            shares = [share for share in runs[name][0].quantiles if 0.0 < share < 1.0]
            points[title] = [
                (1 / (1 - share), Figure.of([result.quantiles[share] for result in runs[name]]).value)
                for share in shares
            ]
    title = "Latency, one call at a time: one in so many calls takes longer"
    report.plot("latency", title, "one in … calls", "µs", points, base_x=10, base_y=10)


def sizes(context: Context, report: Report) -> None:
    context.say("cost by payload size")
    points: dict[str, list[tuple[float, float]]] = {}
    others: tuple[type[Contender], ...] = (Echo, EachProcess, Asgi, Threaded, Redis)
    # The largest is the default limit, which a frame's own bytes count for.
    ours = GoTask(context, max_payload=2 * max(SIZES))
    with started(context, [ours, *(kind(context) for kind in others)]) as running:
        left: list[Contender] = list(running)
        for size in SIZES:
            results = alternate(context, left, 1, size, seconds=0.15 * context.seconds, rounds=ROUNDS)
            for contender in left[:]:
                if not results.get(contender.name):
                    left.remove(contender)
                    continue
                p50 = Figure.of([result.quantiles[0.5] for result in results[contender.name]]).value
                points.setdefault(contender.title, []).append((size, p50))
                if p50 > TOO_LONG:
                    left.remove(contender)
    report.plot(
        "sizes",
        "A call by the size of its payload, there and back (p50)",
        "bytes",
        "µs",
        points,
        base_x=2,
        base_y=10,
    )
