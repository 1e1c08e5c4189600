"""Plain PHP, one client process: what a call costs by each way, one at a time and many."""

from ..contenders import Contender
from ..contenders.echo import Echo, Relay, Socket
from ..contenders.goridge import Goridge
from ..contenders.gotask import GoTask, Inline
from ..contenders.http import Asgi, Threaded
from ..contenders.process import EachProcess
from ..contenders.redis import Redis
from ..context import Context
from ..figures import Figure, Row
from ..measure import Results, alternate, started
from ..report import Report

SECTION = "Plain PHP, one client"
DEPTH = 128
ALL = (GoTask, Inline, Echo, Socket, Relay, EachProcess, Asgi, Threaded, Redis, Goridge)


def measure(context: Context, report: Report) -> None:
    contenders: list[Contender] = [kind(context) for kind in ALL]
    with started(context, contenders) as running:
        context.say("plain PHP, one call at a time")
        alone = alternate(context, running, 1)
        context.say(f"plain PHP, {DEPTH} at a time")
        together = alternate(context, [each for each in running if each.concurrent], DEPTH)
    report.rows += deep_rows(together) + alone_rows(alone)
    titles = {contender.name: contender.title for contender in running}
    report.table(
        "What plain PHP could use instead",
        ["", "p50", "p99", "calls/s", f"calls/s, {DEPTH} at a time", "CPU a call"],
        [
            [
                titles[name],
                Figure.of([result.quantiles[0.5] for result in results], "µs").text(),
                Figure.of([result.quantiles[0.99] for result in results], "µs").text(),
                Figure.of([result.rate for result in results]).text(),
                Figure.of([result.rate for result in together[name]]).text() if together.get(name) else "–",
                Figure.of([result.cpu_per_call for result in results], "µs").text(),
            ]
            for name, results in alone.items()
        ],
        "36 bytes each way, one at a time unless it says otherwise. The CPU is that of all processes, the client too. "
        "A bare echo and the relay before it hand bytes on in C: floors, and no alternatives.",
    )
    report.cpu_table(f"Plain PHP, CPU a call {DEPTH} at a time, by process", titles, ours(together))
    report.results["plain, one at a time"] = alone
    report.results[f"plain, {DEPTH} at a time"] = together


def ours(results: Results) -> Results:
    return {name: of for name, of in results.items() if name in ("gotask", "inline", "echo", "relay")}


def deep_rows(results: Results) -> list[Row]:
    rate = {name: [result.rate for result in of] for name, of in results.items()}
    rows = []
    for name, reach in (("gotask", 0.7), ("inline", 0.85)):
        if rate.get(name) and rate.get("echo"):
            rows.append(
                Row(
                    SECTION,
                    f"{DEPTH} deep, {name} ÷ echo",
                    Figure.ratio(rate[name], rate["echo"]),
                    at_least=reach,
                )
            )
            rows.append(Row(SECTION, f"— {name}", Figure.of(rate[name], "calls/s")))
    if rate.get("echo"):
        rows.append(Row(SECTION, "— the same client to a bare echo", Figure.of(rate["echo"], "calls/s")))
    return rows


def alone_rows(results: Results) -> list[Row]:
    p50 = {name: [result.quantiles[0.5] for result in of] for name, of in results.items()}
    rows = []
    for name, reach in (("gotask", 1.4), ("inline", 1.15), ("relay", None)):
        if p50.get(name) and p50.get("echo"):
            ratio = Figure.ratio(p50[name], p50["echo"])
            rows.append(Row(SECTION, f"one at a time, p50, {name} ÷ echo", ratio, at_most=reach))
            rows.append(Row(SECTION, f"— {name}", Figure.of(p50[name], "µs")))
    if p50.get("echo"):
        rows.append(Row(SECTION, "— the same client to a bare echo", Figure.of(p50["echo"], "µs")))
    return rows
