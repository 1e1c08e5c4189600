"""Calls that take a processor: what is lost beside processes that do nothing else, and how calls wait for each other."""

import heapq
import json
import random
import time
from collections.abc import Sequence
from statistics import median
from typing import Any

from ..contenders.gotask import GoTask
from ..context import BENCH, PROCESSORS, Context
from ..figures import Figure, Row, quantile
from ..processes import Process
from ..report import Report

CLIENTS = 8
#: Of so many calls to the app's mixed(), one is slow.
RARE = 10_000
WORK = "10 ms of a processor a call, 8 clients"
WAITING = "A sync call among 100 async ones that wait, one at a time"
MIXED = "Quick calls (20 µs), one in 10 000 of 200 ms, 4 workers, 8 clients"


def measure(context: Context, report: Report) -> None:
    iterations = calibrate(context)
    workers = PROCESSORS
    context.say(f"{WORK}, {workers} workers")
    rates, bare_rates, p99s, ideals = [], [], [], []
    contender = GoTask(context)
    contender.start()
    clients = start_clients(context, CLIENTS, contender.address, "work", [iterations])
    try:
        for _ in range(context.rounds):
            rate, times = bare(context, workers, iterations)
            answers = together(clients, 3 * context.seconds)
            rates.append(sum(answer["calls"] / answer["seconds"] for answer in answers))
            p99s.append(max(answer["quantiles"]["0.99"] for answer in answers) / 1000)
            bare_rates.append(rate)
            ideals.append(1000 * quantile(ideal(times, workers, CLIENTS), 0.99))
    finally:
        stop(clients)
        contender.stop()
    report.rows += [
        Row(
            WORK,
            f"calls/s ÷ those of {workers} bare processes",
            Figure.ratio(rates, bare_rates),
            at_least=0.97,
        ),
        Row(WORK, "— GoTask", Figure.of(rates, "calls/s")),
        Row(WORK, "p99", Figure.of(p99s, "ms"), note="of the client whose is longest"),
        Row(
            WORK,
            "p99 of an ideal central queue, simulated",
            Figure.of(ideals, "ms"),
            note="with the times of the bare processes",
        ),
    ]


