"""Plain PHP, one client process: what a call costs by each way, one at a time and many."""

from ..contenders import Contender
from ..contenders.echo import Echo, Relay, Socket
from ..contenders.gotask import GoTask
from ..contenders.http import Asgi, Threaded
from ..contenders.process import EachProcess
from ..contenders.redis import Redis
from ..context import Context
from ..figures import Figure
from ..measure import alternate, rates, started
from ..report import Report

SECTION = "Plain PHP, one client"
DEPTH = 128
ALL = (GoTask, Echo, Socket, Relay, EachProcess, Asgi, Threaded, Redis)


def measure(context: Context, report: Report) -> None:
    contenders: list[Contender] = [kind(context) for kind in ALL]
    with started(context, contenders) as running:
        context.say("plain PHP, one call at a time")
        alone = alternate(context, running, 1)
        context.say(f"plain PHP, {DEPTH} at a time")
        together = alternate(context, [each for each in running if each.concurrent], DEPTH)
    rate = rates(together)
    report.ratio(
        SECTION, f"{DEPTH} deep: calls/s ÷ echo", rate.get("gotask"), rate.get("echo"), at_least=0.75
    )
    p50 = {name: [result.quantiles[0.5] for result in of] for name, of in alone.items()}
    for name, most in (("gotask", 1.15), ("relay", None)):
        title = f"one at a time: p50, {name} ÷ echo"
        report.ratio(SECTION, title, p50.get(name), p50.get("echo"), at_most=most)
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
    ours = {name: of for name, of in together.items() if name in ("gotask", "echo", "relay")}
    report.cpu_table(f"Plain PHP, CPU a call {DEPTH} at a time, by process", titles, ours)
    report.results["plain, one at a time"] = alone
    report.results[f"plain, {DEPTH} at a time"] = together


def workers(context: Context, report: Report) -> None:
    """Whether further workers cost a quick call anything."""
    section = "Quick calls by the number of workers, plain PHP, one client"
    with started(context, [GoTask(context, number) for number in (1, 2, 4)]) as running:
        for depth in (1, 8, DEPTH):
            context.say(f"1, 2 and 4 workers, {depth} at a time")
            results = alternate(context, running, depth)
            rate = rates(results)
            for name, reach in (("gotask-4", 0.95), ("gotask-2", None)):
                title = f"{depth} deep: calls/s, {name} ÷ gotask-1"
                report.ratio(section, title, rate.get(name), rate.get("gotask-1"), at_least=reach)
            report.results[f"{section}, {depth} at a time"] = results
