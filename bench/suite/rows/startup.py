"""From nothing to the first answer."""

from ..context import BENCH, Context
from ..figures import Figure, Row
from ..processes import Process
from ..report import Report


def measure(context: Context, report: Report) -> None:
    context.say("start to first answer")
    command = [
        context.php,
        str(BENCH / "client/start.php"),
        str(BENCH / "empty.py"),
        "nothing",
        context.python,
    ]
    times = []
    for _ in range(2 * context.rounds):
        process = Process(command, piped=True)
        try:
            times.append(float(process.line(60)))
            process.wait(30)
        finally:
            process.stop()
    report.rows.append(
        Row("Start", "start to first answered call, empty app", Figure.of(times, "ms"), at_most=115.0)
    )
