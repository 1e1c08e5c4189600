"""What compiling the core of broker and worker gains, beside the same sources as they are."""

import os

from ..contenders import Result
from ..contenders.gotask import GoTask, Sources
from ..context import Context
from ..figures import Figure, Row
from ..measure import alternate, rates, started
from ..processes import pinned
from ..report import Report

SECTION = "Compiled core ÷ sources"
DEPTH = 128


def measure(context: Context, report: Report) -> None:
    reason = Sources(context).available()
    if reason is not None or not hasattr(os, "sched_getaffinity"):
        return context.skip(SECTION, reason or "this system can't keep a process on one core")
    context.say(SECTION)
    with started(context, [GoTask(context), Sources(context)]) as running:
        together = alternate(context, running, DEPTH)
    with pinned(max(os.sched_getaffinity(0))), started(
        context, [GoTask(context), Sources(context)]
    ) as running:
        alone = alternate(context, running, 1)
    if not all(of.get(name) for of in (together, alone) for name in ("gotask", "sources")):
        return
    p50 = {name: [result.quantiles[0.5] for result in of] for name, of in alone.items()}
    rate = rates(together)
    rows = [
        ("one at a time, all on one core: p50", Figure.ratio(p50["gotask"], p50["sources"])),
        (f"{DEPTH} at a time: calls/s", Figure.ratio(rate["gotask"], rate["sources"])),
        (f"{DEPTH} at a time: CPU a call of the broker", cpu(together, "broker")),
    ]
    report.rows += [Row(SECTION, what, ratio) for what, ratio in rows]


def cpu(results: dict[str, list[Result]], process: str) -> Figure:
    def costs(name: str) -> list[float]:
        return [result.cpu[process] / result.calls for result in results[name]]

    return Figure.ratio(costs("gotask"), costs("sources"))
