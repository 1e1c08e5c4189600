"""Raw Swoole: an HTTP server whose requests make one call each, and a payload that goes to TaskWorker in a file."""

import json

from ..contenders import swoole
from ..context import Context
from ..figures import Figure, Row
from ..measure import alternate, over_bare, rates, started
from ..report import Report

SECTION = "Raw Swoole, one HTTP process, `ab -k -c 100`"
BULK = "256 MiB of binary data each way"
FILE = 256 << 20


def measure(context: Context, report: Report) -> None:
    server = swoole.SwooleServer(context)
    contenders = swoole.routes(server)
    with started(context, contenders) as running:
        if not running:
            return
        context.say("raw Swoole")
        results = alternate(context, running, 100)
        rate = rates(results)
        if rate.get("task"):
            for name, reach in (("gotask", 1.4), ("inline", None)):
                if rate.get(name):
                    report.rows.append(
                        Row(
                            SECTION,
                            f"requests/s, {name} ÷ taskCo",
                            Figure.ratio(rate[name], rate["task"]),
                            at_least=reach,
                        )
                    )
                    worst = min(a / b for a, b in zip(rate[name], rate["task"], strict=True))
                    report.rows.append(
                        Row(
                            SECTION,
                            f"— the least of all rounds, {name} ÷ taskCo",
                            Figure(worst, worst, worst, 1),
                        )
                    )
        report.rows += [
            Row(SECTION, f"— {name}", Figure.of(of, "requests/s")) for name, of in rate.items() if of
        ]
        for name in ("gotask", "inline", "task"):
            if results.get(name) and results.get("bare"):
                own = over_bare(results, name, "HTTP workers")
                reach = 9.0 if name == "gotask" else None
                report.rows.append(
                    Row(
                        SECTION,
                        f"CPU of the HTTP process a call over the bare route, {name}",
                        own,
                        at_most=reach,
                    )
                )
        report.results["Swoole, 100 at a time"] = results
        context.say("a large payload through TaskWorker's temporary file")
        seconds = [float(json.loads(server.get("/file"))) for _ in range(context.rounds)]
        rate_of_file = Figure.of([2 * FILE / 1e9 / each for each in seconds], "GB/s")
        report.rows.append(
            Row(
                BULK,
                "TaskWorker's temporary file, both ways together",
                rate_of_file,
            )
        )