def quick(context: Context, report: Report) -> None:
    """How many quick calls waited for over 50 ms, and without slow ones what the machine itself holds up."""
    context.say(MIXED)
    # Spread evenly, as the clients keep step: four slow ones at a time would leave no worker for quick ones, in any queue.
    starts = [client * RARE // CLIENTS for client in range(CLIENTS)]
    contender = GoTask(context, workers=4)
    contender.start()
    try:
        for method, name in (
            ("mixed", "quick calls that took over 50 ms"),
            ("echo", "— without slow ones: what the machine itself holds up"),
        ):
            clients = start_clients(context, CLIENTS, contender.address, method, starts, 1)
            try:
                answers = together(clients, 10 * context.seconds)
            finally:
                stop(clients)
            calls = sum(answer["calls"] for answer in answers)
            slow = sum((start + each["calls"]) // RARE for start, each in zip(starts, answers, strict=True))
            slow *= method == "mixed"
            late = sum(answer["late"] for answer in answers) - slow
            figure = Figure(late, late, late, 1)
            report.rows.append(
                Row(
                    MIXED,
                    name,
                    figure,
                    at_most=0.0 if method == "mixed" else None,
                    note=f"of {calls}, {slow} slow ones beside them",
                )
            )
    finally:
        contender.stop()


def waiting(context: Context, report: Report) -> None:
    context.say(WAITING)
    contender = GoTask(context, app="waiting.py")
    contender.start()
    command = [context.php, str(BENCH / "client/load.php"), "gotask", contender.address, "wait", "4096"]
    waiters = Process(command, piped=True)
    runs = []
    try:
        for _ in range(context.rounds):
            waiters.tell(f"100 3 {context.seconds + 1}")
            # Until all of them wait.
            time.sleep(0.5)
            runs.append(contender.run(1, 3, context.seconds))
            waiters.line(60)
    finally:
        waiters.stop()
        contender.stop()
    p99 = Figure.of([run.quantiles[0.99] / 1000 for run in runs], "ms")
    longest = max(run.quantiles[1.0] / 1000 for run in runs)
    report.rows += [
        Row(WAITING, "p99", p99, at_most=2.0),
        Row(WAITING, "— the longest of all rounds", Figure(longest, longest, longest, 1, "ms")),
    ]


def scaling(context: Context, report: Report) -> None:
    """Calls a second by the number of workers."""
    iterations = calibrate(context)
    counts = [1, 2, 4, 8]
    context.say("scaling by workers")
    points: dict[str, list[tuple[float, float]]] = {"GoTask": [], "bare processes": []}
    for workers in counts:
        contender = GoTask(context, workers=workers)
        contender.start()
        clients = start_clients(context, 2 * max(counts), contender.address, "work", [iterations])
        try:
            answers = together(clients, 2 * context.seconds)
        finally:
            stop(clients)
            contender.stop()
        points["GoTask"].append((workers, sum(answer["calls"] / answer["seconds"] for answer in answers)))
        points["bare processes"].append((workers, bare(context, workers, iterations)[0]))
    report.plot("scaling", "10 ms of a processor a call, by workers", "workers", "calls/s", points, base_x=2)


def calibrate(context: Context) -> int:
    """Iterations that take about 10 ms here."""
    _, times = run_busy(context, 1, 100_000, 0.3)
    return max(1, int(100_000 * 0.01 / median(times)))


def bare(context: Context, workers: int, iterations: int) -> tuple[float, list[float]]:
    """Works a second, and how many seconds each took."""
    return run_busy(context, workers, iterations, 2 * context.seconds)


def run_busy(context: Context, workers: int, iterations: int, seconds: float) -> tuple[float, list[float]]:
    command = [context.python, str(BENCH / "servers/busy.py"), str(iterations), str(seconds)]
    processes = [Process(command, piped=True) for _ in range(workers)]
    try:
        for process in processes:
            process.line(30)
        for process in processes:
            process.tell("go")
        times = [json.loads(process.line(seconds + 30)) for process in processes]
    finally:
        stop(processes)
    return sum(len(each) / sum(each) for each in times), [time for each in times for time in each]


def start_clients(
    context: Context, count: int, address: str, method: str, numbers: Sequence[int], step: int = 0
) -> list[Process]:
    """Each tells the method a number, which grows by the step from call to call."""
    command = [context.php, str(BENCH / "client/load.php"), "work", address, method]
    clients: list[Process] = []
    try:
        for client in range(count):
            number = numbers[client % len(numbers)]
            clients.append(Process([*command, str(number), str(step)], piped=True))
    except BaseException:
        stop(clients)
        raise
    return clients


def together(clients: Sequence[Process], seconds: float) -> list[Any]:
    for client in clients:
        client.tell(f"1 0 {seconds}")
    return [json.loads(client.line(seconds + 60)) for client in clients]


def stop(processes: Sequence[Process]) -> None:
    for process in processes:
        process.stop()


def ideal(times: Sequence[float], workers: int, clients: int, calls: int = 5000) -> list[float]:
    """How long calls take where each free worker takes the longest waiting one, and nothing else costs anything.

    Each client calls again as soon as it is answered, so calls begin in the order in which clients became free.
    """
    chance = random.Random(1)
    free = [0.0] * workers
    asked = [0.0] * clients
    heapq.heapify(free)
    heapq.heapify(asked)
    answers = []
    for _ in range(calls):
        since = heapq.heappop(asked)
        end = max(since, heapq.heappop(free)) + chance.choice(times)
        heapq.heappush(free, end)
        heapq.heappush(asked, end)
        answers.append(end - since)
    return answers[calls // 10 :]
