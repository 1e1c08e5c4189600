"""HTTP servers whose requests make one call each: raw Swoole, and Hyperf."""

import json

from ..contenders import Contender, hyperf, swoole
from ..context import Context
from ..figures import Figure, Row
from ..measure import Results, alternate, started
from ..report import Report

SWOOLE = "Raw Swoole, one HTTP process, `ab -k -c 100`"
HYPERF = "Hyperf, `ab -k`"
FILE = 256 << 20


def measure_swoole(context: Context, report: Report) -> None:
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
                            SWOOLE,
                            f"requests/s, {name} ÷ taskCo",
                            Figure.ratio(rate[name], rate["task"]),
                            at_least=reach,
                        )
                    )
        report.rows += [
            Row(SWOOLE, f"— {name}", Figure.of(of, "requests/s")) for name, of in rate.items() if of
        ]
        for name in ("gotask", "inline", "task"):
            if results.get(name) and results.get("bare"):
                own = over_bare(results, name, "HTTP workers")
                reach = 9.0 if name == "gotask" else None
                report.rows.append(
                    Row(
                        SWOOLE,
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
                "256 MiB of binary data each way",
                "TaskWorker's temporary file, both ways together",
                rate_of_file,
            )
        )


def measure_hyperf(context: Context, report: Report) -> None:
    contenders = hyperf.routes(hyperf.HyperfServer(context))
    with started(context, contenders) as running:
        if not running:
            return
        by_concurrency: dict[int, Results] = {}
        for concurrency in (100, 8, 1):
            context.say(f"Hyperf, {concurrency} at a time")
            by_concurrency[concurrency] = alternate(context, running, concurrency)
    reach = {100: (1.3, 1.3), 8: (1.0, 1.1), 1: (1.0, 1.1)}
    for concurrency, results in by_concurrency.items():
        rate = rates(results)
        if rate.get("task"):
            for name, least in zip(("gotask", "inline"), reach[concurrency], strict=True):
                if rate.get(name):
                    ratio = Figure.ratio(rate[name], rate["task"])
                    report.rows.append(
                        Row(HYPERF, f"-c {concurrency}: requests/s, {name} ÷ taskCo", ratio, at_least=least)
                    )
        report.results[f"Hyperf, {concurrency} at a time"] = results
    many = by_concurrency[100]
    rate = rates(many)
    if rate.get("go") and rate.get("gotask"):
        report.rows.append(
            Row(
                HYPERF,
                "-c 100: requests/s, gotask ÷ Go sidecar",
                Figure.ratio(rate["gotask"], rate["go"]),
                at_least=2.5,
            )
        )
    for name in ("gotask", "inline", "task", "go"):
        if many.get(name) and many.get("bare"):
            most = 18.0 if name == "gotask" else None
            row = Row(
                HYPERF,
                f"-c 100: CPU a request over the bare route, all processes, {name}",
                over_bare(many, name),
                at_most=most,
            )
            report.rows.append(row)
    lines = [
        [
            route.title,
            *(cell(by_concurrency[concurrency], route) for concurrency in (1, 8, 100)),
            p99(many, route),
            cost(many, route),
        ]
        for route in running
    ]
    head = ["", "-c 1", "-c 8", "-c 100", "p99 at -c 100", "CPU a request at -c 100"]
    report.table(
        "Hyperf, requests a second", head, lines, "By `ab -k`; the CPU is that of all processes but ab's."
    )


def rates(results: Results) -> dict[str, list[float]]:
    return {name: [result.rate for result in of] for name, of in results.items()}


def over_bare(results: Results, name: str, process: str | None = None) -> Figure:
    """Microseconds of a processor, round by round."""

    def costs(of: str) -> list[float]:
        return [
            1e6
            * (sum(result.cpu.values()) if process is None else result.cpu.get(process, 0.0))
            / result.calls
            for result in results[of]
        ]

    return Figure.of(
        [with_call - bare for with_call, bare in zip(costs(name), costs("bare"), strict=True)],
        "µs",
        relative=True,
    )


def cell(results: Results, route: Contender) -> str:
    return (
        Figure.of([result.rate for result in results[route.name]]).text() if results.get(route.name) else "–"
    )


def p99(results: Results, route: Contender) -> str:
    of = results.get(route.name)
    return Figure.of([result.quantiles[0.99] / 1000 for result in of], "ms").text() if of else "–"


def cost(results: Results, route: Contender) -> str:
    of = results.get(route.name)
    return Figure.of([result.cpu_per_call for result in of], "µs").text() if of else "–"
