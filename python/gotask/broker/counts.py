"""What is counted of each method: calls, errors, bytes, and how long calls wait and run.

Calls that go through the broker are counted here, those of fast sockets by the workers that run them (see `ipc.counters`). What
a worker has counted since the last look is added here, at its end too: nothing is lost with it, and nothing counts twice.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Generator
from itertools import accumulate
from operator import add, sub
from typing import Any, Final, TypeVar

from ..errors import Cancelled, GoTaskError, code_of
from ..ipc.counters import BITS, Counters
from ..wire.histogram import BOUNDS, percentile
from ..wire.names import Catalogue
from .failures import Failures

# Methods that are counted each on its own; the others share one row.
MAX_METHODS: Final = 1024
OTHERS: Final = "(other)"

# Seconds between two snapshots, and how many of them are kept: a minute.
PAUSE: Final = 5.0
SNAPSHOTS: Final = 13


T = TypeVar("T")


class MethodCounts:
    """Of one method. `waited` and `ran` are microseconds, sizes are bytes of bodies. `waits` and `runs` have a number for each
    bucket, of which they have more than are told: whatever time a call takes has its place.

    A call that no worker has begun is in `calls`, in `errors` or `cancelled`, and in no bucket. One whose caller waited no more
    has not failed: it is in `cancelled`, not in `errors`, so nobody else needs to tell them apart.
    """

    __slots__ = (
        "name",
        "service",
        "kind",
        "calls",
        "cancelled",
        "errors",
        "received",
        "sent",
        "waited",
        "ran",
        "waits",
        "runs",
        "_failures",
    )

    def __init__(self, name: str, failures: Failures) -> None:
        self.name = name
        self.service = ""
        self.kind = "sync"
        self.calls = 0
        self.cancelled = 0
        self.errors: Counter[str] = Counter()
        self.received = 0
        self.sent = 0
        self.waited = 0.0
        self.ran = 0.0
        self.waits = [0] * BITS
        self.runs = [0] * BITS
        self._failures = failures

    def answered(self, between: float, took: int, received: int, sent: int) -> None:
        """A worker has answered a call `between` seconds after it had come, and its method ran for `took` microseconds."""
        wait = int(between * 1e6) - took
        if wait < 0:
            wait = 0  # the worker measured it more exactly
        self.calls += 1
        self.received += received
        self.sent += sent
        self.waited += wait
        self.ran += took
        self.waits[wait.bit_length()] += 1
        self.runs[took.bit_length()] += 1

    def answered_with_error(self, body: memoryview, is_wanted: bool, pid: int, seconds: float) -> None:
        """That answer was an error. Where nobody waited for it any more, the call was cancelled."""
        if self.has_failed(code_of(body) if is_wanted else Cancelled.code) and self._failures.has_room():
            self._failures.add(self.name, bytes(body), pid, seconds)

    def failed(self, error: GoTaskError, seconds: float) -> None:
        """The broker itself ends a call with an error, `seconds` after it had come."""
        self.calls += 1
        if self.has_failed(error.code) and self._failures.has_room():
            self._failures.add(self.name, error.body(), (error.data or {}).get("pid", 0), seconds)

    def has_failed(self, code: str, calls: int = 1) -> bool:
        """Counts so many calls that ended with that code. False: their callers waited no more, which is no failure."""
        if code == Cancelled.code:
            self.cancelled += calls
            return False
        self.errors[code] += calls
        return True


# By service and kind: seconds of the last minute's calls, where there were any; 0.0 where none was begun.
Percentiles = dict[tuple[str, str], dict[str, float]]

_Times = tuple[list[int], list[int]]  # waits and runs
_NEVER: Final[_Times] = ([0] * BITS, [0] * BITS)


class Counts:
    """Of all methods, and of what happens beside calls.

    methods: of brokered calls, and of fast ones as far as they were looked at. living: what workers count that live.
    """

    def __init__(self) -> None:
        self.failures = Failures()
        self.methods: dict[str, MethodCounts] = {}
        self.living: list[Counters] = []
        self.catalogue = Catalogue([])  # of the methods that there are now
        self.events: Counter[str] = Counter()
        self.deaths: Counter[str] = Counter()  # of workers, by what ended them
        self._snapshots: deque[dict[str, _Times]] = deque(maxlen=SNAPSHOTS)

    def of(self, name: str) -> MethodCounts:
        """Those of a method, which are the same object for ever."""
        found = self.methods.get(name)
        if found is None:
            if len(self.methods) >= MAX_METHODS:
                name = OTHERS
            found = self.methods.setdefault(name, MethodCounts(name, self.failures))
        description = self.catalogue.resolve(name)
        if description is not None:
            found.service, found.kind = description["group"], "async" if description["async"] else "sync"
        return found

    def spelled(self, name: str) -> MethodCounts:
        """Those of the method that a caller means, or OTHERS."""
        description = self.catalogue.resolve(name)
        return self.of(description["name"] if description is not None else OTHERS)

    def retire(self, counters: Counters) -> None:
        """Its worker has ended."""
        self.living.remove(counters)
        self._add(counters)

    def _called(self) -> Generator[None, None, list[tuple[str, MethodCounts]]]:
        """Those of all methods that were called, with what workers have counted until now; a worker at a time."""
        for counters in tuple(self.living):
            if counters in self.living:
                self._add(counters)
                yield
        return [(name, counts) for name, counts in self.methods.items() if counts.calls]

    def snapshot(self) -> Generator[None, None, None]:
        """To be taken every PAUSE seconds: what came since is told apart from what came before. In steps, as status()."""
        last = self._snapshots[-1] if self._snapshots else {}
        taken = {}
        for name, counts in (yield from self._called()):
            before = last.get(name)
            if before is not None and before == (counts.waits, counts.runs):
                taken[name] = before  # those that are not called share one
            else:
                taken[name] = counts.waits[:], counts.runs[:]
            yield
        self._snapshots.append(taken)

    def _add(self, counters: Counters) -> None:
        """Adds what a worker has counted since it was looked at last."""
        for name, run, wait, (calls, ran, waited, received, sent) in counters.cells():
            counts = self.of(name or OTHERS)
            counts.calls += calls
            counts.ran += ran / 1000
            counts.waited += waited / 1000
            counts.received += received
            counts.sent += sent
            counts.runs[run] += calls
            counts.waits[wait] += calls
        for name, not_begun, errors in counters.errors():
            counts = self.of(name or OTHERS)
            counts.calls += not_begun
            for code, calls in errors.items():
                counts.has_failed(code, calls)

    def status(
        self, encode: Callable[[dict[str, Any]], T]
    ) -> Generator[None, None, tuple[list[T], Percentiles]]:
        """What GoTask.Status tells of methods, each encoded; and the percentiles of each service's methods of a kind. There may
        be many: whoever iterates over this lets calls come in between."""
        before = self._snapshots[0] if len(self._snapshots) == SNAPSHOTS else {}
        told = []
        services: dict[tuple[str, str], _Times] = {}
        for name, counts in sorted((yield from self._called())):
            then = before.get(name, _NEVER)
            recent: _Times = [], []
            if then != (counts.waits, counts.runs):
                recent = _combined(sub, (counts.waits, counts.runs), then)
                service = counts.service, counts.kind
                services[service] = _combined(add, services.get(service, _NEVER), recent)
            method = {
                "name": name,
                "service": counts.service,
                "kind": counts.kind,
                "calls": counts.calls,
                "cancelled": counts.cancelled,
                "errors": dict(counts.errors),
                "received": counts.received,
                "sent": counts.sent,
                "wait": _told(counts.waited, counts.waits, recent[0]),
                "run": _told(counts.ran, counts.runs, recent[1]),
            }
            told.append(encode(method))
            yield
        return told, {service: _percentiles(*times) for service, times in services.items()}


def _combined(how: Callable[[int, int], int], one: _Times, other: _Times) -> _Times:
    return list(map(how, one[0], other[0])), list(map(how, one[1], other[1]))


def _percentiles(waits: list[int], runs: list[int]) -> dict[str, float]:
    return {
        f"{name}_p{percent}": percentile(_cumulative(buckets), percent / 100) or 0.0
        for name, buckets in (("wait", waits), ("run", runs))
        for percent in (50, 99)
    }


def _told(micros: float, buckets: list[int], recent: list[int]) -> dict[str, Any]:
    last_minute = _cumulative(recent)
    return {
        "sum": micros / 1e6,
        "p50": percentile(last_minute, 0.5) or 0.0,
        "p99": percentile(last_minute, 0.99) or 0.0,
        "buckets": _cumulative(buckets),
    }


def _cumulative(buckets: list[int]) -> list[tuple[float | None, int]]:
    return [*zip(BOUNDS[:-1], accumulate(buckets)), (None, sum(buckets))]


# What a service says that was not called in the last minute.
NO_PERCENTILES: Final = _percentiles([], [])
