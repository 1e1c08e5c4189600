"""Hyperf: a route of an application makes one call for each request."""

from ..contenders import Contender, hyperf
from ..context import Context
from ..figures import Figure, Row
from ..measure import Results, alternate, over_bare, rates, started
from ..report import Report

SECTION = "Hyperf, `ab -k`"


def measure(context: Context, report: Report) -> None:
    contenders = hyperf.routes(hyperf.HyperfServer(context))
    with started(context, contenders) as running:
        if not running:
            return
        by_concurrency: dict[int, Results] = {}
        for concurrency in (100, 32, 8, 1):
            context.say(f"Hyperf, {concurrency} at a time")
            by_concurrency[concurrency] = alternate(context, running, concurrency)
    reach: dict[int, tuple[float | None, float | None]] = {100: (1.3, None), 8: (1.0, 1.1), 1: (1.0, 1.1)}
    for concurrency, results in by_concurrency.items():
        rate = rates(results)
        if rate.get("task"):
            for name, least in zip(("gotask", "inline"), reach.get(concurrency, (None, None)), strict=True):
                if rate.get(name):
                    ratio = Figure.ratio(rate[name], rate["task"])
                    report.rows.append(
                        Row(SECTION, f"-c {concurrency}: requests/s, {name} ÷ taskCo", ratio, at_least=least)
                    )
        report.results[f"Hyperf, {concurrency} at a time"] = results
    many = by_concurrency[100]
    rate = rates(many)
    if rate.get("go") and rate.get("gotask"):
        report.rows.append(
            Row(
                SECTION,
                "-c 100: requests/s, gotask ÷ Go sidecar",
                Figure.ratio(rate["gotask"], rate["go"]),
                at_least=2.5,
            )
        )
    for name in ("gotask", "inline", "task", "go"):
        if many.get(name) and many.get("bare"):
            most = 18.0 if name == "gotask" else None
            row = Row(
                SECTION,
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
    titles = {route.name: route.title for route in running}
    report.cpu_table("Hyperf, CPU a request at -c 100, by process", titles, many)
    points = {
        route.title: [
            (concurrency, Figure.of([result.rate for result in results[route.name]]).value)
            for concurrency, results in sorted(by_concurrency.items())
            if results.get(route.name)
        ]
        for route in running
    }
    report.plot(
        "hyperf", "Hyperf, requests a second", "connections (ab -k -c)", "requests/s", points, base_x=2
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
