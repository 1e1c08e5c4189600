"""The product under calls that come when they come, answered or not, and whose methods' times are known."""

import json
import time
from dataclasses import dataclass
from types import TracebackType

import numpy as np
from numpy.typing import NDArray
from suite.contenders.gotask import GoTask
from suite.context import BENCH, Context
from suite.processes import Process, favour_all

from .times import Seconds

#: Seconds until the clients have read what they are to do.
BEFORE = 0.5


@dataclass(frozen=True)
class Load:
    """When calls come, in seconds from the start, and what each of them asks its method to take."""

    method: str
    at: Seconds
    times: Seconds


@dataclass(frozen=True)
class Measured:
    """Of each call, in the order in which they were made: when, its wait, its method's time, in seconds; and its caller."""

    made: Seconds
    waits: Seconds
    times: Seconds
    callers: NDArray[np.int64]


class Product:
    """A broker with so many workers, and processes of plain PHP that call it, each by a connection of its own."""

    def __init__(self, context: Context, workers: int, callers: int) -> None:
        self._broker = GoTask(context, workers, "known_times.py")
        self._broker.serve()
        command = [context.php, str(BENCH / "client/open.php"), self._broker.address]
        self._callers = [Process(command, piped=True) for _ in range(callers)]
        # Everybody is there once each caller has been answered.
        self.run(Load("sleep", np.zeros(callers), np.zeros(callers)))
        favour_all()

    def run(self, load: Load) -> Measured:
        """The callers make the calls in turns."""
        start = time.monotonic_ns() + int(BEFORE * 1e9)
        count = len(self._callers)
        for number, caller in enumerate(self._callers):
            mine = slice(number, None, count)
            order = {
                "method": load.method,
                "start": start,
                "at": load.at[mine].tolist(),
                "times": load.times[mine].tolist(),
            }
            caller.tell(json.dumps(order))
        answers = [json.loads(caller.line(load.at[-1] + 60)) for caller in self._callers]
        records = np.concatenate([np.array(answer) for answer in answers])
        callers = np.repeat(np.arange(count), [len(answer) for answer in answers])
        order_made = np.argsort(records[:, 0], kind="stable")
        made, began, ended, _ = (records[order_made] - start).T / 1e9
        return Measured(made, began - made, ended - began, callers[order_made])

    def __enter__(self) -> "Product":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for caller in self._callers:
            caller.stop()
        self._broker.stop()
