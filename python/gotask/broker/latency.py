"""How long calls wait and how long they run, of the last ones."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Final

# Calls that are remembered; a percentile of more would cost no less to keep exact.
MEMORY: Final = 4096


class Latency:
    """Seconds that the last MEMORY calls of a group waited before they ran, and ran.

    The wait is everything between a call's arrival and its answer's, less the time that the worker says it ran for: in the
    broker's queue, in the kernel's, and on the ways there and back.
    """

    __slots__ = ("_calls",)

    def __init__(self) -> None:
        self._calls: deque[tuple[float, int]] = deque(maxlen=MEMORY)

    def add(self, between: float, microseconds: int) -> None:
        """One call that was answered `between` seconds after it had arrived."""
        self._calls.append((between, microseconds))

    def percentiles(self, others: Sequence[tuple[float, int]]) -> dict[str, float]:
        """Median and 99th percentile of both, in seconds; 0.0 while there were none. `others` count, too."""
        found: dict[str, float] = {}
        calls = [*self._calls, *others]
        waits = sorted(between - run / 1e6 for between, run in calls)
        runs = sorted(run / 1e6 for _, run in calls)
        for name, values in (("wait", waits), ("run", runs)):
            for percent in (50, 99):
                rank = len(values) * percent // 100
                found[f"{name}_p{percent}"] = max(0.0, values[rank]) if values else 0.0
        return found
