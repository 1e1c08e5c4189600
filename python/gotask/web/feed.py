"""What the broker says of itself: asked a few times a second at most, however many look, and each second for the plots."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import Any, Final

from ..client.aio import AsyncClient
from ..errors import GoTaskError
from ..wire.histogram import percentile

# Seconds that the broker has to answer, and for which an answer is as good as a new one.
TIME: Final = 2.0
FRESH: Final = 0.2

# Seconds between two points of the plots, and how many are kept: the last ten minutes.
STEP: Final = 1.0
POINTS: Final = 600

Status = dict[str, Any]


class Feed:
    """Asks the broker by `client`."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client
        self._asked: dict[str, tuple[float, asyncio.Task[Any]]] = {}
        self.history: deque[dict[str, Any]] = deque(maxlen=POINTS)

    async def status(self) -> Status:
        """GoTask.Status. GoTaskError: the broker does not answer."""
        status: Status = await self._ask("GoTask.Status")
        return status

    async def failures(self) -> list[dict[str, Any]]:
        """GoTask.Failures. GoTaskError: the broker does not answer."""
        failures: list[dict[str, Any]] = await self._ask("GoTask.Failures")
        return failures

    async def run(self) -> None:
        """Keeps the history, for ever."""
        before: Status | None = None
        looked = 0.0
        while True:
            now = time.monotonic()
            try:
                status: Status | None = await self.status()
            except GoTaskError:
                status = None
            if status is None or before is None:
                self.history.append({"time": time.time()})
            else:
                self.history.append({"time": time.time(), **point(before, status, now - looked)})
            before, looked = status, now
            await asyncio.sleep(max(STEP - (time.monotonic() - now), 0.1))

    async def _ask(self, method: str) -> Any:
        now = time.monotonic()
        at, task = self._asked.get(method, (0.0, None))
        if task is None or task.done() and now - at > FRESH:
            task = asyncio.create_task(self._client.call(method, timeout=TIME))
            task.add_done_callback(lambda task: task.exception())  # those who asked may have left
            self._asked[method] = now, task
        return await asyncio.shield(task)


def point(before: Status, status: Status, seconds: float) -> dict[str, Any]:
    """What happened between two looks, per second, and what there is now. Times are None where no call has ended."""
    cpus = {worker["pid"]: worker["cpu"] for worker in before["workers"]}
    run, wait = (_ended(before, status, part) for part in ("run", "wait"))
    return {
        "calls": (_count(status) - _count(before)) / seconds,
        "errors": (_errors(status) - _errors(before)) / seconds,
        "run50": percentile(run, 0.5),
        "run99": percentile(run, 0.99),
        "wait99": percentile(wait, 0.99),
        "queued": status["queued"],
        "running": status["running"],
        "cpu": sum(max(worker["cpu"] - cpus.get(worker["pid"], 0.0), 0.0) for worker in status["workers"])
        / seconds,
        "deaths": sum(status["counters"]["deaths"].values()),
    }


def _count(status: Status) -> int:
    return sum(method["calls"] for method in status["methods"])


def _errors(status: Status) -> int:
    return sum(sum(method["errors"].values()) for method in status["methods"])


def _ended(before: Status, status: Status, part: str) -> list[tuple[float | None, int]]:
    """The buckets of the calls of all methods that ended between two looks."""
    sums: dict[float | None, int] = {}
    for sign, methods in ((1, status["methods"]), (-1, before["methods"])):
        for method in methods:
            for bound, upto in method[part]["buckets"]:
                sums[bound] = sums.get(bound, 0) + sign * upto
    return list(sums.items())
