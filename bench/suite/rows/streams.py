"""Small rows out of a generator."""

from ..contenders.gotask import GoTask, start_broker
from ..context import Context
from ..figures import Figure, Row
from ..report import Report

ROWS = 100_000
SECTION = 'A stream of rows such as {"id": 7, "name": "Jo"}, plain PHP'


class Stream(GoTask):
    def serve(self) -> list[str]:
        start_broker(self)
        return ["stream", self.address, str(ROWS)]


def measure(context: Context, report: Report) -> None:
    context.say(SECTION)
    stream = Stream(context, 1)
    stream.start()
    try:
        rates = [ROWS * stream.run(1, 0, context.seconds).rate for _ in range(context.rounds)]
    finally:
        stream.stop()
    report.rows.append(Row(SECTION, "rows/s", Figure.of(rates), at_least=300_000))
