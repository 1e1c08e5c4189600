"""A large array of numbers there and its transform back, and a table as rows and as columns."""

import time

from ..contenders import Contender
from ..contenders.gotask import GoTask, start_broker
from ..context import Context
from ..figures import Figure, Row
from ..measure import alternate, started
from ..processes import memory, reset_peak
from ..report import Report

MIB = 1 << 20
SIZE = 100 * MIB
ROWS = 100_000
SECTION = "100 MiB of float64 to Python, doubled, and back"
TABLE = f"A DataFrame of {ROWS} rows and 5 columns of numbers, from Python"


class Calls(GoTask):
    """Calls of one method of tables.py."""

    def __init__(self, context: Context, method: str, title: str, driver: str, *arguments: object) -> None:
        super().__init__(context, 1, "tables.py", SIZE + MIB)
        self.name, self.title = method, title
        self._driver, self._arguments = driver, map(str, arguments)

    def available(self) -> str | None:
        found = self.context.succeeds(self.context.python, "-c", "import numpy, pandas")
        return None if found else "numpy and pandas are missing"

    def serve(self) -> list[str]:
        start_broker(self)
        return [self._driver, self.address, self.name, *self._arguments]


def measure(context: Context, report: Report) -> None:
    context.say(SECTION)
    with started(context, [Calls(context, "doubled", SECTION, "array", SIZE + MIB)]) as running:
        if running:
            array(context, report, running[0])
    context.say(TABLE)
    forms = {
        "records": 'frame.to_dict("records")',
        "table": "the frame itself",
        "columns": "columns as arrays",
    }
    calls = [Calls(context, method, title, "work", ROWS, 0) for method, title in forms.items()]
    with started(context, calls) as running:
        for name, results in alternate(context, running, 1).items():
            times = [1e3 / result.rate for result in results]
            report.rows.append(Row(TABLE, forms[name], Figure.of(times, "ms")))


def array(context: Context, report: Report, calls: Contender) -> None:
    calls.run(1, SIZE, 0)
    assert isinstance(calls, Calls) and calls.client is not None
    broker, worker = calls.servers["broker"].tree()
    processes = {"broker": broker, "worker": worker, "PHP": calls.client.pid}
    for pid in processes.values():
        reset_peak(pid)
    times, copies = [], []
    for _ in range(context.rounds):
        times.append(1e3 / calls.run(1, SIZE, 0).rate)
        copies.append(1e3 * copying())
    report.rows.append(Row(SECTION, "the call", Figure.of(times, "ms")))
    report.rows.append(Row(SECTION, "copying it once to fresh memory", Figure.of(copies, "ms")))
    report.ratio(SECTION, "the call over one such copy", times, copies, at_most=8)
    for name, pid in processes.items():
        report.rows.append(Row(SECTION, f"most memory, {name}", Figure.of([memory(pid)], "MiB")))


def copying() -> float:
    source = b"x" * SIZE
    began = time.perf_counter()
    bytearray(source)
    return time.perf_counter() - began
