"""What the parts of a call cost here: processor time of the broker, and how long calls and workers are on their way."""

import numpy as np
from suite.contenders.gotask import GoTask
from suite.context import Context
from suite.measure import alternate, started

from .points import Load, Measured, Product
from .product import Costs

DEEP = 128
APP = "known_times.py"
#: Seconds of a method whose calls go by the broker, and of one whose calls take the fast path.
SLOW, QUICK = 2e-3, 1e-4


class Echo(GoTask):
    """Calls of one method, by one worker."""

    def __init__(self, context: Context, method: str) -> None:
        super().__init__(context, 1, APP)
        self.method = self.name = method

    def serve(self) -> list[str]:
        super().serve()
        return ["gotask", self.address, self.method, str(self.max_payload)]


def measure(context: Context) -> Costs:
    """The broker wakes up twice for a call that is alone, and not for one of many: the difference is what waking costs.

    Of several rounds the least counts: other programs only add to a processor's time.
    """
    context.say("what a call costs the broker")
    with started(context, [Echo(context, "brokered_echo")]) as running:
        many, alone = (
            min(
                each.cpu["broker"] / each.calls
                for each in alternate(context, running, depth, seconds=1.0)["brokered_echo"]
            )
            for depth in (DEEP, 1)
        )
    turn = max(0.0, (alone - many) / 2)
    context.say("how long calls are on their way, and how long a worker is between two of them")
    with Product(context, workers=1, callers=1) as product:
        # 10 ms apart, and once slow enough for the broker, once quick enough for the fast path. Then many at once.
        alone_at, many_at = np.arange(50 * context.seconds) / 100, np.repeat(np.arange(50) * 0.05, 16)
        way, fast_way = (
            float(np.median(product.run(Load("sleep", alone_at, np.full(len(alone_at), seconds))).waits))
            for seconds in (SLOW, QUICK)
        )
        worker, fast_worker = (
            between(product.run(Load("sleep", many_at, np.full(len(many_at), seconds))))
            for seconds in (SLOW, QUICK)
        )
    return Costs(turn, many / 2, many / 2, worker, fast_worker, max(0.0, way - turn - many / 2), fast_way)


def between(measured: Measured) -> float:
    """Seconds from the end of a method until that of the next call begins, which was there already: one worker, the median."""
    order = np.argsort(measured.made + measured.waits)
    made, began = measured.made[order], (measured.made + measured.waits)[order]
    ended = began + measured.times[order]
    return float(np.median((began[1:] - ended[:-1])[made[1:] < ended[:-1]]))
