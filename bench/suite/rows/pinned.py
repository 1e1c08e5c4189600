"""One call at a time with every process on one core: no wake-up goes across cores, so the figures are the most stable."""

import os

from ..contenders import Contender
from ..contenders.echo import Echo, Relay, Socket
from ..contenders.gotask import GoTask
from ..context import Context
from ..figures import Figure, Row
from ..measure import alternate, started
from ..processes import pinned
from ..report import Report

SECTION = "All on one core, one call at a time"


def measure(context: Context, report: Report) -> None:
    if not hasattr(os, "sched_getaffinity"):
        return context.skip(SECTION, "this system can't keep a process on one core")
    context.say("plain PHP, one call at a time, all on one core")
    contenders: list[Contender] = [kind(context) for kind in (GoTask, Echo, Socket, Relay)]
    with pinned(max(os.sched_getaffinity(0))), started(context, contenders) as running:
        results = alternate(context, running, 1)
    for contender in running:
        if results.get(contender.name):
            p50 = Figure.of([result.quantiles[0.5] for result in results[contender.name]], "µs")
            report.rows.append(
                Row(
                    SECTION,
                    f"p50, {contender.title}",
                    p50,
                    at_most=18.0 if contender.name == "gotask" else None,
                )
            )
    report.results["plain, one at a time, one core"] = results
