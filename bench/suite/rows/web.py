"""An HTTP server whose requests make one call each, and a payload that goes to TaskWorker in a file."""

import json
from collections.abc import Callable

from ..contenders import Result
from ..contenders.hyperf import HyperfServer
from ..contenders.swoole import SwooleServer
from ..contenders.web import WebServer
from ..context import Context
from ..figures import Figure, Row
from ..measure import Results, alternate, over_bare, rates, started
from ..report import Report
from .bulk import SECTION as BULK
from .bulk import SIZE

#: Requests/s ÷ taskCo, by connections.
REACH = {100: 1.3, 8: 1.1, 1: 1.0}


def hyperf(context: Context, report: Report) -> None:
    measure(context, report, HyperfServer(context))


def swoole(context: Context, report: Report) -> None:
    measure(context, report, SwooleServer(context), through_file)


def measure(
    context: Context,
    report: Report,
    server: WebServer,
    more: Callable[[Context, Report, WebServer], None] | None = None,
) -> None:
    with started(context, server.routes()) as running:
        if not running:
            return
        runs: dict[int, Results] = {}
        for connections in REACH:
            context.say(f"{server.name}, {connections} connections")
            runs[connections] = alternate(context, running, connections)
            report.results[f"{server.name}, {connections} connections"] = runs[connections]
        if more is not None:
            more(context, report, server)
    section = f"{server.name}, `ab -k`"
    for name in [route.name for route in running if route.name.startswith("gotask")]:
        # The goals are set for the default number of workers.
        is_default = name == "gotask"
        for connections, least in REACH.items():
            rate = rates(runs[connections])
            title = f"-c {connections}: requests/s, {name} ÷ taskCo"
            reach = least if is_default else None
            report.ratio(section, title, rate.get(name), rate.get("task"), at_least=reach)
        many = runs[100]
        rate = rates(many)
        if is_default:
            title = "-c 100: requests/s, gotask ÷ Go sidecar"
            report.ratio(section, title, rate.get(name), rate.get("go"), at_least=2.8)
        title = f"-c 100: CPU a request over the bare route, all processes, {name} ÷ taskCo's"
        costs, task = over_bare(many, name), over_bare(many, "task")
        report.ratio(section, title, costs, task, at_most=0.75 if is_default else None)
    titles = {route.name: route.title for route in running}
    columns: dict[str, tuple[int, Callable[[Result], float], str]] = {
        "-c 1": (1, lambda result: result.rate, ""),
        "-c 8": (8, lambda result: result.rate, ""),
        "-c 100": (100, lambda result: result.rate, ""),
        "p99 at -c 100": (100, lambda result: result.quantiles[0.99] / 1000, "ms"),
        "CPU a request at -c 100": (100, lambda result: result.cpu_per_call, "µs"),
        "page faults a request at -c 100": (
            100,
            lambda result: result.faults.get("HTTP workers", 0.0) / result.calls,
            "",
        ),
    }
    report.table(
        f"{server.name}, requests a second",
        ["", *columns],
        [
            [
                title,
                *(cell(runs[connections].get(name), of, unit) for connections, of, unit in columns.values()),
            ]
            for name, title in titles.items()
        ],
        "By `ab -k`; the CPU is that of all processes but ab's, page faults are the HTTP workers'.",
    )
    report.cpu_table(f"{server.name}, CPU a request at -c 100, by process", titles, runs[100])


def cell(results: list[Result] | None, of: Callable[[Result], float], unit: str) -> str:
    return Figure.of([of(result) for result in results], unit).text() if results else "–"


def through_file(context: Context, report: Report, server: WebServer) -> None:
    context.say("a large payload through TaskWorker's temporary file")
    seconds = [float(json.loads(server.get("/file"))) for _ in range(context.rounds)]
    rate = Figure.of([2 * SIZE / 1e9 / each for each in seconds], "GB/s")
    report.rows.append(Row(BULK, "TaskWorker's temporary file, both ways together", rate))
